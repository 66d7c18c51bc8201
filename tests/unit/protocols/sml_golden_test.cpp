// SPDX-License-Identifier: GPL-3.0-or-later
// Every golden case, and the properties that every decoder has to have.
#include "support/golden.hpp"
#include "support/sml_harness.hpp"

namespace vz::test::sml {
namespace {

SmlSettings settings_of(const Golden& golden) {
  SmlSettings settings = listening();
  settings.mapping.sign_from_status = golden.settings.value("sign_from_status", false);
  return settings;
}

class SmlGolden : public testing::TestWithParam<Golden> {
 protected:
  const Bytes& input() const { return GetParam().input; }
  auto decoder() const {
    return [settings = settings_of(GetParam())](std::span<const std::byte> stream, auto next_size) { return decode(stream, settings, next_size); };
  }
};

TEST_P(SmlGolden, IsReadAsExpected) {
  const Decoded got = decoder()(input(), all_at_once);
  expect_golden(got, GetParam().expected);
  for (const auto& telegram : got.telegrams)
    for (const auto& reading : telegram) EXPECT_EQ(reading.stamp, kNow.wall);
}

TEST_P(SmlGolden, AnySplitGivesTheSame) { expect_any_split_gives_the_same(input(), decoder()); }
TEST_P(SmlGolden, TruncationIsSafe) { expect_truncation_is_safe(input(), decoder()); }

TEST_P(SmlGolden, NoiseBeforeItCostsNothing) {
  const auto whole = decoder()(input(), all_at_once);
  std::mt19937 random{7};
  for (int n = 0; n < 200; ++n) {
    Bytes noisy;
    for (std::size_t left = random() % 64; left > 0; --left)
      noisy.push_back(random() % 3 == 0 ? std::byte{0x1B} : static_cast<std::byte>(random()));
    expect_no_new_reading(noisy + input(), whole, whole.telegrams.size(), fmt::format("noise {}", n), decoder());
  }
}

TEST_P(SmlGolden, OneWrongBitNeverMakesAReading) { expect_one_wrong_bit_makes_no_reading(input(), 8, decoder()); }

TEST_P(SmlGolden, OneByteLostOrAddedCostsOneTelegramAtMost) {
  const Bytes follower = telegram({entry({.name = "0100010800ff", .value = u(7, 1)})});
  expect_one_byte_lost_or_added_costs_one_telegram(follower + input() + follower, hex("001A1B01"), decoder());
}

INSTANTIATE_TEST_SUITE_P(Cases, SmlGolden, testing::ValuesIn(golden_cases("sml")), [](const auto& test) { return test.param.name; });

TEST(SmlFrameFinder, DropsWhatIsTooLongAndFindsTheNext) {
  const Bytes good = telegram({entry({.name = "0100010800ff", .value = u(7, 1)})});
  const Bytes endless = hex("1b1b1b1b01010101") + Bytes(100'000, std::byte{0x1B});
  for (const std::size_t piece : {std::size_t{1}, std::size_t{1000}, std::size_t{1} << 20U}) {
    const auto got = decode(endless + hex("00") + good, listening(), [&] { return piece; });
    ASSERT_EQ(got.telegrams.size(), 1U);
    ASSERT_FALSE(got.faults.empty());
    EXPECT_EQ(got.faults.front(), "telegram too long");
  }
}

TEST(SmlFrameFinder, TakesTheLongestThatFits) {
  std::vector<Bytes> entries;
  for (int n = 0; n < 1000; ++n) entries.push_back(entry({.name = "0100010800ff", .value = u(7, 1)}));
  const Bytes large = frame(get_list_response(entries));
  ASSERT_LT(large.size(), vz::sml::FrameFinder::kMaxFrame);
  const auto got = decode(large, listening(), [] { return 64; });
  ASSERT_EQ(got.telegrams.size(), 1U);
  EXPECT_EQ(got.telegrams[0].size(), 1000U);
}

}  // namespace
}  // namespace vz::test::sml
