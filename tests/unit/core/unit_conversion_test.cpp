// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/unit_conversion.hpp"

#include <gtest/gtest.h>

#include "core/dlms_units.hpp"

namespace vz {
namespace {

std::optional<double> convert(double value, std::string_view from, std::string_view to) {
  const auto conversion = unit_conversion(from, to);
  if (!conversion) return std::nullopt;
  return (*conversion)(value);
}

TEST(UnitConversion, TheNumberIsTheOneThatTheOtherUnitWouldShow) {
  EXPECT_EQ(convert(132.149, "kWh", "Wh"), 132149.0);
  EXPECT_EQ(convert(132149, "Wh", "kWh"), 132.149);
  EXPECT_EQ(convert(2012.4, "Wh", "kWh"), 2.0124);
  EXPECT_EQ(convert(1.5, "MWh", "kWh"), 1500.0);
  EXPECT_EQ(convert(3.6, "MJ", "kWh"), 1.0);
  EXPECT_EQ(convert(1, "GJ", "MJ"), 1000.0);
  EXPECT_EQ(convert(18, "GJ", "MWh"), 5.0);
  EXPECT_EQ(convert(1, "kWh", "J"), 3'600'000.0);
  EXPECT_EQ(convert(0.286, "kW", "W"), 286.0);
  EXPECT_EQ(convert(12.345, "m3", "l"), 12345.0);
  EXPECT_EQ(convert(12345, "l", "m3"), 12.345);
  EXPECT_EQ(convert(30, "l/min", "m3/h"), 1.8);
  EXPECT_EQ(convert(2, "h", "s"), 7200.0);
  EXPECT_EQ(convert(1, "bar", "hPa"), 1000.0);
  EXPECT_DOUBLE_EQ(convert(20, "°C", "K").value(), 293.15);
  EXPECT_NEAR(convert(293.15, "K", "°C").value(), 20, 1e-12);
  EXPECT_NEAR(convert(68, "°F", "°C").value(), 20, 1e-12);
  EXPECT_NEAR(convert(20, "°C", "°F").value(), 68, 1e-12);
}

TEST(UnitConversion, HoweverMetersWriteThem) {
  EXPECT_EQ(convert(1, "KWh", "Wh"), 1000.0);
  EXPECT_EQ(convert(1, "kwh", "Wh"), 1000.0);
  EXPECT_EQ(convert(1, "kVArh", "varh"), 1000.0);
  EXPECT_EQ(convert(1, "M3", "l"), 1000.0);
  EXPECT_EQ(convert(1, "m³", "l"), 1000.0);
  EXPECT_EQ(convert(1, "Mwh", "kWh"), 1000.0);
  EXPECT_FALSE(convert(1, "mWh", "kWh")) << "milli is not mega";
  EXPECT_FALSE(convert(1, "mW", "W"));
  EXPECT_FALSE(convert(1, "w", "kW")) << "too little to go by";
  EXPECT_EQ(convert(1, "MV", "V"), std::nullopt);
  for (unsigned code = 1; code < 65; ++code) {
    const auto text = dlms_unit(static_cast<std::uint8_t>(code)).text();
    if (code == 27 || code == 30 || code == 29 || code == 32 || code == 33 || code == 35 || code == 13 || code == 44 || code == 9) {
      EXPECT_TRUE(is_known_unit(text)) << text;
    }
  }
}

TEST(UnitConversion, OnlyWithinAQuantity) {
  for (const auto& [from, to] : {std::pair{"kWh", "W"}, {"kWh", "kvarh"}, {"W", "VA"}, {"m3", "m3/h"}, {"", "kWh"}, {"kWh", ""}, {"V", "A"},
                                 {"", ""}, {"Wh", "what"}, {"K", "kWh"}})
    EXPECT_FALSE(unit_conversion(from, to)) << from << " " << to;
  EXPECT_EQ(convert(7, "pulses", "pulses"), 7.0) << "the same is the same, whatever it is";
}

TEST(UnitConverter, FollowsARegisterThatChangesItsUnit) {
  UnitConverter to_watts{Unit{"W"}};
  EXPECT_EQ(to_watts(1.5, Unit{"kW"}), 1500.0);
  EXPECT_EQ(to_watts(900, Unit{"W"}), 900.0);
  EXPECT_EQ(to_watts(900, Unit{"V"}), std::nullopt);
  EXPECT_EQ(to_watts(900, Unit{}), std::nullopt);
  EXPECT_EQ(to_watts(1.5, Unit{"kW"}), 1500.0);
}

TEST(UnitConversion, EveryUnitComesBackToItself) {
  std::string all = known_units();
  std::replace(all.begin(), all.end(), ';', ' ');
  std::vector<std::string> units;
  for (std::size_t at = 0; at < all.size();) {
    const auto end = std::min(all.find(' ', at), all.size());
    if (end > at) units.push_back(all.substr(at, end - at));
    at = end + 1;
  }
  EXPECT_GT(units.size(), 40U);
  for (const auto& from : units) {
    for (const auto& to : units) {
      const auto there = convert(17.25, from, to);
      if (there) {
        EXPECT_NEAR(convert(*there, to, from).value(), 17.25, 1e-9) << from << " " << to;
      }
    }
  }
}

}  // namespace
}  // namespace vz
