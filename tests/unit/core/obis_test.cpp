// SPDX-License-Identifier: GPL-3.0-or-later
#include "vz/obis.hpp"

#include "core/channel_matcher.hpp"
#include "support/pch.hpp"
#include "vz/identifier.hpp"

namespace vz {
namespace {

std::string parsed(std::string_view text) {
  const auto code = Obis::parse(text);
  return code ? code->text() : "error";
}

TEST(Obis, ReadsWhatTheOldGrammarTook) {
  const std::pair<const char*, const char*> rows[] = {
      {"1.8", "255-255:1.8.255*255"},      {"1-0:1.8.0*255", "1-0:1.8.0*255"},  {"1.8.0", "255-255:1.8.0*255"},
      {"1-0:1.8.0&1", "1-0:1.8.0*1"},      {"1.8.0*1", "255-255:1.8.0*1"},      {"1:1.8.0", "255-1:1.8.0*255"},
      {"1-1.8.0", "1-255:1.8.0*255"},      {"-1:1.8.0", "0-1:1.8.0*255"},       {"1-:1.8.0", "1-0:1.8.0*255"},
      {"1..0", "255-255:1.0.0*255"},       {".8.0", "255-255:0.8.0*255"},       {"1.8.", "255-255:1.8.0*255"},
      {"1.8.0*", "255-255:1.8.0*0"},       {"1.8.0*256", "255-255:1.8.0*0"},    {"1.8.256", "255-255:1.8.0*255"},
      {"1.8.0*300", "255-255:1.8.0*44"},   {"F.F", "255-255:97.97.255*255"},    {"C.1.0", "255-255:96.1.0*255"},
      {"L.1.P", "255-255:98.1.99*255"},    {"1.8.0*F", "255-255:1.8.0*97"},     {"001.008.000", "255-255:1.8.0*255"},
      {"0.0", "255-255:0.0.255*255"},
  };
  for (const auto& [text, expected] : rows) EXPECT_EQ(parsed(text), expected) << text;
}

TEST(Obis, ReadsTwoGroupsWithStorageNumber) {
  EXPECT_EQ(parsed("6.8*01"), "255-255:6.8.255*1");
  EXPECT_EQ(parsed("1.6*1"), "255-255:1.6.255*1");
}

TEST(Obis, RefusesTheRest) {
  for (const char* text : {"", "1", "F", "256.8.0", "1.256.0", "1.8.0.1", "1.8.0*255*1", "1.8.0*FF", "1.8.0*F1", "F1.8", "1C.1",
                           "CC.1", "f.f", "c.1.0", " 1.8.0", "1.8.0 ", "1--0:1.8.0", "1-0::1.8.0", "1-0:1", "4294967297.8.0"})
    EXPECT_EQ(parsed(text), "error") << text;
}

TEST(Obis, KnowsTheAliases) {
  EXPECT_EQ(Obis::parse_or_alias("counter")->text(), "1-0:1.8.255*255");
  EXPECT_EQ(Obis::parse_or_alias("lg-counter-et")->text(), "255-255:16.8.0*255");
  EXPECT_FALSE(Obis::parse_or_alias("Counter"));
  EXPECT_EQ(obis_aliases().size(), 32U);
}

Reading reading(std::string_view code, double value, int second = 0) {
  return {Identifier{*Obis::parse(code)}, value, {}, WallTime{std::chrono::seconds{1700000000 + second}}};
}

std::vector<double> matched(ChannelMatcher& matcher, const std::vector<Reading>& telegram) {
  std::vector<std::size_t> indices;
  matcher.match(telegram, indices);
  std::vector<double> values;
  for (const auto i : indices) values.push_back(telegram[i].value);
  return values;
}

ChannelMatcher matcher_for(std::string_view text) {
  return ChannelMatcher{*Identifier::parse(IdentifierKind::obis, text)};
}

TEST(ChannelMatcher, WritesOfTheSameRegisterAreEquivalent) {
  for (const char* wanted : {"1.8.0", "1-0:1.8.0", "1-0:1.8.0*255", "counter"}) {
    for (const char* sent : {"1.8.0", "1-0:1.8.0", "1-0:1.8.0*255"}) {
      auto matcher = matcher_for(wanted);
      EXPECT_EQ(matched(matcher, {reading("1.8.1", 1), reading(sent, 2), reading("1.8.0*1", 3)}), std::vector<double>{2}) << wanted << sent;
    }
  }
  auto other = matcher_for("1-1:1.8.0");
  EXPECT_TRUE(matched(other, {reading("1-0:1.8.0", 1)}).empty());
  auto historical = matcher_for("1.8.0*1");
  EXPECT_TRUE(matched(historical, {reading("1.8.0", 1)}).empty());
}

TEST(ChannelMatcher, AnExactMatchWins) {
  auto matcher = matcher_for("1-0:1.8.0");
  EXPECT_EQ(matched(matcher, {reading("1.8.0", 1), reading("1-0:1.8.0", 2)}), std::vector<double>{2});
}

TEST(ChannelMatcher, StaysWithItsRegister) {
  auto matcher = matcher_for("1-0:1.8.0");
  EXPECT_EQ(matched(matcher, {reading("1-0:1.8.0", 1), reading("1.8.0", 2)}), std::vector<double>{1});
  EXPECT_TRUE(matched(matcher, {reading("1.8.0", 2)}).empty());
}

TEST(ChannelMatcher, TheFirstOfTheSameCodeCountsButNotAcrossTelegrams) {
  auto matcher = matcher_for("1.8.0");
  EXPECT_EQ(matched(matcher, {reading("1.8.0", 1), reading("1.8.0", 2)}), std::vector<double>{1});
  EXPECT_EQ(matched(matcher, {reading("1.8.0", 1, 0), reading("1.8.0", 2, 1)}), (std::vector<double>{1, 2}));
}

TEST(Identifier, TextForms) {
  const Identifier obis{*Obis::parse("1-0:1.8.0")};
  EXPECT_EQ(obis.text(), "1-0:1.8.0*255");
  EXPECT_EQ(obis.long_text(), "ObisIdentifier:1-0:1.8.0*255");
  EXPECT_EQ(Identifier{}.text(), "NilIdentifier");
  EXPECT_EQ(Identifier{std::string{"a"}}.long_text(), "StringIdentifier:");
  EXPECT_EQ(Identifier::parse(IdentifierKind::flukso, "sensor3/consumption")->text(), "sensor3/consumption");
  EXPECT_FALSE(Identifier::parse(IdentifierKind::flukso, "sensor/power"));
}

}  // namespace
}  // namespace vz
