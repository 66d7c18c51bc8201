// SPDX-License-Identifier: GPL-3.0-or-later
// Every golden case, and the properties that every decoder has to have.
#include <filesystem>
#include <fstream>
#include <random>

#include "support/oms_harness.hpp"

namespace vz::test::oms {
namespace {

namespace fs = std::filesystem;

struct Golden {
  std::string name;
  Bytes input;
  nlohmann::json expected;
};

std::vector<Golden> golden_cases() {
  std::vector<Golden> cases;
  for (const auto& folder : fs::directory_iterator(std::string{VZ_SOURCE_DIR} + "/tests/golden/oms"))
    cases.push_back({folder.path().filename(), read_bytes(folder.path() / "input.bin"),
                     nlohmann::json::parse(std::ifstream(folder.path() / "expected.json"))});
  return cases;
}

bool is_among(const std::vector<Reading>& telegram, const Decoded& all) {
  return std::any_of(all.telegrams.begin(), all.telegrams.end(), [&](const auto& good) {
    return std::equal(telegram.begin(), telegram.end(), good.begin(), good.end(), [](const Reading& a, const Reading& b) {
      return a.identifier == b.identifier && a.value == b.value && a.unit == b.unit && a.stamp == b.stamp;
    });
  });
}

class OmsGolden : public testing::TestWithParam<Golden> {};

TEST_P(OmsGolden, IsReadAsExpected) {
  const auto& [name, input, expected] = GetParam();
  const Decoded got = decode(input, listening(), all_at_once);
  const auto& telegrams = expected.at("telegrams");
  ASSERT_EQ(got.telegrams.size(), telegrams.size()) << ::testing::PrintToString(got.lines());
  for (std::size_t t = 0; t < telegrams.size(); ++t) {
    ASSERT_EQ(got.telegrams[t].size(), telegrams[t].size()) << ::testing::PrintToString(got.lines());
    for (std::size_t r = 0; r < telegrams[t].size(); ++r) {
      const auto& reading = got.telegrams[t][r];
      const auto& wanted = telegrams[t][r];
      EXPECT_EQ(reading.identifier.text(), wanted[0]);
      EXPECT_EQ(reading.value, wanted[1].get<double>()) << wanted[0];
      EXPECT_EQ(reading.unit.text(), wanted[2]) << wanted[0];
      const std::int64_t stamp = wanted.size() > 3 ? wanted[3].get<std::int64_t>() : kNow.wall.time_since_epoch().count();
      EXPECT_EQ(reading.stamp.time_since_epoch().count(), stamp) << wanted[0];
    }
  }
  EXPECT_EQ(got.faults, expected.at("faults").get<std::vector<std::string>>());
  EXPECT_EQ(got.written, expected.at("written"));
}

TEST_P(OmsGolden, LocalTimeIsUsedWhereItIsWanted) {
  OmsSettings settings = listening();
  settings.telegram.use_local_time = true;
  for (const auto& telegram : decode(GetParam().input, settings, all_at_once).telegrams)
    for (const auto& reading : telegram) EXPECT_EQ(reading.stamp, kNow.wall);
}

TEST_P(OmsGolden, AnySplitGivesTheSame) {
  const auto& input = GetParam().input;
  const auto whole = decode(input, listening(), all_at_once).lines();
  EXPECT_EQ(decode(input, listening(), [] { return 1; }).lines(), whole);
  for (std::size_t at = 1; at < input.size(); ++at) {
    bool first = true;
    const auto split = decode(input, listening(), [&] { return std::exchange(first, false) ? at : input.size(); });
    ASSERT_EQ(split.lines(), whole) << "split at " << at;
  }
  std::mt19937 random{42};
  for (int n = 0; n < 50; ++n) ASSERT_EQ(decode(input, listening(), [&] { return random() % 9 + 1; }).lines(), whole);
}

TEST_P(OmsGolden, TruncationIsSafe) {
  const auto& input = GetParam().input;
  const auto whole = decode(input, listening(), all_at_once);
  for (std::size_t length = 0; length < input.size(); ++length) {
    const auto cut = decode(std::span(input).first(length), listening(), all_at_once);
    ASSERT_LE(cut.telegrams.size(), whole.telegrams.size());
    for (const auto& telegram : cut.telegrams) ASSERT_TRUE(is_among(telegram, whole)) << "cut at " << length;
  }
}

TEST_P(OmsGolden, NoiseBeforeItCostsNothing) {
  const auto& input = GetParam().input;
  const auto whole = decode(input, listening(), all_at_once);
  std::mt19937 random{7};
  for (int n = 0; n < 200; ++n) {
    Bytes noisy;
    // no start of a long frame: what looks like one may well swallow the frame behind it
    for (std::size_t left = random() % 64; left > 0; --left) {
      const auto byte = static_cast<std::byte>(random());
      noisy.push_back(byte == std::byte{0x68} ? std::byte{0x16} : byte);
    }
    const auto got = decode(noisy + input, listening(), all_at_once);
    ASSERT_EQ(got.telegrams.size(), whole.telegrams.size());
    for (const auto& telegram : got.telegrams) ASSERT_TRUE(is_among(telegram, whole));
  }
}

TEST_P(OmsGolden, OneWrongBitNeverMakesAReading) {
  const auto& input = GetParam().input;
  const auto whole = decode(input, listening(), all_at_once);
  for (std::size_t at = 0; at < input.size(); ++at) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      Bytes damaged = input;
      damaged[at] ^= static_cast<std::byte>(1U << bit);
      const auto got = decode(damaged, listening(), all_at_once);
      for (const auto& telegram : got.telegrams) ASSERT_TRUE(is_among(telegram, whole)) << "bit " << bit << " of byte " << at;
      ASSERT_LE(got.telegrams.size(), whole.telegrams.size()) << "bit " << bit << " of byte " << at;
    }
  }
}

TEST_P(OmsGolden, OneByteLostOrAddedCostsOneFrameAtMost) {
  const auto& input = GetParam().input;
  const Bytes first = long_frame(0x53, 1, plain(hex("04 03 07000000")));
  const Bytes last = long_frame(0x73, 1, plain(hex("04 03 08000000")));
  const Bytes stream = first + input + last;
  const auto whole = decode(stream, listening(), all_at_once);
  for (std::size_t at = 0; at < stream.size(); ++at) {
    Bytes shorter = stream;
    shorter.erase(shorter.begin() + static_cast<std::ptrdiff_t>(at));
    const auto got = decode(shorter, listening(), all_at_once);
    ASSERT_GE(got.telegrams.size() + 1, whole.telegrams.size()) << "without byte " << at;
    for (const auto& telegram : got.telegrams) ASSERT_TRUE(is_among(telegram, whole)) << "without byte " << at;
    for (const unsigned extra : {0x00U, 0x10U, 0x16U, 0x68U, 0xE5U}) {
      Bytes longer = stream;
      longer.insert(longer.begin() + static_cast<std::ptrdiff_t>(at), static_cast<std::byte>(extra));
      const auto more = decode(longer, listening(), all_at_once);
      ASSERT_GE(more.telegrams.size() + 1, whole.telegrams.size()) << extra << " before byte " << at;
      for (const auto& telegram : more.telegrams) ASSERT_TRUE(is_among(telegram, whole)) << extra << " before byte " << at;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, OmsGolden, testing::ValuesIn(golden_cases()), [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace vz::test::oms
