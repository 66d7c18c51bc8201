// SPDX-License-Identifier: GPL-3.0-or-later
// Programs that end well, badly or never, and what is left of them.
#include "platform/command_transport.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <csignal>
#include <sstream>
#include <thread>

namespace vz {
namespace {

using std::chrono::seconds;
using Kind = ReadResult::Kind;

constexpr uid_t kSomeone = 1000;

class CommandTransportTest : public testing::Test {
 protected:
  void open(const std::string& command, seconds limit = seconds{60}) {
    auto opened = CommandTransport::open({command, limit}, kSomeone);
    ASSERT_TRUE(opened) << opened.error().text();
    transport_ = std::move(*opened);
  }
  /// Runs it; the records up to `last`.
  std::string run(std::string_view last = "\n.") {
    EXPECT_TRUE(transport_->write({}, MonoTime{}, wake_));
    return read_to(last);
  }
  std::string read_to(std::string_view last) {
    std::string out = "\n";
    std::array<std::byte, 100> buffer;
    const MonoTime deadline = std::chrono::steady_clock::now() + seconds{30};
    while (out.find(last) == std::string::npos || !out.ends_with('\n')) {
      const auto result = transport_->read(buffer, MonoTime{}, deadline, wake_);
      if (result.kind != Kind::bytes) return out + "(no more)";
      for (std::size_t i = 0; i < result.count; ++i) out.push_back(static_cast<char>(buffer[i]));
    }
    return out.substr(1);
  }
  /// No child of this process is left, not even as a zombie.
  static bool no_children() { return ::waitpid(-1, nullptr, WNOHANG) == -1 && errno == ECHILD; }

  std::unique_ptr<Transport> transport_;
  Wake wake_;
};

TEST_F(CommandTransportTest, LinesThenTheEnd) {
  open("echo 1; printf 2");
  EXPECT_EQ(run(), "=1\n=2\n.\n");
  EXPECT_TRUE(no_children());
  EXPECT_EQ(run(), "=1\n=2\n.\n");
}

TEST_F(CommandTransportTest, OnlyWhenAsked) {
  open("echo 1");
  std::array<std::byte, 10> buffer;
  EXPECT_EQ(transport_->read(buffer, MonoTime{}, MonoTime{}, wake_).kind, Kind::timeout);
}

TEST_F(CommandTransportTest, MessagesAndStatus) {
  open("echo oops >&2; exit 3");
  EXPECT_EQ(run(), "!oops\n.exit status 3\n");
  open("kill -KILL $$");
  EXPECT_EQ(run(), ".ended by signal 9 (SIGKILL)\n");
  open("/no/such/program 2>/dev/null");
  EXPECT_EQ(run(), ".exit status 127: the shell did not find the program\n");
}

TEST_F(CommandTransportTest, AKilledProgramsHalfLineIsNoLine) {
  open("printf '1\\n2'; kill -KILL $$");
  const std::string got = run();
  EXPECT_TRUE(got.starts_with("=1\n-")) << got;
}

TEST_F(CommandTransportTest, TheTimeLimitEndsTheWholeGroup) {
  open("sleep 1000 & echo $!; printf 5; wait", seconds{1});
  const std::string got = run();
  EXPECT_NE(got.find(".it ran longer than 1 s and was ended\n"), std::string::npos) << got;
  EXPECT_EQ(got.find("=5"), std::string::npos) << got;
  EXPECT_TRUE(no_children());
}

TEST_F(CommandTransportTest, OneThatDoesNotListenIsKilled) {
  open("trap '' TERM; echo 1; while :; do read x < /dev/null; done", seconds{1});
  EXPECT_EQ(run(), "=1\n.it ran longer than 1 s and was ended\n");
  EXPECT_TRUE(no_children());
}

TEST_F(CommandTransportTest, OutputIsBounded) {
  open("yes 1");
  const std::string got = run();
  EXPECT_LT(got.size(), 2 * CommandTransport::kMostOutput);
  EXPECT_TRUE(got.ends_with(".it printed more than 262144 bytes and was ended\n")) << got.substr(got.size() - 100);
  open("yes oops | head -c 1000000 >&2; echo 1");
  const std::string noisy = run();
  EXPECT_LT(noisy.size(), 2 * CommandTransport::kMostErrors);
  EXPECT_NE(noisy.find("=1\n"), std::string::npos);
}

TEST_F(CommandTransportTest, AStopEndsIt) {
  open("trap 'echo bye' TERM; echo started; while :; do sleep 1000; done");
  EXPECT_EQ(run("started\n"), "=started\n");
  transport_.reset();
  EXPECT_TRUE(no_children());
}

TEST_F(CommandTransportTest, AWakeUpEndsTheWaitNotTheProgram) {
  open("echo started; sleep 1000");
  EXPECT_EQ(run("started\n"), "=started\n");
  std::jthread other{[&] { wake_.wake(); }};
  std::array<std::byte, 10> buffer;
  EXPECT_EQ(transport_->read(buffer, MonoTime{}, MonoTime::max(), wake_).kind, Kind::woken);
  EXPECT_FALSE(no_children());
}

TEST_F(CommandTransportTest, SomethingLeftInTheBackgroundDoesNotHoldItUp) {
  open("sleep 2 & echo 1");
  EXPECT_EQ(run(), "=1\n.\n");
}

TEST_F(CommandTransportTest, ItGetsTheUsualSignalsAndNoDescriptors) {
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, &before);
  const auto old = std::signal(SIGPIPE, SIG_IGN);
  open("grep -E 'SigBlk|SigIgn' /proc/self/status | tr -d 'a-zA-Z:\\t'; ls /proc/self/fd | wc -l; cat");
  const std::string got = run();
  std::signal(SIGPIPE, old);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  std::istringstream lines{got};
  std::string blocked;
  std::string ignored;
  std::string rest;
  std::getline(lines, blocked);
  std::getline(lines, ignored);
  std::getline(lines, rest, '\0');
  EXPECT_EQ(blocked, "=0000000000000000");
  // the C library keeps signals 32 and 33 to itself
  EXPECT_EQ(std::stoull(ignored.substr(1), nullptr, 16) & 0x7fffffffU, 0U) << ignored;
  // 0, 1, 2 and the folder that ls reads; stdin is empty, so cat ends
  EXPECT_EQ(rest, "=4\n.\n");
}

TEST_F(CommandTransportTest, NothingRunsAsRoot) {
  const auto opened = CommandTransport::open({"echo 1", seconds{1}}, 0);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, EPERM);
  EXPECT_NE(opened.error().remedy.find("User="), std::string::npos);
}

}  // namespace
}  // namespace vz
