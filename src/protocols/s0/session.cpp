// SPDX-License-Identifier: GPL-3.0-or-later
#include "protocols/s0/session.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/edge_records.hpp"

namespace vz::s0 {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds kReportEvery{1};
/// Edges of one pulse are read together.
constexpr milliseconds kGather{100};
/// An edge needs less than this from the line to the session.
constexpr milliseconds kOnTheWay{50};
/// So often a report waits for reads that are under way; then it is made of what is decided already.
constexpr unsigned kMostLate = 100;
constexpr double kJoulesPerKilowattHour = 3'600'000.0;

}  // namespace

S0Session::S0Session(S0Settings settings) : settings_(settings), debounce_(settings.debounce / 2) {}

void S0Session::opened(Instant now, SessionOut& out) {
  records_.clear();
  debounce_.start(false, now.mono);
  direction_high_ = false;
  opened_ = now.mono;
  tick_.reset();
  received_ = {};
  reference_.reset();  // pulses may have been missed: the interval to the next one means nothing
  last_pulse_.reset();
  positive_ = negative_ = 0;
  first_ = true;
  arm(now, out);
}

void S0Session::begin(Instant now, SessionOut& out) { arm(now, out); }

std::size_t S0Session::received(std::span<const std::byte> bytes, Instant now, MonoTime previous, SessionOut& out) {
  received_ = now.mono;
  if (settings_.input == S0Settings::Input::bytes) take_bytes(bytes.size(), now.mono, previous);
  else records_.feed(bytes, [&](const Record& record) { take(record, out); });
  arm(now, out);
  return bytes.size();
}

/// Several bytes at once are those of a read that came late. When each of them arrived is not known, but that they were
/// apart is: they are spread over the time since the last read, as far as that is needed to tell them apart.
void S0Session::take_bytes(std::size_t count_of_bytes, MonoTime now, MonoTime previous) {
  if (count_of_bytes == 0) return;
  const MonoDuration character = initial_line().duration(1);
  const MonoDuration window = std::max(now - previous, MonoDuration::zero());
  const MonoDuration step = std::min(window / static_cast<MonoDuration::rep>(count_of_bytes),
                                     std::max<MonoDuration>(character, settings_.debounce));
  MonoTime at = now - step * static_cast<MonoDuration::rep>(count_of_bytes - 1);
  for (std::size_t i = 0; i < count_of_bytes; ++i, at += step)
    if (!last_pulse_ || at - *last_pulse_ >= settings_.debounce) count(at);
}

void S0Session::take(const Record& record, SessionOut& out) {
  switch (record.kind) {
    case RecordKind::level:
    case RecordKind::edge:
    case RecordKind::pulse: take_edge(record.kind, record.text); break;
    case RecordKind::trouble: out.faults.push_back({FaultKind::oversized, std::string{record.text}}); break;
    case RecordKind::note:
      if (out.wants(Level::info)) out.notes.push_back({Level::info, std::string{record.text}});
      break;
    default: break;
  }
}

void S0Session::take_edge(RecordKind kind, std::string_view text) {
  const auto edge = parse_edge(text);
  if (!edge) return;
  if (kind == RecordKind::pulse) {
    if (!last_pulse_ || edge->at - *last_pulse_ >= settings_.debounce) count(edge->at);
  } else if (edge->line == LineEdge::Line::direction) {
    count(debounce_.advance(edge->at));  // a pulse that is decided by now had the direction of before
    direction_high_ = edge->high;
  } else if (kind == RecordKind::level) {
    debounce_.start(edge->high, edge->at);
  } else {
    count(debounce_.edge(edge->high, edge->at));
  }
}

void S0Session::count(std::optional<MonoTime> pulse) {
  if (!pulse) return;
  ++(direction_high_ ? negative_ : positive_);
  last_pulse_ = last_pulse_ ? std::max(*last_pulse_, *pulse) : *pulse;
}

void S0Session::timer(Instant now, SessionOut& out) {
  if (tick_ && now.mono >= *tick_) {
    // Where something has just been read there may be more, and older than now: look again at once, before deciding
    // anything by the time that has passed.
    const bool more = settings_.input == S0Settings::Input::records && received_ == now.mono;
    if (more && ++late_ < kMostLate) {
      out.timer = now.mono;
      return;
    }
    late_ = 0;
    tick_.reset();
    if (!more) count(debounce_.advance(now.mono - kOnTheWay));
    if (pending() || settings_.send_zero) report(now, out);
  }
  arm(now, out);
}

void S0Session::lost(Instant now, SessionOut& out) {
  count(debounce_.advance(now.mono));
  if (pending()) report(now, out);
  out.cycle_done = true;
}

/// Power before pulses, the positive ones first, each pair only if there is something to say: the old order.
void S0Session::report(Instant now, SessionOut& out) {
  std::optional<double> interval;
  if (pending()) {
    if (reference_ && *last_pulse_ > *reference_)
      interval = std::chrono::duration<double>(*last_pulse_ - *reference_).count();
    reference_ = last_pulse_;
  } else if (!first_) {
    interval = 1.0;  // nothing in any time is no power
  }
  const WallTime stamp = pending() ? now.wall_at(std::min(*last_pulse_, now.mono)) : now.wall;
  if (positive_ > 0 || settings_.send_zero) emit(false, positive_, interval, stamp, out);
  if (negative_ > 0 || settings_.send_zero) emit(true, negative_, interval, stamp, out);
  if (out.wants(Level::debug))
    out.notes.push_back({Level::debug, fmt::format("{} pulses, {} negative ones, {:.6f} s since the last one before",
                                                   positive_, negative_, interval.value_or(0.0))});
  positive_ = negative_ = 0;
  first_ = false;
  out.telegrams = 1;
  out.cycle_done = true;
  out.not_before = now.mono;
}

void S0Session::emit(bool negative, unsigned pulses, std::optional<double> interval, WallTime stamp, SessionOut& out) const {
  if (interval) {
    const double power = kJoulesPerKilowattHour / (*interval * settings_.resolution) * pulses;
    out.readings.push_back({Identifier{std::string{negative ? "Power_neg" : "Power"}}, power, Unit{"W"}, stamp});
  }
  out.readings.push_back(
      {Identifier{std::string{negative ? "Impulse_neg" : "Impulse"}}, static_cast<double>(pulses), Unit{}, stamp});
}

/// The next whole second, if it may bring something to report; else the line's own word is waited for.
void S0Session::arm(Instant now, SessionOut& out) {
  if (!tick_ && (pending() || settings_.send_zero || debounce_.undecided()))
    tick_ = opened_ + kReportEvery * ((now.mono - opened_) / kReportEvery + 1);
  out.timer = tick_;
  if (settings_.input == S0Settings::Input::records && received_ == now.mono) out.quiet_until = now.mono + kGather;
}

}  // namespace vz::s0
