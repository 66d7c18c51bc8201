// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <condition_variable>
#include <mutex>
#include <stop_token>

#include "core/heartbeat.hpp"
#include "outbox/durable_outbox.hpp"

namespace vz {

/// The thread that does the outbox's I/O, so that nobody else waits for a disk. Sleeps until DurableOutbox::next_work().
class OutboxWriter {
 public:
  /// `outbox` must outlive the writer. Takes its on_work callback.
  OutboxWriter(DurableOutbox& outbox, const Clock& clock);

  /// The thread's body, until a stop is requested. A write that is under way then ends first, for as long as the disk
  /// takes. What still waits is left to DurableOutbox::close().
  void run(std::stop_token stop);
  /// Working while it does I/O.
  [[nodiscard]] const Heartbeat& heartbeat() const { return heartbeat_; }

 private:
  void wake();

  DurableOutbox& outbox_;
  const Clock& clock_;
  Heartbeat heartbeat_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  bool woken_ = false;
};

}  // namespace vz
