// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/number_text.hpp"

#include <bit>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <random>

namespace vz {
namespace {

std::string text(double value) {
  std::string out;
  append_number(out, value);
  return out;
}

TEST(NumberText, IsTheShortestOneThatLooksLikeAFraction) {
  const std::pair<double, const char*> cases[] = {
      {132.15, "132.15"},
      {0.0, "0.0"},
      {-0.0, "-0.0"},
      {1.0, "1.0"},
      {100.0, "100.0"},
      {-7.0, "-7.0"},
      {12.5, "12.5"},
      {132.149, "132.149"},
      {0.1, "0.1"},
      {17.3, "17.3"},
      {2.3, "2.3"},
      {4.35, "4.35"},
      {3400.447, "3400.447"},
      {1.0 / 3.0, "0.3333333333333333"},
      {-0.000123, "-0.000123"},
      {0.0001, "0.0001"},
      {0.00001, "1e-05"},
      {-1.5e-7, "-1.5e-07"},
      {1e15, "1000000000000000.0"},
      {1e16, "10000000000000000.0"},
      {99999999999999984.0, "99999999999999984.0"},
      {1e17, "1e+17"},
      {1.25e18, "1.25e+18"},
      {5e-324, "5e-324"},
      {std::numeric_limits<double>::max(), "1.7976931348623157e+308"},
  };
  for (const auto& [value, expected] : cases) EXPECT_EQ(text(value), expected);
}

TEST(NumberText, Appends) {
  std::string out = "[ ";
  append_number(out, std::int64_t{1795342572270});
  out += ", ";
  append_number(out, 132.15);
  EXPECT_EQ(out, "[ 1795342572270, 132.15");
  out.clear();
  append_number(out, std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(out, "-9223372036854775808");
}

/// For any finite double: it reads back exactly, is a JSON number that is not an integer, is never longer than what the
/// old rules gave, and is scientific exactly where they were.
TEST(NumberText, AnyDoubleReadsBack) {
  std::mt19937_64 random{20240611};
  for (int i = 0; i < 200'000; ++i) {
    // all bit patterns, and (more often) numbers of everyday size
    double value = std::bit_cast<double>(random());
    if (i % 2 == 0) value = std::ldexp(static_cast<double>(random() >> 11U), static_cast<int>(random() % 90) - 70);
    if (!std::isfinite(value)) continue;
    const std::string shortest = text(value);
    char old[64];
    std::snprintf(old, sizeof old, "%.17g", value);
    const std::string_view old_text{old};
    EXPECT_EQ(std::bit_cast<std::uint64_t>(std::strtod(shortest.c_str(), nullptr)),
              std::bit_cast<std::uint64_t>(value));
    const bool scientific = shortest.find('e') != std::string::npos;
    EXPECT_EQ(scientific, old_text.find('e') != std::string_view::npos) << shortest << " " << old;
    EXPECT_TRUE(scientific || shortest.find('.') != std::string::npos) << shortest;
    EXPECT_LE(shortest.size(), old_text.size() + 2) << shortest << " " << old;
    EXPECT_EQ(nlohmann::json::parse(shortest).get<double>(), value);
  }
}

}  // namespace
}  // namespace vz
