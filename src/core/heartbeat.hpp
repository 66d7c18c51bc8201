// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <atomic>

#include "vz/time.hpp"

namespace vz {

/// What a thread says of itself to whoever feeds the watchdog: working since when, or waiting. A waiting thread is
/// healthy for as long as it likes. Lock-free.
class Heartbeat {
 public:
  void working(MonoTime now) { since_.store(now.time_since_epoch().count(), std::memory_order_relaxed); }
  void waiting() { since_.store(kWaiting, std::memory_order_relaxed); }
  /// True if the thread has been at one piece of work for longer than `bound`.
  [[nodiscard]] bool stuck(MonoTime now, MonoDuration bound) const {
    const auto since = since_.load(std::memory_order_relaxed);
    return since != kWaiting && now - MonoTime{MonoDuration{since}} > bound;
  }

 private:
  static constexpr MonoDuration::rep kWaiting = 0;
  std::atomic<MonoDuration::rep> since_{kWaiting};
};

}  // namespace vz
