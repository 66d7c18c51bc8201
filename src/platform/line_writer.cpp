// SPDX-License-Identifier: GPL-3.0-or-later
#include "platform/line_writer.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>

namespace vz::platform {
namespace {

// A pipe that poll calls writable takes this much without blocking (pipe(7)), also through a descriptor that blocks.
constexpr std::size_t kChunk = 4096;

}  // namespace

LineWriter::LineWriter(Fd fd) : fd_(std::move(fd)) {
  struct stat status {};
  if (::fstat(fd_.get(), &status) == 0 && S_ISSOCK(status.st_mode)) kind_ = Kind::socket;
}

LineWriter LineWriter::standard(int fd) {
  struct stat status {};
  // Not for a file: a second opening would have its own position.
  if (::fstat(fd, &status) == 0 && (S_ISFIFO(status.st_mode) || S_ISCHR(status.st_mode))) {
    Fd again{::open(fmt::format("/proc/self/fd/{}", fd).c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)};
    if (again) return LineWriter{std::move(again)};
  }
  return LineWriter{Fd{::fcntl(fd, F_DUPFD_CLOEXEC, 0)}};
}

bool LineWriter::wait_for_room(std::chrono::steady_clock::time_point deadline) const noexcept {
  pollfd set{fd_.get(), POLLOUT, 0};
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
    const int count = ::poll(&set, 1, static_cast<int>(std::max<std::int64_t>(left, 0)));
    if (count > 0) return true;  // an error counts as room, too: writing tells which
    if (count == 0 || errno != EINTR) return false;
  }
}

ssize_t LineWriter::put_some(std::string_view text) noexcept {
  const std::size_t size = std::min(text.size(), kChunk);
  return kind_ == Kind::socket ? ::send(fd_.get(), text.data(), size, MSG_NOSIGNAL | MSG_DONTWAIT)
                               : ::write(fd_.get(), text.data(), size);
}

// Writes until `rest` is empty or nothing more goes; returns 0 or errno. Waits only if all went well so far.
int LineWriter::put(std::string_view& rest) noexcept {
  if (!fd_) return EBADF;
  const auto deadline = std::chrono::steady_clock::now() + (error_ == 0 ? kPatience : std::chrono::milliseconds{0});
  while (!rest.empty()) {
    if (!wait_for_room(deadline)) return EAGAIN;
    const ssize_t count = put_some(rest);
    if (count > 0) {
      rest.remove_prefix(static_cast<std::size_t>(count));
    } else if (count == 0) {
      return ENOSPC;
    } else if (errno != EINTR && errno != EAGAIN) {
      return errno;
    } else if (std::chrono::steady_clock::now() >= deadline) {
      return EAGAIN;
    }
  }
  return 0;
}

bool LineWriter::write(std::string_view line) noexcept try {
  if (!rest_.empty()) {
    std::string_view rest = rest_;
    error_ = put(rest);
    rest_.erase(0, rest_.size() - rest.size());
  }
  if (rest_.empty()) {
    std::string_view rest = line;
    error_ = put(rest);
    if (rest.size() < line.size()) {  // begun: the end of it goes out before anything else
      rest_ = rest;
      return true;
    }
    if (error_ == 0) return true;
  }
  ++lost_;
  return false;
} catch (...) {  // no memory for the rest of a line
  ++lost_;
  return false;
}

}  // namespace vz::platform
