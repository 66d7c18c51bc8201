// SPDX-License-Identifier: GPL-3.0-or-later
#include "protocols/oms/session.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace vz::oms {
namespace {

using std::chrono::milliseconds;

constexpr std::byte kAcknowledgement{0xE5};
constexpr unsigned kStop = 0x16;
constexpr unsigned kBroadcast = 255;
constexpr unsigned kSelected = 253;

// Control fields, without the frame count bits.
constexpr unsigned kSendReset = 0x40;        // SND_NKE
constexpr unsigned kSendData = 0x43;         // SND_UD
constexpr unsigned kSendNoReply = 0x44;      // SND_NR
constexpr unsigned kAnswer = 0x08;           // RSP_UD
constexpr unsigned kRequest = 0x5B;          // REQ_UD2 with valid frame count bit
constexpr unsigned kFrameCountBit = 0x20;
constexpr unsigned kFrameCountValid = 0x10;
constexpr unsigned kCountBits = kFrameCountBit | kFrameCountValid;
constexpr unsigned kPrimary = 0x40;          // from the master

/// Longer than any gap inside a frame, USB and network included.
constexpr milliseconds kGap{500};
/// A repetition follows the frame within this time; the same frame later is a new one.
constexpr std::chrono::seconds kRepetition{5};
/// Before a repeated request the line has to be silent for this long.
constexpr milliseconds kQuiet{100};

}  // namespace

OmsSession::OmsSession(const OmsSettings& settings) : settings_(settings), reader_(settings.telegram) {
  arrivals_.set_line(settings_.line, settings_.paced_line);
}

/// 33 bit times are the longest pause that the standard allows inside a frame.
MonoDuration OmsSession::gap() const { return kGap + arrivals_.line_time(3); }

unsigned OmsSession::address() const { return settings_.secondary ? kSelected : *settings_.address; }

void OmsSession::opened(Instant now, SessionOut& out) {
  finder_.reset();
  arrivals_.clear();
  noise_ = 0;
  last_size_ = 0;
  linked_ = false;
  gathered_.clear();
  state_ = pulls() ? State::idle : State::listening;
  deadline_ = now.mono + settings_.read_timeout;
  arm(now, out);
}

void OmsSession::begin(Instant now, SessionOut& out) {
  if (pulls()) {
    finder_.reset();
    out.actions.emplace_back(DiscardInput{});
    gathered_.clear();
    frames_ = 0;
    good_ = 0;
    repeats_ = 0;
    noise_ = 0;
    if (linked_) start_requests(now, out);
    else send_reset(now, out);
  }
  arm(now, out);
}

std::size_t OmsSession::received(std::span<const std::byte> bytes, Instant now, MonoTime previous, SessionOut& out) {
  if (state_ == State::idle || state_ == State::before_repeat) {  // nobody asked; the rest of a damaged answer
    if (state_ == State::before_repeat) deadline_ = now.mono + kQuiet;
    arm(now, out);
    return bytes.size();
  }
  arrivals_.remember(finder_.position(), bytes.size(), now.mono, previous);
  std::size_t used = 0;
  LinkEvent event;
  while (true) {
    used += finder_.feed(bytes.subspan(used), event);
    noise_ += finder_.take_noise();
    if (event.kind == LinkEvent::Kind::none) break;
    if (handle(event, now, out)) {
      arm(now, out);
      return used;
    }
    if (state_ == State::before_repeat || state_ == State::idle) {
      arm(now, out);
      return bytes.size();
    }
  }
  frame_deadline_ = now.mono + gap();
  if (finder_.begun()) deadline_ = std::max(deadline_, frame_deadline_ + milliseconds{1});
  arm(now, out);
  return used;
}

/// Returns true if a telegram or a cycle has ended, so that the worker is to look at the readings first.
bool OmsSession::handle(const LinkEvent& event, Instant now, SessionOut& out) {
  if (out.wants(Level::debug)) note_frame(event, out);
  if (event.kind == LinkEvent::Kind::damaged) report_damage(event, out);
  return state_ == State::listening ? on_pushed(event, now, out) : on_answer(event, now, out);
}

