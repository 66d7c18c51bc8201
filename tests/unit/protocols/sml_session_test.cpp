// SPDX-License-Identifier: GPL-3.0-or-later
// The sml session told time and bytes by hand.
#include "support/counting_new.hpp"
#include "support/sml_harness.hpp"

namespace vz::test::sml {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

Bytes sample(unsigned value = 7) {
  return telegram({entry({.name = "0100600100ff", .value = text("0123456789")}),
                   entry({.name = "0100010800ff", .status = u(0x182, 2), .unit = u(30, 1), .scaler = i(-1, 1), .value = u(value, 5)}),
                   entry({.name = "0100100700ff", .time = sec_index(5), .unit = u(27, 1), .scaler = i(-1, 1), .value = i(-1371, 4)})});
}

/// A session on a clock that the test moves.
class Talk {
 public:
  explicit Talk(SmlSettings settings) : session(std::move(settings)) {
    session.opened(now, out);
    previous = now.mono;
    step([&] { session.begin(now, out); });
  }
  template <typename F>
  void step(F&& f) {
    out.clear();
    f();
  }
  void pass(milliseconds time) {
    now.mono += time;
    now.wall += time;
  }
  std::size_t receive(std::span<const std::byte> bytes) {
    std::size_t used = 0;
    step([&] { used = session.received(bytes, now, previous, out); });
    previous = now.mono;
    return used;
  }
  void tick() {
    step([&] { session.timer(now, out); });
  }
  [[nodiscard]] Bytes written() const {
    for (const auto& action : out.actions)
      if (const auto* write = std::get_if<WriteBytes>(&action)) return {write->bytes.begin(), write->bytes.end()};
    return {};
  }

