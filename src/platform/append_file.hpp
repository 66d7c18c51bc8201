// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>
#include <string_view>

#include "vz/error.hpp"

namespace vz::platform {

/// A file that is only appended to (dump files). Owns the descriptor. Used by one thread. A write that fails is given
/// up silently after the first: a full disk must not stop a meter.
class AppendFile {
 public:
  static Expected<AppendFile> open(const std::string& path);
  AppendFile(AppendFile&& other) noexcept;
  AppendFile& operator=(AppendFile&& other) noexcept;
  ~AppendFile();

  void append(std::string_view text) noexcept;

 private:
  explicit AppendFile(int fd) : fd_(fd) {}
  int fd_ = -1;
};

}  // namespace vz::platform
