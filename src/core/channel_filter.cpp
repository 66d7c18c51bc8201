// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/channel_filter.hpp"

namespace vz {

bool DuplicateFilter::pass(Point point) {
  if (span_ <= std::chrono::seconds{0}) return true;
  if (last_ && point.value == last_->value && point.stamp < last_->stamp + span_) return false;
  last_ = point;
  return true;
}

WallTime StampSequencer::next(WallTime stamp) {
  if (last_ && stamp <= *last_) stamp = *last_ + std::chrono::milliseconds{1};
  last_ = stamp;
  return stamp;
}

}  // namespace vz
