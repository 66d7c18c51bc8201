// SPDX-License-Identifier: GPL-3.0-or-later
#include "outbox/outbox_writer.hpp"

namespace vz {

OutboxWriter::OutboxWriter(DurableOutbox& outbox, const Clock& clock) : outbox_(outbox), clock_(clock) {
  outbox_.on_work([this] { wake(); });
}

void OutboxWriter::wake() {
  {
    const std::scoped_lock lock(mutex_);
    woken_ = true;
  }
  changed_.notify_all();
}

void OutboxWriter::run(std::stop_token stop) {
  while (!stop.stop_requested()) {
    const auto next = outbox_.next_work();
    const MonoTime now = clock_.now().mono;
    if (next && *next <= now) {
      heartbeat_.working(now);
      outbox_.tick(stop);
      heartbeat_.waiting();
      continue;
    }
    std::unique_lock lock(mutex_);
    const auto is_woken = [this] { return woken_; };
    if (next) {
      changed_.wait_until(lock, stop, *next, is_woken);
    } else {
      changed_.wait(lock, stop, is_woken);
    }
    woken_ = false;
  }
}

}  // namespace vz
