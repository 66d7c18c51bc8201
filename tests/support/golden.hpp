// SPDX-License-Identifier: GPL-3.0-or-later
// The golden cases, and the properties that every decoder has to have.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "support/decoding.hpp"

namespace vz::test {

/// True if `telegram` is one of `all`.
inline bool is_among(const std::vector<Reading>& telegram, const Decoded& all) {
  return std::any_of(all.telegrams.begin(), all.telegrams.end(), [&](const auto& good) {
    return std::equal(telegram.begin(), telegram.end(), good.begin(), good.end(), [](const Reading& a, const Reading& b) {
      return a.identifier == b.identifier && a.value == b.value && a.unit == b.unit && a.stamp == b.stamp;
    });
  });
}

/// A folder of tests/golden/PROTOCOL.
struct Golden {
  std::string name;
  Bytes input;
  nlohmann::json settings;  ///< null if it has none
  nlohmann::json expected;
};

inline void PrintTo(const Golden& golden, std::ostream* out) { *out << golden.name; }

inline std::vector<Golden> golden_cases(std::string_view protocol) {
  std::vector<Golden> cases;
  for (const auto& entry : std::filesystem::directory_iterator(fmt::format("{}/tests/golden/{}", VZ_SOURCE_DIR, protocol))) {
    Golden golden;
    golden.name = entry.path().filename();
    golden.input = read_bytes(entry.path() / "input.bin");
    if (exists(entry.path() / "settings.json"))
      golden.settings = nlohmann::json::parse(std::ifstream(entry.path() / "settings.json"));
    golden.expected = nlohmann::json::parse(std::ifstream(entry.path() / "expected.json"));
    cases.push_back(std::move(golden));
  }
  return cases;
}

/// Telegrams and faults are those of expected.json. A reading there is identifier, value, unit and, where it matters, time
/// in milliseconds.
inline void expect_golden(const Decoded& got, const nlohmann::json& expected) {
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
      if (wanted.size() > 3) {
        EXPECT_EQ(reading.stamp.time_since_epoch().count(), wanted[3].get<std::int64_t>()) << wanted[0];
      }
    }
  }
  EXPECT_EQ(got.faults, expected.value("faults", std::vector<std::string>{}));
}

// The properties. `decode(stream, next_size)` makes a session of its own for each stream.

template <typename Decode>
void expect_any_split_gives_the_same(const Bytes& input, Decode decode) {
  const auto whole = decode(input, all_at_once).lines();
  EXPECT_EQ(decode(input, [] { return 1; }).lines(), whole);
  for (std::size_t at = 1; at < input.size(); ++at) {
    bool first = true;
    ASSERT_EQ(decode(input, [&] { return std::exchange(first, false) ? at : input.size(); }).lines(), whole) << "split at " << at;
  }
  std::mt19937 random{42};
  for (int n = 0; n < 50; ++n) ASSERT_EQ(decode(input, [&] { return random() % 9 + 1; }).lines(), whole);
}

template <typename Decode>
void expect_truncation_is_safe(const Bytes& input, Decode decode) {
  const auto whole = decode(input, all_at_once);
  for (std::size_t length = 0; length < input.size(); ++length) {
    const auto cut = decode(std::span(input).first(length), all_at_once);
    ASSERT_LE(cut.telegrams.size(), whole.telegrams.size());
    for (const auto& telegram : cut.telegrams) ASSERT_TRUE(is_among(telegram, whole)) << "cut at " << length;
  }
}

/// Damage may cost telegrams, `fewest` of them stay, and it makes none.
template <typename Decode>
void expect_no_new_reading(const Bytes& damaged, const Decoded& whole, std::size_t fewest, const std::string& what, Decode decode) {
  const auto got = decode(damaged, all_at_once);
  ASSERT_LE(got.telegrams.size(), whole.telegrams.size()) << what;
  ASSERT_GE(got.telegrams.size(), fewest) << what;
  for (const auto& telegram : got.telegrams) ASSERT_TRUE(is_among(telegram, whole)) << what;
}

template <typename Decode>
void expect_one_wrong_bit_makes_no_reading(const Bytes& input, unsigned bits, Decode decode) {
  const auto whole = decode(input, all_at_once);
  for (std::size_t at = 0; at < input.size(); ++at) {
    for (unsigned bit = 0; bit < bits; ++bit) {
      Bytes damaged = input;
      damaged[at] ^= static_cast<std::byte>(1U << bit);
      // (more telegrams may come: the bit may be the one that was wrong)
      const auto got = decode(damaged, all_at_once);
      for (const auto& telegram : got.telegrams)
        ASSERT_TRUE(is_among(telegram, whole)) << "bit " << bit << " of byte " << at << ": " << ::testing::PrintToString(got.lines());
    }
  }
}

template <typename Decode>
void expect_one_byte_lost_or_added_costs_one_telegram(const Bytes& stream, const Bytes& extras, Decode decode) {
  const auto whole = decode(stream, all_at_once);
  const std::size_t fewest = whole.telegrams.size() - 1;
  for (std::size_t at = 0; at < stream.size(); ++at) {
    const auto place = static_cast<std::ptrdiff_t>(at);
    Bytes shorter = stream;
    shorter.erase(shorter.begin() + place);
    expect_no_new_reading(shorter, whole, fewest, fmt::format("without byte {}", at), decode);
    for (const std::byte extra : extras) {
      Bytes longer = stream;
      longer.insert(longer.begin() + place, extra);
      expect_no_new_reading(longer, whole, fewest, fmt::format("{:02X} before byte {}", std::to_integer<unsigned>(extra), at), decode);
    }
    if (::testing::Test::HasFatalFailure()) return;
  }
}

}  // namespace vz::test
