// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/aggregator.hpp"
#include "core/channel_filter.hpp"
#include "core/channel_matcher.hpp"
#include "outbox/durable_outbox.hpp"
#include "vz/log.hpp"
#include "vz/outbox.hpp"
#include "vz/settings.hpp"

namespace vz {

/// Sees readings on their way: raw ones as they match a channel, and what leaves the aggregation. Called from the meter's
/// thread; must not block.
class ReadingTap {
 public:
  virtual ~ReadingTap() = default;
  virtual void raw(const ChannelSettings& channel, Point reading) = 0;
  virtual void aggregated(const ChannelSettings& channel, Point reading) = 0;
  /// The unit of the channel's register as the meter names it: before its first reading if it has one, and when it changes.
  virtual void unit(const ChannelSettings& /*channel*/, const Unit& /*unit*/) {}
};

/// One meter's way from telegram to outbox: router, aggregation, duplicate filter, queue. Used by the meter's thread
/// only. Does not allocate in the steady state.
class MeterPipeline {
 public:
  /// `queues[i]` is the outbox queue of channel i; none for a channel whose api sends nothing. All references outlive
  /// this object. The aggregation windows are anchored at the time of
  /// construction.
  MeterPipeline(const MeterSettings& meter, bool accept_old_stamps, std::vector<std::optional<QueueId>> queues,
                Outbox& outbox, Log& log, std::span<ReadingTap* const> taps, const Clock& clock);

  /// The registers that the channels ask for, in canonical form; none if there are channels whose identifiers are no
  /// OBIS codes.
  [[nodiscard]] std::optional<std::span<const Obis>> registers() const {
    if (!obis_only_) return std::nullopt;
    return registers_;
  }

  /// While the clock is not trusted results are held (kMaxHeld of them, then the oldest goes), and stamped by their
  /// distance on the monotonic clock once it is.
  static constexpr std::size_t kMaxHeld = 100'000;

  /// Goes on with windows that an earlier process left open, and from then on keeps each cycle's if `keep` says so.
  enum class KeepWindows { at_stop, always };
  void resume_windows(DurableOutbox& store, KeepWindows keep);
  /// Leaves the open windows to the next process, if they were resumed from somewhere. The meter's last call.
  void leave_windows();

  /// Routes one telegram.
  void deliver(std::span<const Reading> telegram, Instant now);
  /// A read cycle has ended: closes the windows that are over.
  void end_cycle(Instant now);
  /// Closes windows that ended long ago although the meter has fallen silent.
  void tick(Instant now);
  /// When tick() has something to do.
  [[nodiscard]] std::optional<MonoTime> next_tick() const;

 private:
  struct Channel {
    const ChannelSettings* settings;
    std::string section;
    ChannelMatcher matcher;
    std::optional<Aggregator> aggregator;
    DuplicateFilter duplicates;
    StampSequencer sequencer;
    std::optional<QueueId> queue;
    Unit unit{};  ///< of the last reading
  };
  /// A result that waits for the right time.
  struct Held {
    std::size_t channel;
    double value;
    MonoTime at;
  };
  void route(Channel& channel, std::span<const Reading> telegram);
  void look_at_clock(Instant now);
  void close_windows_before_the_step(const Instant& before, const Instant& now);
  void hold(Channel& channel, Point point);
  void close_windows();
  [[nodiscard]] std::string window_key(const Channel& channel) const;
  void send(Channel& channel, Point point);
  void refuse_old(std::span<const Reading> telegram);

  const MeterSettings& meter_;
  std::string section_;
  bool accept_old_stamps_;
  Outbox& outbox_;
  Log& log_;
  std::span<ReadingTap* const> taps_;
  std::vector<Channel> channels_;
  std::vector<std::size_t> matches_;
  std::vector<Obis> registers_;
  bool obis_only_ = true;
  void save_windows();
  DurableOutbox* window_store_ = nullptr;  ///< where windows are kept; null: nowhere
  KeepWindows keep_windows_ = KeepWindows::at_stop;
  const Clock& clock_;
  bool trusted_ = true;
  Instant now_{};
  std::deque<Held> held_;
  std::uint64_t dropped_ = 0;
  MonoTime window_end_{};
  bool told_old_ = false;
};

}  // namespace vz
