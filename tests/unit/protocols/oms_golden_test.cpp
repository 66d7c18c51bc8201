// SPDX-License-Identifier: GPL-3.0-or-later
// Every golden case, and the properties that every decoder has to have.
#include "support/golden.hpp"
#include "support/oms_harness.hpp"

namespace vz::test::oms {
namespace {

const auto kDecoder = [](std::span<const std::byte> stream, auto next_size) { return decode(stream, listening(), next_size); };

class OmsGolden : public testing::TestWithParam<Golden> {
 protected:
  const Bytes& input() const { return GetParam().input; }
};

TEST_P(OmsGolden, IsReadAsExpected) {
  const auto& expected = GetParam().expected;
  const Decoded got = kDecoder(input(), all_at_once);
  expect_golden(got, expected);
  for (std::size_t t = 0; t < got.telegrams.size(); ++t)
    for (std::size_t r = 0; r < got.telegrams[t].size(); ++r)
      if (expected["telegrams"][t][r].size() < 4) {
        EXPECT_EQ(got.telegrams[t][r].stamp, kNow.wall);
      }
  EXPECT_EQ(got.written, expected.at("written"));
}

TEST_P(OmsGolden, LocalTimeIsUsedWhereItIsWanted) {
  OmsSettings settings = listening();
  settings.telegram.use_local_time = true;
  for (const auto& telegram : decode(input(), settings, all_at_once).telegrams)
    for (const auto& reading : telegram) EXPECT_EQ(reading.stamp, kNow.wall);
}

TEST_P(OmsGolden, AnySplitGivesTheSame) { expect_any_split_gives_the_same(input(), kDecoder); }
TEST_P(OmsGolden, TruncationIsSafe) { expect_truncation_is_safe(input(), kDecoder); }

TEST_P(OmsGolden, NoiseBeforeItCostsNothing) {
  const auto whole = kDecoder(input(), all_at_once);
  std::mt19937 random{7};
  for (int n = 0; n < 200; ++n) {
    Bytes noisy;
    // no start of a long frame: what looks like one may well swallow the frame behind it
    for (std::size_t left = random() % 64; left > 0; --left) {
      const auto byte = static_cast<std::byte>(random());
      noisy.push_back(byte == std::byte{0x68} ? std::byte{0x16} : byte);
    }
    expect_no_new_reading(noisy + input(), whole, whole.telegrams.size(), fmt::format("noise {}", n), kDecoder);
  }
}

TEST_P(OmsGolden, OneWrongBitNeverMakesAReading) { expect_one_wrong_bit_makes_no_reading(input(), 8, kDecoder); }

TEST_P(OmsGolden, OneByteLostOrAddedCostsOneFrameAtMost) {
  const Bytes first = long_frame(0x53, 1, plain(hex("04 03 07000000")));
  const Bytes last = long_frame(0x73, 1, plain(hex("04 03 08000000")));
  expect_one_byte_lost_or_added_costs_one_telegram(first + input() + last, hex("00 10 16 68 E5"), kDecoder);
}

INSTANTIATE_TEST_SUITE_P(Cases, OmsGolden, testing::ValuesIn(golden_cases("oms")), [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace vz::test::oms
