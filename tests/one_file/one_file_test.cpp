// SPDX-License-Identifier: GPL-3.0-or-later
// A protocol is one new file. The folder `protocols` beside this test holds one; the table is generated from src/protocols and
// that folder together, by the same function that makes the program's. Nothing else knows of the new protocol.
#include <gtest/gtest.h>

#include <sstream>

#include "cli/help.hpp"
#include "config/config.hpp"
#include "config/schema.hpp"
#include "vz/protocol.hpp"

namespace vz {

std::span<const Protocol* const> all_protocols_and_one();

namespace {

const Protocol* find(std::span<const Protocol* const> table) { return cli::find_protocol(table, "Thermometer"); }

config::Result load(std::string_view options) {
  return config::load(fmt::format(R"({{"meters": [{{"enabled": true, "protocol": "thermometer", {},
"channels": [{{"uuid": "01234567-89ab-cdef-0123-456789abcdef", "identifier": "temperature", "api": "null"}}]}}]}})", options),
                      {all_protocols_and_one(), all_sinks()});
}

TEST(OneFile, ANewProtocolIsInTheTableAndNothingElseHasChanged) {
  EXPECT_EQ(find(all_protocols()), nullptr);
  ASSERT_NE(find(all_protocols_and_one()), nullptr);
  EXPECT_EQ(all_protocols_and_one().size(), all_protocols().size() + 1);
  for (const auto* protocol : all_protocols())
    EXPECT_EQ(cli::find_protocol(all_protocols_and_one(), protocol->name), protocol) << protocol->name;
}

TEST(OneFile, HelpKnowsIt) {
  std::ostringstream out;
  cli::print_help(out, "vzlogger", all_protocols_and_one(), obis_aliases(), all_sinks());
  EXPECT_NE(out.str().find("thermometer"), std::string::npos);
  EXPECT_NE(out.str().find("Serial thermometer"), std::string::npos);
  const std::string help = config::protocol_help(*find(all_protocols_and_one()));
  EXPECT_NE(help.find("added to each value"), std::string::npos);
  EXPECT_NE(help.find("number with point in °C, -10 to 10, default 0.0"), std::string::npos) << help;
}

TEST(OneFile, ItsOptionsAreCheckedAndExplained) {
  EXPECT_TRUE(load(R"("device": "/dev/ttyS0", "correction": 0.5)").problems.empty());
  const auto range = load(R"("device": "/dev/ttyS0", "correction": 11.0)");
  ASSERT_EQ(range.problems.size(), 1U);
  EXPECT_NE(range.problems[0].text.find("correction is 11"), std::string::npos) << range.problems[0].text;
  EXPECT_EQ(range.problems[0].position.path, "meters[0].correction");
  const auto misspelt = load(R"("device": "/dev/ttyS0", "corection": 0.5)");
  ASSERT_EQ(misspelt.problems.size(), 1U);
  EXPECT_NE(misspelt.problems[0].text.find("correction"), std::string::npos) << misspelt.problems[0].text;
  EXPECT_FALSE(load(R"("correction": 0.5)").problems.empty()) << "neither device nor host";
}

TEST(OneFile, ItReads) {
  auto loaded = load(R"("device": "/dev/ttyS0", "correction": 0.5)");
  ASSERT_TRUE(loaded.settings);
  const auto& meter = loaded.settings->meters.at(0);
  std::vector<Problem> problems;
  ProblemSink sink{meter.options, problems};
  const auto source = meter.protocol->make(meter.options, sink);
  ASSERT_NE(source, nullptr);
  SessionOut out;
  const std::string bytes = "21.5\r\nrubbish\n";
  EXPECT_EQ(source->session->received(std::as_bytes(std::span{bytes}), {}, {}, out), bytes.size());
  ASSERT_EQ(out.readings.size(), 1U);
  EXPECT_EQ(out.readings[0].value, 22.0);
  EXPECT_EQ(out.readings[0].identifier, meter.channels.at(0).identifier);
  EXPECT_EQ(out.faults.size(), 1U);
}

}  // namespace
}  // namespace vz
