// SPDX-License-Identifier: GPL-3.0-or-later
// vzlogger as a process: exit statuses, the way to the background, its log, the service manager, lost lines.
#include <sys/socket.h>
#include <sys/un.h>

#include "e2e/stage.hpp"
#include "support/pty.hpp"

namespace vz::e2e {
namespace {

struct Ended {
  Exit exit;
  std::string out;
  std::string err;
};

Ended run(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), program("vzlogger"));
  Process process(std::move(arguments), plain());
  const auto exit = process.wait_exit();
  return {exit.value_or(Exit{.status = -1, .signal = -1}), process.output(), process.output(Stream::err)};
}

Ended run_config(const Folder& folder, const std::string& text) {
  return run({"-f", "-c", write_config(folder, text)});
}

std::string meter_text(const std::string& device, const Json& changes = Json::object()) {
  Json meter = pulled(device, Json::array({channel(uuid(1), "")}));
  meter.update(changes);
  return config(Json::array({meter}));
}

TEST(ExitStatus, Help) {
  for (const char* option : {"-h", "--help"}) {
    const Ended ended = run({option});
    EXPECT_EQ(ended.exit.status, 0);
    for (const char* part : {"Usage: ", "--config", "following protocol types are supported:", "d0", "counter-out",
                             "1-0:2.8.255*255", "volkszaehler"})
      EXPECT_NE(ended.out.find(part), std::string::npos) << part;
    EXPECT_EQ(ended.err, "");
  }
}

TEST(ExitStatus, Version) {
  for (const char* option : {"-V", "--version"}) {
    const Ended ended = run({option});
    EXPECT_EQ(ended.exit.status, 0);
    EXPECT_EQ(ended.out.find_first_not_of("0123456789."), ended.out.find('\n')) << ended.out;
    EXPECT_NE(ended.out.find("\n based on git version: "), std::string::npos);
    EXPECT_NE(ended.out.find("\n last commit date: "), std::string::npos);
  }
}

TEST(ExitStatus, ConfigurationThatIsNone) {
  const Folder folder;
  const Ended missing = run({"-f", "-c", folder / "nothing.conf"});
  EXPECT_EQ(missing.exit.status, 78);
  EXPECT_NE(missing.err.find("Cannot open configfile"), std::string::npos) << missing.err;
  EXPECT_NE(missing.err.find("nothing.conf"), std::string::npos) << missing.err;
  EXPECT_EQ(run_config(folder, R"({"meters": [)").exit.status, 78);
}

TEST(ExitStatus, WrongConfiguration) {
  const Folder folder;
  EXPECT_EQ(run_config(folder, meter_text("/dev/null", {{"protocol", "d1"}})).exit.status, 78);
  EXPECT_EQ(run_config(folder, meter_text("/dev/null", {{"baudrate", 9601}})).exit.status, 78);
  Json meter = pulled("/dev/null", Json::array({channel("hier-die-uuid", "")}));
  const Ended ended = run_config(folder, config(Json::array({meter})));
  EXPECT_EQ(ended.exit.status, 78);
  EXPECT_NE(ended.err.find("vzlogger.conf:"), std::string::npos) << ended.err;
}

TEST(ExitStatus, MissingDevice) {
  const Folder folder;
  for (const bool allowskip : {false, true}) {
    const Ended ended = run_config(folder, meter_text(folder / "none", {{"allowskip", allowskip}}));
    EXPECT_EQ(ended.exit.status, 1) << allowskip;
    EXPECT_NE(ended.err.find("No such file or directory"), std::string::npos) << ended.err;
  }
}

TEST(ExitStatus, NothingToRead) {
  const Folder folder;
  const Ended none = run_config(folder, R"({"meters": []})");
  EXPECT_EQ(none.exit.status, 1);
  EXPECT_NE(none.err.find("No meters found - quitting!"), std::string::npos);
  const Ended disabled = run_config(folder, meter_text("/dev/null", {{"enabled", false}}));
  EXPECT_EQ(disabled.exit.status, 1);
  EXPECT_NE(disabled.err.find("No functional meters found - quitting!"), std::string::npos);
  EXPECT_EQ(run({"-f", "-c", write_config(folder, R"({"meters": []})"), "extra"}).exit.status, 1);
}

TEST(ExitStatus, CommandLine) {
  EXPECT_EQ(run({"--foo"}).exit.status, 1);
  EXPECT_EQ(run({"-v"}).exit.status, 1);
}

TEST(ExitStatus, Register) {
  const Folder folder;
  const Ended ended = run({"-r", "-c", write_config(folder, meter_text("/dev/null"))});
  EXPECT_EQ(ended.exit.status, 0);
  EXPECT_NE(ended.out.find("..done"), std::string::npos) << ended.out;
}

