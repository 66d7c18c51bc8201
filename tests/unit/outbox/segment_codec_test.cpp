// SPDX-License-Identifier: GPL-3.0-or-later
#include "outbox/segment_codec.hpp"

#include <bit>
#include <cmath>
#include <limits>

#include "core/backoff.hpp"
#include "outbox/sequence_set.hpp"

namespace vz {
namespace {

constexpr std::int64_t kEpoch = 1'700'000'000'000;

StoredReading reading(std::int64_t ms, double value) { return {WallTime{std::chrono::milliseconds{ms}}, value}; }

void expect_round_trip(const std::vector<StoredReading>& readings) {
  const std::string bytes = encode_segment(readings, 7);
  EXPECT_LE(bytes.size(), 4 + 19 * readings.size());
  std::vector<StoredReading> back;
  ASSERT_TRUE(decode_segment(bytes, 7, back));
  ASSERT_EQ(back.size(), readings.size());
  for (std::size_t i = 0; i < back.size(); ++i) {
    EXPECT_EQ(back[i].stamp, readings[i].stamp) << i;
    EXPECT_EQ(std::bit_cast<std::uint64_t>(back[i].value), std::bit_cast<std::uint64_t>(readings[i].value)) << i;
  }
}

TEST(SegmentCodec, KeepsEveryBitOfOddValues) {
  using Limits = std::numeric_limits<double>;
  std::vector<StoredReading> readings;
  for (const double value : {0.0, -0.0, 1.0, -1.0, 132.149, 0.1, 1e-9, 1e-10, 1e300, Limits::denorm_min(), Limits::max(),
                             Limits::lowest(), Limits::infinity(), -Limits::infinity(), Limits::quiet_NaN(), 9e15, 9.1e15,
                             123456789.123456789, 1.0 / 3.0}) {
    readings.push_back(reading(kEpoch + 17, value));
  }
  expect_round_trip(readings);
  expect_round_trip({});
}

TEST(SegmentCodec, KeepsOddStamps) {
  using Limits = std::numeric_limits<std::int64_t>;
  expect_round_trip({reading(0, 1), reading(Limits::max(), 1), reading(Limits::min(), 1), reading(-1, 1), reading(kEpoch, 1),
                     reading(kEpoch - 5000, 1)});
}

TEST(SegmentCodec, AnyReadingsComeBack) {
  JitterSource random(5);
  for (int round = 0; round < 300; ++round) {
    std::vector<StoredReading> readings;
    for (std::uint64_t i = random.next() % 200; i > 0; --i) {
      const bool decimal = random.next() % 2 == 0;
      const double value = decimal ? static_cast<double>(random.next() % 10'000'000) / 1000.0
                                   : std::bit_cast<double>(random.next());
      readings.push_back(reading(random.next() % 3 == 0 ? static_cast<std::int64_t>(random.next()) : kEpoch, value));
    }
    expect_round_trip(readings);
  }
}

TEST(SegmentCodec, AMeterTakesFewBytes) {
  std::vector<StoredReading> readings;
  JitterSource random(1);
  for (int i = 0; i < 1000; ++i) {
    const auto jitter = static_cast<std::int64_t>(random.next() % 20);
    readings.push_back(reading(kEpoch + i * 1000 + jitter, 132.149 + 0.001 * (i / 3)));
  }
  for (auto& r : readings) r.value = std::round(r.value * 1000) / 1000;
  EXPECT_LE(encode_segment(readings, 1).size(), 4000U);
}

TEST(SegmentCodec, RefusesDamage) {
  std::vector<StoredReading> readings;
  for (int i = 0; i < 20; ++i) readings.push_back(reading(kEpoch + i * 1000, 100.5 + i));
  const std::string bytes = encode_segment(readings, 3);
  std::vector<StoredReading> out;
  EXPECT_FALSE(decode_segment(bytes, 4, out)) << "filed under another name";
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string damaged = bytes;
      damaged[at] = static_cast<char>(damaged[at] ^ (1 << bit));
      EXPECT_FALSE(decode_segment(damaged, 3, out));
    }
    EXPECT_FALSE(decode_segment(bytes.substr(0, at), 3, out) && at != 4);
  }
  EXPECT_TRUE(out.empty());
}

TEST(SequenceSet, CountsWhatIsNew) {
  SequenceSet set;
  EXPECT_EQ(set.add({5, 9}), 5U);
  EXPECT_EQ(set.add({5, 9}), 0U);
  EXPECT_EQ(set.add({1, 4}), 4U);
  EXPECT_EQ(set.ranges().size(), 1U) << "neighbours join";
  EXPECT_EQ(set.add({20, 22}), 3U);
  EXPECT_EQ(set.add({8, 21}), 10U);
  EXPECT_EQ(set.count(), 22U);
  EXPECT_EQ(set.add({3, 2}), 0U) << "an empty range";
}

TEST(SequenceSet, AgreesWithABitMap) {
  JitterSource random(9);
  for (int round = 0; round < 200; ++round) {
    SequenceSet set;
    std::vector<bool> model(64, false);
    for (int step = 0; step < 30; ++step) {
      const std::uint64_t first = random.next() % 60;
      const std::uint64_t last = std::min<std::uint64_t>(63, first + random.next() % 8);
      std::uint64_t fresh = 0;
      if (random.next() % 5 == 0) {
        set.forget_to(first);
        for (std::uint64_t i = 0; i <= first; ++i) model[i] = false;
        continue;
      }
      for (std::uint64_t i = first; i <= last; ++i) {
        fresh += model[i] ? 0 : 1;
        model[i] = true;
      }
      ASSERT_EQ(set.add({first, last}), fresh);
    }
    for (std::uint64_t i = 0; i < 64; ++i) ASSERT_EQ(set.contains(i), model[i]);
  }
}

}  // namespace
}  // namespace vz
