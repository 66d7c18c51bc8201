// SPDX-License-Identifier: GPL-3.0-or-later
// Configurations of the protocols without a serial line, against the real tables: what the old daemon ran, runs.
#include <gtest/gtest.h>

#include "config/config.hpp"

namespace vz::compat {
namespace {

/// The problems of a file with one meter, one a line; "runs" if there are none.
std::string verdict(std::string_view meter, std::string_view identifier) {
  const std::string text = fmt::format(
      R"({{"meters": [{{"enabled": true, {}, "channels": [{{"uuid": "01234567-89ab-cdef-0123-456789abcdef", "identifier": "{}", )"
      R"("api": "volkszaehler", "middleware": "http://localhost/middleware.php"}}]}}]}})",
      meter, identifier);
  const auto result = config::load(text, {all_protocols(), all_sinks()});
  std::string out;
  for (const auto& problem : result.problems)
    out += (problem.severity == Problem::Severity::error ? "error: " : "warning: ") + problem.text + "\n";
  return out.empty() ? "runs" : out;
}

TEST(Sources, WhatRanRuns) {
  EXPECT_EQ(verdict(R"("protocol": "random", "min": -5.0, "max": 40.0, "interval": 1)", "x"), "runs");
  EXPECT_EQ(verdict(R"("protocol": "random")", ""), "runs");
  EXPECT_EQ(verdict(R"("protocol": "file", "path": "/proc/loadavg", "rewind": true, "interval": 2)", ""), "runs");
  EXPECT_EQ(verdict(R"("protocol": "file", "path": "/tmp/fifo", "format": "$i : $v", "interval": -1)", "a"), "runs");
  EXPECT_EQ(verdict(R"("protocol": "file", "path": "/tmp/fifo", "format": "")", "<null>"), "runs");
  EXPECT_EQ(verdict(R"("protocol": "exec", "command": "echo 1", "format": "$v", "interval": 60)", "<null>"), "runs");
  EXPECT_EQ(verdict(R"("protocol": "w1therm", "interval": 30)", "28-000005e2fdc3"), "runs");
  EXPECT_EQ(verdict(R"("protocol": "fluksov2", "fifo": "/tmp/out")", "sensor0/consumption"), "runs");
  EXPECT_EQ(verdict(R"("protocol": "fluksov2")", "sensor12/power"), "runs");
}

TEST(Sources, TypesAreStrict) {
  EXPECT_NE(verdict(R"("protocol": "random", "max": 40)", "x").find(R"(write "max": 40.0)"), std::string::npos);
  EXPECT_EQ(verdict(R"("protocol": "file", "path": "x", "rewind": 1)", "").find("error: Invalid type for rewind"), 0U);
  EXPECT_EQ(verdict(R"("protocol": "file", "path": 5)", "").find("error: Invalid type for path"), 0U);
  EXPECT_NE(verdict(R"("protocol": "file")", "").find("\"path\""), std::string::npos);
  EXPECT_NE(verdict(R"("protocol": "exec", "interval": 1)", "").find("\"command\""), std::string::npos);
  EXPECT_NE(verdict(R"("protocol": "fluksov2")", "power").find("sensor<number>/power"), std::string::npos);
}

TEST(Sources, AnOptionOfTwoTablesIsReportedOnce) {
  const std::string problems = verdict(R"("protocol": "file", "path": "x", "interval": "5")", "");
  EXPECT_EQ(problems.find("Invalid type for interval"), problems.rfind("Invalid type for interval"));
  EXPECT_EQ(problems.find("error: "), 0U);
}

TEST(Sources, AnIntervalThatMeansNothingIsTold) {
  EXPECT_EQ(verdict(R"("protocol": "fluksov2", "interval": 5)", "sensor0/power").find("warning: Interval set but not allowed"), 0U);
}

}  // namespace
}  // namespace vz::compat
