// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/channel_filter.hpp"

namespace vz {
namespace {

/// A clock that went back further than this has been set right: the new time counts (StampClock).
constexpr std::chrono::minutes kLargestStep{5};

}  // namespace

bool DuplicateFilter::pass(Point point) {
  if (span_ <= std::chrono::seconds{0}) return true;
  const bool clock_went_back = last_ && point.stamp < last_->stamp - kLargestStep;
  if (last_ && !clock_went_back && point.value == last_->value && point.stamp < last_->stamp + span_) return false;
  last_ = point;
  return true;
}

WallTime StampSequencer::next(WallTime stamp) {
  if (last_ && stamp <= *last_ && *last_ - stamp <= kLargestStep) stamp = *last_ + std::chrono::milliseconds{1};
  last_ = stamp;
  return stamp;
}

}  // namespace vz
