// SPDX-License-Identifier: GPL-3.0-or-later
#include "protocols/sml/session.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace vz::sml {
namespace {

using std::chrono::milliseconds;

constexpr unsigned kMaxRepeats = 2;
/// Reads inside a frame whose length is not known yet are gathered for this many characters.
constexpr std::size_t kGatherCharacters = 40;
/// Before a repeated request the line has to be silent for this long.
constexpr milliseconds kQuiet{100};
constexpr milliseconds kNetworkQuiet{250};
constexpr std::size_t kStartLength = 8;

}  // namespace

SmlSession::SmlSession(SmlSettings settings) : settings_(std::move(settings)) {
  arrivals_.set_line(settings_.line, settings_.paced_line);
}

MonoDuration SmlSession::settle_time() const { return settings_.paced_line ? kQuiet : kNetworkQuiet; }

void SmlSession::opened(Instant now, SessionOut& out) {
  finder_.reset();
  arrivals_.clear();
  last_byte_ = now.mono;
  last_frame_ = now.mono;
  bytes_in_vain_ = 0;
  repeats_ = 0;
  state_ = pulls() ? State::idle : State::listening;
  deadline_ = now.mono + settings_.read_timeout;
  arm(now, out);
}

void SmlSession::begin(Instant now, SessionOut& out) {
  if (pulls()) {
    repeats_ = 0;
    send_request(now, out);
  }
  arm(now, out);
}

void SmlSession::send_request(Instant now, SessionOut& out) {
  finder_.reset();
  arrivals_.clear();
  out.actions.emplace_back(DiscardInput{});
  out.actions.emplace_back(WriteBytes{settings_.pull_sequence});
  if (out.wants(Level::debug))
    out.notes.push_back({Level::debug, fmt::format("sending pullsequenz send (len:{}).", settings_.pull_sequence.size())});
  state_ = State::awaiting_answer;
  last_frame_ = now.mono;
  bytes_in_vain_ = 0;
  deadline_ = now.mono + arrivals_.line_time(settings_.pull_sequence.size()) + settings_.read_timeout;
}

std::size_t SmlSession::received(std::span<const std::byte> bytes, Instant now, MonoTime previous, SessionOut& out) {
  last_byte_ = now.mono;
  if (state_ == State::idle) {  // nobody asked: line noise, or a late answer
    arm(now, out);
    return bytes.size();
  }
  if (state_ == State::before_repeat) {  // the rest of the damaged answer
    deadline_ = now.mono + settle_time();
    arm(now, out);
    return bytes.size();
  }
  arrivals_.remember(finder_.position(), bytes.size(), now.mono, previous);
  std::size_t used = 0;
  FrameEvent event;
  while (true) {
    const std::size_t taken = finder_.feed(bytes.subspan(used), event);
    used += taken;
    bytes_in_vain_ += taken;
    if (event.kind == FrameEvent::Kind::none) break;
    if (handle(event, now, out)) {
      arm(now, out);
      return used;
    }
    if (state_ == State::before_repeat || state_ == State::idle) {
      arm(now, out);
      return bytes.size();
    }
  }
  if (finder_.in_frame()) {
    deadline_ = now.mono + settings_.read_timeout;
  } else if (state_ == State::listening) {
    deadline_ = last_frame_ + settings_.read_timeout;  // bytes in which no telegram begins do not count
  }
  arm(now, out);
  return used;
}

/// Returns true if a telegram has ended, so that the worker is to look at the readings first.
bool SmlSession::handle(const FrameEvent& event, Instant now, SessionOut& out) {
  if (event.kind == FrameEvent::Kind::damaged) {
    on_damage(event, now, out);
    return false;
  }
  last_frame_ = now.mono;
  bytes_in_vain_ = 0;
  switch (read_frame(event, now.wall_at(arrivals_.at(event.offset)), out)) {
    case Outcome::telegram: on_telegram(event, now, out); return true;
    case Outcome::nothing: return false;  // the echo of a request, a greeting
    case Outcome::damaged: repeat_or_end(now, out); return false;
  }
  return false;
}

/// A frame can hold several messages; those with a wrong CRC are reported and the others used.
SmlSession::Outcome SmlSession::read_frame(const FrameEvent& event, WallTime arrival, SessionOut& out) {
  MessageReader messages(event.content);
  if (out.text != nullptr) *out.text = {};
  Outcome outcome = Outcome::nothing;
  const auto fault = [&](FaultKind kind, std::string detail) {
    out.faults.push_back({kind, std::move(detail)});
    if (outcome == Outcome::nothing) outcome = Outcome::damaged;
  };
  while (true) {
    switch (messages.next()) {
      case MessageReader::Step::end: return outcome;
      case MessageReader::Step::malformed:
        fault(FaultKind::grammar, "the telegram's CRC is right, but it does not consist of SML messages");
        return outcome;
      case MessageReader::Step::wrong_check:
        fault(FaultKind::check_value, fmt::format("CRC of a message inside the telegram: {:04X} computed, {:04X} received",
                                                  messages.wanted(), messages.received()));
        break;
      case MessageReader::Step::message:
        if (messages.tag() != kGetListResponse) break;
        ListReader list(messages.body());
        const bool whole = append_readings(list, settings_.mapping, arrival, out.readings, out.text);
        if (whole || !out.readings.empty()) outcome = Outcome::telegram;
        if (!whole) fault(FaultKind::grammar, "the telegram's CRC is right, but the list of registers is broken");
        break;
    }
  }
}