void OmsSession::note_frame(const LinkEvent& event, SessionOut& out) const {
  if (event.kind != LinkEvent::Kind::long_frame && event.kind != LinkEvent::Kind::short_frame) return;
  std::string text = fmt::format("frame: control {:02X}, address {:02X}", event.control, event.address);
  if (!event.user_data.empty()) text += ", data ";
  for (const std::byte byte : event.user_data) fmt::format_to(std::back_inserter(text), "{:02X}", std::to_integer<unsigned>(byte));
  out.notes.push_back({Level::debug, std::move(text)});
}

void OmsSession::report_damage(const LinkEvent& event, SessionOut& out) const {
  std::string detail = event.reason;
  if (event.wanted != event.received) detail += fmt::format(": {:02X} computed, {:02X} received", event.wanted, event.received);
  out.faults.push_back({event.fault, std::move(detail)});
}

TelegramReader::Outcome OmsSession::read(const LinkEvent& event, Instant now, SessionOut& out) {
  noise_ = 0;
  return reader_.read(event.user_data, now.wall_at(arrivals_.at(event.offset)), out);
}

void OmsSession::write(std::span<const std::byte> bytes, Instant now, SessionOut& out) {
  out.actions.emplace_back(WriteBytes{bytes});
  deadline_ = now.mono + arrivals_.line_time(bytes.size()) + settings_.read_timeout;
}

void OmsSession::end_cycle(Instant now, SessionOut& out) {
  out.cycle_done = true;
  out.not_before = now.mono;
  if (pulls()) state_ = State::idle;
  else deadline_ = now.mono + settings_.read_timeout;
}

// The meter is the master ------------------------------------------------------------------------------------------

bool OmsSession::on_pushed(const LinkEvent& event, Instant now, SessionOut& out) {
  const unsigned function = event.control & ~kCountBits;
  switch (event.kind) {
    case LinkEvent::Kind::short_frame:
      if (event.control == kSendReset) {
        last_size_ = 0;
        acknowledge(event, now, out);
      }
      return false;
    case LinkEvent::Kind::long_frame: break;
    case LinkEvent::Kind::damaged: deadline_ = now.mono + settings_.read_timeout; return false;
    default: return false;
  }
  if (function != kSendData && event.control != kSendNoReply) return false;  // somebody else's conversation
  if (is_repeated(event, now)) {
    acknowledge(event, now, out);
    return false;
  }
  const auto outcome = read(event, now, out);
  if (outcome == TelegramReader::Outcome::refused) {
    deadline_ = now.mono + settings_.read_timeout;
    return false;
  }
  if (function == kSendData) {
    std::copy(event.user_data.begin(), event.user_data.end(), last_.begin());
    last_size_ = event.user_data.size();
    last_control_ = event.control;
    last_at_ = now.mono;
    acknowledge(event, now, out);
  }
  if (outcome == TelegramReader::Outcome::not_data) return false;
  ++out.telegrams;
  end_cycle(now, out);
  return true;
}

/// The frame count bit has not changed, nor anything else: our acknowledgement did not arrive.
bool OmsSession::is_repeated(const LinkEvent& event, Instant now) {
  if ((event.control & kFrameCountValid) == 0 || event.control != last_control_ || last_size_ == 0) return false;
  if (now.mono - last_at_ > kRepetition) return false;
  return std::equal(event.user_data.begin(), event.user_data.end(), last_.begin(), last_.begin() + static_cast<std::ptrdiff_t>(last_size_));
}

void OmsSession::acknowledge(const LinkEvent& event, Instant now, SessionOut& out) {
  if (event.address != kBroadcast) {
    output_[0] = kAcknowledgement;
    out.actions.emplace_back(WriteBytes{std::span<const std::byte>(output_).first(1)});
  }
  deadline_ = now.mono + settings_.read_timeout;
}

