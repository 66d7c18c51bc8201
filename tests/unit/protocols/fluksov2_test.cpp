// SPDX-License-Identifier: GPL-3.0-or-later
#include <gtest/gtest.h>

#include "protocols/fluksov2/session.hpp"
#include "vz/protocol.hpp"

namespace vz {
namespace protocols {
extern const Protocol fluksov2_protocol;
}
namespace fluksov2 {
namespace {

/// "sensor0/consumption=123 ..." of a line, or "none".
std::string said(std::string_view line) {
  std::vector<Reading> readings;
  if (!read_line(line, readings)) return readings.empty() ? "none" : "left something behind";
  std::string text;
  for (const auto& reading : readings)
    text += fmt::format("{}={}@{} ", reading.identifier.text(), reading.value, reading.stamp.time_since_epoch().count());
  return text;
}

TEST(FluksoLine, ConsumptionThenPower) {
  EXPECT_EQ(said("1700000000 0 123 45 1 678 -9"),
            "sensor0/consumption=123@1700000000000 sensor0/power=45@1700000000000 "
            "sensor1/consumption=678@1700000000000 sensor1/power=-9@1700000000000 ");
  EXPECT_EQ(said(" 1700000000\t\t0  +123 45 "), "sensor0/consumption=123@1700000000000 sensor0/power=45@1700000000000 ");
  EXPECT_EQ(said("1700000000"), "");
}

TEST(FluksoLine, NothingIsTakenFromAMalformedOne) {
  for (const char* line : {"", "x", "1700000000 0", "1700000000 0 1", "1700000000 0 1 2 1", "1700000000 0 1 2 1 2",
                           "1700000000 0 1 2.5", "1700000000 -1 1 2", "-5 0 1 2", "1700000000 0 1 2x", "1700000000 0 1 +-2",
                           "99999999999999999999 0 1 2", "1700000000 99999999999 1 2"})
    EXPECT_EQ(said(line), "none") << line;
  std::string many = "1700000000";
  for (std::size_t i = 0; i <= kMostSensors; ++i) many += fmt::format(" {} 1 2", i);
  EXPECT_EQ(said(many), "none");
}

TEST(FluksoSession, DeliversLinesAsTheyCome) {
  FluksoSession session;
  EXPECT_FALSE(session.pulls());
  SessionOut out;
  const std::string_view records = "=1700000000 0 123 45\n=\n=rubbish\n=1700000001 0 124 46\n";
  session.received(std::as_bytes(std::span{records}), {}, {}, out);
  EXPECT_EQ(out.readings.size(), 4U);
  EXPECT_EQ(out.telegrams, 2U);
  EXPECT_TRUE(out.cycle_done);
  ASSERT_EQ(out.faults.size(), 1U);
  EXPECT_EQ(out.faults[0].kind, FaultKind::grammar);
}

TEST(FluksoIdentifier, ConsumptionIsItsOwnWordAllOthersMeanPower) {
  const auto id = [](std::string_view text) { return Identifier::parse(IdentifierKind::flukso, text).value().text(); };
  EXPECT_EQ(id("sensor0/consumption"), "sensor0/consumption");
  EXPECT_EQ(id("sensor0/power"), "sensor0/power");
  EXPECT_EQ(id("sensor12/xyz"), "sensor12/power");
  EXPECT_FALSE(Identifier::parse(IdentifierKind::flukso, "sensor/power"));
}

TEST(FluksoProtocol, TheConfiguredFifoIsUsed) {
  Options options;
  options.set("fifo", std::string{"/tmp/fifo"});
  std::vector<Problem> problems;
  ProblemSink sink{options, problems};
  const auto source = protocols::fluksov2_protocol.make(options, sink);
  ASSERT_TRUE(source);
  EXPECT_EQ(std::get<FileSource>(source->endpoint).path, "/tmp/fifo");
  EXPECT_FALSE(std::get<FileSource>(source->endpoint).timed);
  EXPECT_FALSE(protocols::fluksov2_protocol.interval_allowed(options));
}

}  // namespace
}  // namespace fluksov2
}  // namespace vz
