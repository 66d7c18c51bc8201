// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "vz/settings.hpp"
#include "vz/time.hpp"

namespace vz {

/// A value and its time.
struct Point {
  double value = 0.0;
  WallTime stamp{};
};

/// Aggregates the readings of one channel over one window (the old daemon's rules, its traps left out: a reading is
/// aggregated once, by its window, and the result is never touched again).
///
/// max: the greatest value. sum: the sum. avg: the mean, each value weighted by the time until the one after it; the last
/// value of the window before counts as the first of this one, and the newest only in the next. All carry the stamp of
/// the latest reading; with a fixed interval it is rounded down to a multiple of it.
/// Pure, constant size, a value type: state can be kept and resumed.
class Aggregator {
 public:
  /// `fixed_interval` zero: stamps stay as they are. `mode` is not none.
  explicit Aggregator(AggMode mode, std::chrono::seconds fixed_interval = {});

  void add(Point reading);
  [[nodiscard]] bool empty() const { return count_ == 0; }
  /// The open window and what is carried into the next, as text for restore(). Empty if there is nothing to keep.
  [[nodiscard]] std::string save() const;
  /// Goes on with a saved window. False, and nothing changed, if the text is none.
  bool restore(std::string_view text);
  /// Starts anew, nothing carried over.
  void forget() { *this = Aggregator{mode_, fixed_interval_}; }
  /// The clock that stamped the readings was set from `before` to `after`: what is in the window moves with it, unless
  /// its stamps are nearer to the new time already (the meter's own).
  void move(WallTime before, WallTime after);
  /// Ends the window: its result, or nothing if there was no reading.
  std::optional<Point> close();

 private:
  void weigh(Point next);

  AggMode mode_;
  std::chrono::seconds fixed_interval_;
  std::uint64_t count_ = 0;
  double extreme_or_sum_ = 0.0;
  Point latest_{};
  double weighted_ = 0.0;
  double weight_ = 0.0;
  std::optional<Point> previous_;  ///< of avg: the reading before the one to come
  std::optional<Point> carried_;   ///< of avg: the latest reading of the window before
};

}  // namespace vz
