// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "local/control_protocol.hpp"
#include "outbox/durable_outbox.hpp"

namespace vz::local {

/// Answers the requests that are about the outbox: for the control socket of a daemon, or, in a process of its own, for
/// a file that no daemon holds; then no queue is open. May wait for the disk. What could take minutes is done in slices:
/// an answer with "more": true is about a part (kSlice and a transaction), and the same request goes on. Thread-safe as the outbox is; nothing
/// changes after construction. uuids are shown by their end alone.
class OutboxDesk {
 public:
  /// A queue that is being delivered.
  struct OpenQueue {
    QueueName name;
    QueueId id{};
    std::string section;  ///< "chn3"
  };
  /// The real endpoint, if this is a queue of readings whose time nobody knows (such a queue must not be moved).
  using Unstamped = std::optional<std::string> (*)(const QueueName&);

  /// `outbox` outlives the desk.
  OutboxDesk(DurableOutbox& outbox, std::vector<OpenQueue> open, Unstamped unstamped)
      : outbox_(outbox), open_(std::move(open)), unstamped_(unstamped) {}
  static constexpr std::chrono::milliseconds kSlice{100};

  /// True for what answer() answers.
  static bool knows(ControlRequest::Kind kind);
  [[nodiscard]] nlohmann::ordered_json answer(const ControlRequest& request);

 private:
  /// A queue, open or not, and how people know it.
  struct Entry {
    QueueName name;
    std::string section;                   ///< empty: not open
    std::optional<std::string> unstamped;  ///< its endpoint, if it is one of these
    QueueStats stats;
  };
  [[nodiscard]] std::vector<Entry> entries() const;
  [[nodiscard]] Expected<Entry> find(const QueuePattern& pattern) const;
  [[nodiscard]] nlohmann::ordered_json queues() const;
  [[nodiscard]] nlohmann::ordered_json rejected(const ControlRequest& request);
  [[nodiscard]] nlohmann::ordered_json export_page(const ControlRequest& request);
  [[nodiscard]] nlohmann::ordered_json retarget(const ControlRequest& request);
  [[nodiscard]] nlohmann::ordered_json drop(const ControlRequest& request);

  DurableOutbox& outbox_;
  std::vector<OpenQueue> open_;
  Unstamped unstamped_;
};

}  // namespace vz::local
