// SPDX-License-Identifier: GPL-3.0-or-later
// Pulses: what is one, how many there were, and what power that is. All on a fake clock.
#include "support/s0_harness.hpp"

#include <gtest/gtest.h>

#include <random>

#include "support/counting_new.hpp"
#include "vz/protocol.hpp"

namespace vz::test::s0 {
namespace {

using vz::s0::Debounce;
using Lines = std::vector<std::string>;

S0Settings with_debounce(int ms) {
  S0Settings settings;
  settings.debounce = milliseconds{ms};
  return settings;
}

/// How many pulses there are in edges at these times (in ms, the first one rising), seen until `end`.
int pulses(int debounce_ms, std::initializer_list<double> edges, double end = 10'000) {
  Debounce debounce{milliseconds{debounce_ms} / 2};
  debounce.start(false, kStart.mono);
  const auto time = [](double ms) { return at(std::chrono::duration_cast<MonoDuration>(std::chrono::duration<double, std::milli>(ms))); };
  int count = 0;
  bool high = false;
  for (const double edge : edges) count += debounce.edge(high = !high, time(edge)) ? 1 : 0;
  return count + (debounce.advance(time(end)) ? 1 : 0);
}

TEST(S0Debounce, PulsesAtTheLimitCount) {
  EXPECT_EQ(pulses(30, {100, 130}), 1) << "the shortest pulse of the standard at the default";
  EXPECT_EQ(pulses(30, {100, 129.7}), 1) << "a meter's clock is not that exact";
  EXPECT_EQ(pulses(30, {100, 115}), 1);
  EXPECT_EQ(pulses(30, {100, 114.9}), 0);
  EXPECT_EQ(pulses(30, {100, 130, 160, 190}), 2) << "the shortest pause of the standard";
  EXPECT_EQ(pulses(30, {100, 115, 130, 145}), 2);
  EXPECT_EQ(pulses(30, {100, 130, 140, 170}), 1) << "that was one pulse, disturbed";
  EXPECT_EQ(pulses(30, {100}), 1) << "one that lasts";
  EXPECT_EQ(pulses(30, {100}, 110), 0) << "not decided yet";
}

TEST(S0Debounce, BounceIsNoPulse) {
  EXPECT_EQ(pulses(30, {100, 100.5, 101, 101.2, 103, 135, 135.5, 136, 136.1, 137, 138}), 1);
  EXPECT_EQ(pulses(30, {100, 100.1, 110, 110.1, 120, 120.1}), 0) << "three sparks";
  EXPECT_EQ(pulses(30, {100, 120, 120.001, 140}), 1) << "a spark in the middle";
  EXPECT_EQ(pulses(2000, {100, 900, 1000, 2500}), 1) << "a slow reed contact";
}

TEST(S0Debounce, NoneAtAll) {
  EXPECT_EQ(pulses(0, {100, 100.001, 100.002, 100.003}), 2);
  EXPECT_EQ(pulses(1, {100, 100.5, 101, 101.5}), 2);
}

TEST(S0Debounce, StartsWithTheLevelThereIs) {
  Debounce debounce{milliseconds{15}};
  debounce.start(true, at({}));
  EXPECT_FALSE(debounce.advance(at(seconds{1}))) << "nobody saw this pulse begin";
  EXPECT_FALSE(debounce.edge(false, at(seconds{1})));
  EXPECT_FALSE(debounce.edge(true, at(seconds{2})));
  EXPECT_EQ(debounce.advance(at(seconds{3})), at(seconds{2}));
  EXPECT_FALSE(debounce.edge(true, at(seconds{4}))) << "a falling edge was lost, and was short";
  EXPECT_FALSE(debounce.edge(false, at(seconds{1}))) << "time does not run backwards";
}

TEST(S0Session, PowerFromTheIntervalBetweenPulses) {
  PulseRun run{{}};
  std::vector<LineEdge> edges;
  for (const int ms : {1500, 2500, 5000, 5100, 5200, 30'000}) add_pulse(edges, milliseconds{ms}, milliseconds{40});
  run.feed(edges, seconds{40});
  EXPECT_EQ(run.lines(), (Lines{"Impulse=1 @1.500", "Power=3600 Impulse=1 @2.500", "Power=4000 Impulse=3 @5.200",
                                "Power=145.161 Impulse=1 @30.000"}));
  EXPECT_EQ(run.batches[1][0].unit.text(), "W");
  EXPECT_TRUE(run.waits()) << "nothing to report, so nothing to wake up for";
}

TEST(S0Session, ResolutionScalesThePower) {
  S0Settings settings;
  settings.resolution = 2000;
  PulseRun run{settings};
  std::vector<LineEdge> edges;
  for (const int s : {1, 2, 3}) add_pulse(edges, seconds{s} + milliseconds{300}, milliseconds{90});
  run.feed(edges, seconds{5});
  EXPECT_EQ(run.lines(), (Lines{"Impulse=1 @1.300", "Power=1800 Impulse=1 @2.300", "Power=1800 Impulse=1 @3.300"}));
}

TEST(S0Session, ZeroesOnRequest) {
  S0Settings settings;
  settings.send_zero = true;
  PulseRun run{settings};
  std::vector<LineEdge> edges;
  for (const int ms : {2500, 4500}) add_pulse(edges, milliseconds{ms}, milliseconds{40});
  run.feed(edges, milliseconds{6500});
  EXPECT_EQ(run.lines(), (Lines{"Impulse=0 Impulse_neg=0 @1.000", "Power=0 Impulse=0 Power_neg=0 Impulse_neg=0 @2.000",
                                "Impulse=1 Impulse_neg=0 @2.500", "Power=0 Impulse=0 Power_neg=0 Impulse_neg=0 @4.000",
                                "Power=1800 Impulse=1 Power_neg=0 Impulse_neg=0 @4.500",
                                "Power=0 Impulse=0 Power_neg=0 Impulse_neg=0 @6.000"}));
}

TEST(S0Session, DirectionLineMakesPulsesNegative) {
  PulseRun run{{}};
  const auto direction = [](bool high, int ms) { return LineEdge{LineEdge::Line::direction, high, at(milliseconds{ms})}; };
  std::vector<LineEdge> edges;
  add_pulse(edges, milliseconds{500}, milliseconds{40});
  edges.push_back(direction(true, 900));
  add_pulse(edges, milliseconds{1500}, milliseconds{40});
  add_pulse(edges, milliseconds{2100}, milliseconds{40});
  edges.push_back(direction(false, 2200));
  add_pulse(edges, milliseconds{2500}, milliseconds{40});
  run.feed(edges, seconds{5});
  EXPECT_EQ(run.lines(), (Lines{"Impulse=1 @0.500", "Power_neg=3600 Impulse_neg=1 @1.500",
                                "Power=3600 Impulse=1 Power_neg=3600 Impulse_neg=1 @2.500"}));
}

TEST(S0Session, BytesOfASerialPort) {
  S0Settings settings;
  settings.input = S0Settings::Input::bytes;
  PulseRun run{settings};
  run.bytes(1, milliseconds{500});
  run.bytes(1, milliseconds{510});  // within the debounce time
  run.bytes(1, milliseconds{1500});
  run.bytes(1, milliseconds{1700});
  run.bytes(1, milliseconds{1900});
  run.until(seconds{20});
  run.bytes(50, seconds{30});  // read late: 50 characters need 1.7 s on the line
  run.until(seconds{32});
  EXPECT_EQ(run.lines(), (Lines{"Impulse=1 @0.500", "Power=7714.29 Impulse=3 @1.900", "Power=6405.69 Impulse=50 @30.000"}));
}

TEST(S0Session, BytesWithADirection) {
  PulseRun run{{}};
  run.until(milliseconds{500});
  run.records(RecordKind::level, {LineEdge::Line::direction, true, at(milliseconds{500})});
  run.records(RecordKind::pulse, {LineEdge::Line::pulse, true, at(milliseconds{500})});
  run.records(RecordKind::pulse, {LineEdge::Line::pulse, true, at(milliseconds{510})});
  run.until(seconds{2});
  EXPECT_EQ(run.lines(), (Lines{"Impulse_neg=1 @0.500"}));
}

TEST(S0Session, WhatWasCountedIsReportedAtTheEnd) {
  PulseRun run{{}};
  std::vector<LineEdge> edges;
  for (const int ms : {1100, 2100, 2200}) add_pulse(edges, milliseconds{ms}, milliseconds{40});
  run.feed(edges, milliseconds{2350});
  run.stop();
  EXPECT_EQ(run.lines().back(), "Power=6545.45 Impulse=2 @2.200");
}

TEST(S0Session, LostEdgesAreSaid) {
  PulseRun run{{}};
  SessionOut out;
  S0Session session{S0Settings{}};
  session.opened(kStart, out);
  const std::string text = "?17 edges were lost\n^p1 nonsense\n^q1 5\n_\n^p1 -4\n=x\n";
  session.received(std::as_bytes(std::span{text}), kStart, kStart.mono, out);
  ASSERT_EQ(out.faults.size(), 1U);
  EXPECT_EQ(out.faults[0].detail, "17 edges were lost");
}

/// An hour of pulses of half a period (at most 40 ms), each edge bouncing if `bounce` is not zero.
std::vector<LineEdge> hour(int per_second, microseconds bounce, unsigned seed) {
  std::mt19937 random{seed};
  std::vector<LineEdge> edges;
  const microseconds period{1'000'000 / per_second};
  const microseconds length = std::min(period / 2, microseconds{40'000});
  const auto edge = [&](bool high, microseconds begin) {
    edges.push_back({LineEdge::Line::pulse, high, at(begin)});
    microseconds time = begin;
    for (auto n = bounce.count() > 0 ? 2 * (random() % 4) : 0; n > 0; --n) {
      time += microseconds{1 + static_cast<int>(random() % static_cast<unsigned>(bounce.count() / 8))};
      high = !high;
      edges.push_back({LineEdge::Line::pulse, high, at(time)});
    }
  };
  for (int i = 0; i < 3600 * per_second; ++i) {
    const microseconds jitter{static_cast<int>(random() % 500)};
    edge(true, period * i + milliseconds{1} + jitter);
    edge(false, period * i + milliseconds{1} + jitter + length);
  }
  return edges;
}

class S0Hour : public testing::TestWithParam<int> {};

TEST_P(S0Hour, CountsExactly) {
  const int rate = GetParam();
  const int debounce = rate == 50 ? 10 : 30;
  const double wanted = 3600.0 * rate;
  unsigned seed = 1;
  for (const auto bounce : {microseconds{0}, microseconds{400}, microseconds{4000}}) {
    const auto edges = hour(rate, bounce, seed++);
    PulseRun run{with_debounce(debounce)};
    run.feed(edges, seconds{3602});
    EXPECT_EQ(run.sum("Impulse"), wanted) << "bounce of " << bounce.count() << " us";
    EXPECT_TRUE(run.waits());
    // power is that of the rate, and no interval is counted twice or left out
    const auto& last = run.batches.back();
    EXPECT_NEAR(last.front().value, 3600.0 * rate, 40.0 * rate);
  }
}

TEST_P(S0Hour, CountsExactlyWhileTheWorkerIsBusy) {
  const int rate = GetParam();
  std::mt19937 random{7};
  const auto edges = hour(rate, microseconds{1000}, 99);
  PulseRun run{with_debounce(rate == 50 ? 10 : 30), [&]() -> MonoDuration {
            return random() % 50 == 0 ? MonoDuration{milliseconds{random() % 20'000}} : MonoDuration{};
          }};
  run.feed(edges, seconds{3640});
  EXPECT_EQ(run.sum("Impulse"), 3600.0 * rate);
}

INSTANTIATE_TEST_SUITE_P(Rates, S0Hour, testing::Values(1, 10, 50));

TEST(S0Session, WakesUpNoMoreThanNeeded) {
  const auto edges = hour(1, microseconds{400}, 5);
  PulseRun run{{}};
  run.feed(edges, seconds{3602});
  EXPECT_LE(run.calls, 3600U * 3 + 10) << "begin and end of a pulse, and the report";
}

TEST(S0Allocation, NoneInTheSteadyState) {
  if (!AllocationCounter::counting()) GTEST_SKIP() << "allocations are not counted under a sanitizer";
  S0Session session{S0Settings{}};
  SessionOut out;
  session.opened(kStart, out);
  std::string text;
  text.reserve(256);
  int readings = 0;
  const auto second = [&](int i) {
    const auto now = after(seconds{i} + milliseconds{500});
    text.clear();
    append_edge(text, RecordKind::edge, {LineEdge::Line::pulse, true, at(seconds{i} + milliseconds{400})});
    append_edge(text, RecordKind::edge, {LineEdge::Line::pulse, false, at(seconds{i} + milliseconds{440})});
    out.clear();
    session.received(std::as_bytes(std::span{text}), now, now.mono, out);
    out.clear();
    session.timer(after(seconds{i + 1}), out);
    readings += static_cast<int>(out.readings.size());
  };
  for (int i = 0; i < 3; ++i) second(i);
  AllocationCounter::start();
  for (int i = 3; i < 1000; ++i) second(i);
  EXPECT_EQ(AllocationCounter::stop(), 0U);
  EXPECT_EQ(readings, 1999);
}

class S0Options : public testing::Test {
 protected:
  S0Options() {
    for (const auto* protocol : all_protocols())
      if (protocol->name == "s0") protocol_ = protocol;
    for (const auto& [name, value] : std::initializer_list<std::pair<const char*, OptionValue>>{
             {"resolution", std::int64_t{1000}}, {"send_zero", false}, {"debounce_delay", std::int64_t{30}},
             {"configureGPIO", true}, {"nonblocking_delay", std::int64_t{100'000}}})
      options_.set(name, value);
    for (const char* name : {"gpio", "gpio_dir", "gpiochip", "device", "mmap"}) options_.set(name, {});
  }
  std::unique_ptr<MeterSource> make() {
    problems_.clear();
    ProblemSink sink{options_, problems_};
    return protocol_->make(options_, sink);
  }
  const Protocol* protocol_ = nullptr;
  Options options_;
  std::vector<Problem> problems_;
};

TEST_F(S0Options, SayWhereThePulsesCome) {
  EXPECT_FALSE(make());
  ASSERT_EQ(problems_.size(), 1U);
  EXPECT_NE(problems_[0].text.find("Missing device or invalid type"), std::string::npos);
  options_.set("device", std::string{"/dev/ttyS0"});
  EXPECT_EQ(std::get<SerialPort>(make()->endpoint).path, "/dev/ttyS0");
  options_.set("gpio_dir", std::int64_t{27});
  auto source = make();
  EXPECT_EQ(std::get<GpioLines>(source->endpoint).serial, "/dev/ttyS0");
  EXPECT_EQ(text(source->endpoint), "/dev/ttyS0");
  options_.set("gpio", std::int64_t{17});
  source = make();
  EXPECT_EQ(std::get<GpioLines>(source->endpoint).pulse, 17);
  EXPECT_EQ(text(source->endpoint), "GPIO 17");
  EXPECT_EQ(problems_.size(), 1U) << "device is not used";
  options_.set("gpio_dir", std::int64_t{17});
  EXPECT_FALSE(make());
  options_.set("gpio", std::int64_t{-1});
  EXPECT_EQ(std::get<GpioLines>(make()->endpoint).pulse, -1);
  EXPECT_FALSE(protocol_->interval_allowed(options_));
}

TEST_F(S0Options, OldOnesStillGo) {
  options_.set("gpio", std::int64_t{17});
  options_.set("mmap", std::string{"rpi2"});
  EXPECT_TRUE(std::get<GpioLines>(make()->endpoint).raspberry);
  EXPECT_TRUE(problems_.empty());
  options_.set("mmap", std::string{"rpi9"});
  EXPECT_FALSE(std::get<GpioLines>(make()->endpoint).raspberry);
  ASSERT_EQ(problems_.size(), 1U);
  EXPECT_EQ(problems_[0].severity, Problem::Severity::warning);
  EXPECT_NE(problems_[0].text.find("unknown option for mmap (rpi9). Falling back to normal gpio."), std::string::npos);
}

}  // namespace
}  // namespace vz::test::s0
