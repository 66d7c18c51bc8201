// SPDX-License-Identifier: GPL-3.0-or-later
// What a command's output, its messages and its end become.
#include <gtest/gtest.h>

#include "protocols/exec/session.hpp"
#include "vz/protocol.hpp"

namespace vz {
namespace protocols {
extern const Protocol exec_protocol;
}
namespace exec {
namespace {

using std::chrono::seconds;

class ExecSessionTest : public testing::Test {
 protected:
  void begin() {
    out_.clear();
    session_.begin(now_, out_);
  }
  void receive(std::string_view records) {
    out_.clear();
    session_.received(std::as_bytes(std::span{records}), now_, now_.mono, out_);
  }
  void run(std::string_view records) {
    begin();
    receive(records);
  }
  [[nodiscard]] std::size_t warnings() const {
    return static_cast<std::size_t>(std::count_if(out_.notes.begin(), out_.notes.end(),
                                                  [](const Note& note) { return note.level == Level::warning; }));
  }

  Instant now_{MonoTime{seconds{100}}, WallTime{seconds{1'700'000'000}}};
  ExecSession session_{file::LineFormat{}};
  SessionOut out_;
};

TEST_F(ExecSessionTest, ARun) {
  EXPECT_TRUE(session_.pulls());
  begin();
  ASSERT_EQ(out_.actions.size(), 1U);
  receive("=12.5\n");
  ASSERT_EQ(out_.readings.size(), 1U) << "as soon as it is printed";
  EXPECT_EQ(out_.readings[0].identifier, Identifier{std::string{}});
  EXPECT_EQ(out_.readings[0].stamp, now_.wall);
  EXPECT_FALSE(out_.cycle_done);
  receive(".\n");
  EXPECT_TRUE(out_.cycle_done);
  EXPECT_EQ(out_.not_before, now_.mono + seconds{1});
  EXPECT_TRUE(out_.faults.empty());
  EXPECT_TRUE(out_.notes.empty());
}

TEST_F(ExecSessionTest, WordsAreNoValues) {
  run("=cannot connect\n.\n");
  EXPECT_TRUE(out_.readings.empty());
  ASSERT_EQ(out_.faults.size(), 1U);
  EXPECT_EQ(out_.faults[0].kind, FaultKind::grammar);
}

TEST_F(ExecSessionTest, ABadEndWithoutValueIsSilence) {
  run("!sh: 1: foo: not found\n.exit status 127\n");
  ASSERT_EQ(out_.faults.size(), 1U);
  EXPECT_EQ(out_.faults[0].kind, FaultKind::silence);
  EXPECT_EQ(out_.faults[0].detail, "no value from the command: exit status 127; it says \"sh: 1: foo: not found\"");
}

TEST_F(ExecSessionTest, ABadEndWithValuesIsToldOnce) {
  run("=1\n.exit status 3\n");
  EXPECT_EQ(out_.readings.size(), 1U);
  EXPECT_TRUE(out_.faults.empty());
  EXPECT_EQ(warnings(), 1U);
  run("=1\n.exit status 3\n");
  EXPECT_EQ(warnings(), 0U);
  run("=1\n.exit status 4\n");
  EXPECT_EQ(warnings(), 1U);
  run("=1\n.\n");
  ASSERT_EQ(out_.notes.size(), 1U);
  EXPECT_EQ(out_.notes[0].level, Level::info);
}

TEST_F(ExecSessionTest, NothingAndAGoodEndIsAllRight) {
  run(".\n");
  EXPECT_TRUE(out_.faults.empty());
  EXPECT_TRUE(out_.cycle_done);
}

TEST_F(ExecSessionTest, MessagesAreBounded) {
  std::size_t told = 0;
  for (int i = 0; i < 100; ++i) {
    run("!warning: something\n=1\n.\n");
    told += warnings();
    EXPECT_EQ(out_.readings.size(), 1U);
  }
  EXPECT_EQ(told, ExecSession::kMessagesAnHour);
  now_.mono += std::chrono::hours{1};
  run("!again\n=1\n.\n");
  ASSERT_EQ(warnings(), 2U);
  EXPECT_EQ(out_.notes[0].text, "the command wrote 90 more lines to stderr in the last hour");
  EXPECT_EQ(out_.notes[1].text, "the command says: \"again\"");
}

TEST(ExecProtocol, MakesASource) {
  Options options;
  options.set("command", std::string{"echo 1"});
  options.set("format", std::string{});
  options.set("time_limit", std::int64_t{20});
  std::vector<Problem> problems;
  ProblemSink sink{options, problems};
  const auto source = protocols::exec_protocol.make(options, sink);
  ASSERT_TRUE(source);
  EXPECT_EQ(std::get<CommandSource>(source->endpoint).command, "echo 1");
  EXPECT_EQ(std::get<CommandSource>(source->endpoint).limit, seconds{20});
  EXPECT_TRUE(problems.empty());
  options.set("command", std::string{" "});
  EXPECT_FALSE(protocols::exec_protocol.make(options, sink));
  EXPECT_EQ(problems.size(), 1U);
}

TEST(ExecEndpoint, ShowsTheProgramOnly) {
  EXPECT_EQ(text(Endpoint{CommandSource{" curl -u me:secret http://x", {}}}), "command curl ...");
  EXPECT_EQ(text(Endpoint{CommandSource{"true", {}}}), "command true");
  EXPECT_EQ(text(Endpoint{FileSource{"/a", false, false}}), "/a");
  EXPECT_EQ(text(Endpoint{OneWireBus{"/b"}}), "/b");
}

}  // namespace
}  // namespace exec
}  // namespace vz
