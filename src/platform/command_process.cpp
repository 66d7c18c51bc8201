// SPDX-License-Identifier: GPL-3.0-or-later
#include "platform/command_process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <string_view>
#include <vector>

#include "platform/wait.hpp"

extern char** environ;  // NOLINT: POSIX wants it declared by the program

namespace vz::platform {
namespace {

struct Pipe {
  Fd read_end;
  Fd write_end;
};

std::optional<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return std::nullopt;
  Pipe pipe{Fd{ends[0]}, Fd{ends[1]}};
  ::fcntl(ends[0], F_SETFL, O_NONBLOCK);  // this end only: programs do not expect a non-blocking stdout
  return pipe;
}

/// The environment without what is between this program and its service manager alone.
std::vector<char*> child_environment() {
  std::vector<char*> result;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text{*entry};
    if (!text.starts_with("NOTIFY_SOCKET=") && !text.starts_with("WATCHDOG_")) result.push_back(*entry);
  }
  result.push_back(nullptr);
  return result;
}

/// 0, or errno.
int spawn(const std::string& command, const Pipe& output, const Pipe& errors, pid_t& pid) {
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  if (const int code = ::posix_spawn_file_actions_init(&files); code != 0) return code;
  if (const int code = ::posix_spawnattr_init(&attributes); code != 0) return code;
  ::posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&files, output.write_end.get(), STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&files, errors.write_end.get(), STDERR_FILENO);
  ::posix_spawn_file_actions_addclosefrom_np(&files, STDERR_FILENO + 1);
  sigset_t none;
  sigset_t all;
  ::sigemptyset(&none);
  ::sigfillset(&all);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setsigdefault(&attributes, &all);
  ::posix_spawnattr_setpgroup(&attributes, 0);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  std::string shell = "sh";
  std::string option = "-c";
  std::string text = command;
  const std::array<char*, 4> arguments{shell.data(), option.data(), text.data(), nullptr};
  const auto environment = child_environment();
  const int code = ::posix_spawn(&pid, "/bin/sh", &files, &attributes, arguments.data(), environment.data());
  ::posix_spawn_file_actions_destroy(&files);
  ::posix_spawnattr_destroy(&attributes);
  return code;
}

}  // namespace

Expected<std::unique_ptr<CommandProcess>> CommandProcess::start(const std::string& command) {
  auto output = make_pipe();
  auto errors = make_pipe();
  int code = output && errors ? 0 : errno;
  pid_t pid = -1;
  if (code == 0) code = spawn(command, *output, *errors, pid);
  if (code != 0) return tl::unexpected(Error{"cannot start it: " + errno_text(code), {}, {}, code});
  std::unique_ptr<CommandProcess> process{new CommandProcess};
  process->pid_ = pid;
  process->pidfd_ = Fd{static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))};
  process->output = std::move(output->read_end);
  process->errors = std::move(errors->read_end);
  return process;
}

void CommandProcess::signal(int number) const {
  if (pid_ > 0) ::kill(-pid_, number);
}

std::optional<int> CommandProcess::reap(bool kill_rest) {
  if (pid_ <= 0) return std::nullopt;
  siginfo_t info{};
  const int found = ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT);
  if (found == 0 && info.si_pid == 0) return std::nullopt;
  if (kill_rest) signal(SIGKILL);  // before the zombie goes, so that the group's number cannot be another's
  int status = 0;
  ::waitpid(pid_, &status, WNOHANG);
  pid_ = -1;
  pidfd_.reset();
  return status;
}

bool CommandProcess::wait_end(int milliseconds) const {
  pollfd ended{pidfd_.get(), POLLIN, 0};  // without a pidfd this is the time to wait
  const auto limit = std::chrono::steady_clock::now() + std::chrono::milliseconds{milliseconds};
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(limit - std::chrono::steady_clock::now()).count();
    if (left <= 0) return false;
    const int count = ::poll(&ended, 1, static_cast<int>(left));
    if (count > 0) return true;
    if (count == 0 || errno != EINTR) return false;
  }
}

CommandProcess::~CommandProcess() {
  constexpr int kPolite = 300;
  constexpr int kLast = 500;
  if (pid_ <= 0 || reap(true)) return;
  signal(SIGTERM);
  static_cast<void>(wait_end(kPolite));
  if (reap(true)) return;
  signal(SIGKILL);
  static_cast<void>(wait_end(kLast));
  reap(true);
}

}  // namespace vz::platform
