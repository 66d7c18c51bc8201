// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <termios.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <string_view>

namespace vz::test {

/// A pseudo terminal: the test holds the meter's end, the program under test opens path().
class Pty {
 public:
  static constexpr int kPatienceMs = 20'000;

  Pty() {
    int slave = -1;
    char name[64] = {};
    if (::openpty(&master_, &slave, name, nullptr, nullptr) != 0) std::abort();
    ::fcntl(master_, F_SETFD, FD_CLOEXEC);
    path_ = name;
    slave_ = slave;
  }
  ~Pty() {
    hang_up();
    if (slave_ >= 0) ::close(slave_);
  }
  Pty(const Pty&) = delete;
  Pty& operator=(const Pty&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] int master() const { return master_; }
  /// The test's own descriptor of the program's end, for looking at its settings.
  [[nodiscard]] int slave() const { return slave_; }

  void send(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t count = ::write(master_, bytes.data(), bytes.size());
      if (count <= 0) std::abort();
      bytes.remove_prefix(static_cast<std::size_t>(count));
    }
  }
  /// Reads until `size` bytes have come (or patience ends).
  [[nodiscard]] std::string receive(std::size_t size) const {
    std::string bytes;
    while (bytes.size() < size) {
      pollfd set{master_, POLLIN, 0};
      char buffer[4096];
      if (::poll(&set, 1, kPatienceMs) <= 0) break;
      const ssize_t count = ::read(master_, buffer, std::min(sizeof buffer, size - bytes.size()));
      if (count <= 0) break;
      bytes.append(buffer, static_cast<std::size_t>(count));
    }
    return bytes;
  }
  /// The adapter is unplugged.
  void hang_up() {
    if (master_ >= 0) ::close(master_);
    master_ = -1;
  }

 private:
  int master_ = -1;
  int slave_ = -1;
  std::string path_;
};

}  // namespace vz::test