TEST(ExitStatus, LogThatCannotBeWritten) {
  const Folder folder;
  const test::Pty pty;
  Json meter = pulled(pty.path(), Json::array({channel(uuid(1), "")}));
  const Ended ended = run_config(folder, config(Json::array({meter}), 5, {{"log", folder / "none/x.log"}}));
  EXPECT_EQ(ended.exit.status, 73);
  EXPECT_NE(ended.err.find("opening logfile"), std::string::npos) << ended.err;
}

TEST(ExitStatus, InTheBackgroundAMissingDeviceIsFoundTooLate) {
  const Folder folder;
  EXPECT_EQ(run({"-c", write_config(folder, meter_text(folder / "none"))}).exit.status, 0);
}

/// Orphans of this process become its children instead of init's, and do not outlive the object.
class Orphanage {
 public:
  Orphanage() { ::prctl(PR_SET_CHILD_SUBREAPER, 1); }
  ~Orphanage() {
    for (const pid_t pid : children()) {
      ::kill(pid, SIGKILL);
      ::waitpid(pid, nullptr, 0);
    }
    ::prctl(PR_SET_CHILD_SUBREAPER, 0);
  }
  Orphanage(const Orphanage&) = delete;
  Orphanage& operator=(const Orphanage&) = delete;

  /// The processes below this one that run vzlogger.
  [[nodiscard]] static std::vector<pid_t> children() {
    std::vector<pid_t> found;
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
      const pid_t pid = static_cast<pid_t>(std::strtol(entry.path().filename().c_str(), nullptr, 10));
      if (pid <= 0) continue;
      const std::string stat = read_text(entry.path() / "stat");
      const auto name_end = stat.rfind(')');
      if (name_end == std::string::npos || stat.find("(vzlogger)") == std::string::npos) continue;
      if (std::strtol(stat.c_str() + name_end + 4, nullptr, 10) == ::getpid()) found.push_back(pid);
    }
    return found;
  }
};

