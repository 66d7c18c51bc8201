// SPDX-License-Identifier: GPL-3.0-or-later
#include "protocols/d0/session.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "protocols/d0/telegram.hpp"

namespace vz::d0 {
namespace {

using std::chrono::milliseconds;

constexpr std::byte kNak{0x15};
/// Longest reaction time and longest gap between characters are 1.5 s, the meter's own wait for an acknowledge is up to
/// 2.2 s (clause 6.4.3): a meter that was fast before is given this long.
constexpr milliseconds kStandardLimit{2800};
/// An acknowledge later than 1.5 s behind the identification is none.
constexpr milliseconds kLatestAck{1400};
/// So soon after a readout no answer is no reason for alarm: no meter is known to be deaf for longer.
constexpr milliseconds kDeaf{8000};
/// A meter that ignored a NAK is tried with one again after so many readouts.
constexpr unsigned kNakRest = 200;
/// The bytes of an adapter's buffer leave a little later than its driver believes.
constexpr milliseconds kAdapterMargin{8};
/// A line is silent when nothing came for this many character times, and at least for kQuiet.
constexpr std::size_t kSilentCharacters = 4;
constexpr milliseconds kQuiet{30};
/// How long a TCP peer may pause inside what it forwards.
constexpr milliseconds kNetworkQuiet{250};
/// Reads inside a block whose length is not known yet are gathered for this many characters.
constexpr std::size_t kGatherCharacters = 40;
/// ... and never longer than this: a tty holds 4095, and behind that an adapter drops what comes.
constexpr std::size_t kMostGathered = 1024;
/// Runs of NUL at least this long in a pull sequence wake up a battery-powered meter.
constexpr std::ptrdiff_t kWakeUpNuls = 10;
/// A run at the front that is this long is the wake-up message of the standard (annex B: 2.1 to 2.3 s of NUL), which wants
/// a pause of 1.5 to 1.7 s before the request. Shorter ones are what users found out for their meter: sent as they are.
constexpr std::size_t kStandardWakeUp = 60;
constexpr milliseconds kWakeUpPause{1600};
/// A serial line that is silent for so long inside an encrypted telegram has lost a part of it.
constexpr milliseconds kFrameGap{300};

struct Speed {
  char id;
  unsigned baud;
};
void begin_text(const Identification& id, TelegramText& text) {
  text.identification.clear();
  if (!id.vendor.empty()) text.identification = fmt::format("/{}{}{}", id.vendor, id.baud, id.text);
  text.registers.clear();
}

constexpr Speed kModeC[] = {{'0', 300}, {'1', 600}, {'2', 1200}, {'3', 2400}, {'4', 4800}, {'5', 9600}, {'6', 19200}};
constexpr Speed kModeB[] = {{'A', 600}, {'B', 1200}, {'C', 2400}, {'D', 4800}, {'E', 9600}, {'F', 19200}};

/// Length of the standard's wake-up message at the front of a pull sequence; 0: none.
std::size_t wake_up_length(std::span<const std::byte> sequence) {
  const auto end = std::find_if(sequence.begin(), sequence.end(), [](std::byte b) { return b != std::byte{0}; });
  const auto nuls = static_cast<std::size_t>(end - sequence.begin());
  return nuls >= kStandardWakeUp && nuls < sequence.size() ? nuls : 0;
}

template <std::size_t N>
unsigned speed(const Speed (&table)[N], char id) {
  for (const auto& row : table)
    if (row.id == id) return row.baud;
  return 0;
}

/// 0-0:1.0.0, with or without the groups that may be left out.
bool is_clock(const Obis& code) {
  const auto& g = code.groups;
  return g[2] == 1 && g[3] == 0 && g[4] == 0 && (g[0] == 0 || g[0] == 255) && (g[1] == 0 || g[1] == 255) && g[5] == 255;
}

/// What a P1 meter has from a meter on its M-Bus: 0-1:24.2.1 and the like.
bool is_from_other_meter(const Obis& code) {
  const auto& g = code.groups;
  return g[0] == 0 && g[1] >= 1 && g[1] <= 9 && g[2] == 24 && g[3] == 2;
}

}  // namespace

D0Session::D0Session(D0Settings settings)
    : settings_(std::move(settings)),
      decoder_(settings_.checksum, settings_.line.format != CharacterFormat::n8),
      line_(settings_.line) {
  if (settings_.key && !pulls()) cipher_.emplace(*settings_.key, settings_.authentication_key);
}

unsigned D0Session::max_repeats() const {
  const auto nuls = std::count(settings_.pull_sequence.begin(), settings_.pull_sequence.end(), std::byte{0});
  return nuls >= kWakeUpNuls ? 1 : 2;
}

/// How long to wait for the first byte of an answer. A meter that has answered before, and every time since, is known:
/// after a silence, and on a network, it gets all the time that is configured.
MonoDuration D0Session::answer_limit() const { return known_limit(slowest_answer_); }

/// How long the line may be silent inside a message.
MonoDuration D0Session::gap_limit() const { return known_limit(longest_gap_); }

MonoDuration D0Session::known_limit(MonoDuration slowest) const {
  const MonoDuration configured = settings_.read_timeout;
  if (!quick_ || !settings_.paced_line) return configured;
  return std::min<MonoDuration>(configured, std::max<MonoDuration>(kStandardLimit, 2 * slowest));
}

void D0Session::opened(Instant now, SessionOut& out) {
  decoder_.reset();
  arrivals_.clear();
  line_ = settings_.line;
  arrivals_.set_line(line_, settings_.paced_line);
  last_byte_ = now.mono;
  state_ = pulls() ? State::idle : State::listening;
  repeats_ = 0;
  readout_end_.reset();
  deadline_ = now.mono + settings_.read_timeout;
  if (cipher_) cipher_->reset();
  last_frame_ = now.mono;
  bytes_in_vain_ = 0;
  arm(now, out);
}

void D0Session::begin(Instant now, SessionOut& out) {
  if (!pulls()) {
    arm(now, out);
    return;
  }
  repeats_ = 0;
  send_request(now, out);
  arm(now, out);
}

void D0Session::change_line(unsigned baud, SessionOut& out) {
  if (baud == 0 || line_.baud == baud) return;
  line_.baud = baud;
  arrivals_.set_line(line_, settings_.paced_line);
  out.actions.emplace_back(SetLine{line_});
}

void D0Session::send_request(Instant now, SessionOut& out) {
  change_line(settings_.line.baud, out);
  if (settings_.change_delay > milliseconds{0} && state_ != State::before_request && state_ != State::waking) {
    state_ = State::before_request;
    deadline_ = now.mono + settings_.change_delay;
    return;
  }
  decoder_.reset();
  arrivals_.clear();
  out.actions.emplace_back(DiscardInput{});
  const std::span<const std::byte> sequence = settings_.pull_sequence;
  const std::size_t wake_up = wake_up_length(sequence);
  if (wake_up > 0 && state_ != State::waking) {
    out.actions.emplace_back(WriteBytes{sequence.first(wake_up)});
    state_ = State::waking;
    deadline_ = now.mono + arrivals_.line_time(wake_up) + kWakeUpPause;
    return;
  }
  const auto request = sequence.subspan(wake_up);
  out.actions.emplace_back(WriteBytes{request});
  if (out.wants(Level::debug))
    out.notes.push_back({Level::debug, fmt::format("sending pullsequenz send (len:{}).", request.size())});
  state_ = State::awaiting_answer;
  since_request_ = 0;
  repeat_pending_ = false;
  request_sent_ = now.mono;
  transmitted_ = now.mono + arrivals_.line_time(request.size());
  deadline_ = transmitted_ + answer_limit();
}

void D0Session::on_identification(const D0Event& event, Instant now, SessionOut& out) {
  const auto& id = event.identification;
  if (out.wants(Level::debug))
    out.notes.push_back({Level::debug, fmt::format("Pull answer (vendor={}, baudrate={}, identification={})", id.vendor,
                                                   id.baud, id.text)});
  fast_ = id.fast();
  meter_baud_ = id.baud;
  if (state_ == State::awaiting_answer) {
    slowest_answer_ = std::max(slowest_answer_, arrivals_.at(decoder_.position() - id.text.size() - 6) - transmitted_);
    if (readout_end_) learner_.answered(std::chrono::duration_cast<PauseLearner::Duration>(request_sent_ - *readout_end_));
  } else if (state_ != State::listening) {
    return;  // repeated by the meter, or an echo
  }
  if (settings_.acknowledge != D0Settings::Acknowledge::none) {
    const bool mode_c = meter_baud_ >= '0' && meter_baud_ <= '9';
    if (settings_.acknowledge == D0Settings::Acknowledge::fixed || mode_c) {
      state_ = State::before_ack;
      // the line feed of the identification is still to come; if it does not, the line end was a single character
      latest_ack_ = now.mono + kLatestAck;
      deadline_ = last_byte_ + arrivals_.line_time(1) + reaction();
      return;
    }
  }
  if (state_ == State::listening) return;
  state_ = State::awaiting_block;
  deadline_ = now.mono + gap_limit();
  transmitted_ = last_byte_;
  if (const unsigned baud = speed(kModeB, meter_baud_)) {  // its line feed is still on the line at the old speed
    next_baud_ = settings_.baud_read.value_or(baud);
    state_ = State::changing_speed;
    deadline_ = last_byte_ + arrivals_.line_time(2);
  }
}

void D0Session::send_acknowledge(Instant now, SessionOut& out) {
  std::span<const std::byte> bytes = settings_.ack_sequence;
  next_baud_ = settings_.baud_read.value_or(settings_.line.baud);
  if (settings_.acknowledge == D0Settings::Acknowledge::automatic) {
    const unsigned own = speed(kModeC, meter_baud_);
    const char z = own != 0 ? meter_baud_ : '0';
    next_baud_ = own != 0 ? own : settings_.line.baud;
    constexpr char kFrame[] = "\x06" "0?0\r\n";
    for (std::size_t i = 0; i < ack_.size(); ++i) ack_[i] = static_cast<std::byte>(kFrame[i] == '?' ? z : kFrame[i]);
    bytes = ack_;
  }
  out.actions.emplace_back(WriteBytes{bytes});
  if (out.wants(Level::debug))
    out.notes.push_back({Level::debug, fmt::format("Sending ack sequence send (len:{}), then {} baud.", bytes.size(), next_baud_)});
  const MonoDuration sending = arrivals_.line_time(bytes.size());
  transmitted_ = now.mono + sending;
  state_ = State::changing_speed;
  deadline_ = now.mono + std::max<MonoDuration>(settings_.change_delay, sending + kAdapterMargin);
}

void D0Session::send_repeat_request(Instant now, SessionOut& out) {
  decoder_.reset();
  out.actions.emplace_back(DiscardInput{});
  out.actions.emplace_back(WriteBytes{{&kNak, 1}});
  transmitted_ = now.mono + arrivals_.line_time(1);
  repeat_pending_ = true;
  state_ = State::awaiting_block;
  deadline_ = transmitted_ + std::min<MonoDuration>(kStandardLimit, answer_limit());
}

/// Whether the head of an encrypted telegram (glo_cipher.hpp) ends in these bytes. Asked until the first good telegram.
bool D0Session::looks_encrypted(std::span<const std::byte> bytes) {
  bool found = false;
  for (const std::byte byte : bytes) {
    if (head_size_ == 0 && byte != std::byte{0xDB}) continue;
    head_[head_size_++] = byte;
    if (head_size_ == 2 && byte != std::byte{8}) head_size_ = 0;
    if (head_size_ < head_.size()) continue;
    found = found || (head_[10] == std::byte{0x82} && (head_[13] & ~std::byte{0x11}) == std::byte{0x20});
    head_size_ = 0;
  }
  return found;
}

std::size_t D0Session::received(std::span<const std::byte> bytes, Instant now, MonoTime previous, SessionOut& out) {
  if (cipher_) return received_encrypted(bytes, now, previous, out);
  arrivals_.remember(decoder_.position(), bytes.size(), now.mono, previous);
  const std::uint64_t position = decoder_.position();
  const bool was_inside = decoder_.in_block();
  const bool first_of_block = state_ == State::awaiting_block && !was_inside;
  last_byte_ = now.mono;
  since_request_ += bytes.size();
  if (state_ == State::idle || state_ == State::before_request || state_ == State::waking) {  // nobody asked: line noise, or a late answer
    arm(now, out);
    return bytes.size();
  }
  if (state_ == State::before_repeat) {
    settle_line(now);
    arm(now, out);
    return bytes.size();
  }
  if (message_length_ == 0 && state_ == State::listening && settings_.line.format == CharacterFormat::n8 && looks_encrypted(bytes))
    out.faults.push_back({FaultKind::encryption, "the meter's telegrams are encrypted; set key (your grid operator has it)"});
  std::size_t used = 0;
  D0Event event;
  while (true) {
    used += decoder_.feed(bytes.subspan(used), event);
    if (event.kind == D0Event::Kind::none) break;
    if (handle(event, now, out)) {
      arm(now, out);
      return used;
    }
    if (state_ == State::before_repeat || state_ == State::idle) {
      used = bytes.size();
      break;
    }
  }
  if (first_of_block && decoder_.in_block())
    slowest_answer_ = std::max(slowest_answer_, arrivals_.at(decoder_.block_offset()) - transmitted_);
  if (state_ == State::before_ack) {
    if (decoder_.in_block()) {  // the meter did not wait for an acknowledge
      state_ = State::awaiting_block;
    } else if (now.mono < deadline_) {
      deadline_ = std::min(latest_ack_, std::max(deadline_, last_byte_ + reaction()));
    }
  }
  const bool inside = decoder_.in_block() || decoder_.in_identification();
  if (state_ == State::listening || ((state_ == State::awaiting_block || state_ == State::awaiting_answer) && inside)) {
    if (was_inside && previous > MonoTime{}) longest_gap_ = std::max(longest_gap_, arrivals_.at(position) - previous);
    deadline_ = now.mono + gap_limit();
  }
  arm(now, out);
  return used;
}

/// Returns true if a telegram has ended, so that the worker is to look at the readings first.
bool D0Session::handle(const D0Event& event, Instant now, SessionOut& out) {
  switch (event.kind) {
    case D0Event::Kind::none: return false;
    case D0Event::Kind::identification: on_identification(event, now, out); return false;
    case D0Event::Kind::telegram:
      return on_telegram(event, now.wall_at(arrivals_.at(event.block_offset)), false, now, out);
    case D0Event::Kind::damaged: on_damage(event, now, out); return false;
  }
  return false;
}

/// `authentic`: an authentication tag vouches for the telegram.
bool D0Session::on_telegram(const D0Event& event, WallTime stamp, bool authentic, Instant now, SessionOut& out) {
  const bool checked = event.check != CheckValue::none && !event.check_wrong;
  const bool vouched = authentic || checked;
  DataBlockReader reader(event.block, vouched ? Grammar::lenient : Grammar::strict);
  if (out.text != nullptr) begin_text(event.identification, *out.text);
  std::size_t sets = 0;
  std::optional<WallTime> clock;
  own_times_.clear();
  DataSet set;
  while (reader.next(set)) {
    ++sets;
    if (out.text != nullptr)
      out.text->registers.push_back({std::string{set.address}, std::string{set.value}, std::string{set.unit}});
    if (set.value.size() == kP1TimeLength && set.code && is_clock(*set.code)) clock = p1_time(set.value);
    if (!set.code || !out.wants(*set.code)) continue;
    const auto value = number(set.value);
    if (out.wants(Level::debug))
      out.notes.push_back({Level::debug, fmt::format("{} reading (OBIS code={}, value={}, unit={})", value ? "Parsed" : "Ignored",
                                                     set.address, set.value, set.unit)});
    if (!value) continue;
    Reading& reading = out.readings.emplace_back();
    reading.identifier = Identifier{*set.code};
    reading.value = *value;
    reading.unit = Unit{set.unit};
    reading.stamp = stamp;
    if (!set.stamp.empty() && is_from_other_meter(*set.code) && own_times_.size() < kMaxCaptures) {
      if (const auto taken = p1_time(set.stamp)) own_times_.push_back({out.readings.size() - 1, *taken});
    }
  }
  const char* wrong = reader.violation();
  if (wrong == nullptr && event.check == CheckValue::bcc && !reader.closed()) wrong = "no '!' before ETX";
  if (wrong == nullptr && sets == 0) wrong = "no data set in it";
  if (wrong != nullptr) {
    out.readings.clear();
    D0Event damaged = event;
    damaged.kind = D0Event::Kind::damaged;
    damaged.fault = FaultKind::grammar;
    damaged.reason = wrong;
    on_damage(damaged, now, out);
    return false;
  }
  if (event.check_wrong)
    out.faults.push_back({FaultKind::check_value, fmt::format("{}; used all the same, as configured (checksum)", event.reason)});
  meter_time_used_ = false;
  if (clock && vouched && !settings_.use_local_time) use_meter_time(*clock, stamp, out);
  if (vouched) {
    if (checked) decoder_.confirm_check();
    if (settings_.checksum != ChecksumMode::automatic) gate_.observe(out.readings);
  } else {
    if (const unsigned refused = gate_.filter(out.readings); refused > 0)
      out.faults.push_back({FaultKind::implausible, fmt::format("{} counter value(s) not confirmed by the next telegram", refused)});
  }
  if (meter_time_used_) drop_repeated_captures(*clock, out.readings);
  if (out.wants(Level::debug))
    out.notes.push_back({Level::debug, fmt::format("Read package with {} tuples (vendor={}, baudrate={}, identification={})",
                                                   sets, event.identification.vendor, event.identification.baud,
                                                   event.identification.text)});
  saw_check_ = saw_check_ || checked;
  quick_ = true;
  nak_rest_ -= nak_rest_ > 0 ? 1 : 0;
  block_length_ = static_cast<std::size_t>(decoder_.position() - event.block_offset);
  message_length_ = static_cast<std::size_t>(decoder_.position() - event.message_offset);
  note_readout_end();
  ++out.telegrams;
  end_cycle(now, out);
  return true;
}

/// The meter's clock, if it can be right, stamps its own values; what it has from another meter carries its own time.
void D0Session::use_meter_time(WallTime clock, WallTime arrival, SessionOut& out) {
  if (std::chrono::abs(clock - arrival) > kPlausible) return;
  meter_time_used_ = true;
  for (auto& reading : out.readings) reading.stamp = clock;
  for (const auto& own : own_times_)
    if (own.at <= clock + kPlausible && own.at >= clock - kOldestCapture) out.readings[own.reading].stamp = own.at;
}

/// A meter repeats what it has from another one until it gets the next value: that is one reading, not one a second.
void D0Session::drop_repeated_captures(WallTime clock, std::vector<Reading>& readings) {
  std::erase_if(readings, [&](const Reading& reading) {
    const Obis& code = *reading.identifier.obis();
    if (!is_from_other_meter(code) || reading.stamp == clock) return false;
    for (auto& capture : captures_) {
      if (capture.code != code) continue;
      if (capture.at == reading.stamp && capture.value == reading.value) return true;
      capture = {code, reading.stamp, reading.value};
      return false;
    }
    if (captures_.size() < kMaxCaptures) captures_.push_back({code, reading.stamp, reading.value});
    return false;
  });
}

std::size_t D0Session::received_encrypted(std::span<const std::byte> bytes, Instant now, MonoTime previous, SessionOut& out) {
  arrivals_.remember(cipher_->position(), bytes.size(), now.mono, previous);
  last_byte_ = now.mono;
  bytes_in_vain_ += bytes.size();
  std::size_t used = 0;
  GloEvent event;
  while (true) {
    used += cipher_->feed(bytes.subspan(used), event);
    if (event.kind == GloEvent::Kind::none) break;
    if (on_frame(event, now, out)) break;
  }
  arm_encrypted(now, out);
  return used;
}

/// Returns true if a telegram has ended, so that the worker is to look at the readings first.
bool D0Session::on_frame(const GloEvent& event, Instant now, SessionOut& out) {
  last_frame_ = now.mono;
  bytes_in_vain_ = 0;
  if (event.kind == GloEvent::Kind::damaged) {
    out.faults.push_back({event.fault, event.reason});
    return false;
  }
  const WallTime stamp = now.wall_at(arrivals_.at(event.offset));
  const std::size_t faults = out.faults.size();
  decoder_.reset();
  bool ended = false;
  D0Event inner;
  for (std::span<const std::byte> text = event.text; !ended;) {
    text = text.subspan(decoder_.feed(text, inner));
    if (inner.kind == D0Event::Kind::none) inner = decoder_.idle();
    if (inner.kind == D0Event::Kind::none) break;
    if (inner.kind == D0Event::Kind::damaged) on_damage(inner, now, out);
    if (inner.kind != D0Event::Kind::telegram) continue;
    if (!event.authentic && inner.check == CheckValue::none) {
      out.faults.push_back({FaultKind::encryption, "nothing vouches for what was decrypted; set auth_key (your grid operator has it)"});
      break;
    }
    ended = on_telegram(inner, stamp, event.authentic, now, out);
  }
  decoder_.reset();
  if (!ended && !event.authentic) cipher_->refuse();
  if (!ended && out.faults.size() == faults)
    out.faults.push_back({FaultKind::encryption, "what was decrypted is no telegram; is the key this meter's?"});
  return ended;
}

void D0Session::on_frame_silence(Instant now, SessionOut& out) {
  const std::size_t in_vain = bytes_in_vain_;
  bool begun = false;
  for (GloEvent event = cipher_->idle(); event.kind != GloEvent::Kind::none;) {
    begun = true;
    if (on_frame(event, now, out)) return;
    cipher_->feed({}, event);
    if (event.kind == GloEvent::Kind::none) event = cipher_->idle();
  }
  if (begun || now.mono < last_frame_ + settings_.read_timeout) return;
  if (in_vain > 0)
    out.faults.push_back({FaultKind::grammar, fmt::format("{} bytes received, but no encrypted telegram begins in them; is the speed right? A "
                                                          "meter that sends readable text needs no key", in_vain)});
  else
    out.faults.push_back({FaultKind::silence, fmt::format("nothing received for more than {} seconds", settings_.read_timeout.count())});
  out.cycle_done = true;
  last_frame_ = now.mono;
  bytes_in_vain_ = 0;
}

void D0Session::arm_encrypted(Instant now, SessionOut& out) {
  deadline_ = last_frame_ + settings_.read_timeout;
  if (cipher_->in_frame() && settings_.paced_line) deadline_ = std::min<MonoTime>(deadline_, last_byte_ + kFrameGap);
  if (deadline_ <= now.mono) deadline_ = now.mono + settings_.read_timeout;
  out.timer = deadline_;
  if (settings_.paced_line && cipher_->missing() > 1)
    out.quiet_until = std::min(now.mono + arrivals_.line_time(std::min(cipher_->missing(), kMostGathered)), deadline_ - milliseconds{1});
}

void D0Session::on_damage(const D0Event& event, Instant now, SessionOut& out) {
  std::string detail = event.reason;
  if (event.wanted != event.received)
    detail += fmt::format(": {0:0{2}X} computed, {1:0{2}X} received", event.wanted, event.received,
                          event.check == CheckValue::crc16 ? 4 : 2);
  note_readout_end();
  had_etx_ = event.fault != FaultKind::truncated && event.fault != FaultKind::oversized && event.check == CheckValue::bcc;
  fail(event.fault, std::move(detail), now, out);
}

/// A readout failed: asks again if it may, else ends the cycle.
void D0Session::fail(FaultKind kind, std::string detail, Instant now, SessionOut& out) {
  out.faults.push_back({kind, std::move(detail)});
  if (kind == FaultKind::silence) quick_ = false;
  if (!pulls()) {
    change_line(settings_.line.baud, out);
    state_ = State::listening;
    deadline_ = now.mono + settings_.read_timeout;
    return;
  }
  if (kind == FaultKind::silence || repeats_ >= max_repeats()) {
    end_cycle(now, out);
    return;
  }
  state_ = State::before_repeat;
  settle_until_ = now.mono + settings_.read_timeout;
  deadline_ = MonoTime{};
  settle_line(now);
}

/// A data message has come to its end, right or damaged: from here the meter's pause counts.
void D0Session::note_readout_end() {
  readout_end_ = last_byte_;
}

/// Before a repetition the line must be silent: the rest of the damaged message may still be coming. Noise without a
/// pause holds it up for no longer than the read timeout. A new request keeps the meter's pause, too.
void D0Session::settle_line(Instant now) {
  const MonoDuration quiet =
      settings_.paced_line ? std::max<MonoDuration>(kQuiet, arrivals_.line_time(kSilentCharacters)) : kNetworkQuiet;
  deadline_ = std::max(deadline_, now.mono + std::max<MonoDuration>(quiet, reaction()));
  if (!repeats_by_nak() && readout_end_) deadline_ = std::max(deadline_, *readout_end_ + learner_.pause());
  deadline_ = std::min(deadline_, std::max(settle_until_, now.mono));
}

bool D0Session::repeats_by_nak() const { return had_etx_ && saw_check_ && nak_rest_ == 0; }

void D0Session::end_cycle(Instant now, SessionOut& out) {
  out.cycle_done = true;
  out.not_before = now.mono;
  if (!pulls()) {
    change_line(settings_.line.baud, out);
    state_ = State::listening;
    return;
  }
  state_ = State::idle;
  if (!out.faults.empty()) out.not_before += kQuiet;  // what is left of a damaged message may still be coming
  if (readout_end_) out.not_before = std::max(out.not_before, *readout_end_ + learner_.pause());
}

void D0Session::timer(Instant now, SessionOut& out) {
  if (cipher_) {
    if (now.mono >= deadline_) on_frame_silence(now, out);
    arm_encrypted(now, out);
    return;
  }
  if (now.mono >= deadline_ || (decoder_.in_tail() && now.mono >= last_byte_ + arrivals_.line_time(kSilentCharacters))) {
    switch (state_) {
      case State::idle: break;
      case State::before_request:
      case State::waking: send_request(now, out); break;
      case State::before_ack: send_acknowledge(now, out); break;
      case State::changing_speed:
        change_line(next_baud_, out);
        state_ = State::awaiting_block;
        deadline_ = transmitted_ + answer_limit();
        break;
      case State::before_repeat:
        ++repeats_;
        if (repeats_by_nak()) {
          send_repeat_request(now, out);
        } else {
          send_request(now, out);
        }
        break;
      case State::awaiting_answer:
      case State::awaiting_block:
      case State::listening: on_silence(now, out); break;
    }
  }
  arm(now, out);
}

void D0Session::on_silence(Instant now, SessionOut& out) {
  bool ended = false;
  D0Event event = decoder_.idle();
  while (event.kind != D0Event::Kind::none && !ended) {
    ended = handle(event, now, out);
    if (state_ == State::before_repeat || state_ == State::idle) return;
    decoder_.feed({}, event);
    if (event.kind == D0Event::Kind::none) event = decoder_.idle();
  }
  if (ended || !out.faults.empty()) return;
  if (state_ == State::listening) {
    if (now.mono >= deadline_ && now.mono >= last_byte_ + settings_.read_timeout) {
      out.faults.push_back({FaultKind::silence, fmt::format("nothing received for more than {} seconds", settings_.read_timeout.count())});
      out.cycle_done = true;
      last_byte_ = now.mono;
    }
    deadline_ = last_byte_ + settings_.read_timeout;
    return;
  }
  if (repeat_pending_) {  // the meter does not know NAK: ask from the start
    nak_rest_ = kNakRest;
    repeat_pending_ = false;
    send_request(now, out);
    return;
  }
  if (state_ == State::awaiting_answer && since_request_ > settings_.pull_sequence.size()) {  // more than an echo
    had_etx_ = false;
    fail(FaultKind::grammar, "what came after the request is no identification", now, out);
    return;
  }
  if (state_ == State::awaiting_answer && readout_end_ && deaf(request_sent_ - *readout_end_)) {
    // asked too soon: not a fault of the meter or the line
    if (out.wants(Level::debug))
      out.notes.push_back({Level::debug, fmt::format("no answer {} ms after the last readout; the pause is now {} ms",
                                                     std::chrono::duration_cast<milliseconds>(request_sent_ - *readout_end_).count(),
                                                     learner_.pause().count())});
    if (repeats_ > 0) send_request(now, out);
    else end_cycle(now, out);
    return;
  }
  const char* what = state_ == State::awaiting_answer ? "no identification after the request" : "no data after the identification";
  fail(FaultKind::silence,
       fmt::format("{} within {:.1f} s", what, std::chrono::duration<double>(now.mono - transmitted_).count()), now, out);
}

/// Whether a meter that did not answer a request sent so long after a readout may just not have been ready.
bool D0Session::deaf(MonoDuration elapsed) {
  const auto pause = std::chrono::duration_cast<PauseLearner::Duration>(elapsed);
  const bool learned = learner_.ignored(pause);
  return learned || pause < kDeaf;
}

void D0Session::lost(Instant now, SessionOut& out) {
  if (decoder_.in_block()) out.faults.push_back({FaultKind::truncated, "the line was lost inside the data block"});
  if (cipher_ && cipher_->in_frame()) out.faults.push_back({FaultKind::truncated, "the line was lost inside an encrypted telegram"});
  if (cipher_) cipher_->reset();
  decoder_.reset();
  state_ = State::idle;
  out.cycle_done = true;
  out.not_before = now.mono;
}

/// Says when to be called again, and how long reads may be put off.
void D0Session::arm(Instant now, SessionOut& out) {
  if (state_ == State::idle) {
    out.timer.reset();
    return;
  }
  out.timer = deadline_;
  if (decoder_.in_tail()) {
    const MonoDuration quiet = settings_.paced_line ? std::max<MonoDuration>(kQuiet, arrivals_.line_time(kSilentCharacters)) : kNetworkQuiet;
    out.timer = std::min(deadline_, last_byte_ + quiet);
    deadline_ = *out.timer;
    return;
  }
  if (!settings_.paced_line || (state_ != State::listening && state_ != State::awaiting_block)) return;
  if (!decoder_.in_block() && !(state_ == State::listening && decoder_.in_identification())) return;
  // Gather: until the end that the last telegram lets expect, or a handful of characters at a time. One that a meter
  // sends by itself is known from its identification on.
  const bool block = decoder_.in_block();
  const std::size_t length = block ? block_length_ : message_length_;
  MonoTime until = now.mono + arrivals_.line_time(kGatherCharacters);
  if (length > 1) {
    const MonoTime end =
        arrivals_.at(block ? decoder_.block_offset() : decoder_.message_offset()) + arrivals_.line_time(length - 1) + milliseconds{1};
    until = end > now.mono ? end : now.mono + arrivals_.line_time(2);
  }
  out.quiet_until = std::min({until, now.mono + arrivals_.line_time(kMostGathered), deadline_ - milliseconds{1}});
}

}  // namespace vz::d0
