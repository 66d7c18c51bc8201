// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/aggregator.hpp"
#include "core/channel_filter.hpp"
#include "core/traffic_dump.hpp"
#include "support/pch.hpp"

namespace vz {
namespace {

Point at(double second, double value) {
  return {value, WallTime{std::chrono::milliseconds{static_cast<std::int64_t>(1'700'000'000'000 + second * 1000)}}};
}

Point window(Aggregator& aggregator, std::initializer_list<Point> points) {
  for (const auto& point : points) aggregator.add(point);
  return aggregator.close().value();
}

TEST(Aggregator, MaxKeepsNegativeMaximaAndTheLatestStamp) {
  Aggregator aggregator{AggMode::max};
  const Point result = window(aggregator, {at(1, -5), at(3, -7), at(2, -2)});
  EXPECT_EQ(result.value, -2);
  EXPECT_EQ(result.stamp, at(3, 0).stamp);
  EXPECT_FALSE(aggregator.close());
}

TEST(Aggregator, SumForgetsTheWindowBefore) {
  Aggregator aggregator{AggMode::sum};
  EXPECT_EQ(window(aggregator, {at(1, 1), at(2, 2)}).value, 3);
  EXPECT_EQ(window(aggregator, {at(3, 5)}).value, 5);
}

TEST(Aggregator, AverageIsWeightedByTime) {
  Aggregator aggregator{AggMode::avg};
  EXPECT_EQ(window(aggregator, {at(1, 1)}).value, 1);
  EXPECT_EQ(window(aggregator, {at(2, 2)}).value, 1);
  EXPECT_DOUBLE_EQ(window(aggregator, {at(4, 3), at(7, 4)}).value, 2.6);
  Aggregator other{AggMode::avg};
  EXPECT_DOUBLE_EQ(window(other, {at(3, 1), at(5, 4), at(9, -2)}).value, 3.0);
}

TEST(Aggregator, AverageOfEqualStampsIsTheLatestValue) {
  Aggregator aggregator{AggMode::avg};
  EXPECT_EQ(window(aggregator, {at(1, 4), at(1, 8)}).value, 4);  // of equal stamps the first is the latest
}

TEST(Aggregator, AnOpenWindowCanBeKeptAndResumed) {
  for (const auto mode : {AggMode::max, AggMode::sum, AggMode::avg}) {
    Aggregator whole{mode};
    Aggregator before{mode};
    whole.add(at(0, 7.25));
    before.add(at(0, 7.25));
    EXPECT_EQ(whole.close()->value, before.close()->value);
    for (const auto& point : {at(1, 0.1), at(2, 12.75)}) {
      whole.add(point);
      before.add(point);
    }
    Aggregator after{mode};
    ASSERT_TRUE(after.restore(before.save()));
    whole.add(at(5, 3));
    after.add(at(5, 3));
    const auto expected = whole.close().value();
    const auto got = after.close().value();
    EXPECT_EQ(got.value, expected.value);
    EXPECT_EQ(got.stamp, expected.stamp);
  }
  Aggregator other{AggMode::max};
  EXPECT_FALSE(other.restore(""));
  EXPECT_FALSE(other.restore("w1 2 1"));
  EXPECT_EQ(other.save(), "");
}

TEST(Aggregator, FixedIntervalRoundsDown) {
  Aggregator aggregator{AggMode::max, std::chrono::seconds{4}};
  EXPECT_EQ(window(aggregator, {at(9, 1)}).stamp, at(8, 0).stamp);
}

TEST(DuplicateFilter, SendsAnEqualValueAgainAfterItsTime) {
  DuplicateFilter filter{std::chrono::seconds{10}};
  EXPECT_TRUE(filter.pass(at(0, 1)));
  EXPECT_FALSE(filter.pass(at(9, 1)));
  EXPECT_TRUE(filter.pass(at(10, 1)));  // measured from the last one sent
  EXPECT_TRUE(filter.pass(at(11, 2)));
  EXPECT_FALSE(filter.pass(at(12, 2)));
  DuplicateFilter off{std::chrono::seconds{0}};
  EXPECT_TRUE(off.pass(at(0, 1)));
  EXPECT_TRUE(off.pass(at(0, 1)));
}

TEST(StampSequencer, NoTwoReadingsShareAMillisecond) {
  StampSequencer sequencer;
  EXPECT_EQ(sequencer.next(at(1, 0).stamp), at(1, 0).stamp);
  EXPECT_EQ(sequencer.next(at(1, 0).stamp), at(1.001, 0).stamp);
  EXPECT_EQ(sequencer.next(at(0.5, 0).stamp), at(1.002, 0).stamp);
  EXPECT_EQ(sequencer.next(at(2, 0).stamp), at(2, 0).stamp);
}

TEST(StampSequencer, SqueezesNothingWhileItCatchesUp) {
  StampSequencer sequencer;
  const MonoTime start{std::chrono::hours{1}};
  const auto later = [&](int seconds) { return start + std::chrono::seconds{seconds}; };
  EXPECT_EQ(sequencer.next(at(10, 0).stamp, later(0)), at(10, 0).stamp);
  EXPECT_EQ(sequencer.next(at(5, 0).stamp, later(2)), at(11, 0).stamp) << "half of the two seconds";
  EXPECT_EQ(sequencer.next(at(7, 0).stamp, later(4)), at(12, 0).stamp);
  EXPECT_EQ(sequencer.next(at(13, 0).stamp, later(10)), at(15, 0).stamp) << "not yet";
  EXPECT_EQ(sequencer.next(at(23, 0).stamp, later(20)), at(23, 0).stamp);
  EXPECT_EQ(sequencer.next(at(23, 0).stamp, later(20)), at(23.001, 0).stamp);
}

TEST(TrafficDump, HasTheOldFormat) {
  TrafficDump dump;
  std::string out;
  const MonoTime start{std::chrono::nanoseconds{73'233'151'047}};
  dump.note("opened", start, out);
  const std::string_view request = "/?!\r\n";
  dump.sent(std::as_bytes(std::span(request)), start + std::chrono::milliseconds{1}, out);
  dump.received(std::as_bytes(std::span("0123456789abcdef", 16)), start + std::chrono::milliseconds{3}, out);
  EXPECT_EQ(out,
            "\n##### 73.233151047s (     0 ms) opened"
            "\n<<<<< 73.234151047s (     1 ms) \n"
            "2f 3f 21 0d 0a                                    /?!              \n"
            "\n>>>>> 73.236151047s (     2 ms) \n"
            "30 31 32 33 34 35 36 37 38 39 61 62 63 64 65 66   0123456789abcdef \n");
}

}  // namespace
}  // namespace vz
