// SPDX-License-Identifier: GPL-3.0-or-later
#include "tools/metersim/meter.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace vz::metersim {
namespace {

using Json = nlohmann::ordered_json;
using std::chrono::milliseconds;

/// The optical interface of the standard starts here; half of this character's bit decides ties.
constexpr MonoDuration half_bit(unsigned baud) { return std::chrono::nanoseconds{500'000'000LL / baud}; }

std::string_view without_leading_zeros(std::string_view address) {
  const auto first = address.find_first_not_of('0');
  return first == std::string_view::npos ? std::string_view{} : address.substr(first);
}

Error bad_setting(std::string where, std::string what, std::string remedy) {
  return {.what = std::move(what), .where = std::move(where), .remedy = std::move(remedy)};
}

char baud_character(std::string_view identification) { return identification.size() > 4 ? identification[4] : ' '; }

Expected<void> check_identification(const MeterSettings& settings) {
  const std::string& id = settings.telegram.identification;
  if (settings.telegram.check == Check::sml) {
    if (pushes(settings.mode) || settings.mode == Mode::a) return {};
    return tl::unexpected(bad_setting("mode", fmt::format("an SML meter has no mode {}", text(settings.mode)),
                                      "use --mode push, or --mode A for one that answers an SML request"));
  }
  if (id.empty()) {
    // Without one a pushed telegram is just its data block.
    if (pushes(settings.mode)) return {};
    return tl::unexpected(bad_setting("identification",
                                      "the telegram has no identification line, which a meter that "
                                      "answers requests needs",
                                      "give one with --identification, e.g. /ISK5MT372"));
  }
  if (id.size() < 5 || id.front() != '/') {
    return tl::unexpected(bad_setting("identification", fmt::format("`{}` is none", id),
                                      "it is `/`, three letters, the baud rate character and a name"));
  }
  const Mode shown = mode_of(id);
  const char z = baud_character(id);
  const bool c_wanted = settings.mode == Mode::c || settings.mode == Mode::e;
  if ((c_wanted && shown != Mode::c) || (settings.mode == Mode::b && shown != Mode::b)) {
    return tl::unexpected(bad_setting("mode",
                                      fmt::format("mode {} does not go with the identification `{}`: its baud rate "
                                                  "character is `{}`",
                                                  text(settings.mode), id, z),
                                      "use --mode " + std::string{text(shown)} + " or another --identification"));
  }
  if (!pushes(settings.mode) && settings.mode != Mode::a && baud_of(z, settings.mode) == 0) {
    return tl::unexpected(bad_setting("identification", fmt::format("the baud rate character `{}` is reserved", z),
                                      "use 0 to 6, or A to F for mode B"));
  }
  return {};
}

Expected<void> check_protection(const MeterSettings& settings) {
  if (settings.telegram.check == Check::crc16 && !pushes(settings.mode)) {
    return tl::unexpected(
        bad_setting("check", "crc16 is that of a P1 port, which sends by itself", "use --mode push, or --check bcc"));
  }
  for (const LineFault fault : settings.faults.kinds) {
    if (fault == LineFault::badbcc && settings.telegram.check == Check::none) {
      return tl::unexpected(bad_setting("faults", "badbcc needs a telegram with a check value", "add --check bcc"));
    }
  }
  return {};
}

/// A readout speed that needs no acknowledgement is the speed of mode A.
unsigned readout_baud(const MeterSettings& settings) {
  if (settings.mode == Mode::a || pushes(settings.mode)) return settings.initial_baud;
  return baud_of(baud_character(settings.telegram.identification), settings.mode);
}

}  // namespace

std::string_view text(Mode mode) {
  switch (mode) {
    case Mode::a: return "A";
    case Mode::b: return "B";
    case Mode::c: return "C";
    case Mode::d: return "D";
    case Mode::e: return "E";
    case Mode::push: return "push";
  }
  return "?";
}

unsigned baud_of(char z, Mode mode) {
  static constexpr std::array kBauds{300U, 600U, 1200U, 2400U, 4800U, 9600U, 19200U};
  if (mode == Mode::b) return z >= 'A' && z <= 'F' ? kBauds[static_cast<std::size_t>(z - 'A') + 1] : 0;
  return z >= '0' && z <= '6' ? kBauds[static_cast<std::size_t>(z - '0')] : 0;
}

