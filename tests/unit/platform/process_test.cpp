// SPDX-License-Identifier: GPL-3.0-or-later
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "platform/daemonize.hpp"
#include "platform/service_manager.hpp"
#include "platform/signals.hpp"

namespace vz {
namespace {

using platform::Fd;

// ---- service manager

/// The manager's end of the protocol.
class Manager {
 public:
  explicit Manager(const std::string& name) : fd_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, name.data(), name.size());
    if (name[0] == '@') address.sun_path[0] = '\0';
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
    EXPECT_EQ(::bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
  }
  [[nodiscard]] std::string next() const {
    char buffer[2048];
    const ssize_t count = ::recv(fd_.get(), buffer, sizeof buffer, 0);
    return count < 0 ? "(nothing)" : std::string(buffer, static_cast<std::size_t>(count));
  }

 private:
  Fd fd_;
};

void converse(const std::string& name) {
  const Manager manager{name};
  ServiceManager service{{.notify_socket = name}};
  EXPECT_TRUE(service.ready());
  EXPECT_TRUE(service.status("2 meters\n1 endpoint"));
  EXPECT_TRUE(service.watchdog());
  EXPECT_TRUE(service.stopping());
  EXPECT_EQ(manager.next(), "READY=1");
  EXPECT_EQ(manager.next(), "STATUS=2 meters 1 endpoint");
  EXPECT_EQ(manager.next(), "WATCHDOG=1");
  EXPECT_EQ(manager.next(), "STOPPING=1");
  EXPECT_EQ(manager.next(), "(nothing)");
  EXPECT_TRUE(service.status(std::string(10'000, 'x')));
  EXPECT_EQ(manager.next().size(), 7 + ServiceManager::kMaxStatus);
}

TEST(ServiceManagerTest, AbstractSocket) { converse(fmt::format("@vz-test-{}", ::getpid())); }

TEST(ServiceManagerTest, SocketInTheFileSystem) {
  std::string dir = std::filesystem::temp_directory_path() / "vz-notify-XXXXXX";
  ASSERT_NE(::mkdtemp(dir.data()), nullptr);
  converse(dir + "/s");
  std::filesystem::remove_all(dir);
}

TEST(ServiceManagerTest, NoManager) {
  ServiceManager service{{}};
  EXPECT_TRUE(service.ready());
  EXPECT_TRUE(service.status("x"));
}

TEST(ServiceManagerTest, ManagersThatCannotBeReached) {
  for (const std::string& name : {std::string{"/no/such/socket"}, std::string{"vsock:2:1"}, std::string(200, '/')}) {
    const auto sent = ServiceManager{{.notify_socket = name}}.ready();
    ASSERT_FALSE(sent) << name;
    EXPECT_NE(sent.error().code, 0);
    EXPECT_EQ(sent.error().where, name);
  }
}

TEST(ServiceManagerTest, WatchdogInterval) {
  using std::chrono::microseconds;
  EXPECT_EQ(watchdog_interval({.watchdog_usec = "30000000"}, 7), microseconds{30'000'000});
  EXPECT_EQ(watchdog_interval({.watchdog_usec = "30000000", .watchdog_pid = "7"}, 7), microseconds{30'000'000});
  EXPECT_EQ(watchdog_interval({.watchdog_usec = "30000000", .watchdog_pid = "8"}, 7), std::nullopt);
  EXPECT_EQ(watchdog_interval({.watchdog_usec = "30000000", .watchdog_pid = "x"}, 7), std::nullopt);
  for (const char* odd : {"", "0", "-1", "1x", "99999999999999999999"}) {
    EXPECT_EQ(watchdog_interval({.watchdog_usec = odd}, 7), std::nullopt) << odd;
  }
}

TEST(ServiceEnvironmentTest, ReadsTheEnvironment) {
  ::setenv("NOTIFY_SOCKET", "@x", 1);
  ::setenv("WATCHDOG_USEC", "5", 1);
  ::unsetenv("JOURNAL_STREAM");
  ::unsetenv("WATCHDOG_PID");
  const auto environment = ServiceEnvironment::from_process();
  ::unsetenv("NOTIFY_SOCKET");
  ::unsetenv("WATCHDOG_USEC");
  EXPECT_EQ(environment.notify_socket, "@x");
  EXPECT_EQ(environment.watchdog_usec, "5");
  EXPECT_TRUE(environment.managed());
  EXPECT_FALSE(ServiceEnvironment::from_process().managed());
  ::setenv("JOURNAL_STREAM", "1:2", 1);  // of some other program
  EXPECT_FALSE(ServiceEnvironment::from_process().managed());
  struct stat status {};
  ASSERT_EQ(::fstat(STDERR_FILENO, &status), 0);
  const std::string ours = fmt::format("{}:{}", status.st_dev, status.st_ino);
  ::setenv("JOURNAL_STREAM", ours.c_str(), 1);
  EXPECT_EQ(ServiceEnvironment::from_process().journal_stream, ours);
  ::unsetenv("JOURNAL_STREAM");
  EXPECT_FALSE(leads_to_journal("", STDERR_FILENO));
  EXPECT_FALSE(leads_to_journal(ours, -1));
  EXPECT_TRUE((ServiceEnvironment{.journal_stream = "9:1"}.managed()));
}

// ---- going to the background

TEST(Daemonize, NotWhereSomebodyLooksAfterTheProcess) {
  EXPECT_TRUE(may_daemonize({}, 1234));
  EXPECT_FALSE(may_daemonize({}, 1));
  EXPECT_FALSE(may_daemonize({.notify_socket = "@x"}, 1234));
  EXPECT_TRUE(may_daemonize({.journal_stream = "9:1"}, 1234));
}

struct Found {
  bool own_session = false;
  bool in_root = false;
  bool silent = false;
  bool ignores_stop = false;
  bool default_child = false;
  mode_t mask = 0;
};

bool is_null(int fd) {
  struct stat status {};
  struct stat null {};
  return ::fstat(fd, &status) == 0 && ::stat("/dev/null", &null) == 0 && status.st_rdev == null.st_rdev;
}

Found look_around() {
  Found found;
  found.own_session = ::getsid(0) == ::getpid();
  char cwd[64] = {};
  found.in_root = ::getcwd(cwd, sizeof cwd) != nullptr && std::strcmp(cwd, "/") == 0;
  found.silent = is_null(0) && is_null(1) && is_null(2);
  struct sigaction action {};
  ::sigaction(SIGTSTP, nullptr, &action);
  found.ignores_stop = action.sa_handler == SIG_IGN;
  ::sigaction(SIGCHLD, nullptr, &action);
  found.default_child = action.sa_handler == SIG_DFL;
  found.mask = ::umask(0);
  return found;
}

void expect_background(bool close_input_first) {
  int report[2];
  ASSERT_EQ(::pipe(report), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    if (close_input_first) ::close(0);
    if (!daemonize()) ::_exit(1);
    const Found found = look_around();
    static_cast<void>(::write(report[1], &found, sizeof found) == 0);  // the pipe is still open here
    ::_exit(42);
  }
  ::close(report[1]);
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  Found found;
  ASSERT_EQ(::read(report[0], &found, sizeof found), static_cast<ssize_t>(sizeof found));
  ::close(report[0]);
  EXPECT_TRUE(found.own_session);
  EXPECT_TRUE(found.in_root);
  EXPECT_TRUE(found.silent);
  EXPECT_TRUE(found.ignores_stop);
  EXPECT_TRUE(found.default_child);
  EXPECT_EQ(found.mask, 022U);
}

TEST(Daemonize, TheChildIsInTheBackground) { expect_background(false); }
TEST(Daemonize, WithStandardInputClosed) { expect_background(true); }

// ---- signals

class SignalsTest : public testing::Test {
 protected:
  SignalsTest() { ::pthread_sigmask(SIG_SETMASK, nullptr, &before_); }
  ~SignalsTest() override { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_{};
};

TEST_F(SignalsTest, ArriveOneAfterTheOther) {
  auto signals = Signals::open();
  ASSERT_TRUE(signals);
  EXPECT_EQ(signals->take(), std::nullopt);
  for (const int signal : {SIGHUP, SIGINT, SIGTERM, SIGUSR1}) {
    ::raise(signal);
    pollfd set{signals->fd(), POLLIN, 0};
    EXPECT_EQ(::poll(&set, 1, 0), 1);
    EXPECT_EQ(signals->take(), signal);
    EXPECT_EQ(signals->take(), std::nullopt);
  }
}

TEST_F(SignalsTest, SigpipeKillsNobody) {
  std::signal(SIGPIPE, SIG_DFL);
  const auto signals = Signals::open();
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  ::close(ends[0]);
  EXPECT_EQ(::write(ends[1], "x", 1), -1);
  EXPECT_EQ(errno, EPIPE);
  ::close(ends[1]);
}

TEST_F(SignalsTest, AChildGetsThemBack) {
  const auto signals = Signals::open();
  const pid_t child = ::fork();
  if (child == 0) {
    restore_signals_in_child();
    ::raise(SIGTERM);
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
}

}  // namespace
}  // namespace vz
