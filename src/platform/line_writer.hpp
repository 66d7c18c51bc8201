// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "platform/fd.hpp"

namespace vz::platform {

/// Writes whole lines to a descriptor of any kind (terminal, pipe, socket, file) without ever hanging on it: a reader
/// that does not read holds up one line for kPatience, later ones not at all until there is room again. Lines that find
/// no room (or a full disk, or nobody behind the pipe) are lost and counted; a line is never torn by that. Needs
/// SIGPIPE to be ignored. Not thread-safe. Never throws.
class LineWriter final {
 public:
  static constexpr std::chrono::milliseconds kPatience{200};

  /// Takes over `fd`, which may be shared with other programs: its flags are left alone.
  explicit LineWriter(Fd fd);
  /// A writer for one of the process's own standard descriptors, which stays open. A terminal or pipe is opened anew,
  /// so that writing to it can be made non-blocking without changing it for others.
  static LineWriter standard(int fd);

  /// False if the line was lost.
  bool write(std::string_view line) noexcept;
  /// Lines lost since forget_lost().
  [[nodiscard]] std::uint64_t lost() const { return lost_; }
  void forget_lost() { lost_ = 0; }
  /// errno of the last line that was lost; 0 after one that was not. EAGAIN: nobody reads.
  [[nodiscard]] int error() const { return error_; }

 private:
  enum class Kind { socket, other };
  int put(std::string_view& rest) noexcept;
  ssize_t put_some(std::string_view text) noexcept;
  bool wait_for_room(std::chrono::steady_clock::time_point deadline) const noexcept;

  Fd fd_;
  Kind kind_ = Kind::other;
  std::string rest_;  ///< of a line of which a part was written; at most one line
  std::uint64_t lost_ = 0;
  int error_ = 0;
};

}  // namespace vz::platform
