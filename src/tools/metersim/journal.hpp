// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdio>
#include <memory>
#include <optional>
#include <string>

#include "tools/metersim/device.hpp"
#include "vz/error.hpp"

namespace vz::metersim {

/// The event as one line of JSON, without line end: `event`, `mono_ms` (the monotonic clock, three decimals), `wall_ms`
/// (since the epoch), then the event's own fields. Pure.
std::string json_line(const Event& event);

/// The event in words for somebody who watches; empty if it is not worth a line. Pure.
std::string progress_line(const Event& event);

/// Where events go: JSON lines in a file, progress on stderr. Not thread-safe. Lines reach the file with flush().
class Journal final {
 public:
  enum class Progress { shown, quiet };
  explicit Journal(Progress progress) : progress_(progress) {}

  /// Starts a new log file. Errors: it cannot be written.
  Expected<void> open(const std::string& path);
  void write(const Event& event);
  /// Hands the lines to the system. A full disk is told once; the simulation goes on.
  void flush();

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  Progress progress_;
  std::string path_;
  std::unique_ptr<std::FILE, Close> file_;
  bool failed_ = false;
};

}  // namespace vz::metersim
