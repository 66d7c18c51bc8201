// SPDX-License-Identifier: GPL-3.0-or-later
// What lines say, with and without `format`; and the session that reads files.
#include <gtest/gtest.h>

#include "core/source_records.hpp"
#include "protocols/file/session.hpp"
#include "vz/protocol.hpp"

namespace vz {
namespace protocols {
extern const Protocol file_protocol;
}
namespace file {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Instant kNow{MonoTime{seconds{100}}, WallTime{seconds{1'700'000'000}}};

/// "identifier=value" or "identifier=value@milliseconds", or "none".
std::string said(std::string_view format, std::string_view line) {
  const auto found = LineFormat{format}.match(line);
  if (!found) return "none";
  std::string text = fmt::format("{}={}", found->identifier, found->value);
  if (found->stamp) text += fmt::format("@{}", found->stamp->time_since_epoch().count());
  return text;
}

struct Row {
  const char* format;
  const char* line;
  const char* expected;
};

class Table : public testing::TestWithParam<Row> {};
TEST_P(Table, Says) { EXPECT_EQ(said(GetParam().format, GetParam().line), GetParam().expected); }

// What the old daemon read, its traps mended: no value without a number, `$i` gives way to the literal behind it.
INSTANTIATE_TEST_SUITE_P(AsEver, Table,
                         testing::Values(Row{"$i $v", "a 1", "a=1"}, Row{"$i $v", "b x", "none"}, Row{"$i $v", "c", "none"},
                                         Row{"$i $v", "7", "none"}, Row{"$i:$v", "a:1", "a=1"},
                                         Row{"$i : $v", "a : 1", "a=1"}, Row{"$i : $v", "b :2", "b=2"},
                                         Row{"$i : $v", "c: 3", "c=3"}, Row{"$v", "a", "none"}, Row{"$v", "1", "<null>=1"},
                                         Row{"$v $i", "2 foo bar", "foo=2"}, Row{"$v $i", "1", "<null>=1"},
                                         Row{"$t;$i : $v", "1001.25;id1 : 32552", "id1=32552@1001250"},
                                         Row{"$t;$v", "1700000000123;5", "<null>=5@1700000000123"},
                                         Row{"$t,$v", "2024-01-01,5", "none"}, Row{"$t;$v", "1700000000;5", "<null>=5@1700000000000"}));

INSTANTIATE_TEST_SUITE_P(Numbers, Table,
                         testing::Values(Row{"", "12.5", "=12.5"}, Row{"", "  -3 rest", "=-3"}, Row{"", "+4.25e1kWh", "=42.5"},
                                         Row{"", "0x1F", "=31"}, Row{"", "-0X.8", "=-0.5"}, Row{"", "0xyz", "=0"},
                                         Row{"", ".5", "=0.5"}, Row{"", "5.", "=5"}, Row{"", "0.08 0.03 0.01 1/215 1234", "=0.08"},
                                         Row{"", "12,5", "=12"}, Row{"", "", "none"}, Row{"", "abc", "none"},
                                         Row{"", "+-1", "none"}, Row{"", "inf", "none"}, Row{"", "nan", "none"},
                                         Row{"", "1e999", "none"}, Row{"", "-", "none"}, Row{"", ".", "none"}));

INSTANTIATE_TEST_SUITE_P(Formats, Table,
                         testing::Values(Row{"$v kWh", "5 Wh", "<null>=5"},            // the rest need not match
                                         Row{"$v $i:", "1 foo:", "foo:=1"},            // nor does it end the identifier
                                         Row{"$i : $v", "a:b : 5", "a:b=5"},           // the longest identifier that fits
                                         Row{"$i:$v", "28:ff:22.5", "28:ff=22.5"},
                                         Row{"$i=$v", "=5", "none"},                   // an identifier is not empty
                                         Row{"100%$v", "100%7", "<null>=7"}, Row{"$x$v", "3", "<null>=3"},
                                         Row{"$$v", "v 3", "none"}, Row{"$v$", "3", "<null>=3"}, Row{"temp $v", "temp3", "<null>=3"},
                                         Row{"temp $v", "tamp 3", "none"}, Row{"nothing", "nothing", "none"},
                                         Row{"$v $v", "1 2", "<null>=1"}, Row{"$i $v $t", "a 1 -5", "a=1"},
                                         Row{"$i,$t;$v", "x,1700000000;9", "x=9@1700000000000"}));

TEST(EpochTime, SecondsAndSmallerUnits) {
  const auto ms = [](double number) { return epoch_time(number).value_or(WallTime{milliseconds{-1}}).time_since_epoch().count(); };
  EXPECT_EQ(ms(1002.00001), 1'002'000);
  EXPECT_EQ(ms(1700000000.123), 1'700'000'000'123);  // its double is a little less
  EXPECT_EQ(ms(1700000000.9999), 1'700'000'000'999);
  EXPECT_EQ(ms(1700000000123.0), 1'700'000'000'123);
  EXPECT_EQ(ms(1700000000123456.0), 1'700'000'000'123);
  EXPECT_EQ(ms(1700000000123456789.0), 1'700'000'000'123);
  EXPECT_EQ(ms(0.0), 0);
  EXPECT_EQ(ms(-1.0), -1);
  EXPECT_EQ(ms(1e300), -1);
}

TEST(FormatOddity, IsTold) {
  EXPECT_EQ(LineFormat::oddity(""), "");
  EXPECT_EQ(LineFormat::oddity("$t;$i : $v"), "");
  EXPECT_NE(LineFormat::oddity("$i"), "");
  EXPECT_NE(LineFormat::oddity("$v $x"), "");
  EXPECT_NE(LineFormat::oddity("$v$"), "");
  EXPECT_NE(LineFormat::oddity("$v $v"), "");
}

class FileSessionTest : public testing::Test {
 protected:
  void open(std::string_view format, bool timed) {
    session_.emplace(LineFormat{format}, timed);
    session_->opened(kNow, out_);
  }
  void receive(std::string_view records) {
    out_.clear();
    session_->received(std::as_bytes(std::span{records}), kNow, kNow.mono, out_);
  }
  std::optional<FileSession> session_;
  SessionOut out_;
};

TEST_F(FileSessionTest, LinesBecomeReadingsOfNow) {
  open("", false);
  EXPECT_FALSE(session_->pulls());
  receive("=12.5\n=\n=  \n=13\n");
  ASSERT_EQ(out_.readings.size(), 2U);
  EXPECT_EQ(out_.readings[0].identifier, Identifier{std::string{}});
  EXPECT_EQ(out_.readings[0].value, 12.5);
  EXPECT_EQ(out_.readings[0].stamp, kNow.wall);
  EXPECT_EQ(out_.readings[1].value, 13.0);
  EXPECT_TRUE(out_.faults.empty()) << "empty lines are no fault";
  EXPECT_TRUE(out_.cycle_done);
  EXPECT_EQ(out_.telegrams, 1U);
}

TEST_F(FileSessionTest, RecordsMayBeCutAnywhere) {
  const std::string records = "=a 1\n#note\n=b 2\n.\n";
  for (std::size_t cut = 0; cut <= records.size(); ++cut) {
    open("$i $v", true);
    std::vector<std::string> seen;
    bool done = false;
    for (const auto part : {std::string_view{records}.substr(0, cut), std::string_view{records}.substr(cut)}) {
      receive(part);
      for (const auto& reading : out_.readings) seen.push_back(*reading.identifier.string());
      done = done || out_.cycle_done;
    }
    EXPECT_EQ(seen, (std::vector<std::string>{"a", "b"})) << cut;
    EXPECT_TRUE(done);
  }
}

TEST_F(FileSessionTest, TimedAsksAndEndsItsCycle) {
  open("", true);
  EXPECT_TRUE(session_->pulls());
  session_->begin(kNow, out_);
  ASSERT_EQ(out_.actions.size(), 1U);
  EXPECT_TRUE(std::holds_alternative<WriteBytes>(out_.actions[0]));
  receive("=1\n");
  EXPECT_FALSE(out_.cycle_done);
  receive(".\n");
  EXPECT_TRUE(out_.cycle_done);
}

TEST_F(FileSessionTest, WhatIsNoReadingIsAFault) {
  open("", false);
  receive("=error: no data\n+123\n-cut off\n");
  EXPECT_TRUE(out_.readings.empty());
  ASSERT_EQ(out_.faults.size(), 3U);
  EXPECT_EQ(out_.faults[0].kind, FaultKind::grammar);
  EXPECT_EQ(out_.faults[0].detail, "no value in line \"error: no data\"");
  EXPECT_EQ(out_.faults[1].kind, FaultKind::oversized);
  EXPECT_EQ(out_.faults[2].kind, FaultKind::truncated);
}

TEST_F(FileSessionTest, TroubleWarns) {
  open("", false);
  receive("?it is gone\n#from its end\n");
  ASSERT_EQ(out_.notes.size(), 2U);
  EXPECT_EQ(out_.notes[0].level, Level::warning);
  EXPECT_EQ(out_.notes[1].level, Level::info);
}

Options options(std::string path, std::string format, bool rewind, std::int64_t interval) {
  Options result;
  result.set("path", std::move(path));
  result.set("format", std::move(format));
  result.set("rewind", rewind);
  result.set("interval", interval);
  return result;
}

TEST(FileProtocol, MakesASource) {
  std::vector<Problem> problems;
  const Options given = options("/proc/loadavg", "", true, 5);
  ProblemSink sink{given, problems};
  const auto source = protocols::file_protocol.make(given, sink);
  ASSERT_TRUE(source);
  const auto& file = std::get<FileSource>(source->endpoint);
  EXPECT_EQ(file.path, "/proc/loadavg");
  EXPECT_TRUE(file.rewind);
  EXPECT_TRUE(file.timed);
  EXPECT_TRUE(source->session->pulls());
  EXPECT_TRUE(problems.empty());
}

TEST(FileProtocol, WithoutIntervalItWaitsForChanges) {
  std::vector<Problem> problems;
  for (const std::int64_t interval : {-1, 0}) {
    const Options given = options("x", "$v", false, interval);
    ProblemSink sink{given, problems};
    const auto source = protocols::file_protocol.make(given, sink);
    ASSERT_TRUE(source);
    EXPECT_FALSE(std::get<FileSource>(source->endpoint).timed);
    EXPECT_FALSE(source->session->pulls());
  }
}

TEST(FileProtocol, OddOptionsAreTold) {
  std::vector<Problem> problems;
  const Options empty = options("", "", false, -1);
  ProblemSink first{empty, problems};
  EXPECT_FALSE(protocols::file_protocol.make(empty, first));
  const Options odd = options("x", "$i", false, -1);
  ProblemSink second{odd, problems};
  EXPECT_TRUE(protocols::file_protocol.make(odd, second));
  ASSERT_EQ(problems.size(), 2U);
  EXPECT_EQ(problems[0].severity, Problem::Severity::error);
  EXPECT_EQ(problems[1].severity, Problem::Severity::warning);
}

}  // namespace
}  // namespace file
}  // namespace vz