Mode mode_of(std::string_view identification) {
  const char z = baud_character(identification);
  if (z >= '0' && z <= '9') return Mode::c;
  return z >= 'A' && z <= 'I' ? Mode::b : Mode::a;
}

Expected<Meter> Meter::make(MeterSettings settings) {
  if (auto ok = check_identification(settings); !ok) return tl::unexpected(ok.error());
  if (auto ok = check_protection(settings); !ok) return tl::unexpected(ok.error());
  const bool sml = settings.telegram.check == Check::sml;  // nothing in it runs
  auto registers = Registers::make(sml ? std::string{} : settings.telegram.block, settings.counters, settings.clock);
  if (!registers) return tl::unexpected(registers.error());
  const unsigned baud = readout_baud(settings);
  Meter meter(std::move(settings), std::move(*registers));
  meter.readout_baud_ = baud;
  meter.baud_ = meter.settings_.initial_baud;
  return meter;
}

void Meter::start(Instant now, MeterOut& out) {
  started_ = now.mono;
  next_push_ = now.mono;
  last_character_ = last_nul_ = recovered_ = now.mono - std::chrono::hours{1};
  if (pushes(settings_.mode) && listener_) push(now, out);
}

void Meter::set_listener(bool there, Instant now) {
  if (listener_ == there) return;
  listener_ = there;
  if (!pushes(settings_.mode) || state_ != State::idle) return;
  timer_.reset();
  if (there) timer_ = std::max(next_push_, now.mono);
}

// ---- hearing ----

void Meter::received(const Character& character, Instant now, MeterOut& out) {
  if (settings_.telegram.check == Check::sml) return hear_sml(character.byte, now, out);
  if (collecting_ != Collecting::nothing && character.start - last_character_ > kMaxGap) {
    collecting_ = Collecting::nothing;
  }
  last_character_ = character.end;
  char byte = character.byte;
  bool wrong_parity = false;
  if (shows_parity(settings_.form)) wrong_parity = !right_parity(byte, settings_.form);
  byte = static_cast<char>(static_cast<unsigned char>(byte) & 0x7FU);
  if (byte == 0) return hear_nul(character);
  if (collecting_ == Collecting::nothing) parity_errors_ = 0;
  if (wrong_parity) ++parity_errors_;
  // A slash or an SOH begins anew: what came before was noise or an echo.
  if (collecting_ == Collecting::nothing || byte == '/' || (byte == kSoh && collecting_ != Collecting::command)) {
    return begin_message(byte, character, now, out);
  }
  continue_message(byte, now, out);
}

/// A request is whatever an SML transport frame ends: escape, 1A, fill bytes, CRC.
void Meter::hear_sml(char byte, Instant now, MeterOut& out) {
  constexpr std::size_t kEnd = 8;
  message_ += byte;
  if (message_.size() > kEnd) message_.erase(0, message_.size() - kEnd);
  if (!message_.starts_with("\x1B\x1B\x1B\x1B\x1A") || message_.size() < kEnd) return;
  message_.clear();
  if (pushes(settings_.mode) || finished_ || (state_ != State::idle && state_ != State::after_readout)) return;
  report(out, "request_complete", now);
  draw_fault();
  if (fault_ == LineFault::silence) {
    report(out, "fault", now, {{"kind", "silence"}, {"attempt", attempt_}});
    return to_idle();
  }
  begin_readout(now, now.mono + settings_.reaction + delay_, settings_.initial_baud, out);
}

void Meter::hear_nul(const Character& character) {
  if (nuls_ > 0 && character.start - last_nul_ > kWakeGap) nuls_ = 0;
  ++nuls_;
  last_nul_ = character.end;
}

