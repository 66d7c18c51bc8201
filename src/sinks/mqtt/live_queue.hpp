// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/aggregator.hpp"
#include "vz/time.hpp"

namespace vz::mqtt {

/// A value on its way that nobody keeps for long.
struct LiveMessage {
  std::size_t outlet = 0;  ///< whose value; the owner knows what that means
  Point reading;
  MonoTime since{};        ///< when it was put here first
};

/// Values that wait for the broker in memory: those without a time, and those that nobody acknowledges. A bare value
/// says "this is so now", so it is worth nothing when it is old: it waits kMaxAge at most, and of too many the oldest
/// goes first. Both are counted.
///
/// Pure: time is passed in. Not thread-safe. One block of memory, made with the first message; no allocation after that.
class LiveQueue {
 public:
  static constexpr std::size_t kCapacity = 1000;
  static constexpr std::chrono::seconds kMaxAge{60};

  explicit LiveQueue(std::size_t capacity = kCapacity) : capacity_(capacity) {}

  /// Appends. True if the oldest one had to go for it.
  bool push(const LiveMessage& message);
  /// Puts back what pop() gave, in front; if there is no room it is counted as dropped.
  void put_back(const LiveMessage& message);
  /// The oldest message that is young enough; older ones are dropped and counted.
  std::optional<LiveMessage> pop(MonoTime now);
  /// Drops all that is too old.
  void expire(MonoTime now);
  /// Drops all.
  void clear();

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::uint64_t dropped() const { return dropped_; }  ///< all that was lost, whatever the reason

 private:
  [[nodiscard]] LiveMessage& front() { return ring_[first_]; }
  void drop_front();

  std::size_t capacity_;
  std::vector<LiveMessage> ring_;
  std::size_t first_ = 0;
  std::size_t size_ = 0;
  std::uint64_t dropped_ = 0;
};

}  // namespace vz::mqtt
