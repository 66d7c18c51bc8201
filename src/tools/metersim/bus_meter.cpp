// SPDX-License-Identifier: GPL-3.0-or-later
#include "tools/metersim/bus_meter.hpp"

#include <algorithm>
#include <array>

namespace vz::metersim {
namespace {

using Json = nlohmann::ordered_json;

constexpr unsigned char kAcknowledge = 0xE5;
constexpr unsigned char kStop = 0x16;
constexpr unsigned kSelected = 253;
constexpr unsigned kEverybody = 254;

constexpr std::uint64_t kEnergyWh = 895'563;
constexpr std::uint32_t kPowerW = 435;

/// Identification, manufacturer, version, device type (electricity).
constexpr std::array<unsigned char, 8> kMeter = {0x78, 0x56, 0x34, 0x12, 0x43, 0x04, 0x01, 0x02};

char character(std::uint64_t value) { return static_cast<char>(static_cast<unsigned char>(value & 0xFFU)); }
unsigned number(char c) { return static_cast<unsigned char>(c); }

std::string octets(std::initializer_list<unsigned> values) {
  std::string text;
  for (const unsigned value : values) text.push_back(character(value));
  return text;
}

std::string low_first(std::uint64_t value, unsigned size) {
  std::string text;
  for (unsigned i = 0; i < size; ++i) text.push_back(character(value >> (8 * i)));
  return text;
}

char check_sum(std::string_view body) {
  unsigned sum = 0;
  for (const char c : body) sum += number(c);
  return character(sum);
}

std::string short_frame(unsigned control, unsigned address) {
  const std::string body = octets({control, address});
  return octets({0x10}) + body + check_sum(body) + character(kStop);
}

std::string long_frame(unsigned control, unsigned address, std::string_view data) {
  std::string body = octets({control, address});
  body += data;
  const auto length = static_cast<unsigned>(body.size());
  return octets({0x68, length, length, 0x68}) + body + check_sum(body) + character(kStop);
}

std::span<std::byte> bytes_of(std::string& text) { return std::as_writable_bytes(std::span(text)); }

AesBlock block_of(std::string_view text) {
  AesBlock block{};
  std::transform(text.begin(), text.end(), block.begin(), [](char c) { return static_cast<std::byte>(c); });
  return block;
}

/// Date and time of six bytes (EN 13757-3, type I).
std::string clock_record(const std::tm& time) {
  const auto part = [](int value) { return static_cast<unsigned>(value); };
  const unsigned year = part(time.tm_year) - 100;
  return octets({0x06, 0x6D, part(time.tm_sec), part(time.tm_min), part(time.tm_hour), part(time.tm_mday) | (year & 7U) << 5U,
                 (part(time.tm_mon) + 1) | (year >> 3U) << 4U, 0});
}

}  // namespace

void BusMeter::report(MeterOut& out, std::string_view name, Instant at, Json fields) const {
  out.events.push_back({name, at, std::move(fields)});
}

void BusMeter::start(Instant now, MeterOut&) {
  next_push_ = now.mono;
  if (sends_by_itself() && listener_) timer_ = now.mono;
}

void BusMeter::set_listener(bool there, Instant now) {
  if (listener_ == there) return;
  listener_ = there;
  if (!sends_by_itself()) return;
  timer_.reset();
  if (there) timer_ = std::max(next_push_, now.mono);
  linked_ = false;
  state_ = State::idle;
}

bool BusMeter::addressed(unsigned address) const {
  return address == settings_.address || address == kEverybody || (address == kSelected && selected_);
}

void BusMeter::received(const Character& character_, Instant now, MeterOut& out) {
  if (state_ == State::answering || state_ == State::sending) return;  // busy speaking
  if (character_.start - last_character_ > kMaxGap) input_.clear();
  last_character_ = character_.end;
  input_.push_back(character_.byte);
  constexpr std::size_t kShort = 5;
  constexpr std::size_t kSelection = 17;
  const unsigned first = number(input_.front());
  if (first == kAcknowledge) {
    input_.clear();
    on_acknowledgement(now, out);
  } else if (first == 0x10) {
    if (input_.size() < kShort) return;
    const std::string frame = std::exchange(input_, {});
    if (number(frame[4]) == kStop && check_sum(frame.substr(1, 2)) == frame[3]) on_short(number(frame[1]), number(frame[2]), now, out);
  } else if (first == 0x68) {
    if (input_.size() < kSelection) return;
    if (check_sum(std::string_view{input_}.substr(4, 11)) == input_[15]) on_selection(now, out);
    input_.clear();
  } else {
    input_.clear();
  }
}

void BusMeter::on_short(unsigned control, unsigned address, Instant now, MeterOut& out) {
  constexpr unsigned kReset = 0x40;
  constexpr unsigned kRequestBits = 0x4F;
  constexpr unsigned kRequest = 0x4B;
  if (sends_by_itself() || !addressed(address)) return;
  if (control == kReset) {
    last_request_.reset();
    if (address == kSelected) selected_ = false;
    report(out, "link_reset", now);
    return answer(octets({kAcknowledge}), now, out);
  }
  if ((control & kRequestBits) != kRequest) return;
  const bool repeated = last_request_ == control;
  if (!repeated && settings_.readouts != 0 && number_ >= settings_.readouts) return;  // that was all
  report(out, "request_complete", now);
  last_request_ = control;
  if (!repeated) {
    ++number_;
    last_frame_ = long_frame(0x08, settings_.address, telegram(now.wall));
  }
  data_ = true;
  answer(last_frame_, now, out);
}

/// 68 0B 0B 68 53 FD 52, eight bytes of secondary address, where F is any digit and FF any byte.
void BusMeter::on_selection(Instant now, MeterOut& out) {
  constexpr std::size_t kAddressAt = 7;
  if (sends_by_itself() || input_.substr(0, kAddressAt) != octets({0x68, 0x0B, 0x0B, 0x68, 0x53, kSelected, 0x52})) return;
  selected_ = true;
  for (std::size_t i = 0; i < kMeter.size(); ++i) {
    const unsigned asked = number(input_[kAddressAt + i]);
    for (const unsigned shift : {0U, 4U})
      if ((asked >> shift & 0xFU) != 0xF && (asked >> shift & 0xFU) != (static_cast<unsigned>(kMeter[i]) >> shift & 0xFU)) selected_ = false;
  }
  last_request_.reset();
  report(out, "selection", now, {{"matches", selected_}});
  if (selected_) answer(octets({kAcknowledge}), now, out);
}

void BusMeter::answer(std::string bytes, Instant now, MeterOut& out) {
  state_ = State::answering;
  send(std::move(bytes), now.mono + settings_.reaction, out);
}

void BusMeter::send(std::string bytes, MonoTime start, MeterOut& out) {
  out.send = Transmission{.bytes = std::move(bytes), .start = start, .baud = settings_.baud, .gap_at = {}, .gap = {}};
}

void BusMeter::transmission_began(Instant now, MeterOut& out) {
  if (data_) report(out, "block_first_byte", now, {{"n", number_}});
}

void BusMeter::transmission_ended(Instant now, MeterOut& out) {
  const bool data = std::exchange(data_, false);
  if (data) report(out, "block_last_byte", now, {{"n", number_}});
  if (state_ == State::answering) {
    state_ = State::idle;
    if (data) readout_done(now, out);
    return;
  }
  if (!listener_) {
    state_ = State::idle;
    return;
  }
  state_ = data ? State::awaiting_ack : State::resetting;
  timer_ = now.mono + kAckWait;
}

void BusMeter::timer_expired(Instant now, MeterOut& out) {
  timer_.reset();
  if (settings_.role == BusSettings::Role::answers) {  // the reader has had time to fetch the last answer
    finished_ = true;
    return;
  }
  if (state_ == State::idle) return push(now, out);
  give_up(now, out);
}

/// A link reset first, until somebody answers to it.
void BusMeter::push(Instant now, MeterOut& out) {
  const MonoTime start = std::max(next_push_, now.mono - settings_.period);
  next_push_ = start + settings_.period;
  repeats_ = 0;
  state_ = State::sending;
  if (!linked_) {
    report(out, "link_reset", now);
    return send(short_frame(0x40, 0xF0), now.mono, out);
  }
  ++number_;
  last_frame_ = long_frame(0x53U | (frame_count_bit_ ? 0x20U : 0U), 0xF0, telegram(now.wall));
  data_ = true;
  send(last_frame_, now.mono, out);
}

/// Nobody has acknowledged.
void BusMeter::give_up(Instant now, MeterOut& out) {
  if (state_ == State::awaiting_ack && repeats_ < kMaxRepeats) {
    ++repeats_;
    state_ = State::sending;
    data_ = true;
    return send(last_frame_, now.mono, out);
  }
  report(out, "unacknowledged", now, {{"n", number_}});
  linked_ = false;
  next_period(now);
}

void BusMeter::next_period(Instant now) {
  state_ = State::idle;
  timer_ = std::max(next_push_, now.mono);
}

void BusMeter::on_acknowledgement(Instant now, MeterOut& out) {
  if (state_ == State::resetting) {
    frame_count_bit_ = true;
    linked_ = true;
    next_push_ = now.mono;
    return next_period(now);
  }
  if (state_ != State::awaiting_ack) return;
  frame_count_bit_ = !frame_count_bit_;
  next_period(now);
  readout_done(now, out);
}

void BusMeter::readout_done(Instant now, MeterOut& out) {
  report(out, "readout", now,
         {{"n", number_},
          {"repeat", repeats_},
          {"values", {{"1.8.0", std::to_string(kEnergyWh + number_ * settings_.step_wh)}, {"1.7.0", std::to_string(kPowerW)}}},
          {"damaged", false}});
  if (settings_.readouts == 0 || number_ < settings_.readouts) return;
  if (sends_by_itself()) finished_ = true;
  else timer_ = now.mono + kAckWait;
}

std::string BusMeter::records(WallTime now) const {
  return clock_record(settings_.local_time(now)) + octets({0x04, 0x03}) + low_first(kEnergyWh + number_ * settings_.step_wh, 4) +
         octets({0x04, 0x83, 0x3C}) + low_first(0, 4) + octets({0x04, 0x2B}) + low_first(kPowerW, 4) + octets({0x04, 0xAB, 0x3C}) +
         low_first(0, 4);
}

/// The user data of the frame: control information, header, records.
std::string BusMeter::telegram(WallTime now) {
  const unsigned access = static_cast<unsigned>(number_ & 0xFFU);
  const unsigned control_information = sends_by_itself() ? 0x5B : 0x72;
  std::string data = records(now);
  const auto header = [&](unsigned configuration) {
    std::string text = octets({control_information});
    for (const unsigned char byte : kMeter) text.push_back(character(byte));
    return text + octets({access, 0, configuration & 0xFFU, configuration >> 8U});
  };
  if (settings_.protection == Protection::none) return header(0) + data;
  data = octets({0x2F, 0x2F}) + data;
  while (data.size() % kAesBlock != 0) data.push_back(0x2F);
  const auto blocks = static_cast<unsigned>(data.size() / kAesBlock);
  const std::string meter(kMeter.begin(), kMeter.end());
  if (settings_.protection == Protection::mode5) {
    const std::string iv = meter.substr(4, 2) + meter.substr(0, 4) + meter.substr(6, 2) + std::string(8, character(access));
    if (!cipher_.run(*settings_.key, block_of(iv), bytes_of(data))) data.clear();
    return header(0x0500U | blocks << 4U) + data;
  }
  const std::string counter = low_first(number_, 4);
  const auto derived = [&](unsigned purpose) {
    std::string seed = octets({purpose}) + counter + meter.substr(0, 4) + std::string(7, 7);
    AesBlock key{};
    return aes_cmac(cipher_, *settings_.key, bytes_of(seed), key) ? key : AesBlock{};
  };
  if (!cipher_.run(derived(0), AesBlock{}, bytes_of(data))) data.clear();
  const std::string message = header(0x0700U | blocks << 4U) + octets({0x10}) + data;
  std::string covered = octets({0x25}) + counter + message;
  AesBlock mac{};
  if (!aes_cmac(cipher_, derived(1), bytes_of(covered), mac)) mac = {};
  std::string text = octets({0x90, 0x0F, 0x00, 0x2C, 0x25}) + counter;
  for (std::size_t i = 0; i < 8; ++i) text.push_back(static_cast<char>(mac[i]));
  return text + message;
}

}  // namespace vz::metersim
