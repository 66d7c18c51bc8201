// SPDX-License-Identifier: GPL-3.0-or-later
#include "cli/readout.hpp"

#include <nlohmann/json.hpp>

namespace vz::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

const WallTime kNow{std::chrono::milliseconds{1'560'354'662'123}};

Reading reading(std::string_view code, double value, std::string_view unit) {
  return {Identifier{*Obis::parse(code)}, value, Unit{unit}, kNow};
}

Readout page() {
  const Reading readings[] = {reading("0.0.0", 58231541, ""), reading("1.8.0", 132.149, "kWh"), reading("1.8.2", 0, "kWh")};
  const TelegramText text{"/ISK5\\2MT372-0002",
                          {{"0.0.0", "58231541", ""}, {"1.8.0", "00132.149", "kWh"}, {"1.8.2", "00000.000", "kWh"}, {"0.2.0", "(ER11)", ""}}};
  return make_readout(kNow, readings, text);
}

TEST(Readout, KeepsTheMetersWordsAndSaysWhatTheyMean) {
  const Readout readout = page();
  ASSERT_EQ(readout.registers.size(), 4u);
  EXPECT_EQ(readout.registers[1].value, "00132.149");
  EXPECT_EQ(readout.registers[1].number, 132.149);
  EXPECT_THAT(readout.registers[1].meaning, StartsWith("energy drawn"));
  EXPECT_EQ(readout.registers[3].number, std::nullopt) << "an error text is no number";
  EXPECT_EQ(meter_name(readout), "Iskraemeco, MT372-0002");
}

TEST(Readout, TheTableIsForPeople) {
  const std::string text = table(page());
  EXPECT_THAT(text, HasSubstr("1.8.0      132.149  kWh   energy drawn, total (Bezug, Zählerstand)\n"));
  EXPECT_THAT(text, HasSubstr("1.8.2        0.000  kWh"));
  EXPECT_THAT(text, HasSubstr("0.0.0     58231541"));
}

TEST(Readout, WithoutWordsTheReadingsSpeak) {
  const Reading readings[] = {reading("1-0:16.7.0*255", -137.1, "W"), {Identifier{}, 20, {}, kNow}, {Identifier{"temp"}, 21.5, Unit{"C"}, kNow}};
  const Readout readout = make_readout(kNow, readings, {});
  ASSERT_EQ(readout.registers.size(), 3u);
  EXPECT_EQ(readout.registers[0].code, "1-0:16.7.0*255");
  EXPECT_EQ(readout.registers[0].value, "-137.1");
  EXPECT_EQ(readout.registers[1].code, "value");
  EXPECT_EQ(readout.registers[1].value, "20");
  EXPECT_EQ(readout.registers[2].code, "temp");
}

TEST(Readout, JsonHasEverything) {
  const auto json = nlohmann::json::parse(json_line(page()));
  EXPECT_EQ(json["time"], "2019-06-12T15:51:02.123Z");
  EXPECT_EQ(json["ms"], 1'560'354'662'123);
  EXPECT_EQ(json["meter"], "Iskraemeco, MT372-0002");
  EXPECT_EQ(json["registers"][1]["number"], 132.149);
  EXPECT_TRUE(json["registers"][3]["number"].is_null());
}

TEST(Readout, NothingFromAMeterMovesTheCursor) {
  const TelegramText text{"/XYZ5\x1b[2J", {{"1.8.0", "\x1b[31m1", "k\x07Wh"}}};
  const Readout readout = make_readout(kNow, {}, text);
  EXPECT_EQ(table(readout).find('\x1b'), std::string::npos);
  EXPECT_EQ(meter_name(readout).find('\x1b'), std::string::npos);
  EXPECT_EQ(table(readout).find('\x07'), std::string::npos);
}

TEST(Readout, ReadsTheServerIdOfAnSmlMeter) {
  Readout readout;
  readout.identification = "0a01454d480001234567";
  EXPECT_EQ(meter_name(readout), "EMH metering, serial number 1EMH0019088743");
}

TEST(Csv, ChosenColumnsUnitsInTheHeading) {
  CsvWriter csv(parse_columns("1.8.0=Bezug,0.0.0=Nr,9.9.9=Nix"), ',', CsvWriter::Rows::all);
  EXPECT_EQ(csv.add(page()), "Bezug[kWh],Nr,Nix\n00132.149,58231541,\n");
  EXPECT_EQ(csv.add(page()), "00132.149,58231541,\n");
}

TEST(Csv, FindsTheRegisterInAnySpelling) {
  CsvWriter csv(parse_columns("1-0:1.8.0*255"), ';', CsvWriter::Rows::all);
  EXPECT_EQ(csv.add(page()), "1-0:1.8.0*255[kWh]\n00132.149\n");
}

TEST(Csv, WithoutChoiceAllOfThem) {
  CsvWriter csv({}, ',', CsvWriter::Rows::all);
  EXPECT_THAT(csv.add(page()), StartsWith("time,0.0.0,1.8.0[kWh],1.8.2[kWh],0.2.0\n"));
}

TEST(Csv, OnlyChanges) {
  CsvWriter csv(parse_columns("time,1.8.0"), ',', CsvWriter::Rows::changed);
  Readout readout = page();
  EXPECT_NE(csv.add(readout), "");
  readout.at += std::chrono::seconds{10};
  EXPECT_EQ(csv.add(readout), "") << "the time alone is no change";
  readout.registers[0].value = "1";
  EXPECT_EQ(csv.add(readout), "") << "nor is a register that was not chosen";
  readout.registers[1].value = "00132.150";
  EXPECT_THAT(csv.add(readout), HasSubstr(",00132.150\n"));
}

TEST(Csv, QuotesWhatWouldBreakTheRow) {
  Readout readout;
  readout.registers = {{"a", {}, "1,5", {}, "", ""}, {"b", {}, "say \"x\"", {}, "", ""}};
  CsvWriter csv(parse_columns("a,b"), ',', CsvWriter::Rows::all);
  EXPECT_EQ(csv.add(readout), "a,b\n\"1,5\",\"say \"\"x\"\"\"\n");
}

}  // namespace
}  // namespace vz::cli