  SmlSession session;
  SessionOut out;
  Instant now = kNow;
  MonoTime previous{};
};

SmlSettings pulling() {
  SmlSettings settings;
  settings.pull_sequence = frame(message(0x0700, list({absent(), absent(), absent(), absent(), absent()})));
  return settings;
}

TEST(SmlSession, StampsWithTheArrivalOfTheFirstByte) {
  Talk talk{SmlSettings{}};
  const Bytes bytes = sample();
  talk.pass(milliseconds{500});
  talk.receive(std::span(bytes).first(1));
  const WallTime first = talk.now.wall;
  talk.pass(milliseconds{200});
  talk.receive(std::span(bytes).subspan(1));
  ASSERT_EQ(talk.out.readings.size(), 2U);
  EXPECT_EQ(talk.out.readings[0].stamp, first);
  EXPECT_EQ(talk.out.readings[1].stamp, first);
  EXPECT_TRUE(talk.out.cycle_done);
  EXPECT_EQ(talk.out.telegrams, 1U);
}

TEST(SmlSession, CountsBackFromOneLateRead) {
  Talk talk{SmlSettings{}};
  const Bytes bytes = sample();
  talk.pass(milliseconds{5000});
  talk.receive(bytes);
  ASSERT_EQ(talk.out.readings.size(), 2U);
  const auto line_time = std::chrono::duration_cast<milliseconds>(SmlSettings{}.line.duration(bytes.size() - 1));
  EXPECT_EQ(talk.out.readings[0].stamp, talk.now.wall - line_time);
}

TEST(SmlSession, HandsBackWhatFollowsATelegram) {
  Talk talk{SmlSettings{}};
  const Bytes one = sample(1);
  const Bytes both = one + sample(2);
  ASSERT_EQ(talk.receive(both), one.size());
  EXPECT_EQ(talk.out.readings[0].value, 0.1);
  ASSERT_EQ(talk.receive(std::span(both).subspan(one.size())), both.size() - one.size());
  EXPECT_EQ(talk.out.readings[0].value, 0.2);
}

TEST(SmlSession, GathersReadsUntilTheEndThatItHasLearned) {
  Talk talk{SmlSettings{}};
  const Bytes bytes = sample();
  talk.receive(bytes);
  EXPECT_EQ(talk.out.quiet_until, MonoTime{});
  talk.pass(seconds{1});
  talk.receive(std::span(bytes).first(8));
  const auto rest = SmlSettings{}.line.duration(bytes.size() - 8);
  EXPECT_GE(talk.out.quiet_until, talk.now.mono + rest);
  EXPECT_LE(talk.out.quiet_until, talk.now.mono + rest + milliseconds{3});
  ASSERT_TRUE(talk.out.timer);
  EXPECT_LT(talk.out.quiet_until, *talk.out.timer);
}

TEST(SmlSession, SaysWhenThePushStops) {
  Talk talk{SmlSettings{}};
  talk.receive(sample());
  talk.pass(seconds{9});
  talk.tick();
  EXPECT_TRUE(talk.out.faults.empty());
  talk.pass(seconds{1});
  talk.tick();
  ASSERT_EQ(talk.out.faults.size(), 1U);
  EXPECT_EQ(talk.out.faults[0].kind, FaultKind::silence);
  EXPECT_TRUE(talk.out.timer);
}

TEST(SmlSession, TellsBytesThatAreNoSmlFromSilence) {
  Talk talk{SmlSettings{}};
  for (int n = 0; n < 25 && talk.out.faults.empty(); ++n) {
    talk.pass(milliseconds{500});
    talk.receive(hex("313233343536373839"));
    if (*talk.out.timer <= talk.now.mono) talk.tick();
  }
  ASSERT_EQ(talk.out.faults.size(), 1U);
  EXPECT_EQ(talk.out.faults[0].kind, FaultKind::grammar);
  EXPECT_NE(talk.out.faults[0].detail.find("no SML telegram begins"), std::string::npos) << talk.out.faults[0].detail;
}

TEST(SmlSession, ReportsATelegramThatStops) {
  Talk talk{SmlSettings{}};
  const Bytes bytes = sample();
  talk.receive(std::span(bytes).first(100));
  talk.pass(seconds{10});
  talk.tick();
  ASSERT_FALSE(talk.out.faults.empty());
  EXPECT_EQ(talk.out.faults[0].kind, FaultKind::truncated);
  talk.receive(bytes);
  EXPECT_EQ(talk.out.readings.size(), 2U);
}

TEST(SmlPull, AsksInEachCycleAndAfterEachReopening) {
  Talk talk{pulling()};
  EXPECT_TRUE(talk.session.pulls());
  EXPECT_EQ(talk.written(), pulling().pull_sequence);
  talk.receive(sample());
  EXPECT_TRUE(talk.out.cycle_done);
  EXPECT_FALSE(talk.out.timer);
  talk.step([&] { talk.session.begin(talk.now, talk.out); });
  EXPECT_EQ(talk.written(), pulling().pull_sequence);
  talk.step([&] { talk.session.lost(talk.now, talk.out); });
  talk.step([&] { talk.session.opened(talk.now, talk.out); });
  EXPECT_TRUE(talk.written().empty());
  talk.step([&] { talk.session.begin(talk.now, talk.out); });
  EXPECT_EQ(talk.written(), pulling().pull_sequence);
}

TEST(SmlPull, IgnoresTheEchoOfItsRequest) {
  Talk talk{pulling()};
  talk.receive(pulling().pull_sequence);
  EXPECT_FALSE(talk.out.cycle_done);
  EXPECT_TRUE(talk.out.faults.empty());
  talk.receive(sample());
  EXPECT_TRUE(talk.out.cycle_done);
  EXPECT_EQ(talk.out.readings.size(), 2U);
}

TEST(SmlPull, AsksAgainAfterADamagedAnswerTwiceAtMost) {
  Talk talk{pulling()};
  Bytes damaged = sample();
  damaged[50] ^= std::byte{1};
  for (int n = 0; n < 2; ++n) {
    talk.receive(damaged);
    EXPECT_FALSE(talk.out.cycle_done);
    ASSERT_EQ(talk.out.faults.size(), 1U);
    EXPECT_EQ(talk.out.faults[0].kind, FaultKind::check_value);
    ASSERT_TRUE(talk.out.timer);
    talk.now.mono = *talk.out.timer;
    talk.tick();
    EXPECT_EQ(talk.written(), pulling().pull_sequence);
  }
  talk.receive(damaged);
  EXPECT_TRUE(talk.out.cycle_done);
}

TEST(SmlPull, GivesUpAfterReadTimeout) {
  Talk talk{pulling()};
  ASSERT_TRUE(talk.out.timer);
  talk.now.mono = *talk.out.timer;
  talk.tick();
  ASSERT_EQ(talk.out.faults.size(), 1U);
  EXPECT_EQ(talk.out.faults[0].kind, FaultKind::silence);
  EXPECT_TRUE(talk.out.cycle_done);
  talk.step([&] { talk.session.begin(talk.now, talk.out); });
  EXPECT_EQ(talk.written(), pulling().pull_sequence);
}

TEST(SmlSession, DoesNotAllocateInTheSteadyState) {
  Talk talk{SmlSettings{}};
  const Bytes bytes = sample();
  const Bytes escaped = telegram({entry({.name = "0100600100ff", .value = octets(hex("1b1b1b1b1b1b1b1b"))}),
                                  entry({.name = "0100010800ff", .value = u(7, 1)})});
  const auto round = [&] {
    talk.receive(std::span(bytes).first(10));
    talk.receive(std::span(bytes).subspan(10));
    talk.receive(escaped);
    talk.pass(seconds{1});
    talk.receive(std::span(bytes).subspan(40));  // noise
  };
  round();
  AllocationCounter::start();
  for (int n = 0; n < 100; ++n) round();
  EXPECT_EQ(AllocationCounter::stop(), 0U);
}

}  // namespace
}  // namespace vz::test::sml
