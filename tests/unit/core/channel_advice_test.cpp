// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/channel_advice.hpp"

namespace vz {
namespace {

using testing::HasSubstr;

Identifier obis(const char* text) { return *Identifier::parse(IdentifierKind::obis, text); }

ChannelAdvice advise(const char* code, std::string_view unit, std::string_view protocol = "d0") {
  const auto advice = advise_channel(obis(code), Unit{unit}, protocol);
  return advice.value_or(ChannelAdvice{});
}

TEST(ChannelAdvice, CountersGetTheResolutionOfTheirUnit) {
  EXPECT_EQ(advise("1.8.0", "kWh").type, "electric meter");
  EXPECT_EQ(advise("1.8.0", "kWh").resolution, 1.0);
  EXPECT_EQ(advise("1-0:1.8.0*255", "Wh").resolution, 1000.0);
  EXPECT_EQ(advise("7-0:3.0.0", "m3").resolution, 1.0);
  EXPECT_EQ(advise("8-0:1.0.0", "m3").resolution, 0.001) << "the frontend counts water in litres";
  EXPECT_EQ(advise("6-0:1.0.0", "MWh").resolution, 0.001);
  EXPECT_EQ(advise("0-1:24.2.1", "m3").type, "gas meter");
}

TEST(ChannelAdvice, WithoutAUnitTheProtocolsUsualOneIsTaken) {
  EXPECT_EQ(advise("1.8.0", "", "d0").resolution, 1.0);
  EXPECT_EQ(advise("1.8.0", "", "sml").resolution, 1000.0);
  EXPECT_FALSE(advise("1.8.0", "", "sml").unit_is_known);
  EXPECT_TRUE(advise("1.8.0", "Wh", "sml").unit_is_known);
}

TEST(ChannelAdvice, SensorsInTheirOwnUnitNeedNone) {
  EXPECT_EQ(advise("16.7.0", "W", "sml").type, "powersensor");
  EXPECT_EQ(advise("16.7.0", "W", "sml").resolution, std::nullopt);
  EXPECT_EQ(advise("16.7.0", "kW").resolution, 0.001);
  EXPECT_EQ(advise("32.7.0", "V").type, "voltage");
  EXPECT_EQ(advise("51.7.0", "A").type, "current");
  EXPECT_EQ(advise("14.7.0", "Hz").type, "frequency");
  EXPECT_EQ(advise("36.7.0", "W").type, "powersensor");
}

TEST(ChannelAdvice, WhatIsNoQuantityHasNone) {
  EXPECT_EQ(advise("0.0.0", "").type, "");
  EXPECT_EQ(advise("1-0:96.1.0", "").type, "");
}

TEST(ChannelAdvice, PulsesTakeTheMetersResolution) {
  const auto advice = advise_channel(Identifier{std::string("Impulse")}, Unit{}, "s0", 2000);
  ASSERT_TRUE(advice);
  EXPECT_EQ(advice->type, "power");
  EXPECT_EQ(advice->resolution, 2000.0);
}

TEST(ChannelAdvice, TitlesSayWhatItIs) {
  EXPECT_EQ(advise("1.8.0", "kWh").title, "Strom Bezug");
  EXPECT_EQ(advise("2.8.1", "kWh").title, "Strom Lieferung T1");
  EXPECT_EQ(advise("52.7.0", "V").title, "Spannung L2");
}

TEST(ChannelMisfit, TheClassicMistakeIsTold) {
  const std::string text = channel_misfit(advise("1.8.0", "kWh"), "electric meter", 1000);
  EXPECT_THAT(text, HasSubstr("resolution is 1000"));
  EXPECT_THAT(text, HasSubstr("counts in kWh"));
  EXPECT_THAT(text, HasSubstr("resolution to 1,"));
  EXPECT_THAT(text, HasSubstr("1000 times too small"));
  EXPECT_THAT(channel_misfit(advise("1.8.0", "Wh"), "electric meter", 1), HasSubstr("1000 times too large"));
}

TEST(ChannelMisfit, ARightOneIsNot) {
  EXPECT_EQ(channel_misfit(advise("1.8.0", "kWh"), "electric meter", 1), "");
  EXPECT_EQ(channel_misfit(advise("16.7.0", "W"), "powersensor", std::nullopt), "");
  EXPECT_EQ(channel_misfit(advise("1.8.0", "kWh"), "universalcounter", 5), "") << "the user's own";
}

TEST(ChannelMisfit, AnotherTypeIsTold) {
  EXPECT_THAT(channel_misfit(advise("1.8.0", "kWh"), "power", 1000), HasSubstr("El. Energie (Zählerstände)"));
  EXPECT_THAT(channel_misfit(advise("1.8.0", "kWh"), "group", std::nullopt), HasSubstr("uuid of a channel"));
}

}  // namespace
}  // namespace vz
