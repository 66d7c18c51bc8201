// SPDX-License-Identifier: GPL-3.0-or-later
#include "runtime/pipeline.hpp"

#include <algorithm>
#include <cmath>

namespace vz {
namespace {

/// 1990-01-01: no meter reading is older, so a clock that says so is not set.
constexpr WallTime kOldest{std::chrono::seconds{631152000}};
/// Readings are listed only above the level debug, as users of `-v15` know it.
constexpr Level kListing{11};

std::optional<Aggregator> make_aggregator(const MeterSettings& meter, AggMode mode) {
  if (mode == AggMode::none) return std::nullopt;
  const bool fixed = meter.aggfixedinterval && meter.aggtime > 0;
  return Aggregator{mode, std::chrono::seconds{fixed ? meter.aggtime : 0}};
}

}  // namespace

MeterPipeline::MeterPipeline(const MeterSettings& meter, bool accept_old_stamps,
                             std::vector<std::optional<QueueId>> queues, Outbox& outbox, Log& log,
                             std::span<ReadingTap* const> taps, MonoTime started)
    : meter_(meter),
      section_(fmt::format("mtr{}", meter.number)),
      accept_old_stamps_(accept_old_stamps),
      outbox_(outbox),
      log_(log),
      taps_(taps),
      window_end_(started + std::chrono::seconds{std::max(meter.aggtime, 0)}) {
  channels_.reserve(meter.channels.size());
  for (std::size_t i = 0; i < meter.channels.size(); ++i) {
    const auto& settings = meter.channels[i];
    if (const Obis* code = settings.identifier.obis()) registers_.push_back(code->canonical());
    else obis_only_ = false;
    channels_.push_back(Channel{&settings, fmt::format("chn{}", settings.number), ChannelMatcher{settings.identifier},
                                make_aggregator(meter, settings.aggmode),
                                DuplicateFilter{std::chrono::seconds{settings.duplicates}}, StampSequencer{},
                                i < queues.size() ? queues[i] : std::nullopt});
  }
}

void MeterPipeline::deliver(std::span<const Reading> telegram, Instant) {
  if (log_.enabled(kListing)) {
    log_.print(kListing, section_, "Got {} new readings from meter:", telegram.size());
    for (const auto& reading : telegram)
      log_.print(kListing, section_, "Reading: id={}/{} value={:.2f} ts={}", reading.identifier.text(),
                 reading.identifier.long_text(), reading.value, reading.stamp.time_since_epoch().count());
  }
  for (auto& channel : channels_) route(channel, telegram);
}

void MeterPipeline::route(Channel& channel, std::span<const Reading> telegram) {
  matches_.clear();
  channel.matcher.match(telegram, matches_);
  for (const std::size_t index : matches_) {
    const Reading& reading = telegram[index];
    if (!std::isfinite(reading.value)) continue;
    if (reading.stamp < kOldest && !accept_old_stamps_) {
      refuse_old(telegram);
      continue;
    }
    const Point point{reading.value, reading.stamp};
    log_.print(Level::info, channel.section, "Adding reading to queue (value={:.2f} ts={})", point.value,
               point.stamp.time_since_epoch().count());
    for (auto* tap : taps_) tap->raw(*channel.settings, point);
    if (channel.aggregator) channel.aggregator->add(point);
    else send(channel, point);
  }
}

void MeterPipeline::refuse_old(std::span<const Reading> telegram) {
  if (std::exchange(told_old_, true)) return;
  log_.print(Level::error, section_,
             "meter returned readings with a timestamp before 1990, IGNORING. The first one says {} ms since 1970. Set the "
             "clock of this machine, or, if the stamp is meant, \"i_have_a_time_machine\": true. Told once.",
             telegram.front().stamp.time_since_epoch().count());
}

void MeterPipeline::end_cycle(Instant now) {
  if (meter_.aggtime > 0) {
    if (now.mono < window_end_) return;
    const auto length = std::chrono::seconds{meter_.aggtime};
    window_end_ += length * ((now.mono - window_end_) / length + 1);
  }
  close_windows();
}

void MeterPipeline::tick(Instant now) {
  const auto due = next_tick();
  if (due && now.mono >= *due) end_cycle(now);
}

std::optional<MonoTime> MeterPipeline::next_tick() const {
  if (meter_.aggtime <= 0) return std::nullopt;
  const bool open = std::any_of(channels_.begin(), channels_.end(),
                                [](const Channel& c) { return c.aggregator && !c.aggregator->empty(); });
  if (!open) return std::nullopt;
  // A window ends with the first read after its time. A meter that has fallen silent gets as long again.
  return window_end_ + std::chrono::seconds{meter_.aggtime};
}

void MeterPipeline::close_windows() {
  for (auto& channel : channels_) {
    if (!channel.aggregator) continue;
    if (const auto result = channel.aggregator->close()) send(channel, *result);
  }
}

void MeterPipeline::send(Channel& channel, Point point) {
  for (auto* tap : taps_) tap->aggregated(*channel.settings, point);
  if (!channel.queue || !channel.duplicates.pass(point)) return;
  outbox_.push(*channel.queue, channel.sequencer.next(point.stamp), point.value);
}

}  // namespace vz
