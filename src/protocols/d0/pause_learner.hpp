// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "vz/time.hpp"

namespace vz::d0 {

/// Learns how long a meter wants to be left alone after a readout before it answers the next request. (The MT372 wants
/// 3 s and says nothing when asked sooner.) Starts with no pause; a request that stays without an answer soon after a
/// readout is taken as asked too soon; halves the interval between the longest pause that failed and the shortest that
/// worked, and stops when they are close. Pure; a value type. Only the
/// first request after a readout is to be reported: further ones without an answer are an outage.
class PauseLearner {
 public:
  using Duration = std::chrono::milliseconds;

  /// The pause to keep after a readout.
  [[nodiscard]] Duration pause() const { return pause_; }

  /// A request sent `elapsed` after the end of the last good readout was answered.
  void answered(Duration elapsed);
  /// A request sent `elapsed` after the end of the last good readout was not answered. Returns true if that is put down
  /// to the pause, false if it must have another reason (the meter is away, the line is noisy).
  bool ignored(Duration elapsed);

 private:
  void decide();

  static constexpr Duration kLongest{20'000};      ///< no meter is known to want more
  static constexpr Duration kCloseEnough{250};
  Duration failed_{-1};                            ///< longest pause that was too short; -1: none was
  Duration worked_ = kLongest;                     ///< shortest pause that was long enough
  bool worked_known_ = false;
  unsigned surprises_ = 0;                         ///< unanswered in a row although the pause had worked before
  Duration pause_{0};
};

}  // namespace vz::d0