void OmsSession::report_silence(Instant now, SessionOut& out) {
  if (noise_ > 0)
    out.faults.push_back({FaultKind::grammar, fmt::format("{} bytes received that are no M-Bus frame; are the speed and the "
                                                          "protocol right?", noise_)});
  else
    out.faults.push_back({FaultKind::silence, fmt::format("nothing received for more than {} seconds", settings_.read_timeout.count())});
  noise_ = 0;
  end_cycle(now, out);
}

// We are the master ------------------------------------------------------------------------------------------------

void OmsSession::send_short(unsigned control, Instant now, SessionOut& out) {
  const unsigned bytes[] = {0x10, control, address(), (control + address()) & 0xFFU, kStop};
  std::transform(std::begin(bytes), std::end(bytes), output_.begin(), [](unsigned byte) { return static_cast<std::byte>(byte); });
  write(std::span<const std::byte>(output_).first(std::size(bytes)), now, out);
}

void OmsSession::send_reset(Instant now, SessionOut& out) {
  frame_count_bit_ = true;
  state_ = State::resetting;
  send_short(kSendReset, now, out);
}

/// SND_UD to the address of whoever is selected, with control information 52.
void OmsSession::send_selection(Instant now, SessionOut& out) {
  constexpr unsigned kLength = 11;
  constexpr unsigned kHead[] = {0x68, kLength, kLength, 0x68, 0x53, kSelected, 0x52};
  auto* at = std::transform(std::begin(kHead), std::end(kHead), output_.begin(), [](unsigned byte) { return static_cast<std::byte>(byte); });
  at = std::copy(settings_.secondary->begin(), settings_.secondary->end(), at);
  unsigned sum = 0;
  for (std::size_t i = 4; i < 4 + kLength; ++i) sum += std::to_integer<unsigned>(output_[i]);
  *at++ = static_cast<std::byte>(sum & 0xFFU);
  *at = static_cast<std::byte>(kStop);
  state_ = State::selecting;
  write(output_, now, out);
}

void OmsSession::send_request(Instant now, SessionOut& out) {
  state_ = State::requesting;
  send_short(kRequest | (frame_count_bit_ ? kFrameCountBit : 0U), now, out);
}

void OmsSession::start_requests(Instant now, SessionOut& out) {
  linked_ = true;
  repeats_ = 0;
  send_request(now, out);
}

bool OmsSession::on_answer(const LinkEvent& event, Instant now, SessionOut& out) {
  switch (event.kind) {
    case LinkEvent::Kind::damaged:
      if (state_ != State::requesting) return false;
      state_ = State::before_repeat;
      deadline_ = now.mono + kQuiet;
      return false;
    case LinkEvent::Kind::acknowledge:
      if (state_ == State::resetting && settings_.secondary) send_selection(now, out);
      else if (state_ == State::resetting || state_ == State::selecting) start_requests(now, out);
      else if (state_ == State::requesting) {
        out.faults.push_back({FaultKind::silence, "the meter answers that it has no data"});
        hand_over(now, out);
        return true;
      }
      return false;
    case LinkEvent::Kind::long_frame:
      if (state_ != State::requesting || (event.control & kPrimary) != 0) return false;  // an echo, or not ours
      return on_data(event, now, out);
    default: return false;
  }
}

bool OmsSession::on_data(const LinkEvent& event, Instant now, SessionOut& out) {
  constexpr unsigned kGeneral = 254;
  if ((event.control & 0x0FU) != kAnswer) return false;
  if (event.address != address() && address() != kSelected && address() != kGeneral) {
    out.faults.push_back({FaultKind::grammar, fmt::format("address {} answers instead of {}", event.address, address())});
    hand_over(now, out);
    return true;
  }
  const auto outcome = read(event, now, out);
  // the next request is the acknowledgement, also of a frame that makes no sense to us: it came undamaged
  frame_count_bit_ = !frame_count_bit_;
  repeats_ = 0;
  ++frames_;
  if (outcome == TelegramReader::Outcome::telegram) {
    ++good_;
    std::move(out.readings.begin(), out.readings.end(), std::back_inserter(gathered_));
    out.readings.clear();
    if (reader_.more_follows() && frames_ < kMostFrames) {
      send_request(now, out);
      return false;
    }
  }
  hand_over(now, out);
  return true;
}

