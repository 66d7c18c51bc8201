// SPDX-License-Identifier: GPL-3.0-or-later
#include "sinks/mqtt/live_queue.hpp"

namespace vz::mqtt {

void LiveQueue::drop_front() {
  first_ = (first_ + 1) % capacity_;
  --size_;
  ++dropped_;
}

bool LiveQueue::push(const LiveMessage& message) {
  ring_.resize(capacity_);
  const bool full = size_ == capacity_;
  if (full) drop_front();
  ring_[(first_ + size_) % capacity_] = message;
  ++size_;
  return full;
}

void LiveQueue::put_back(const LiveMessage& message) {
  ring_.resize(capacity_);
  if (size_ == capacity_) {
    ++dropped_;
    return;
  }
  first_ = (first_ + capacity_ - 1) % capacity_;
  ring_[first_] = message;
  ++size_;
}

void LiveQueue::expire(MonoTime now) {
  while (size_ > 0 && now - front().since > kMaxAge) drop_front();
}

std::optional<LiveMessage> LiveQueue::pop(MonoTime now) {
  expire(now);
  if (size_ == 0) return std::nullopt;
  const LiveMessage message = front();
  first_ = (first_ + 1) % capacity_;
  --size_;
  return message;
}

void LiveQueue::clear() {
  dropped_ += size_;
  size_ = 0;
}

}  // namespace vz::mqtt
