// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <fmt/format.h>

#include <string_view>
#include <utility>

namespace vz {

/// The levels users know from `verbosity`. A message is shown if its level is at most the verbosity.
enum class Level : int { alert = 0, error = 1, warning = 3, info = 5, debug = 10, finest = 15 };

/// Where messages go. Implementations are thread-safe, never throw and never block on a full pipe for long.
/// Section names are the old ones: "main", "mtr0", "chn0", "d0", "http", "push", "mqtt", or empty.
class Log {
 public:
  virtual ~Log() = default;
  [[nodiscard]] virtual bool enabled(Level level) const = 0;
  virtual void write(Level level, std::string_view section, std::string_view text) = 0;

  /// Formats only if the level is shown.
  template <typename... Args>
  void print(Level level, std::string_view section, fmt::format_string<Args...> format, Args&&... args) {
    if (enabled(level)) write(level, section, fmt::format(format, std::forward<Args>(args)...));
  }
};

}  // namespace vz