/// The cycle is over; what was read is one telegram.
void OmsSession::hand_over(Instant now, SessionOut& out) {
  out.readings.swap(gathered_);
  gathered_.clear();
  if (good_ > 0) ++out.telegrams;
  good_ = 0;
  end_cycle(now, out);
}

/// No answer, or none that is any good.
void OmsSession::try_again(Instant now, SessionOut& out, std::string why) {
  const bool none_selected = state_ == State::resetting && settings_.secondary;  // then nobody answers to a reset
  if (repeats_ < kMaxRepeats && !none_selected) {
    ++repeats_;
    switch (state_) {
      case State::resetting: send_reset(now, out); return;
      case State::selecting: send_selection(now, out); return;
      default: send_request(now, out); return;
    }
  }
  if (state_ == State::resetting) {  // there are meters that do not answer to it, and read all the same
    if (settings_.secondary) {
      repeats_ = 0;
      send_selection(now, out);
    } else {
      start_requests(now, out);
      repeats_ = kMaxRepeats;
    }
    return;
  }
  if (!why.empty()) out.faults.push_back({FaultKind::silence, std::move(why)});
  linked_ = false;
  hand_over(now, out);
}

// Time -------------------------------------------------------------------------------------------------------------

void OmsSession::on_silence_in_frame(Instant now, SessionOut& out) {
  LinkEvent event = finder_.idle();
  while (true) {
    noise_ += finder_.take_noise();
    if (event.kind != LinkEvent::Kind::none) {
      if (handle(event, now, out) || state_ == State::before_repeat || state_ == State::idle) return;
    }
    finder_.feed({}, event);
    if (event.kind == LinkEvent::Kind::none) {
      if (!finder_.begun()) return;
      event = finder_.idle();
    }
  }
}

void OmsSession::timer(Instant now, SessionOut& out) {
  if (state_ != State::idle && state_ != State::before_repeat && finder_.begun() && now.mono >= frame_deadline_)
    on_silence_in_frame(now, out);
  if (!out.cycle_done && now.mono >= deadline_) {
    const auto seconds = settings_.read_timeout.count();
    switch (state_) {
      case State::idle: break;
      case State::listening: report_silence(now, out); break;
      case State::before_repeat: try_again(now, out, {}); break;
      case State::selecting: try_again(now, out, fmt::format("no meter answers to the secondary address within {} s", seconds)); break;
      case State::resetting:
      case State::requesting:
        try_again(now, out,
                  noise_ > 0 ? fmt::format("{} bytes received that are no M-Bus frame; are the speed and the protocol right?", noise_)
                             : fmt::format("no answer from address {} within {} s", address(), seconds));
        break;
    }
  }
  arm(now, out);
}

void OmsSession::lost(Instant now, SessionOut& out) {
  if (finder_.begun()) out.faults.push_back({FaultKind::truncated, "the line was lost inside a frame"});
  finder_.reset();
  linked_ = false;
  out.readings.swap(gathered_);
  gathered_.clear();
  if (good_ > 0) ++out.telegrams;
  good_ = 0;
  state_ = State::idle;
  out.cycle_done = true;
  out.not_before = now.mono;
}

/// Says when to be called again, and how long reads may be put off.
void OmsSession::arm(Instant now, SessionOut& out) {
  if (state_ == State::idle) {
    out.timer.reset();
    return;
  }
  out.timer = deadline_;
  if (state_ == State::before_repeat || !finder_.begun()) return;
  out.timer = std::min(deadline_, frame_deadline_);
  if (settings_.paced_line)
    out.quiet_until = std::min(now.mono + arrivals_.line_time(finder_.missing()), *out.timer - milliseconds{1});
}

}  // namespace vz::oms
