// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <chrono>

namespace vz {

/// Wall time for stamps only: milliseconds since the epoch, UTC, what the middleware stores.
using WallTime = std::chrono::sys_time<std::chrono::milliseconds>;

/// Monotonic time for every interval, deadline and back-off.
using MonoTime = std::chrono::steady_clock::time_point;
using MonoDuration = MonoTime::duration;

/// One moment, read from both clocks together, so that a stamp can be moved back by a monotonic distance.
struct Instant {
  MonoTime mono{};
  WallTime wall{};

  /// The wall time that belongs to `earlier`, a moment of the monotonic clock at or before this one.
  [[nodiscard]] WallTime wall_at(MonoTime earlier) const {
    return wall - std::chrono::duration_cast<std::chrono::milliseconds>(mono - earlier);
  }
};

/// Source of time, injected wherever time is needed. Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual Instant now() const = 0;
  /// False while the wall time cannot be right: readings are then held, and stamped when it is.
  [[nodiscard]] virtual bool trusted() const { return true; }
};

}  // namespace vz
