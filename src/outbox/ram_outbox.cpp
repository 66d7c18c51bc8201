// SPDX-License-Identifier: GPL-3.0-or-later
#include "outbox/ram_outbox.hpp"

#include <algorithm>
#include <utility>

namespace vz {

RamOutbox::RamOutbox(std::size_t max_readings) : max_readings_(std::max<std::size_t>(max_readings, 1)) {}

RamOutbox::Queue& RamOutbox::at(QueueId queue) const { return *queues_.at(static_cast<std::size_t>(queue)); }

QueueId RamOutbox::open(const QueueName& name) {
  const std::scoped_lock lock(mutex_);
  const auto known =
      std::find_if(queues_.begin(), queues_.end(), [&](const auto& queue) { return queue->name == name; });
  if (known != queues_.end()) return static_cast<QueueId>(known - queues_.begin());
  queues_.push_back(std::make_unique<Queue>());
  queues_.back()->name = name;
  return static_cast<QueueId>(queues_.size() - 1);
}

void RamOutbox::push(QueueId queue, WallTime stamp, double value) {
  {
    const std::scoped_lock lock(mutex_);
    if (total_ >= max_readings_) drop_one();
    Queue& target = at(queue);
    target.entries.push_back(
        {.stamp = stamp, .value = value, .sequence = target.next_sequence++ & ((1ULL << 62U) - 1)});
    ++target.waiting;
    ++total_;
  }
  if (on_push_) on_push_();
}

void RamOutbox::peek(QueueId queue, std::size_t max, std::vector<QueuedReading>& out) const {
  const std::scoped_lock lock(mutex_);
  for (const Entry& entry : at(queue).entries) {
    if (max == 0) break;
    if (entry.settled != 0) continue;
    out.push_back(
        {.sequence = entry.sequence, .stamp = entry.stamp, .value = entry.value, .repeat = entry.repeat != 0});
    --max;
  }
}

namespace {

/// The entries of a queue from `first` to `last`, found by binary search.
template <typename Entries>
auto range_of(Entries& entries, std::uint64_t first, std::uint64_t last) {
  const auto before = [](const auto& entry, std::uint64_t sequence) { return entry.sequence < sequence; };
  const auto begin = std::lower_bound(entries.begin(), entries.end(), first, before);
  auto end = begin;
  while (end != entries.end() && end->sequence <= last) ++end;
  return std::pair{begin, end};
}

}  // namespace

void RamOutbox::mark_sent(QueueId queue, std::uint64_t first_sequence, std::uint64_t last_sequence) {
  const std::scoped_lock lock(mutex_);
  const auto [begin, end] = range_of(at(queue).entries, first_sequence, last_sequence);
  for (auto entry = begin; entry != end; ++entry) entry->repeat = 1;
}

void RamOutbox::settle(QueueId queue, std::uint64_t first_sequence, std::uint64_t last_sequence, Verdict verdict,
                       std::string_view /*reason*/) {
  if (verdict == Verdict::keep) return;
  const std::scoped_lock lock(mutex_);
  Queue& target = at(queue);
  const auto [begin, end] = range_of(target.entries, first_sequence, last_sequence);
  std::uint64_t settled = 0;
  for (auto entry = begin; entry != end; ++entry) {
    if (entry->settled != 0) continue;
    entry->settled = 1;
    ++settled;
  }
  target.waiting -= settled;
  total_ -= settled;
  (verdict == Verdict::accepted ? target.accepted : target.rejected) += settled;
  trim_front(target);
}

QueueStats RamOutbox::stats(QueueId queue) const {
  const std::scoped_lock lock(mutex_);
  const Queue& source = at(queue);
  QueueStats stats{.waiting = source.waiting,
                   .accepted = source.accepted,
                   .rejected = source.rejected,
                   .dropped = source.dropped,
                   .oldest = std::nullopt};
  if (!source.entries.empty()) stats.oldest = source.entries.front().stamp;
  return stats;
}

void RamOutbox::on_push(std::function<void()> callback) { on_push_ = std::move(callback); }

void RamOutbox::drop_one() {
  const auto longest = std::max_element(queues_.begin(), queues_.end(),
                                        [](const auto& a, const auto& b) { return a->waiting < b->waiting; });
  Queue& queue = **longest;
  queue.entries.pop_front();
  --queue.waiting;
  ++queue.dropped;
  --total_;
  trim_front(queue);
}

void RamOutbox::trim_front(Queue& queue) {
  while (!queue.entries.empty() && queue.entries.front().settled != 0) queue.entries.pop_front();
}

}  // namespace vz
