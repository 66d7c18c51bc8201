// SPDX-License-Identifier: GPL-3.0-or-later
#include "platform/daemonize.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <array>
#include <csignal>
#include <cstdio>

#include "platform/wait.hpp"

namespace vz {
namespace {

// Best effort: a system without /dev/null leaves the descriptors as they are.
void silence_standard_descriptors() {
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0) return;
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (null != fd) {
      ::dup2(null, fd);
    } else {
      ::fcntl(fd, F_SETFD, 0);  // one of the three was closed: it has its place already
    }
  }
  if (null > STDERR_FILENO) ::close(null);
}

}  // namespace

bool may_daemonize(const ServiceEnvironment& environment, pid_t parent) {
  return environment.notify_socket.empty() && parent != 1;
}

Expected<void> daemonize() {
  std::fflush(nullptr);  // or both processes would write what is still in the buffers
  // The parent ends when the child has a session of its own: whoever waits for the parent may end its process group.
  std::array<int, 2> away{-1, -1};
  const bool linked = ::pipe2(away.data(), O_CLOEXEC) == 0;
  const pid_t child = ::fork();
  if (child < 0) {
    return tl::unexpected(Error{"cannot go to the background: " + platform::errno_text(errno), "", "", errno});
  }
  if (child > 0) {
    char nothing = 0;
    if (linked) {
      ::close(away[1]);
      while (::read(away[0], &nothing, 1) < 0 && errno == EINTR) {
      }
    }
    ::_exit(0);
  }
  ::setsid();
  if (linked) {
    ::close(away[0]);
    ::close(away[1]);
  }
  silence_standard_descriptors();
  static_cast<void>(::chdir("/") == 0);  // "/" is always there
  ::umask(S_IWGRP | S_IWOTH);
  for (const int signal : {SIGTSTP, SIGTTIN, SIGTTOU}) std::signal(signal, SIG_IGN);
  return {};
}

}  // namespace vz