void SmlSession::on_telegram(const FrameEvent& event, Instant now, SessionOut& out) {
  frame_length_ = event.length;
  ++out.telegrams;
  if (out.wants(Level::debug)) note_readings(out);
  end_cycle(now, out);
}

void SmlSession::note_readings(SessionOut& out) const {
  for (const auto& reading : out.readings)
    out.notes.push_back({Level::debug, fmt::format("Parsed reading (OBIS code={}, value={}, unit={})", reading.identifier.text(),
                                                   reading.value, reading.unit.text())});
  out.notes.push_back({Level::debug, fmt::format("Read package with {} tuples", out.readings.size())});
}

void SmlSession::on_damage(const FrameEvent& event, Instant now, SessionOut& out) {
  std::string detail = event.reason;
  if (event.wanted != event.received)
    detail += fmt::format(": {:04X} computed, {:04X} received", event.wanted, event.received);
  out.faults.push_back({event.fault, std::move(detail)});
  last_frame_ = now.mono;
  bytes_in_vain_ = 0;
  // where another frame has begun already, it is the answer
  if (event.fault != FaultKind::truncated) repeat_or_end(now, out);
}

void SmlSession::repeat_or_end(Instant now, SessionOut& out) {
  if (state_ != State::awaiting_answer) return;
  if (repeats_ >= kMaxRepeats) {
    end_cycle(now, out);
    return;
  }
  state_ = State::before_repeat;
  deadline_ = now.mono + settle_time();
}

void SmlSession::end_cycle(Instant now, SessionOut& out) {
  out.cycle_done = true;
  out.not_before = now.mono;
  if (pulls()) {
    state_ = State::idle;
  } else {
    deadline_ = now.mono + settings_.read_timeout;
  }
}

void SmlSession::timer(Instant now, SessionOut& out) {
  if (now.mono >= deadline_) {
    switch (state_) {
      case State::idle: break;
      case State::before_repeat:
        ++repeats_;
        send_request(now, out);
        break;
      case State::awaiting_answer:
      case State::listening: report_silence(now, out); break;
    }
  }
  arm(now, out);
}

/// Nothing for read_timeout, or nothing of use.
void SmlSession::report_silence(Instant now, SessionOut& out) {
  const std::size_t in_vain = bytes_in_vain_;
  const double seconds = std::chrono::duration<double>(now.mono - last_frame_).count();
  FrameEvent event = finder_.idle();
  const bool begun = event.kind != FrameEvent::Kind::none;
  while (event.kind != FrameEvent::Kind::none) {
    if (handle(event, now, out)) return;
    finder_.feed({}, event);
    if (event.kind == FrameEvent::Kind::none) event = finder_.idle();
  }
  if (in_vain > 0 && !begun) {
    out.faults.push_back({FaultKind::grammar, fmt::format("{} bytes received, but no SML telegram begins in them; are the speed "
                                                          "and the protocol right?", in_vain)});
  } else if (pulls()) {
    if (!begun) out.faults.push_back({FaultKind::silence, fmt::format("no answer to the request within {:.1f} s", seconds)});
  } else {
    out.faults.push_back({FaultKind::silence, fmt::format("nothing received for more than {} seconds", settings_.read_timeout.count())});
  }
  bytes_in_vain_ = 0;
  last_frame_ = now.mono;
  end_cycle(now, out);
}

void SmlSession::lost(Instant now, SessionOut& out) {
  if (finder_.in_frame()) out.faults.push_back({FaultKind::truncated, "the line was lost inside a telegram"});
  finder_.reset();
  state_ = State::idle;
  out.cycle_done = true;
  out.not_before = now.mono;
}

/// Says when to be called again, and how long reads may be put off.
void SmlSession::arm(Instant now, SessionOut& out) {
  if (state_ == State::idle) {
    out.timer.reset();
    return;
  }
  out.timer = deadline_;
  if (!settings_.paced_line || state_ == State::before_repeat || !finder_.begun()) return;
  // Gather: until the end that the last telegram lets expect, or a handful of characters at a time.
  MonoTime until = now.mono + arrivals_.line_time(finder_.in_frame() ? kGatherCharacters : kStartLength);
  if (frame_length_ > 1 && finder_.in_frame()) {
    const MonoTime end = arrivals_.at(finder_.offset()) + arrivals_.line_time(frame_length_ - 1) + milliseconds{1};
    until = end > now.mono ? end : now.mono + arrivals_.line_time(2);
  }
  out.quiet_until = std::min(until, deadline_ - milliseconds{1});
}

}  // namespace vz::sml
