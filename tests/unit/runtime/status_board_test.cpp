// SPDX-License-Identifier: GPL-3.0-or-later
// What the board makes of its parts: an uploader and an outbox in memory, and a meter that is disabled.
#include "runtime/status_board.hpp"

#include "core/health.hpp"
#include "unit/runtime/uploader_world.hpp"

namespace vz {
namespace {

using namespace std::chrono_literals;

const std::string kUuid = "550e8400-e29b-11d4-a716-446655440000";

class OneSink final : public Sink {
 public:
  std::string endpoint() const override { return "http://mw"; }
  std::size_t max_batch() const override { return 10; }
  HttpRequest encode(std::span<const QueuedReading>) const override { return {}; }
  Judgement classify(const HttpReply& reply, std::span<const QueuedReading>) const override {
    if (reply.status == 200) return {.verdict = Verdict::accepted, .message = {}};
    return {.verdict = Verdict::keep, .retry = Retry::soon, .message = "no luck"};
  }
};

class StatusBoardTest : public testing::Test {
 protected:
  StatusBoardTest() {
    outbox_.on_push([] {});
    static const Protocol protocol{.name = "random", .summary = {}, .options = {}};
    meter_.number = 1;
    meter_.protocol = &protocol;
    for (int i = 0; i < 2; ++i)
      meter_.channels.push_back({.number = 5 + i,
                                 .uuid = kUuid,
                                 .identifier_text = "1.8.0",
                                 .identifier = {},
                                 .api_text = {},
                                 .mqtt_topic = {},
                                 .options = {}});
    queue_ = outbox_.open({"http://mw", kUuid});
    uploader_.add(queue_, std::make_unique<OneSink>(), "chn5", channel_label(kUuid));
    board_.add_meter(meter_, nullptr, {queue_, std::nullopt});
  }

  void push(int value) { outbox_.push(queue_, clock_.now().wall, value); }

  test::FakeClock clock_;
  test::KeptLog log_;
  test::FakeHttp http_{clock_};
  DurableOutbox outbox_{clock_, log_, {}, system_files()};
  Uploader uploader_{http_, outbox_, clock_, log_, {}};
  MeterSettings meter_;
  QueueId queue_{};
  StatusBoard board_{"1.2.3", clock_, uploader_, outbox_, "/state/outbox.db"};
};

TEST_F(StatusBoardTest, BringsChannelsTogetherWithTheirQueues) {
  http_.server = [](const HttpRequest&) { return test::Answer{{.status = 500, .error = {}, .body = {}}}; };
  push(1);
  clock_.passed += 1s;
  push(2);
  uploader_.step();
  const StatusReport report = board_.report();
  EXPECT_EQ(report.version, "1.2.3");
  EXPECT_EQ(report.now - report.started, 1005ms);
  ASSERT_EQ(report.meters.size(), 1U);
  EXPECT_EQ(report.meters[0].state, MeterReport::State::disabled);
  ASSERT_EQ(report.meters[0].channels.size(), 2U);
  const ChannelReport& sending = report.meters[0].channels[0];
  EXPECT_EQ(sending.number, 5);
  EXPECT_EQ(sending.label, "channel ...440000");
  EXPECT_EQ(sending.endpoint, "http://mw");
  EXPECT_EQ(sending.queue.waiting, 2U);
  EXPECT_EQ(report.meters[0].channels[1].endpoint, "");
  ASSERT_EQ(report.endpoints.size(), 1U);
  EXPECT_EQ(report.endpoints[0].waiting, 2U);
  EXPECT_EQ(report.endpoints[0].failures, 1U);
  EXPECT_EQ(report.endpoints[0].trouble, "no luck");
  EXPECT_TRUE(report.endpoints[0].oldest.has_value());
  EXPECT_TRUE(report.endpoints[0].next_try.has_value());
  EXPECT_FALSE(health(report).ok());
}

TEST_F(StatusBoardTest, AQueueThatTwoChannelsShareCountsOnce) {
  uploader_.add(queue_, std::make_unique<OneSink>(), "chn6", channel_label(kUuid));
  board_.add_meter(meter_, nullptr, {queue_, queue_});
  push(1);
  const StatusReport report = board_.report();
  EXPECT_EQ(report.meters.at(1).channels.at(0).queue.waiting, 1U);
  EXPECT_EQ(report.meters.at(1).channels.at(1).queue.waiting, 1U);
  ASSERT_EQ(report.endpoints.size(), 1U);
  EXPECT_EQ(report.endpoints[0].waiting, 1U);
}

TEST_F(StatusBoardTest, AsksTheServices) {
  bool works = true;
  board_.add_service([&] {
    return ServiceReport{.name = "mqtt", .working = works, .trouble = {}, .trouble_since = {}, .counters = {}};
  });
  EXPECT_TRUE(health(board_.report()).ok());
  works = false;
  EXPECT_EQ(health(board_.report()).reasons, std::vector<std::string>{"mqtt: not working"});
}

TEST(ChannelLabel, ShowsTheEndOnly) {
  EXPECT_EQ(channel_label(kUuid), "channel ...440000");
  EXPECT_EQ(channel_label("short"), "channel ...short");
}

}  // namespace
}  // namespace vz