TEST(Background, WorksOnAfterItsParentHasEnded) {
  const Orphanage orphanage;
  Folder folder;
  Middleware middleware(folder, {uuid(1)});
  middleware.start();
  Sim sim(folder, "sim", {});
  const Json meters = Json::array({pulled(sim.endpoint(), Json::array({channel(uuid(1), middleware.url())}))});
  const Ended ended =
      run({"-c", write_config(folder, config(meters, 5)), "-o", folder / "vzlogger.log"});
  EXPECT_EQ(ended.exit, (Exit{.status = 0, .signal = 0})) << ended.err;
  ASSERT_TRUE(middleware.wait_rows(2));
  ASSERT_TRUE(folder.wait_for_text("vzlogger.log", "Adding reading to queue"));
  // what was said before the log file was open is in it, too
  EXPECT_NE(read_text(folder / "vzlogger.log").find("started."), std::string::npos);

  const auto daemons = Orphanage::children();
  ASSERT_EQ(daemons.size(), 1U);
  EXPECT_EQ(::getsid(daemons[0]) == ::getsid(0), false);
  EXPECT_EQ(std::filesystem::read_symlink(fmt::format("/proc/{}/fd/0", daemons[0])), "/dev/null");
  ::kill(daemons[0], SIGTERM);
  int status = -1;
  ASSERT_EQ(::waitpid(daemons[0], &status, 0), daemons[0]);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST(Log, Usr1OpensItAnew) {
  Folder folder;
  Sim sim(folder, "sim", {});
  const Json meters = Json::array({pulled(sim.endpoint(), Json::array({channel(uuid(1), "")}))});
  const auto daemon = run_daemon(folder, config(meters, 5, {{"log", folder / "vzlogger.log"}}));
  ASSERT_TRUE(folder.wait_for_text("vzlogger.log", "Adding reading to queue"));
  std::filesystem::rename(folder / "vzlogger.log", folder / "vzlogger.log.1");
  ASSERT_TRUE(daemon->send(SIGUSR1));
  ASSERT_TRUE(folder.wait_for_text("vzlogger.log", "Adding reading to queue"));
  daemon->send(SIGTERM);
  EXPECT_EQ(daemon->wait_exit(), (Exit{.status = 0, .signal = 0}));
}

TEST(Log, Usr1WithoutOneDoesNothing) {
  Folder folder;
  Sim sim(folder, "sim", {});
  const auto daemon = run_daemon(folder, config(Json::array({pulled(sim.endpoint(), Json::array({channel(uuid(1), "")}))})));
  ASSERT_TRUE(daemon->wait_for_line("Adding reading"));
  ASSERT_TRUE(daemon->send(SIGUSR1));
  EXPECT_TRUE(daemon->wait_for_line("Adding reading"));
  EXPECT_TRUE(daemon->wait_for_line("Adding reading"));
}

/// The service manager's end of NOTIFY_SOCKET.
class Manager {
 public:
  explicit Manager(const std::string& path) {
    fd_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    if (::bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
      throw std::system_error(errno, std::generic_category(), "bind");
  }
  ~Manager() { ::close(fd_); }
  Manager(const Manager&) = delete;
  Manager& operator=(const Manager&) = delete;

  [[nodiscard]] bool wait_for(std::string_view message) const {
    for (pollfd wanted{fd_, POLLIN, 0}; ::poll(&wanted, 1, 20'000) > 0;) {
      std::array<char, 1024> text;
      const ssize_t count = ::recv(fd_, text.data(), text.size(), 0);
      if (count > 0 && std::string_view(text.data(), static_cast<std::size_t>(count)).find(message) != std::string_view::npos)
        return true;
    }
    return false;
  }

 private:
  int fd_ = -1;
};

TEST(ServiceManager, IsToldAndAMissingDeviceIsWaitedFor) {
  Folder folder;
  const Manager manager(folder / "notify");
  Middleware middleware(folder, {uuid(1)});
  middleware.start();
  write_config(folder, config(Json::array({pulled(folder / "tty", Json::array({channel(uuid(1), middleware.url())}))})));
  // without -f: it must not go to the background by itself here
  Process daemon({program("vzlogger"), "-c", folder / "vzlogger.conf"},
                 plain({.environment = {{"NOTIFY_SOCKET", folder / "notify"}, {"WATCHDOG_USEC", "400000"}}}));
  ASSERT_TRUE(daemon.wait_for_line("No such file or directory", Stream::err));
  EXPECT_TRUE(manager.wait_for("READY=1"));
  EXPECT_TRUE(manager.wait_for("WATCHDOG=1"));
  Sim sim(folder, "sim", {"--pty", folder / "tty", "--readouts", "2"});
  EXPECT_TRUE(middleware.wait_rows(2)) << daemon.output(Stream::err);
  expect_same(sim.readouts(), middleware.stored(uuid(1)), "1.8.0", kUnpacedPty);
  daemon.send(SIGTERM);
  EXPECT_TRUE(manager.wait_for("STOPPING=1"));
  EXPECT_EQ(daemon.wait_exit(), (Exit{.status = 0, .signal = 0}));
}

TEST(LostLine, PluggedInAgainGoesOn) {
  Folder folder;
  Middleware middleware(folder, {uuid(1)});
  middleware.start();
  const Json meters = Json::array({pulled(folder / "tty", Json::array({channel(uuid(1), middleware.url())}))});
  auto first = std::make_unique<Sim>(folder, "first", std::vector<std::string>{"--pty", folder / "tty"});
  const auto daemon = run_daemon(folder, config(meters, 1));
  ASSERT_TRUE(middleware.wait_rows(2)) << daemon->output(Stream::err);
  first->stop();
  ASSERT_TRUE(daemon->wait_for_line("Trying again", Stream::err));
  Sim second(folder, "second", {"--pty", folder / "tty", "--readouts", "3", "--identification", "/ISK5SECOND", "--step", "1.8.0=1"});
  ASSERT_TRUE(daemon->wait_for_line("established again", Stream::err)) << daemon->output(Stream::err);
  ASSERT_TRUE(second.process().wait_exit());
  auto sent = first->whole_readouts();
  for (auto& readout : second.whole_readouts()) sent.push_back(readout);
  while (middleware.stored(uuid(1)).size() < sent.size()) ASSERT_TRUE(middleware.wait_rows(1));
  EXPECT_EQ(middleware.stored(uuid(1)).size(), sent.size());
  daemon->send(SIGTERM);
  EXPECT_EQ(daemon->wait_exit(), (Exit{.status = 0, .signal = 0}));
  // one line when the line was lost, one when it was back; and one more for the second end
  EXPECT_LE(occurrences(daemon->output(Stream::err), "Trying again"), 2U) << daemon->output(Stream::err);
}

TEST(LostLine, HangUpOfATcpPeerGoesOn) {
  Folder folder;
  Middleware middleware(folder, {uuid(1)});
  middleware.start();
  Sim sim(folder, "sim", {"--faults", "hangup", "--fault-rate", "0.3", "--seed", "4", "--hangup-time", "0.1", "--readouts", "6"});
  const Json meters = Json::array({pulled(sim.endpoint(), Json::array({channel(uuid(1), middleware.url())}))});
  const auto daemon = run_daemon(folder, config(meters, 1));
  ASSERT_TRUE(sim.process().wait_exit(seconds{40})) << daemon->output(Stream::err);
  EXPECT_GE(sim.events("hangup").size(), 1U);
  while (middleware.stored(uuid(1)).size() < sim.whole_readouts().size()) ASSERT_TRUE(middleware.wait_rows(1));
  expect_same(sim.whole_readouts(), middleware.stored(uuid(1)));
}

}  // namespace
}  // namespace vz::e2e