void Meter::begin_message(char byte, const Character& character, Instant now, MeterOut& out) {
  collecting_ = Collecting::nothing;
  message_.assign(1, byte);
  message_began_ = character.start;
  if (byte == '/') {
    collecting_ = Collecting::request;
    report(out, "request_first_byte", Instant{character.start, now.wall_at(character.start)});
  } else if (byte == kSoh) {
    collecting_ = Collecting::command;
  } else if (byte == kAck && state_ == State::after_readout) {
    report(out, "readout_confirmed", now, {{"n", number_}});
    to_idle();
  } else if (byte == kNak && state_ == State::after_readout) {
    on_nak(now, out);
  } else if (byte == kAck && (state_ == State::awaiting_ack || state_ == State::identifying)) {
    // Deaf in the reaction time: an acknowledgement that began before the identification did is not heard.
    if (character.start + half_bit(baud_) >= speak_at_) collecting_ = Collecting::acknowledgement;
  } else {
    nuls_ = 0;
  }
}

void Meter::continue_message(char byte, Instant now, MeterOut& out) {
  message_ += byte;
  if (collecting_ == Collecting::command) return continue_command(byte, now, out);
  if (byte == '\n') {
    const auto kind = std::exchange(collecting_, Collecting::nothing);
    kind == Collecting::request ? on_request(now, out) : on_acknowledgement(now, out);
  } else if (message_.size() > kMaxMessage) {
    collecting_ = Collecting::nothing;
    report(out, "ignored_request", now, {{"reason", "too long"}});
  }
}

void Meter::continue_command(char byte, Instant now, MeterOut& out) {
  const bool complete = message_.size() >= 3 && message_[message_.size() - 2] == kEtx;
  if (!complete && message_.size() <= kMaxMessage) return;
  collecting_ = Collecting::nothing;
  const auto checked = std::string_view{message_}.substr(1, message_.size() - 2);
  const bool is_break = checked.starts_with("B0") && block_check(checked) == byte;
  if (!is_break || state_ == State::sending || pushes(settings_.mode)) return;
  report(out, "break", now);
  if (state_ == State::identifying) {
    broken_ = true;  // what is under way cannot be called back, but nothing follows it
  } else if (state_ != State::idle) {
    to_idle();
  }
}

std::string_view Meter::why_ignored() const {
  if (pushes(settings_.mode)) return "this meter only sends";
  if (state_ == State::identifying || state_ == State::sending) return "busy";
  if (message_began_ < recovered_) return "recovering";
  if (message_.size() < 5 || message_.size() > 5 + kMaxAddress || !message_.starts_with("/?") ||
      !message_.ends_with("!\r\n"))
    return "malformed";
  if (!addressed()) return "other address";
  if (settings_.wake_up == WakeUp::needed && !awake()) return "asleep";
  return {};
}

bool Meter::addressed() const {
  const auto wanted = std::string_view{message_}.substr(2, message_.size() - 5);
  return wanted.empty() || without_leading_zeros(wanted) == without_leading_zeros(settings_.address);
}

bool Meter::awake() const {
  const MonoDuration pause = message_began_ - last_nul_;
  return nuls_ >= kWakeCharacters && pause >= kMinWakePause && pause <= kMaxWakePause;
}

void Meter::on_request(Instant now, MeterOut& out) {
  const std::string_view reason = why_ignored();
  nuls_ = 0;
  if (!reason.empty()) return report(out, "ignored_request", now, {{"reason", reason}});
  if (state_ == State::after_readout) to_idle();
  if (finished_) return;

  Json fields = Json::object();
  if (message_.size() > 5) fields["address"] = message_.substr(2, message_.size() - 5);
  if (shows_parity(settings_.form)) fields["parity_errors"] = parity_errors_;
  report(out, "request_complete", now, std::move(fields));
  timer_.reset();
  baud_ = settings_.initial_baud;
  draw_fault();
  if (fault_ == LineFault::silence) {
    report(out, "fault", now, {{"kind", text(*fault_)}, {"attempt", attempt_}});
    return to_idle();
  }
  identify(now, out);
}

