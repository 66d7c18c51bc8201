// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <vector>

#include "core/aggregator.hpp"

namespace vz {

/// The option `duplicates`: within that many seconds of the last value that was sent, the same value is not sent again.
/// Pure; a value type.
class DuplicateFilter {
 public:
  explicit DuplicateFilter(std::chrono::seconds span) : span_(span) {}
  /// True if the point is to be sent; it is then the last one sent.
  bool pass(Point point);

 private:
  std::chrono::seconds span_;
  std::optional<Point> last_;
};

/// Sees to it that no two readings of a queue share a millisecond: the middleware's key is channel and millisecond, and
/// a reading with the stamp of one before it would be lost. A later reading of an equal or earlier stamp gets the
/// millisecond behind the last one; if it is known how much later it came, half of that behind the last one, until the
/// stamps have caught up, so that an hour is never squeezed into a second. After a large step back of the clock times come a second time: then those of the
/// last kRemembered readings are left out. Pure; a value type, of 32 kB when it has seen as many.
class StampSequencer {
 public:
  static constexpr std::size_t kRemembered = 4096;
  /// `at`: the moment that the stamp stands for.
  WallTime next(WallTime stamp, std::optional<MonoTime> at = std::nullopt);

 private:
  [[nodiscard]] bool used(WallTime stamp) const;
  void remember(WallTime stamp);

  std::optional<WallTime> last_;
  std::optional<MonoTime> last_at_;
  bool behind_ = false;  ///< the latest stamp was moved
  WallTime highest_ = WallTime::min();
  std::vector<WallTime> recent_;  ///< a ring, once it is full
  std::size_t oldest_ = 0;
};

}  // namespace vz
