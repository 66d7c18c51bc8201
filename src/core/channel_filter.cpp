// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/channel_filter.hpp"

#include <algorithm>

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

WallTime StampSequencer::next(WallTime stamp, std::optional<MonoTime> at) {
  constexpr std::chrono::milliseconds kNext{1};
  if (last_) {
    const auto later = at && last_at_ ? std::chrono::floor<std::chrono::milliseconds>(*at - *last_at_) : kNext * 0;
    const bool set_right = *last_ + later - stamp > kLargestStep;
    const WallTime wanted = stamp;
    if (!set_right && (behind_ || stamp <= *last_)) stamp = std::max(stamp, *last_ + std::max(kNext, later / 2));
    behind_ = stamp != wanted;
  }
  last_at_ = at;
  while (stamp <= highest_ && used(stamp)) stamp += kNext;
  last_ = stamp;
  highest_ = std::max(highest_, stamp);
  remember(stamp);
  return stamp;
}

bool StampSequencer::used(WallTime stamp) const { return std::find(recent_.begin(), recent_.end(), stamp) != recent_.end(); }

void StampSequencer::remember(WallTime stamp) {
  if (recent_.size() < kRemembered) {
    recent_.push_back(stamp);
    return;
  }
  recent_[oldest_] = stamp;
  oldest_ = (oldest_ + 1) % kRemembered;
}

}  // namespace vz
