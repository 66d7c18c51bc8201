// SPDX-License-Identifier: GPL-3.0-or-later
#include "runtime/pipeline.hpp"

#include <algorithm>
#include <cmath>

namespace vz {
namespace {

/// 1990-01-01: no meter reading is older, so a clock that says so is not set.
constexpr WallTime kOldest{std::chrono::seconds{631152000}};
using std::chrono::milliseconds;

/// What is more than this is no drift.
constexpr milliseconds kStep{1000};
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
                             std::span<ReadingTap* const> taps, const Clock& clock)
    : MeterPipeline(meter, accept_old_stamps, std::move(queues), *new StampGate(outbox, clock, log), log, taps, clock) {
  own_gate_.reset(gate_);
}

MeterPipeline::MeterPipeline(const MeterSettings& meter, bool accept_old_stamps,
                             std::vector<std::optional<QueueId>> queues, StampGate& gate, Log& log,
                             std::span<ReadingTap* const> taps, const Clock& clock)
    : meter_(meter),
      section_(fmt::format("mtr{}", meter.number)),
      accept_old_stamps_(accept_old_stamps),
      gate_(&gate),
      log_(log),
      taps_(taps),
      clock_(clock),
      window_end_(clock.now().mono + std::chrono::seconds{std::max(meter.aggtime, 0)}) {
  channels_.reserve(meter.channels.size());
  latest_.resize(meter.channels.size());
  for (std::size_t i = 0; i < meter.channels.size(); ++i) {
    const auto& settings = meter.channels[i];
    if (const Obis* code = settings.identifier.obis()) registers_.push_back(code->canonical());
    else obis_only_ = false;
    channels_.push_back(Channel{&settings, fmt::format("chn{}", settings.number), ChannelMatcher{settings.identifier},
                                make_aggregator(meter, settings.aggmode),
                                DuplicateFilter{std::chrono::seconds{settings.duplicates}},
                                i < queues.size() ? queues[i] : std::nullopt});
    if (settings.unit) channels_.back().convert.emplace(*settings.unit);
  }
}

void MeterPipeline::deliver(std::span<const Reading> telegram, Instant now) {
  std::vector<Reading> moved;
  if (const auto late = look_at_clock(now); late != std::chrono::milliseconds{0}) {
    moved.assign(telegram.begin(), telegram.end());
    for (Reading& reading : moved) reading.stamp += late;
    telegram = moved;
  }
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
    if (reading.stamp < kOldest && !accept_old_stamps_ && trusted_) {
      refuse_old(telegram);
      continue;
    }
    if (!channel.convert) take(channel, reading);
    else if (const Reading* converted = in_wanted_unit(channel, reading)) take(channel, *converted);
  }
}

void MeterPipeline::take(Channel& channel, const Reading& reading) {
  const Point point{reading.value, reading.stamp};
  log_.print(Level::info, channel.section, "Adding reading to queue (value={:.2f} ts={})", point.value,
             point.stamp.time_since_epoch().count());
  latest_[static_cast<std::size_t>(&channel - channels_.data())] = {reading.value, now_.mono};
  for (auto* tap : taps_) {
    if (trusted_) tap->raw(*channel.settings, reading);
    else tap->raw_unstamped(*channel.settings, reading, now_);
  }
  if (channel.aggregator) channel.aggregator->add(point);
  else send(channel, point);
}

/// The reading in the unit that the channel asks for; null if its own cannot be converted to that: a number that means
/// something else must not reach the channel.
const Reading* MeterPipeline::in_wanted_unit(Channel& channel, const Reading& reading) {
  const Unit& wanted = channel.convert->wanted();
  const auto value = (*channel.convert)(reading.value, reading.unit);
  if (!value) {
    if (std::exchange(channel.told_unit, true)) return nullptr;
    const auto unit = reading.unit.text();
    log_.print(Level::alert, channel.section,
               "the register {} {}, which cannot be converted to {} (option \"unit\"): its readings are not used. Leave out "
               "\"unit\" to have the meter's own number, or name a unit that fits. Told once.",
               reading.identifier.text(), unit.empty() ? std::string{"has no unit"} : fmt::format("is in {}", unit), wanted.text());
    return nullptr;
  }
  converted_.identifier = reading.identifier;
  converted_.value = *value;
  converted_.unit = wanted;
  converted_.stamp = reading.stamp;
  return &converted_;
}

void MeterPipeline::refuse_old(std::span<const Reading> telegram) {
  if (std::exchange(told_old_, true)) return;
  log_.print(Level::error, section_,
             "meter returned readings with a timestamp before 1990, IGNORING. The first one says {} ms since 1970. Set the "
             "clock of this machine, or, if the stamp is meant, \"i_have_a_time_machine\": true. Told once.",
             telegram.front().stamp.time_since_epoch().count());
}

