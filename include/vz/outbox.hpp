// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "vz/time.hpp"

namespace vz {

/// A reading on its way to an endpoint. Never merged, never changed again.
struct QueuedReading {
  std::uint64_t sequence = 0;  ///< unique and rising within its queue
  WallTime stamp{};
  double value = 0.0;
  bool repeat = false;         ///< it may have arrived already: sent once without an answer, or re-read at a start
};

/// Names a queue for good: neither the order nor the number of channels in the configuration matters.
struct QueueName {
  std::string endpoint;  ///< sink's own name for where it goes, e.g. the middleware's URL
  std::string channel;   ///< uuid
  bool operator==(const QueueName&) const = default;
};
enum class QueueId : std::uint32_t {};

/// What became of a reading.
enum class Verdict {
  accepted,  ///< the endpoint has it
  rejected,  ///< the endpoint will never take it: kept apart, told once
  keep,      ///< try again later
};

struct QueueStats {
  std::uint64_t waiting = 0;
  std::uint64_t accepted = 0;
  std::uint64_t rejected = 0;
  std::uint64_t dropped = 0;  ///< lost to the size limit, oldest first
  std::optional<WallTime> oldest;
};

/// Holds readings until their endpoint has settled them. One queue for each endpoint and channel; order within a queue
/// is the order of push(). Thread-safe; no call waits for a disk or a network. Bounded: at the limit the oldest reading
/// of the largest queue is dropped and counted.
class Outbox {
 public:
  virtual ~Outbox() = default;

  /// Opens the queue of that name, or finds the one there is.
  virtual QueueId open(const QueueName& name) = 0;
  virtual void push(QueueId queue, WallTime stamp, double value) = 0;
  /// Appends up to `max` of the oldest readings to `out` (those settled as accepted or rejected are gone).
  virtual void peek(QueueId queue, std::size_t max, std::vector<QueuedReading>& out) const = 0;
  /// Notes that these may have reached the endpoint: from now on they are repeats.
  virtual void mark_sent(QueueId queue, std::uint64_t first_sequence, std::uint64_t last_sequence) = 0;
  /// Settles the readings from `first_sequence` to `last_sequence`, all alike. Verdict::keep changes nothing.
  virtual void settle(QueueId queue, std::uint64_t first_sequence, std::uint64_t last_sequence, Verdict verdict,
                      std::string_view reason) = 0;
  [[nodiscard]] virtual QueueStats stats(QueueId queue) const = 0;
  /// Called (from the pushing thread, after the push) when something was pushed. Set once, before the first push.
  virtual void on_push(std::function<void()> callback) = 0;
};

}  // namespace vz
