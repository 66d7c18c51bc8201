// SPDX-License-Identifier: GPL-3.0-or-later
#include "unit/local/board_fixture.hpp"

namespace vz::local {
namespace {

struct World {
  explicit World(int buffer, std::size_t most = ReadingBoard::kMaxTuples) : board(meters.all, buffer, clock, most) {}
  [[nodiscard]] std::vector<Tuple> tuples(const char* uuid) const { return board.copy(board.find(uuid)).at(0).tuples; }
  Meters meters;
  HandClock clock;
  ReadingBoard board;
};

TEST(ReadingBoard, KeepsTheLastReadingsByNumber) {
  World world(-2);
  for (int i = 0; i < 4; ++i) read(world.board, world.meters[0], kNow + i, i);
  EXPECT_EQ(world.tuples(kUuidA), (std::vector<Tuple>{{at(kNow + 2), 2}, {at(kNow + 3), 3}}));
  EXPECT_EQ(world.board.dropped(), 0U);
}

TEST(ReadingBoard, BufferOfNoneKeepsOne) {
  World world(0);
  read(world.board, world.meters[0], kNow, 1);
  read(world.board, world.meters[0], kNow + 1, 2);
  EXPECT_EQ(world.tuples(kUuidA), (std::vector<Tuple>{{at(kNow + 1), 2}}));
}

TEST(ReadingBoard, ReadingsLeaveWithAge) {
  World world(10);
  read(world.board, world.meters[0], kNow - 11'000, 1);
  read(world.board, world.meters[0], kNow - 10'000, 2);
  read(world.board, world.meters[0], kNow, 3);
  const auto scope = world.board.find(kUuidA);
  const auto before = world.board.revision(scope);
  EXPECT_EQ(world.tuples(kUuidA), (std::vector<Tuple>{{at(kNow - 10'000), 2}, {at(kNow), 3}}));
  EXPECT_EQ(world.board.revision(scope), before);
  world.clock.wall = at(kNow + 1);
  EXPECT_NE(world.board.revision(scope), before);  // what leaves is a change of what is shown
  EXPECT_EQ(world.tuples(kUuidA), (std::vector<Tuple>{{at(kNow), 3}}));
}

TEST(ReadingBoard, AYoungReadingInFrontHoldsOlderOnes) {
  World world(10);
  read(world.board, world.meters[0], kNow, 1);
  read(world.board, world.meters[0], kNow - 60'000, 2);
  EXPECT_EQ(world.board.copy(world.board.find(kUuidA)).at(0).tuples.size(), 2U);
}

TEST(ReadingBoard, MemoryIsBounded) {
  World world(3600, 1);  // so the least that each list may hold
  for (std::size_t i = 0; i < ReadingBoard::kLeastTuples + 5; ++i) read(world.board, world.meters[0], kNow, 1.0);
  EXPECT_EQ(world.tuples(kUuidA).size(), ReadingBoard::kLeastTuples);
  EXPECT_EQ(world.board.dropped(), 5U);
}

TEST(ReadingBoard, ChannelsWithOneUuidShareTheirReadings) {
  World world(-5);
  read(world.board, world.meters[0], kNow, 1);
  read(world.board, world.meters[2], kNow + 1, 2);
  const auto views = world.board.copy(world.board.find(kUuidA));
  ASSERT_EQ(views.size(), 2U);
  EXPECT_EQ(views[0].tuples, (std::vector<Tuple>{{at(kNow), 1}, {at(kNow + 1), 2}}));
  EXPECT_EQ(views[1].tuples, views[0].tuples);
  EXPECT_EQ(views[0].last, kNow);
  EXPECT_EQ(views[1].last, kNow + 1);
}

TEST(ReadingBoard, LastIsOfRawReadings) {
  World world(-1);
  world.board.raw(world.meters[1], Reading{{}, 1.0, {}, at(kNow)});
  const auto view = world.board.copy(world.board.find(kUuidB)).at(0);
  EXPECT_EQ(view.last, kNow);
  EXPECT_TRUE(view.tuples.empty());
}

TEST(ReadingBoard, LastIsTheNewestStampWhateverComesLast) {
  World world(-1);
  const auto last = [&] { return world.board.copy(world.board.find(kUuidB)).at(0).last; };
  for (const long long ms : {kNow, kNow - 1000, kNow - 1}) world.board.raw(world.meters[1], Reading{{}, 1.0, {}, at(ms)});
  EXPECT_EQ(last(), kNow);
  world.clock.wall = at(kNow - 3'600'000);  // the clock was an hour ahead
  world.board.raw(world.meters[1], Reading{{}, 1.0, {}, at(kNow - 3'600'000)});
  EXPECT_EQ(last(), kNow - 3'600'000);
}

TEST(ReadingBoard, ReadingsWithoutAStampDoNotMoveLast) {
  World world(-1);
  ReadingTap& tap = world.board;
  tap.raw_unstamped(world.meters[1], Reading{{}, 1.0, {}, at(5)}, world.clock.now());
  EXPECT_EQ(world.board.copy(world.board.find(kUuidB)).at(0).last, 0);
}

TEST(ReadingBoard, WhetherAStampIsRightIsNotItsDecision) {
  World world(-1);
  world.clock.sane = false;  // it has become so since the pipeline looked
  world.board.raw(world.meters[1], Reading{{}, 1.0, {}, at(kNow)});
  EXPECT_EQ(world.board.copy(world.board.find(kUuidB)).at(0).last, kNow);
}

TEST(ReadingBoard, NewsAreOfItsOwnList) {
  World world(-1);
  const auto a = world.board.find(kUuidA);
  const auto b = world.board.find(kUuidB);
  int calls = 0;
  world.board.on_change([&] { ++calls; });
  const auto news_a = world.board.news(a);
  const auto news_b = world.board.news(b);
  const auto news = world.board.news({});
  world.board.raw(world.meters[0], Reading{{}, 1.0, {}, at(kNow)});
  EXPECT_EQ(world.board.news(a), news_a);
  EXPECT_EQ(calls, 0);
  world.board.aggregated(world.meters[0], 1.0, at(kNow));
  EXPECT_NE(world.board.news(a), news_a);
  EXPECT_EQ(world.board.news(b), news_b);
  EXPECT_NE(world.board.news({}), news);
  EXPECT_EQ(calls, 1);
  EXPECT_TRUE(world.board.has_newer(a, at(kNow - 1)));
  EXPECT_FALSE(world.board.has_newer(a, at(kNow)));
  EXPECT_FALSE(world.board.has_newer(b, at(0)));
  EXPECT_TRUE(world.board.has_newer({}, at(0)));
}

TEST(ReadingBoard, UuidsAreFoundInTheirVerySpelling) {
  World world(-1);
  EXPECT_TRUE(world.board.find(kUuidA));
  EXPECT_FALSE(world.board.find("550E8400-e29b-11d4-a716-446655440000"));
  EXPECT_FALSE(world.board.find(""));
}

}  // namespace
}  // namespace vz::local
