// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/stamp_clock.hpp"

#include <algorithm>

namespace vz {

StampClock::StampClock(const Clock& machine, WallTime oldest, std::function<bool()> settling)
    : machine_(machine), oldest_(oldest), settling_(std::move(settling)) {}

Instant StampClock::now() const {
  const Instant raw = machine_.now();
  const std::scoped_lock lock(mutex_);
  const MonoDuration elapsed = last_mono_ ? std::max(MonoDuration{0}, raw.mono - *last_mono_) : MonoDuration{0};
  Fine wall = raw.wall;
  const Fine slowed = last_wall_ + elapsed / 2;
  if (last_mono_ && last_wall_ - wall > kSlowdown) {
    ++steps_.followed;
    slow_ = false;
  } else if (last_mono_ && wall < (slow_ ? slowed : last_wall_)) {
    // the millisecond that the wall clock is cut to is no step back
    if (!slow_ && last_wall_ - wall > std::chrono::milliseconds{1}) {
      ++steps_.slowed;
      slow_ = true;
    }
    wall = slowed;
  } else {
    slow_ = false;
  }
  last_mono_ = last_mono_ ? std::max(*last_mono_, raw.mono) : raw.mono;
  last_wall_ = wall;
  return {raw.mono, std::chrono::floor<std::chrono::milliseconds>(wall)};
}

bool StampClock::trusted() const {
  if (machine_.now().wall < oldest_) return false;
  const std::scoped_lock lock(mutex_);
  if (!settling_) return true;
  if (settling_()) return false;
  settling_ = nullptr;
  return true;
}

StampClock::Steps StampClock::steps() const {
  const std::scoped_lock lock(mutex_);
  return steps_;
}

}  // namespace vz