void Meter::on_acknowledgement(Instant now, MeterOut& out) {
  // ACK V Z Y CR LF
  const bool whole = message_.size() == 6 && message_[4] == '\r';
  const auto part = [&](std::size_t i) { return whole ? message_[i] : '?'; };
  const char own = baud_character(settings_.telegram.identification);
  std::string_view wrong;
  if (!whole) {
    wrong = "malformed";
  } else if (settings_.mode != Mode::c && settings_.mode != Mode::e) {
    wrong = "this mode has no acknowledgement";
  } else if (part(1) != '0') {
    wrong = "only V = 0, the normal protocol, is simulated";
  } else if (part(3) != '0') {
    wrong = "only Y = 0, the readout, is simulated";
  } else if (part(2) != own && part(2) != '0') {
    wrong = "Z is neither the meter's speed nor 0";
  }
  Json fields{{"v", std::string(1, part(1))},
              {"z", std::string(1, part(2))},
              {"y", std::string(1, part(3))},
              {"valid", wrong.empty()}};
  if (!wrong.empty()) fields["reason"] = wrong;
  report(out, "ack_complete", now, std::move(fields));
  if (!wrong.empty()) return;

  const unsigned baud = part(2) == '0' ? settings_.initial_baud : readout_baud_;
  if (state_ == State::identifying) {
    early_ack_ = baud;
  } else if (state_ == State::awaiting_ack) {
    begin_readout(now, now.mono + settings_.reaction, baud, out);
  }
}

void Meter::on_nak(Instant now, MeterOut& out) {
  const bool repeat = settings_.on_nak == OnNak::repeat && repeats_ < kMaxRepeats;
  report(out, "nak", now, {{"n", number_}, {"repeats", repeat}});
  if (!repeat) return;
  ++repeats_;
  timer_.reset();
  // The fault was the line's: the meter sends the same message again, and this time it arrives.
  send_data(std::nullopt, now, now.mono + settings_.reaction, out);
}

// ---- speaking ----

void Meter::draw_fault() {
  ++attempt_;
  random_ = settings_.faults.random(attempt_);
  fault_ = settings_.faults.pick(random_);
  delay_ = {};
  // A slow meter is late with its first word, or pauses within the data.
  if (fault_ == LineFault::slow && random_.below(2) == 0) {
    delay_ = std::max(MonoDuration{kSlow} - settings_.reaction, MonoDuration{});
  }
}

void Meter::identify(Instant now, MeterOut& out) {
  if (fault_ == LineFault::slow && delay_ > MonoDuration{}) {
    report(out, "fault", now, {{"kind", "slow"}, {"attempt", attempt_}, {"detail", "late identification"}});
    fault_.reset();
  }
  state_ = State::identifying;
  early_ack_.reset();
  broken_ = false;
  speak_at_ = now.mono + settings_.reaction + delay_;
  out.send = Transmission{.bytes = on_line(settings_.telegram.identification + "\r\n"),
                          .start = speak_at_,
                          .baud = settings_.initial_baud,
                          .gap_at = {},
                          .gap = {}};
}

void Meter::push(Instant now, MeterOut& out) {
  draw_fault();
  timer_.reset();
  // The telegrams keep their grid; missed ones are not made up for.
  const MonoTime due = now.mono - next_push_ < settings_.period ? next_push_ : now.mono;
  next_push_ = due + settings_.period;
  if (fault_ == LineFault::silence) {
    report(out, "fault", now, {{"kind", "silence"}, {"attempt", attempt_}});
    timer_ = next_push_;
    return;
  }
  if (fault_ == LineFault::slow && delay_ > MonoDuration{}) {
    report(out, "fault", now, {{"kind", "slow"}, {"attempt", attempt_}, {"detail", "late telegram"}});
    fault_.reset();
  }
  begin_readout(now, std::max(due, now.mono) + delay_, settings_.initial_baud, out);
}

void Meter::begin_readout(Instant now, MonoTime start, unsigned baud, MeterOut& out) {
  ++number_;
  repeats_ = 0;
  readout_ = registers_.render(number_, start - started_, settings_.local_time(now.wall));
  baud_ = baud;
  timer_.reset();
  send_data(std::exchange(fault_, std::nullopt), now, start, out);
}

