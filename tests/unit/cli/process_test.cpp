// SPDX-License-Identifier: GPL-3.0-or-later
#include "support/process.hpp"

namespace vz::test {
namespace {

using Stream = Process::Stream;

Process::Options with(std::string name, std::optional<std::string> value) {
  return {.environment = {{std::move(name), std::move(value)}}, .directory = {}};
}

std::vector<std::string> shell(std::string script) { return {"sh", "-c", std::move(script)}; }

TEST(Process, CapturesBothStreamsAndTheStatus) {
  Process child(shell("echo out; echo err >&2; exit 3"));
  EXPECT_EQ(child.wait_exit(), (Exit{.status = 3, .signal = 0}));
  EXPECT_EQ(child.output(), "out\n");
  EXPECT_EQ(child.output(Stream::err), "err\n");
  EXPECT_FALSE(child.send(SIGTERM));
}

TEST(Process, ArgumentsAreNotTouchedByAShell) {
  Process child({"printf", "%s|", "a b", "$HOME", ""});
  EXPECT_EQ(child.wait_exit(), (Exit{.status = 0, .signal = 0}));
  EXPECT_EQ(child.output(), "a b|$HOME||");
}

TEST(Process, WaitsForALineWhileItRuns) {
  Process child(shell("echo one; echo two; echo three; exec sleep 600"));
  EXPECT_EQ(child.wait_for_line("tw"), "two");
  EXPECT_EQ(child.wait_for_line("e"), "three");  // "one" was passed over
  EXPECT_EQ(child.wait_exit(std::chrono::milliseconds(0)), std::nullopt);
  EXPECT_TRUE(child.send(SIGTERM));
  EXPECT_EQ(child.wait_exit(), (Exit{.status = -1, .signal = SIGTERM}));
}

TEST(Process, LineThatNeverComesEndsWithTheStreamOrTheDeadline) {
  Process ended(shell("printf 'no newline'"));
  EXPECT_EQ(ended.wait_for_line("absent"), std::nullopt);
  Process last(shell("printf 'no newline'"));
  EXPECT_EQ(last.wait_for_line("no"), "no newline");
  EXPECT_EQ(last.wait_for_line(""), std::nullopt);
  Process silent({"sleep", "600"});
  EXPECT_EQ(silent.wait_for_line("absent", Stream::err, std::chrono::milliseconds(1)), std::nullopt);
}

TEST(Process, MuchOutputNeverBlocksIt) {
  Process child(shell("head -c 3000000 /dev/zero; head -c 3000000 /dev/zero >&2"));
  EXPECT_EQ(child.wait_exit(), (Exit{.status = 0, .signal = 0}));
  EXPECT_EQ(child.output().size(), 3000000U);
  EXPECT_EQ(child.output(Stream::err).size(), 3000000U);
}

TEST(Process, EnvironmentAndDirectory) {
  ::setenv("VZ_TEST_OUTER", "outer", 1);
  Process kept(shell("echo $VZ_TEST_OUTER$VZ_TEST_INNER"), with("VZ_TEST_INNER", "inner"));
  EXPECT_EQ(kept.wait_for_line(""), "outerinner");
  Process removed(shell("echo .$VZ_TEST_OUTER."), with("VZ_TEST_OUTER", std::nullopt));
  EXPECT_EQ(removed.wait_for_line(""), "..");
  Process moved({"pwd"}, {.environment = {}, .directory = "/"});
  EXPECT_EQ(moved.wait_for_line(""), "/");
  ::unsetenv("VZ_TEST_OUTER");
}

TEST(Process, ProgramThatIsNotThereIsAnError) {
  EXPECT_THROW(Process({"/nonexistent/program"}), std::system_error);
  EXPECT_THROW(Process({"pwd"}, {.environment = {}, .directory = "/nonexistent"}), std::system_error);
}

TEST(Process, InputIsEmpty) {
  Process child({"cat"});
  EXPECT_EQ(child.wait_exit(), (Exit{.status = 0, .signal = 0}));
}

TEST(Process, NothingOutlivesIt) {
  // The pipe's reading end sees the end of file only when every process that has the writing end is gone.
  std::array<int, 2> pipe{};
  ASSERT_EQ(::pipe(pipe.data()), 0);
  {
    Process child(shell("sh -c 'trap \"\" TERM HUP; echo ready; exec sleep 600' & wait"));
    ASSERT_EQ(child.wait_for_line("ready"), "ready");
    ::close(pipe[1]);
  }
  char byte = 0;
  EXPECT_EQ(::read(pipe[0], &byte, 1), 0);
  ::close(pipe[0]);
}

TEST(Process, OutputOfAGrandchildThatStaysIsStillRead) {
  Process child(shell("(trap '' TERM; exec sleep 600) & echo gone"));
  EXPECT_EQ(child.wait_exit(), (Exit{.status = 0, .signal = 0}));
  EXPECT_EQ(child.output(), "gone\n");
}

}  // namespace
}  // namespace vz::test
