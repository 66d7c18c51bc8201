// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/stamp_clock.hpp"

#include <algorithm>

namespace vz {

StampClock::StampClock(const Clock& machine, WallTime oldest, std::function<bool()> settling,
                       std::function<bool()> synchronised)
    : machine_(machine), oldest_(oldest), settling_(std::move(settling)), synchronised_(std::move(synchronised)) {}

void StampClock::go_on_from(WallTime last, Boot boot) {
  const Instant raw = machine_.now();
  const std::scoped_lock lock(mutex_);
  if (raw.wall >= last) return;
  if (boot == Boot::this_one) {
    slow_down_from(last, raw);
  } else {
    doubt_before_ = last;
    doubt_since_ = raw.mono;
  }
}

/// The clock is behind what was given out.
void StampClock::slow_down_from(WallTime last, const Instant& raw) const {
  if (last - raw.wall > kSlowdown) {
    ++steps_.followed;
    return;
  }
  last_mono_ = raw.mono;
  last_wall_ = last;
  slow_ = true;
  ++steps_.slowed;
}

bool StampClock::doubted(const Instant& raw) const {
  if (!doubt_before_) return false;
  const bool believed = synchronised_ && synchronised_();
  if (raw.wall < *doubt_before_ && !believed && raw.mono - doubt_since_ < kLongestDoubt) return true;
  if (raw.wall < *doubt_before_) slow_down_from(*doubt_before_, raw);
  doubt_before_.reset();
  return false;
}

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
  const Instant raw = machine_.now();
  if (raw.wall < oldest_) return false;
  const std::scoped_lock lock(mutex_);
  if (doubted(raw)) return false;
  if (!settling_) return true;
  if (settling_()) return false;
  settling_ = nullptr;
  return true;
}

bool StampClock::has_yet_to_reach(WallTime stamp) const {
  // the millisecond that a wall clock is cut to is no step back
  return machine_.now().wall + std::chrono::milliseconds{1} < stamp;
}

StampClock::Steps StampClock::steps() const {
  const std::scoped_lock lock(mutex_);
  return steps_;
}

}  // namespace vz
