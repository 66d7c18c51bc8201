// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/aggregator.hpp"
#include "core/channel_filter.hpp"
#include "core/channel_matcher.hpp"
#include "core/unit_conversion.hpp"
#include "outbox/durable_outbox.hpp"
#include "runtime/stamp_gate.hpp"
#include "vz/log.hpp"
#include "vz/outbox.hpp"
#include "vz/settings.hpp"
#include "vz/tap.hpp"

namespace vz {

/// What a channel matched last.
struct LatestReading {
  std::optional<double> value;
  MonoTime at{};  ///< when it came
};

/// One meter's way from telegram to outbox: router, aggregation, duplicate filter, gate. Used by the meter's thread
/// only. Does not allocate in the steady state.
/// Steps of the clock: what is in an open window moves with them, so that a window is never stretched or torn. While the
/// clock is not trusted results are held (StampGate) and the taps are told that what they see has no stamp.
class MeterPipeline {
 public:
  /// `queues[i]` is the outbox queue of channel i; none for a channel whose api sends nothing. All references outlive
  /// this object. The aggregation windows are anchored at the time of
  /// construction.
  MeterPipeline(const MeterSettings& meter, bool accept_old_stamps, std::vector<std::optional<QueueId>> queues,
                StampGate& gate, Log& log, std::span<ReadingTap* const> taps, const Clock& clock);
  /// With a gate of its own, for a meter that shares no queue with another one.
  MeterPipeline(const MeterSettings& meter, bool accept_old_stamps, std::vector<std::optional<QueueId>> queues,
                Outbox& outbox, Log& log, std::span<ReadingTap* const> taps, const Clock& clock);

  /// The registers that the channels ask for, in canonical form; none if there are channels whose identifiers are no
  /// OBIS codes.
  [[nodiscard]] std::optional<std::span<const Obis>> registers() const {
    if (!obis_only_) return std::nullopt;
    return registers_;
  }

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
  /// What each channel matched last, in the order of the configuration.
  [[nodiscard]] std::span<const LatestReading> latest() const { return latest_; }
  /// When tick() has something to do.
  [[nodiscard]] std::optional<MonoTime> next_tick(MonoTime now) const;

 private:
  struct Channel {
    const ChannelSettings* settings;
    std::string section;
    ChannelMatcher matcher;
    std::optional<Aggregator> aggregator;
    DuplicateFilter duplicates;
    std::optional<QueueId> queue;
    std::optional<UnitConverter> convert{};  ///< of the option `unit`
    bool told_unit = false;
  };
  void take(Channel& channel, const Reading& reading);
  const Reading* in_wanted_unit(Channel& channel, const Reading& reading);
  void route(Channel& channel, std::span<const Reading> telegram);
  std::chrono::milliseconds look_at_clock(Instant now);
  void close_windows();
  [[nodiscard]] std::string window_key(const Channel& channel) const;
  void send(Channel& channel, Point point);
  [[nodiscard]] std::optional<MonoTime> next_window() const;
  void refuse_old(std::span<const Reading> telegram);

  const MeterSettings& meter_;
  std::string section_;
  bool accept_old_stamps_;
  std::unique_ptr<StampGate> own_gate_;
  StampGate* gate_;
  Log& log_;
  std::span<ReadingTap* const> taps_;
  std::vector<Channel> channels_;
  std::vector<LatestReading> latest_;
  std::vector<std::size_t> matches_;
  Reading converted_;
  std::vector<Obis> registers_;
  bool obis_only_ = true;
  void save_windows();
  DurableOutbox* window_store_ = nullptr;  ///< where windows are kept; null: nowhere
  KeepWindows keep_windows_ = KeepWindows::at_stop;
  const Clock& clock_;
  bool trusted_ = false;  ///< the clock, as of the last look
  Instant now_{};
  Instant resumed_{};  ///< when the open windows were taken over, if the clock was right then
  MonoTime window_end_{};
  bool told_old_ = false;
};

}  // namespace vz