void Meter::send_data(std::optional<LineFault> fault, Instant now, MonoTime start, MeterOut& out) {
  state_ = State::sending;
  speak_at_ = start;
  const bool sml = settings_.telegram.check == Check::sml;
  const DataMessage message = frame(settings_.telegram, sml ? settings_.telegram.block : readout_.block);
  Transmission transmission{.bytes = {}, .start = start, .baud = baud_, .gap_at = {}, .gap = kSlow};
  damaged_ = hang_up_ = false;
  if (fault) {
    Damage result = damage(*fault, message, settings_.form, random_);
    report(out, "fault", now,
           {{"kind", text(*fault)},
            {"attempt", attempt_},
            {"n", number_},
            {"position", result.position},
            {"damaged", result.damaged},
            {"check_holds", result.check_holds},
            {"detail", result.detail}});
    transmission.bytes = std::move(result.bytes);
    transmission.gap_at = result.gap_at;
    damaged_ = result.damaged;
    hang_up_ = result.hang_up;
  } else {
    transmission.bytes = on_line(message.bytes);
  }
  // The identification of a P1 telegram is within the message, because the CRC covers it.
  if (pushes(settings_.mode) && message.check != Check::crc16 && !settings_.telegram.identification.empty()) {
    const std::string head = on_line(settings_.telegram.identification + "\r\n");
    if (transmission.gap_at) *transmission.gap_at += head.size();
    transmission.bytes.insert(0, head);
  }
  out.send = std::move(transmission);
}

void Meter::transmission_began(Instant now, MeterOut& out) {
  if (state_ == State::sending) report(out, "block_first_byte", now, {{"n", number_}});
}

void Meter::transmission_ended(Instant now, MeterOut& out) {
  if (state_ == State::identifying) return identified(now, out);
  if (state_ == State::sending) return data_sent(now, out);
}

void Meter::identified(Instant now, MeterOut& out) {
  report(out, "ident_sent", now);
  if (broken_) return to_idle();
  const MonoTime next = now.mono + settings_.reaction;
  switch (settings_.mode) {
    case Mode::a: return begin_readout(now, next, settings_.initial_baud, out);
    case Mode::b: return begin_readout(now, next, readout_baud_, out);
    default: break;
  }
  if (early_ack_) return begin_readout(now, next, *std::exchange(early_ack_, std::nullopt), out);
  state_ = State::awaiting_ack;
  timer_ = now.mono + kAckWait;
}

void Meter::data_sent(Instant now, MeterOut& out) {
  report(out, "block_last_byte", now, {{"n", number_}});
  Json values = Json::object();
  for (const auto& [address, value] : readout_.values) {
    if (!values.contains(address)) values[address] = value;
  }
  report(out, "readout", now,
         {{"n", number_}, {"repeat", repeats_}, {"values", std::move(values)}, {"damaged", damaged_}});
  recovered_ = now.mono + settings_.recovery;
  if (hang_up_) {
    out.hang_up = settings_.hangup_time;
    to_idle();
    return;
  }
  const bool last = settings_.readouts != 0 && number_ >= settings_.readouts;
  if (pushes(settings_.mode) && !last) return to_idle();
  // After the last one, too, so that the reader can fetch it before the line goes away.
  state_ = State::after_readout;
  timer_ = now.mono + kEndWait;
}

void Meter::to_idle() {
  state_ = State::idle;
  baud_ = settings_.initial_baud;
  timer_.reset();
  early_ack_.reset();
  if (settings_.readouts != 0 && number_ >= settings_.readouts) {
    finished_ = true;
  } else if (pushes(settings_.mode) && listener_) {
    timer_ = next_push_;
  }
}

void Meter::timer_expired(Instant now, MeterOut& out) {
  timer_.reset();
  switch (state_) {
    case State::idle:
      if (pushes(settings_.mode)) push(now, out);
      return;
    case State::awaiting_ack: {
      const bool go_on = settings_.no_ack == NoAck::go_on;
      report(out, "no_ack", now, {{"then", go_on ? "readout at the initial speed" : "idle"}});
      if (go_on) return begin_readout(now, now.mono, settings_.initial_baud, out);
      return to_idle();
    }
    case State::after_readout: return to_idle();
    case State::identifying:
    case State::sending: return;
  }
}

// ---- helpers ----

std::string Meter::on_line(std::string_view characters) const {
  return encoded(characters, settings_.form);
}

void Meter::report(MeterOut& out, std::string_view name, Instant at, Json fields) const {
  out.events.push_back({name, at, std::move(fields)});
}

}  // namespace vz::metersim
