// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <chrono>
#include <optional>

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

/// Sees to it that no two readings of a channel share a millisecond: the middleware's key is channel and millisecond, and
/// a reading with the stamp of one before it would be lost. A later reading of an equal or earlier stamp gets the
/// millisecond behind the last one. Pure; a value type.
class StampSequencer {
 public:
  WallTime next(WallTime stamp);

 private:
  std::optional<WallTime> last_;
};

}  // namespace vz
