// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <optional>

#include "vz/time.hpp"

namespace vz::s0 {

/// Finds the pulses in the edges of a line whose contact bounces.
///
/// A level counts once the line has shown it for `settle` longer than the other one: time at one level makes up for time at
/// the other, so that neither bounce nor a short disturbance in the middle of a pulse ends or doubles it, and a disturbance
/// alone is none. A pulse lasts from there until the low level counts. Two pulses whose high and low parts last `settle` each are told
/// apart. With a `settle` of zero every rising edge is a pulse. Pure; constant size; thread-compatible.
class Debounce {
 public:
  explicit Debounce(MonoDuration settle) : settle_(settle) {}

  /// The line has this level from `at` on; what was before is forgotten. A high level is no pulse: its edge was not seen.
  void start(bool high, MonoTime at);
  /// The level changes at `at` (or, with edges lost in between, is found to be this one). A time before that of the call
  /// before counts as that one. Returns the rising edge of a pulse that is found by this.
  std::optional<MonoTime> edge(bool high, MonoTime at);
  /// The level has stayed until `to`. Returns the rising edge of a pulse that is found by this.
  std::optional<MonoTime> advance(MonoTime to);

  /// The line is high, and it is not decided yet whether that is a pulse.
  [[nodiscard]] bool undecided() const { return high_ && !pulse_; }

 private:
  MonoDuration settle_;
  MonoTime now_{};
  MonoTime rise_{};       ///< the first rising edge since the low level counted
  MonoDuration charge_{}; ///< 0: the low level counts; settle_: the high one does
  bool high_ = false;     ///< the level now
  bool pulse_ = false;    ///< a pulse was found and lasts
};

}  // namespace vz::s0
