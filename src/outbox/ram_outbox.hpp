// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "vz/outbox.hpp"

namespace vz {

/// The outbox that lives in memory alone: nothing survives the process.
///
/// Thread-safe: one lock, held for memory work only, never while the push callback runs. At most `max_readings` over
/// all queues, about 25 bytes each, in small chunks that go back to the heap as a backlog drains. At the limit the
/// oldest reading of the longest queue is dropped and counted. A rejected reading is counted and forgotten. Never
/// throws but for memory.
class RamOutbox final : public Outbox {
 public:
  static constexpr std::size_t kDefaultMaxReadings = 300'000;

  explicit RamOutbox(std::size_t max_readings = kDefaultMaxReadings);

  QueueId open(const QueueName& name) override;
  void push(QueueId queue, WallTime stamp, double value) override;
  void peek(QueueId queue, std::size_t max, std::vector<QueuedReading>& out) const override;
  void mark_sent(QueueId queue, std::uint64_t first_sequence, std::uint64_t last_sequence) override;
  void settle(QueueId queue, std::uint64_t first_sequence, std::uint64_t last_sequence, Verdict verdict,
              std::string_view reason) override;
  [[nodiscard]] QueueStats stats(QueueId queue) const override;
  void on_push(std::function<void()> callback) override;

 private:
  struct Entry {
    WallTime stamp{};
    double value = 0.0;
    std::uint64_t sequence : 62 = 0;
    std::uint64_t repeat : 1 = 0;
    std::uint64_t settled : 1 = 0;  ///< settled out of order; goes when it reaches the front
  };
  static_assert(sizeof(Entry) <= 24);

  struct Queue {
    QueueName name;
    std::deque<Entry> entries;  ///< sequences rising; the front one is never settled
    std::uint64_t next_sequence = 1;
    std::uint64_t waiting = 0;
    std::uint64_t accepted = 0;
    std::uint64_t rejected = 0;
    std::uint64_t dropped = 0;
  };

  Queue& at(QueueId queue) const;
  void drop_one();
  static void trim_front(Queue& queue);

  const std::size_t max_readings_;
  mutable std::mutex mutex_;
  std::vector<std::unique_ptr<Queue>> queues_;  ///< the index is the QueueId
  std::size_t total_ = 0;                       ///< waiting readings of all queues
  std::function<void()> on_push_;               ///< set before the first push, read without the lock
};

}  // namespace vz
