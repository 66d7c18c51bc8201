// SPDX-License-Identifier: GPL-3.0-or-later
#include "cli/probe/section_text.hpp"

#include "config/config.hpp"
#include "config/edit.hpp"

namespace vz::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

ProbedMeter meter(std::vector<RegisterText> registers, const std::vector<Reading>& readings) {
  ProbedMeter found;
  found.section = {{"protocol", "d0"}, {"device", "/dev/tty\"USB0"}, {"pullseq", "2F3F210D0A"}, {"ackseq", "auto"},
                   {"baudrate", 300}, {"parity", "7e1"}, {"interval", 30}};
  found.readout = make_readout({}, readings, {"/ISK5\\2MT372-0002", std::move(registers)});
  return found;
}

Reading reading(std::string_view code, double value) { return {Identifier{*Obis::parse(code)}, value, Unit{"kWh"}, {}}; }

config::Result load(const std::string& text) { return config::load(text, {all_protocols(), all_sinks()}); }

TEST(ProbeSection, RunsAsItIs) {
  const auto found = meter({{"0.0.0", "58231541", ""}, {"1.8.0", "00132.149", "kWh"}, {"1.8.1", "00132.149", "kWh"}},
                           {reading("0.0.0", 58231541), reading("1.8.0", 132.149), reading("1.8.1", 132.149)});
  const std::string text = configuration_text(section_text(found));
  const auto result = load(text);
  ASSERT_TRUE(result.settings) << text;
  ASSERT_EQ(result.settings->meters.size(), 1u);
  const MeterSettings& settings = result.settings->meters[0];
  EXPECT_TRUE(settings.enabled);
  EXPECT_EQ(settings.interval, 30);
  EXPECT_EQ(settings.options.string("device"), "/dev/tty\"USB0");
  EXPECT_EQ(settings.options.integer("baudrate"), 300);
  ASSERT_EQ(settings.channels.size(), 1u) << "the total, not its tariffs";
  EXPECT_EQ(settings.channels[0].identifier_text, "1.8.0");
  EXPECT_EQ(settings.channels[0].sink->name, "null");
  EXPECT_TRUE(result.problems.empty()) << result.problems[0].text;
}

TEST(ProbeSection, WithoutATotalTheTariffs) {
  const auto found = meter({{"1.8.1", "1", "kWh"}, {"1.8.2", "2", "kWh"}}, {reading("1.8.1", 1), reading("1.8.2", 2)});
  EXPECT_THAT(section_text(found), HasSubstr("\"1.8.2\""));
}

TEST(ProbeSection, AReactiveRegisterIsNoHeatMeter) {
  const auto found = meter({{"1.8.0", "1", "kWh"}, {"6.8.0", "2", "kvarh"}}, {reading("1.8.0", 1), reading("6.8.0", 2)});
  EXPECT_THAT(section_text(found), Not(HasSubstr("6.8.0")));
}

TEST(ProbeSection, TextFromAMeterStaysInItsComment) {
  auto found = meter({}, {});
  found.readout.identification = "/ISK5x\n}, { \"protocol\": \"exec\"";
  found.readout.registers = {{"1.8.0", Obis::parse("1.8.0"), "1\n\"", 1.0, "k\nWh", ""}};
  const auto result = load(configuration_text(section_text(found)));
  ASSERT_TRUE(result.settings);
  EXPECT_EQ(result.settings->meters.size(), 1u);
  EXPECT_EQ(result.settings->meters[0].protocol->name, "d0");
}

TEST(ProbeSection, FitsIntoAnExistingConfiguration) {
  const auto found = meter({{"1.8.0", "1", "kWh"}}, {reading("1.8.0", 1)});
  const auto text = config::with_written_element("{ \"meters\": [ { \"protocol\": \"random\", \"enabled\": false } ] }", "meters", section_text(found));
  ASSERT_TRUE(text);
  const auto result = load(*text);
  ASSERT_TRUE(result.settings) << *text;
  EXPECT_EQ(result.settings->meters.size(), 2u);
}

}  // namespace
}  // namespace vz::cli