/// Notes the time of what comes, and moves open windows along with a clock that was set. Returns by how much the clock was
/// set between `now` and this call, after it had not been trusted: stamps made at `now` are wrong by that.
milliseconds MeterPipeline::look_at_clock(Instant now) {
  const bool was_trusted = std::exchange(trusted_, gate_->look());
  milliseconds late{0};
  if (!was_trusted && trusted_) {
    const WallTime right = clock_.now().wall_at(now.mono);
    if (right - now.wall > kStep || now.wall - right > kStep) late = right - now.wall;
    now.wall += late;
  }
  Instant before = std::exchange(now_, now);
  if (before.mono == MonoTime{}) before = resumed_;  // the clock may have been set since
  if (before.mono == MonoTime{}) return late;
  const auto passed = std::chrono::duration_cast<milliseconds>(now.mono - before.mono);
  const milliseconds step = now.wall - before.wall - passed;
  // after a small step back the clock runs at half speed (StampClock): that is none
  if (step <= kStep && step >= -passed / 2 - kStep) return late;
  for (auto& channel : channels_)
    if (channel.aggregator) channel.aggregator->move(before.wall, before.wall + step);
  return late;
}

void MeterPipeline::end_cycle(Instant now) {
  look_at_clock(now);
  // a window whose time nobody knows cannot be kept for another boot: its readings are held one by one
  const bool at_once = !trusted_ && keep_windows_ == KeepWindows::always && window_store_ != nullptr;
  const bool over = now.mono >= window_end_;
  if (meter_.aggtime > 0 && over) {
    const auto length = std::chrono::seconds{meter_.aggtime};
    window_end_ += length * ((now.mono - window_end_) / length + 1);
  }
  if (meter_.aggtime > 0 && !over && !at_once) {
    if (window_store_ != nullptr && keep_windows_ == KeepWindows::always) save_windows();
    return;
  }
  if (window_store_ == nullptr || keep_windows_ == KeepWindows::at_stop) {
    close_windows();
  } else {
    const auto both = window_store_->together();  // the result and the end of its window, or neither
    close_windows();
    save_windows();
  }
}

void MeterPipeline::tick(Instant now) {
  if (gate_->next_look(now.mono)) look_at_clock(now);
  const auto due = next_window();
  if (due && now.mono >= *due) end_cycle(now);
}

std::optional<MonoTime> MeterPipeline::next_tick(MonoTime now) const {
  const auto look = gate_->next_look(now);
  const auto window = next_window();
  return look && window ? std::min(*look, *window) : look ? look : window;
}

std::optional<MonoTime> MeterPipeline::next_window() const {
  if (meter_.aggtime <= 0) return std::nullopt;
  const bool open = std::any_of(channels_.begin(), channels_.end(),
                                [](const Channel& c) { return c.aggregator && !c.aggregator->empty(); });
  if (!open) return std::nullopt;
  // A window ends with the first read after its time. A meter that has fallen silent gets as long again.
  return window_end_ + std::chrono::seconds{meter_.aggtime};
}

/// The same channel of the same meter with the same window and unit, wherever it stands in the file.
std::string MeterPipeline::window_key(const Channel& channel) const {
  const auto& settings = *channel.settings;
  return fmt::format("window/{}/{}/{}/{}{}{}", settings.uuid, settings.identifier.text(), static_cast<int>(settings.aggmode),
                     meter_.aggtime, settings.unit ? "/" : "", settings.unit ? settings.unit->text() : std::string_view{});
}

void MeterPipeline::resume_windows(DurableOutbox& store, KeepWindows keep) {
  if (meter_.aggtime <= 0) return;
  for (auto& channel : channels_) {
    if (!channel.aggregator) continue;
    const std::string key = window_key(channel);
    if (channel.aggregator->restore(store.get_state(key)))
      log_.write(Level::debug, channel.section, "goes on with the window that was open at the last stop");
    if (keep == KeepWindows::at_stop) store.put_state(key, {});  // a crash must not find it a second time
  }
  window_store_ = &store;
  keep_windows_ = keep;
  if (clock_.trusted()) resumed_ = clock_.now();
}

void MeterPipeline::leave_windows() {
  const bool looked = now_.mono != MonoTime{};
  if (looked && !trusted_) {
    close_windows();  // held as results: only this boot can ever know their time
    for (auto& channel : channels_)
      if (channel.aggregator) channel.aggregator->forget();
  }
  if (window_store_ != nullptr) save_windows();
}

void MeterPipeline::save_windows() {
  for (auto& channel : channels_)
    if (channel.aggregator) window_store_->put_state(window_key(channel), channel.aggregator->save());
}

void MeterPipeline::close_windows() {
  for (auto& channel : channels_) {
    if (!channel.aggregator) continue;
    if (const auto result = channel.aggregator->close()) send(channel, *result);
  }
}

void MeterPipeline::send(Channel& channel, Point point) {
  for (auto* tap : taps_) {
    if (trusted_) tap->aggregated(*channel.settings, point.value, point.stamp);
    else tap->unstamped(*channel.settings, point.value, point.stamp, now_);
  }
  if (!channel.queue || !channel.duplicates.pass(point)) return;
  gate_->push(*channel.queue, point, now_, trusted_ ? StampGate::Stamp::right : StampGate::Stamp::wrong);
}

}  // namespace vz
