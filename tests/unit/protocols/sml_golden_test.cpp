// SPDX-License-Identifier: GPL-3.0-or-later
// Every golden case, and the properties that every decoder has to have.
#include <filesystem>
#include <fstream>
#include <random>

#include "support/sml_harness.hpp"

namespace vz::test::sml {
namespace {

namespace fs = std::filesystem;

struct Golden {
  std::string name;
  Bytes input;
  SmlSettings settings;
  nlohmann::json expected;
};

std::vector<Golden> golden_cases() {
  std::vector<Golden> cases;
  for (const auto& folder : fs::directory_iterator(std::string{VZ_SOURCE_DIR} + "/tests/golden/sml")) {
    Golden golden;
    golden.name = folder.path().filename();
    golden.input = read_bytes(folder.path() / "input.bin");
    golden.settings = listening();
    const auto settings = nlohmann::json::parse(std::ifstream(folder.path() / "settings.json"));
    golden.settings.mapping.sign_from_status = settings.value("sign_from_status", false);
    golden.expected = nlohmann::json::parse(std::ifstream(folder.path() / "expected.json"));
    cases.push_back(std::move(golden));
  }
  return cases;
}

/// True if `telegram` is one of `all`.
bool is_among(const std::vector<Reading>& telegram, const Decoded& all) {
  for (const auto& good : all.telegrams)
    if (std::equal(telegram.begin(), telegram.end(), good.begin(), good.end(), [](const Reading& a, const Reading& b) {
          return a.identifier == b.identifier && a.value == b.value && a.unit == b.unit;
        }))
      return true;
  return false;
}

class SmlGolden : public testing::TestWithParam<Golden> {};

TEST_P(SmlGolden, IsReadAsExpected) {
  const auto& golden = GetParam();
  const Decoded got = decode(golden.input, golden.settings, all_at_once);
  const auto& telegrams = golden.expected.at("telegrams");
  ASSERT_EQ(got.telegrams.size(), telegrams.size()) << ::testing::PrintToString(got.lines());
  for (std::size_t t = 0; t < telegrams.size(); ++t) {
    ASSERT_EQ(got.telegrams[t].size(), telegrams[t].size()) << ::testing::PrintToString(got.lines());
    for (std::size_t r = 0; r < telegrams[t].size(); ++r) {
      const auto& reading = got.telegrams[t][r];
      EXPECT_EQ(reading.identifier.text(), telegrams[t][r][0]);
      EXPECT_EQ(reading.value, telegrams[t][r][1].get<double>());
      EXPECT_EQ(reading.unit.text(), telegrams[t][r][2]);
      EXPECT_EQ(reading.stamp, kNow.wall);
    }
  }
  EXPECT_EQ(got.faults, golden.expected.at("faults").get<std::vector<std::string>>());
}

TEST_P(SmlGolden, AnySplitGivesTheSame) {
  const auto& [name, input, settings, expected] = GetParam();
  const auto whole = decode(input, settings, all_at_once).lines();
  EXPECT_EQ(decode(input, settings, [] { return 1; }).lines(), whole);
  for (std::size_t at = 1; at < input.size(); ++at) {
    bool first = true;
    const auto split = decode(input, settings, [&] { return std::exchange(first, false) ? at : input.size(); });
    ASSERT_EQ(split.lines(), whole) << "split at " << at;
  }
  std::mt19937 random{42};
  for (int n = 0; n < 50; ++n) ASSERT_EQ(decode(input, settings, [&] { return random() % 9 + 1; }).lines(), whole);
}

TEST_P(SmlGolden, TruncationIsSafe) {
  const auto& [name, input, settings, expected] = GetParam();
  const auto whole = decode(input, settings, all_at_once);
  for (std::size_t length = 0; length < input.size(); ++length) {
    const auto cut = decode(std::span(input).first(length), settings, all_at_once);
    ASSERT_LE(cut.telegrams.size(), whole.telegrams.size());
    for (const auto& telegram : cut.telegrams) ASSERT_TRUE(is_among(telegram, whole)) << "cut at " << length;
  }
}

TEST_P(SmlGolden, NoiseBeforeItCostsNothing) {
  const auto& [name, input, settings, expected] = GetParam();
  const auto whole = decode(input, settings, all_at_once).telegrams.size();
  std::mt19937 random{7};
  for (int n = 0; n < 200; ++n) {
    Bytes noisy;
    for (std::size_t left = random() % 64; left > 0; --left)
      noisy.push_back(random() % 3 == 0 ? std::byte{0x1B} : static_cast<std::byte>(random()));
    ASSERT_EQ(decode(noisy + input, settings, all_at_once).telegrams.size(), whole);
  }
}

TEST_P(SmlGolden, OneWrongBitNeverMakesAReading) {
  const auto& [name, input, settings, expected] = GetParam();
  const auto whole = decode(input, settings, all_at_once);
  for (std::size_t at = 0; at < input.size(); ++at) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      Bytes damaged = input;
      damaged[at] ^= static_cast<std::byte>(1U << bit);
      const auto got = decode(damaged, settings, all_at_once);
      ASSERT_LE(got.telegrams.size(), whole.telegrams.size()) << "bit " << bit << " of byte " << at;
      ASSERT_GE(got.telegrams.size() + 1, whole.telegrams.size()) << "bit " << bit << " of byte " << at;
      for (const auto& telegram : got.telegrams) ASSERT_TRUE(is_among(telegram, whole)) << "bit " << bit << " of byte " << at;
    }
  }
}

TEST_P(SmlGolden, OneByteLostOrAddedCostsOneTelegramAtMost) {
  const auto& [name, input, settings, expected] = GetParam();
  const Bytes follower = telegram({entry({.name = "0100010800ff", .value = u(7, 1)})});
  const Bytes stream = follower + input + follower;
  const auto whole = decode(stream, settings, all_at_once);
  for (std::size_t at = 0; at < stream.size(); ++at) {
    Bytes shorter = stream;
    shorter.erase(shorter.begin() + static_cast<std::ptrdiff_t>(at));
    const auto got = decode(shorter, settings, all_at_once);
    ASSERT_GE(got.telegrams.size() + 1, whole.telegrams.size()) << "without byte " << at;
    for (const auto& telegram : got.telegrams) ASSERT_TRUE(is_among(telegram, whole)) << "without byte " << at;
    for (const unsigned extra : {0x00U, 0x1AU, 0x1BU, 0x01U}) {
      Bytes longer = stream;
      longer.insert(longer.begin() + static_cast<std::ptrdiff_t>(at), static_cast<std::byte>(extra));
      const auto more = decode(longer, settings, all_at_once);
      ASSERT_GE(more.telegrams.size() + 1, whole.telegrams.size()) << extra << " before byte " << at;
      for (const auto& telegram : more.telegrams) ASSERT_TRUE(is_among(telegram, whole)) << extra << " before byte " << at;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, SmlGolden, testing::ValuesIn(golden_cases()), [](const auto& test) { return test.param.name; });

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
