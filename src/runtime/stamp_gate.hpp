// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "core/aggregator.hpp"
#include "core/channel_filter.hpp"
#include "outbox/durable_outbox.hpp"
#include "vz/log.hpp"
#include "vz/outbox.hpp"
#include "vz/time.hpp"

namespace vz {

/// The last door before the outbox, one for all meters: no two readings of a queue get the same millisecond, and while
/// the clock is not trusted readings are held instead of stamped.
///
/// Held readings wait in queues of the outbox of their own (held_queue()), whose stamps are milliseconds since boot; so
/// they have the outbox's bounds and last as long as what it holds. Once the clock is right they get their stamps by their
/// distance on the monotonic clock and move over, before anything newer. A process of the same boot goes on with what
/// an earlier one held (resume()). Those of another boot cannot be stamped any more: they stay where they are, as queues
/// that nobody opens, to be counted and exported.
/// (The monotonic clock stands still while a machine sleeps: what was held over a sleep would be stamped too late.)
///
/// Thread-safe; one short lock. `boot` names this boot; empty: nothing is found again by a later process.
class StampGate final {
 public:
  StampGate(Outbox& outbox, const Clock& clock, Log& log, std::string boot = {});

  /// Tells the name of a queue, so that what is held for it can be found again.
  void know(QueueId queue, const QueueName& name);
  /// The latest() of an earlier process, if it was ahead of the clock then: a window that is resumed has a time of before
  /// this process, and comes behind it. Before the first push().
  void go_on_from(WallTime last);
  /// Finds what an earlier process of this boot held. After all know(), before the first push(). From now on what is moved
  /// becomes durable in one piece.
  void resume(DurableOutbox& store);

  enum class Stamp { right, wrong };
  /// `point` was made while the clock said `now`.
  void push(QueueId queue, Point point, const Instant& now, Stamp stamp);

  /// True if the clock can be trusted: then some of what is held moves over. Tells once if it cannot. Not while
  /// DurableOutbox::together() is held.
  bool look();
  /// When look() should be called although no reading comes: only while something is held.
  [[nodiscard]] std::optional<MonoTime> next_look(MonoTime now) const;
  /// The latest time that this process gave out, by its clock or as the stamp of a reading: stamps may be ahead of the clock
  /// after steps of it. What a later process has to go on from. Takes no lock of its own.
  [[nodiscard]] WallTime latest() const;
  /// How many readings wait for their stamps.
  [[nodiscard]] std::uint64_t held() const;

  static QueueName held_queue(std::string_view boot, const QueueName& name);
  /// The queue's endpoint, if this is the name of a queue of held readings, of whatever boot.
  static std::optional<std::string> held_endpoint(const QueueName& name);

 private:
  struct Lane {
    QueueName name;
    StampSequencer sequencer;
    std::optional<QueueId> holding;  ///< open, and perhaps not empty
    bool fresh = true;               ///< nothing was stamped here yet but what was held
  };
  void release();
  void note(WallTime stamp);
  [[nodiscard]] std::uint64_t unwritten() const;
  bool move_some(QueueId queue, Lane& lane, const Instant& now, std::size_t& budget);

  Outbox& outbox_;
  const Clock& clock_;
  Log& log_;
  const std::string boot_;
  DurableOutbox* store_ = nullptr;
  std::optional<WallTime> last_;      ///< of an earlier process
  MonoTime began_{};                  ///< this one, if last_
  std::atomic<std::int64_t> latest_{0};  ///< stamp, ms
  std::atomic<bool> holds_{false};    ///< some lane is holding
  std::atomic<bool> told_wrong_{false};
  mutable std::mutex mutex_;
  std::map<QueueId, Lane> lanes_;
  bool told_moving_ = false;
};

}  // namespace vz
