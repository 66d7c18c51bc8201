// SPDX-License-Identifier: GPL-3.0-or-later
// The option `unit`: what is converted, where, and what happens to a register that cannot be. What taps are told.
#include "outbox/ram_outbox.hpp"
#include "runtime/pipeline.hpp"
#include "support/pch.hpp"

namespace vz {
namespace {

using std::chrono::seconds;

class FixedClock final : public Clock {
 public:
  [[nodiscard]] Instant now() const override { return {MonoTime{seconds{100}}, WallTime{seconds{1'700'000'000}}}; }
  /// As a clock that is set in the middle of a telegram: another answer each time.
  [[nodiscard]] bool trusted() const override { return !flickers || (++asked % 2) == 0; }
  bool flickers = false;
  mutable int asked = 0;
};

class Lines final : public Log {
 public:
  [[nodiscard]] bool enabled(Level level) const override { return level <= Level::alert; }
  void write(Level, std::string_view section, std::string_view text) override { all.push_back(fmt::format("[{}] {}", section, text)); }
  std::vector<std::string> all;
};

class Tap final : public ReadingTap {
 public:
  void raw(const ChannelSettings&, const Reading& reading) override {
    seen.push_back(fmt::format("{} {}", reading.value, reading.unit.text()));
  }
  void raw_unstamped(const ChannelSettings&, const Reading& reading, const Instant& now) override {
    seen.push_back(fmt::format("{} without a stamp at {}", reading.value, now.mono.time_since_epoch() / seconds{1}));
  }
  void aggregated(const ChannelSettings&, double value, WallTime) override { results.push_back(fmt::format("{}", value)); }
  void unstamped(const ChannelSettings&, double value, WallTime, const Instant&) override {
    results.push_back(fmt::format("{} without a stamp", value));
  }
  std::vector<std::string> seen;
  std::vector<std::string> results;
};

class PipelineUnitTest : public testing::Test {
 protected:
  void open(AggMode mode, std::optional<Unit> unit, int aggtime = -1) {
    meter_.aggtime = aggtime;
    meter_.channels.push_back({.uuid = "u", .identifier_text = "1.8.0", .identifier = Identifier{*Obis::parse("1.8.0")},
                               .api_text = {}, .aggmode = mode, .unit = unit, .mqtt_topic = {}, .options = {}});
    queue_ = outbox_.open({"e", "u"});
    pipeline_.emplace(meter_, false, std::vector<std::optional<QueueId>>{queue_}, outbox_, log_, taps_, clock_);
  }
  void deliver(double value, const char* unit, int second) {
    const Reading reading{Identifier{*Obis::parse("1.8.0")}, value, Unit{unit}, WallTime{seconds{1'700'000'000 + second}}};
    pipeline_->deliver({&reading, 1}, {MonoTime{seconds{100 + second}}, reading.stamp});
  }
  std::vector<double> sent() {
    std::vector<QueuedReading> readings;
    outbox_.peek(queue_, 100, readings);
    std::vector<double> values;
    for (const auto& reading : readings) values.push_back(reading.value);
    return values;
  }

  FixedClock clock_;
  Lines log_;
  Tap tap_;
  ReadingTap* const taps_[1] = {&tap_};
  RamOutbox outbox_;
  MeterSettings meter_;
  QueueId queue_{};
  std::optional<MeterPipeline> pipeline_;
};

using Values = std::vector<double>;

TEST_F(PipelineUnitTest, WithoutTheOptionTheNumberIsTheMeters) {
  open(AggMode::none, std::nullopt);
  deliver(132.149, "kWh", 0);
  EXPECT_EQ(sent(), Values{132.149});
  EXPECT_EQ(tap_.seen, std::vector<std::string>{"132.149 kWh"});
}

TEST_F(PipelineUnitTest, WhetherATelegramHasAStampIsDecidedOnce) {
  open(AggMode::none, std::nullopt);
  clock_.flickers = true;
  deliver(1, "kWh", 0);
  EXPECT_EQ(clock_.asked, 1);
  EXPECT_EQ(tap_.seen, std::vector<std::string>{"1 without a stamp at 100"});
  EXPECT_EQ(tap_.results, std::vector<std::string>{"1 without a stamp"});
  EXPECT_TRUE(sent().empty()) << "it is held";
}

TEST_F(PipelineUnitTest, ReadingsAreConvertedForAllThatSeeThem) {
  open(AggMode::none, Unit{"Wh"});
  deliver(132.149, "kWh", 0);
  deliver(132'150, "Wh", 1);
  EXPECT_EQ(sent(), (Values{132'149, 132'150}));
  EXPECT_EQ(tap_.seen, (std::vector<std::string>{"132149 Wh", "132150 Wh"}));
}

TEST_F(PipelineUnitTest, ConvertedBeforeTheyAreAggregated) {
  // a meter that changes its unit by itself must not have kilowatts added to watts
  open(AggMode::sum, Unit{"W"}, 10);
  deliver(1.5, "kW", 1);
  deliver(900, "W", 2);
  pipeline_->end_cycle({MonoTime{seconds{120}}, WallTime{seconds{1'700'000'020}}});
  EXPECT_EQ(sent(), Values{2400});
}

TEST_F(PipelineUnitTest, MaxAndAverageOfConvertedReadings) {
  open(AggMode::max, Unit{"W"}, 10);
  deliver(1.5, "kW", 1);
  deliver(900, "W", 2);
  pipeline_->end_cycle({MonoTime{seconds{120}}, WallTime{seconds{1'700'000'020}}});
  EXPECT_EQ(sent(), Values{1500});
}

TEST_F(PipelineUnitTest, WhatCannotBeConvertedIsToldOnceAndNotSent) {
  open(AggMode::none, Unit{"V"});
  for (int i = 0; i < 5; ++i) deliver(132, "kWh", i);
  deliver(230, "V", 6);
  EXPECT_EQ(sent(), Values{230});
  ASSERT_EQ(log_.all.size(), 1U);
  EXPECT_EQ(log_.all[0],
            "[chn0] the register 255-255:1.8.0*255 is in kWh, which cannot be converted to V (option \"unit\"): its readings are not "
            "used. Leave out \"unit\" to have the meter's own number, or name a unit that fits. Told once.");
}

TEST_F(PipelineUnitTest, ARegisterWithoutUnitIsNotGuessedAt) {
  open(AggMode::none, Unit{"kWh"});
  deliver(132, "", 1);
  EXPECT_TRUE(sent().empty());
  ASSERT_EQ(log_.all.size(), 1U);
  EXPECT_NE(log_.all[0].find("has no unit"), std::string::npos);
}

}  // namespace
}  // namespace vz
