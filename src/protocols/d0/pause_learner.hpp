// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <optional>

#include "vz/time.hpp"

namespace vz::d0 {

/// Learns how long a meter wants to be left alone after a readout before it answers the next request. (The MT372 wants
/// 3 s and says nothing when asked sooner.) Starts with no pause; a request that stays without an answer soon after a
/// readout is taken as asked too soon; halves the interval between the longest pause that failed and the shortest that
/// worked, and stops when they are close.
///
/// Silence has other reasons, too, and must not make the meter slow for good: a pause that has worked before is doubted
/// only when it fails behind kDoubtAfter readouts in a row; what was learned in a silence that outlasts every pause is
/// forgotten; and now and then (kProbeAfter) a shorter pause is tried. Pure; a value type.
class PauseLearner {
 public:
  using Duration = std::chrono::milliseconds;

  /// The pause to keep after a readout.
  [[nodiscard]] Duration pause() const { return known_.pause; }

  /// A request sent `elapsed` after the end of the last good readout was answered.
  void answered(Duration elapsed);
  /// A request sent `elapsed` after the end of the last good readout was not answered. Returns true if that is put down
  /// to the pause, false if it must have another reason (the meter is away, the line is noisy).
  bool ignored(Duration elapsed);

 private:
  struct Knowledge {
    Duration failed{-1};  ///< longest pause that was too short; -1: none was
    std::optional<Duration> worked;  ///< shortest pause that was long enough
    Duration pause{0};
  };
  void decide();

  static constexpr Duration kLongest{20'000};  ///< no meter is known to want more
  static constexpr Duration kCloseEnough{250};
  static constexpr unsigned kDoubtAfter = 3;
  static constexpr unsigned kProbeAfter = 400;  ///< costs two or three unanswered requests

  Knowledge known_;
  std::optional<Knowledge> before_;  ///< what was known before the silence under way
  unsigned surprises_ = 0;           ///< readouts in a row behind which a pause failed that had worked before
  unsigned answers_ = 0;             ///< since a shorter pause was last tried
};

}  // namespace vz::d0
