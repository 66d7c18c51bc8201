// SPDX-License-Identifier: GPL-3.0-or-later
#include "platform/signals.hpp"

#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>

#include "platform/wait.hpp"

namespace vz {

Expected<Signals> Signals::open() {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGUSR1}) ::sigaddset(&set, signal);
  // Blocked first: one that comes in between waits instead of killing.
  int code = ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  platform::Fd fd{code == 0 ? ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK) : -1};
  if (code == 0 && !fd) code = errno;
  if (code != 0) return tl::unexpected(Error{"cannot wait for signals: " + platform::errno_text(code), "", "", code});
  return Signals{std::move(fd)};
}

std::optional<int> Signals::take() {
  signalfd_siginfo info{};
  ssize_t count = 0;
  do {
    count = ::read(fd_.get(), &info, sizeof info);
  } while (count < 0 && errno == EINTR);
  if (count != static_cast<ssize_t>(sizeof info)) return std::nullopt;
  return static_cast<int>(info.ssi_signo);
}

void end_on_signals() {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) std::signal(signal, [](int) { ::_exit(EXIT_SUCCESS); });
  // not SIG_IGN: what is ignored never reaches a signalfd
  std::signal(SIGUSR1, [](int) {});
}

void restore_signals_in_child() {
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  std::signal(SIGPIPE, SIG_DFL);
}

}  // namespace vz
