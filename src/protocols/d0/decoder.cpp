// SPDX-License-Identifier: GPL-3.0-or-later
#include "protocols/d0/decoder.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "core/ascii.hpp"
#include "protocols/d0/telegram.hpp"

namespace vz::d0 {
namespace {

constexpr std::byte kStx{0x02};
constexpr std::byte kEtx{0x03};
constexpr std::byte kAck{0x06};
constexpr std::byte kCr{'\r'};
constexpr std::byte kLf{'\n'};
constexpr std::byte kSlash{'/'};
constexpr std::byte kDelete{0x7F};

/// Identification lines: 16 characters by the standard, more by some meters.
constexpr std::size_t kMaxIdentification = 80;
constexpr std::size_t kCrcDigits = 4;
/// How often the same bytes may be looked at again before they are given up.
constexpr unsigned kMaxReplays = 8;
/// After so many telegrams in a row without the check value that they used to have, they have none.
constexpr unsigned kPatience = 3;

constexpr unsigned value_of(std::byte b) { return std::to_integer<unsigned>(b); }
constexpr bool is_line_end(std::byte b) { return b == kCr || b == kLf; }
constexpr bool is_letter(std::byte b) {
  return vz::is_letter(static_cast<char>(b));
}
constexpr bool is_printable(std::byte b) { return value_of(b) >= 0x20 && value_of(b) < 0x7F; }
/// Brackets tell a text like `(/SX330)` inside a data block from an identification.
constexpr bool is_identification_text(std::byte b) {
  return is_printable(b) && b != std::byte{'('} && b != std::byte{')'};
}
constexpr bool is_hex(std::byte b) {
  return is_hex_digit(static_cast<char>(b));
}
/// What idle lines and waking heads produce.
constexpr bool is_line_noise(std::byte b) { return b == std::byte{0} || b == kDelete || b == std::byte{0xFF}; }

}  // namespace

D0Decoder::D0Decoder(ChecksumMode mode, bool seven_bit) : mode_(mode), seven_bit_(seven_bit) {
  message_.reserve(1024);
}

void D0Decoder::reset() {
  state_ = State::hunting;
  fresh_ = true;
  message_.clear();
  replay_.clear();
  replay_at_ = 0;
  rewind_ = 0;
  replays_ = 0;
}

std::size_t D0Decoder::feed(std::span<const std::byte> bytes, D0Event& event) {
  event = D0Event{};
  while (replay_at_ < replay_.size()) {
    now_offset_ = replay_offset_ + replay_at_;
    replay_at_ += step(std::span<const std::byte>(replay_).subspan(replay_at_), event);
    if (rewind_ > 0) {
      replay_at_ -= std::min(replay_at_, rewind_);
      rewind_ = 0;
    }
    if (event.kind != D0Event::Kind::none) return 0;
  }
  std::size_t used = 0;
  while (used < bytes.size()) {
    now_offset_ = fed_;
    replays_ = 0;
    const std::size_t count = step(bytes.subspan(used), event);
    used += count;
    fed_ += count;
    if (rewind_ > 0) apply_rewind();
    if (event.kind != D0Event::Kind::none) break;
  }
  return used;
}

/// Moves what damage() wants to be looked at again from message_ to replay_.
void D0Decoder::apply_rewind() {
  replay_.assign(message_.end() - static_cast<std::ptrdiff_t>(rewind_), message_.end());
  replay_offset_ = message_offset_ + message_.size() - rewind_;
  replay_at_ = 0;
  rewind_ = 0;
}

/// Takes at least one byte, or none and makes an event.
std::size_t D0Decoder::step(std::span<const std::byte> bytes, D0Event& event) {
  const std::byte first = bytes.front();
  switch (state_) {
    case State::hunting:
      if (first == kSlash) {
        start_message(first);
        state_ = State::identification;
      } else if (first == kStx && fresh_) {
        start_message(first);
        start_block(State::checked_block);
        block_at_ = 0;
      } else if (first == std::byte{'('}) {
        fresh_ = false;
      }
      return 1;
    case State::identification: {
      std::size_t used = 0;
      while (message_.size() <= 4) {
        feed_identification(bytes[used++], event);
        if (used == bytes.size() || state_ != State::identification) return used;
        ++now_offset_;
      }
      // the bulk of the line at once, then its end
      const std::size_t from = used;
      const std::size_t most = std::min(bytes.size(), from + kMaxIdentification - std::min(kMaxIdentification, message_.size()));
      while (used < most && is_identification_text(bytes[used])) ++used;
      append(bytes.subspan(from, used - from));
      if (used == bytes.size()) return used;
      now_offset_ += used - from;
      feed_identification(bytes[used], event);
      return used + 1;
    }
    case State::gap:
    case State::gap_slash:
    case State::skip_line:
      feed_gap(first);
      if (message_.size() > kMaxMessage) damage(event, FaultKind::oversized, "no data behind the identification");
      return 1;
    case State::checked_block: {
      const std::size_t used = feed_checked(bytes);
      if (std::exchange(lost_, false)) damage(event, FaultKind::truncated, "another telegram begins before ETX");
      if (message_.size() > kMaxMessage) damage(event, FaultKind::oversized, "no ETX within the longest telegram");
      return used;
    }
    case State::block_check:
      append(bytes.first(1));
      finish_checked(event);
      return 1;
    case State::plain_block: {
      const std::size_t used = feed_plain(bytes);
      if (message_.size() > kMaxMessage) damage(event, FaultKind::oversized, "no '!' within the longest telegram");
      return used;
    }
    case State::tail: return feed_tail(first, event) ? 1 : 0;
  }
  return 1;
}

void D0Decoder::start_message(std::byte first) {
  message_.clear();
  message_.push_back(first);
  message_offset_ = now_offset_;
  identification_end_ = 0;
}

bool D0Decoder::append(std::span<const std::byte> bytes) {
  message_.insert(message_.end(), bytes.begin(), bytes.end());
  return message_.size() <= kMaxMessage;
}

void D0Decoder::feed_identification(std::byte byte, D0Event& event) {
  const std::size_t length = message_.size();
  if (byte == kSlash && length < 5) {  // noise, or the echo of a request: this one may be the real start
    start_message(byte);
    return;
  }
  const bool text = is_identification_text(byte);
  const bool fits = length <= 3 ? is_letter(byte) : length == 4 ? text : text || is_line_end(byte);
  if (!fits || length > kMaxIdentification) {
    state_ = State::hunting;
    // a damaged identification does not make the block behind it any worse
    if (byte == kStx && fresh_) {
      start_message(byte);
      start_block(State::checked_block);
      block_at_ = 0;
    }
    return;
  }
  message_.push_back(byte);
  if (!is_line_end(byte)) return;
  identification_end_ = length;
  state_ = State::gap;
  event.kind = D0Event::Kind::identification;
  event.identification = identification();
}

void D0Decoder::feed_gap(std::byte byte) {
  const bool line_start = is_line_end(message_.back());
  if (byte == kStx) {
    start_block(State::checked_block);
  } else if (state_ == State::skip_line) {
    if (is_line_end(byte)) state_ = State::gap;
  } else if (state_ == State::gap_slash) {
    if (is_letter(byte)) {  // another identification
      start_message(kSlash);
      --message_offset_;
      state_ = State::identification;
    } else {
      state_ = State::skip_line;
    }
  } else if (byte == kSlash && line_start) {
    state_ = State::gap_slash;
  } else if (byte == kAck) {
    state_ = State::skip_line;
  } else if (is_printable(byte) && byte != std::byte{'?'} && byte != std::byte{'!'}) {
    start_block(State::plain_block);
    opened_ = byte == std::byte{'('};
    depth_ = opened_ ? 1 : 0;
  }
  message_.push_back(byte);
}

void D0Decoder::start_block(State state) {
  block_at_ = message_.size();
  depth_ = 0;
  opened_ = false;
  state_ = state;
}

/// Whether a `/` at the start of a line is among these bytes of a block that has no identification of its own: its STX
/// was a damaged character, and the real telegrams go on behind it.
bool D0Decoder::swallows_next(std::span<const std::byte> bytes) const {
  std::byte before = message_.back();
  for (const std::byte b : bytes) {
    if (b == kSlash && is_line_end(before)) return true;
    before = b;
  }
  return false;
}

std::size_t D0Decoder::feed_checked(std::span<const std::byte> bytes) {
  const auto* etx = static_cast<const std::byte*>(std::memchr(bytes.data(), static_cast<int>(kEtx), bytes.size()));
  const std::size_t count = etx == nullptr ? bytes.size() : static_cast<std::size_t>(etx - bytes.data()) + 1;
  const std::size_t room = kMaxMessage + 1 - std::min(message_.size(), kMaxMessage + 1);
  const std::size_t taken = std::min(count, std::max<std::size_t>(room, 1));
  if (identification_end_ == 0 && swallows_next(bytes.first(taken))) {
    message_.insert(message_.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(taken));
    lost_ = true;
    return taken;
  }
  append(bytes.first(taken));
  if (etx != nullptr && taken == count) state_ = State::block_check;
  return taken;
}

std::size_t D0Decoder::feed_plain(std::span<const std::byte> bytes) {
  std::size_t count = 0;
  bool closed = false;
  const std::size_t limit = std::min(bytes.size(), kMaxMessage + 1 - std::min(message_.size(), kMaxMessage));
  while (count < limit && !closed) {
    const std::byte b = bytes[count++];
    if (b == kStx && !opened_) {  // what came before was rubbish of the speed change, or a damaged echo
      append(bytes.first(count - 1));
      start_block(State::checked_block);
      append(bytes.subspan(count - 1, 1));
      return count;
    }
    if (b == std::byte{'('}) {
      ++depth_;
      opened_ = true;
    }
    else if (b == std::byte{')'}) depth_ -= depth_ > 0 ? 1 : 0;
    else if (is_line_end(b)) depth_ = 0;  // a bracket that damage left open ends with its line
    else if (b == std::byte{'!'} && depth_ == 0) closed = true;
  }
  append(bytes.first(count));
  if (closed) {
    block_end_ = message_.size();
    crc_digits_ = 0;
    line_ends_ = 0;
    state_ = State::tail;
  }
  return count;
}

/// False if the byte belongs to what comes next and was not taken.
bool D0Decoder::feed_tail(std::byte byte, D0Event& event) {
  if (line_ends_ > 0 && byte != kEtx && !is_line_end(byte) && !is_line_noise(byte)) {
    finish_plain(event);  // the next message has begun: this one is complete
    return false;
  }
  message_.push_back(byte);
  if (byte == kEtx) {
    damage(event, FaultKind::truncated, "ETX without STX");
  } else if (is_line_end(byte)) {
    if (crc_digits_ > 0) finish_crc(event);  // fewer than four digits: some meters leave out leading zeros
    else if (++line_ends_ > 2) finish_plain(event);
  } else if (is_hex(byte) && crc_digits_ < kCrcDigits && message_.size() == block_end_ + crc_digits_ + 1) {
    ++crc_digits_;
  } else if (!is_line_noise(byte) || crc_digits_ > 0) {
    damage(event, FaultKind::grammar, "something other than a line end behind '!'");
  }
  return true;
}

D0Event D0Decoder::idle() {
  D0Event event;
  if (replay_at_ < replay_.size()) return event;
  switch (state_) {
    case State::hunting: fresh_ = true; break;
    case State::identification:
    case State::gap:
    case State::gap_slash:
    case State::skip_line: reset(); break;
    case State::checked_block:
    case State::block_check: {
      const bool has_etx = state_ == State::block_check;
      const char* missing = has_etx ? "the BCC is missing" : "ETX and BCC are missing";
      if (mode_ == ChecksumMode::automatic) {
        damage(event, FaultKind::truncated, missing);
      } else {
        event.check_wrong = true;
        event.reason = missing;
        emit(event, message_.size() - (has_etx ? 1 : 0));
      }
      break;
    }
    case State::plain_block: damage(event, FaultKind::truncated, "the line fell silent inside the data block"); break;
    case State::tail:
      if (crc_digits_ == kCrcDigits) finish_crc(event);
      else if (crc_digits_ > 0) damage(event, FaultKind::check_value, "the CRC is cut short");
      else finish_plain(event);
      break;
  }
  if (rewind_ > 0) apply_rewind();
  return event;
}

void D0Decoder::finish_checked(D0Event& event) {
  const std::size_t etx = message_.size() - 2;
  const auto covered = std::span<const std::byte>(message_).subspan(block_at_ + 1, etx - block_at_);
  const unsigned wanted = block_check(covered);
  const unsigned received = value_of(message_.back()) & 0x7FU;
  event.check = CheckValue::bcc;
  if (mode_ != ChecksumMode::off && wanted != received) {
    event.wanted = wanted;
    event.received = received;
    event.reason = "wrong BCC";
    if (mode_ == ChecksumMode::automatic) return damage(event, FaultKind::check_value, "wrong BCC");
    event.check_wrong = true;
  }
  if (mode_ == ChecksumMode::off) event.check = CheckValue::none;  // nobody looked: nothing vouches
  emit(event, etx);
}

void D0Decoder::finish_crc(D0Event& event) {
  const std::string_view digits = view(block_end_, block_end_ + crc_digits_);
  unsigned received = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), received, 16);
  event.check = CheckValue::crc16;
  if (mode_ != ChecksumMode::off) {
    const unsigned wanted = p1_crc(std::span<const std::byte>(message_).first(block_end_));
    if (wanted != received) {
      event.wanted = wanted;
      event.received = received;
      event.reason = "wrong CRC";
      if (mode_ == ChecksumMode::automatic) return damage(event, FaultKind::check_value, "wrong CRC");
      event.check_wrong = true;
    }
  } else {
    event.check = CheckValue::none;
  }
  emit(event, block_end_);
}

void D0Decoder::finish_plain(D0Event& event) {
  event.check = CheckValue::none;
  if (expects_check_ && ++without_check_ > kPatience) expects_check_ = false;  // another meter, or set up anew
  if (expects_check_ && mode_ != ChecksumMode::off) {
    if (mode_ == ChecksumMode::automatic)
      return damage(event, FaultKind::truncated, "no check value, although this meter sends one");
    event.check_wrong = true;
    event.reason = "no check value, although this meter sends one";
  }
  emit(event, block_end_);
}

void D0Decoder::emit(D0Event& event, std::size_t block_end) {
  if (has_damaged_character()) return damage(event, FaultKind::parity, "characters with wrong parity");
  fresh_ = true;
  const std::size_t stx = value_of(message_[block_at_]) == value_of(kStx) ? 1 : 0;
  event.kind = D0Event::Kind::telegram;
  event.block = view(block_at_ + stx, block_end);
  event.block_offset = block_offset();
  event.message_offset = message_offset_;
  if (identification_end_ > 0) event.identification = identification();
  state_ = State::hunting;
}

bool D0Decoder::has_damaged_character() const {
  if (!seven_bit_) return false;
  std::uint64_t all = 0;
  std::size_t at = block_at_;
  for (; at + sizeof all <= message_.size(); at += sizeof all) {
    std::uint64_t part = 0;
    std::memcpy(&part, message_.data() + at, sizeof part);
    all |= part;
  }
  for (; at < message_.size(); ++at) all |= std::to_integer<std::uint64_t>(message_[at]);
  return (all & 0x8080808080808080ULL) != 0;
}

void D0Decoder::damage(D0Event& event, FaultKind fault, const char* reason) {
  event.kind = D0Event::Kind::damaged;
  event.fault = fault;
  event.reason = reason;
  state_ = State::hunting;
  fresh_ = true;
  if (replays_ >= kMaxReplays) return;
  // What this message may have swallowed of the next one begins with a `/`. Not with an STX: a line feed that one
  // flipped bit turned into STX would cut the block in two, and the BCC would vouch for the second half in one of
  // 128 cases.
  const auto begin = message_.begin() + static_cast<std::ptrdiff_t>(std::min(block_at_ + 1, message_.size()));
  const auto slash = std::find(begin, message_.end(), kSlash);
  if (slash == message_.end()) return;
  rewind_ = static_cast<std::size_t>(message_.end() - slash);
  ++replays_;
}

std::string_view D0Decoder::view(std::size_t from, std::size_t to) const {
  return {reinterpret_cast<const char*>(message_.data()) + from, to - from};  // bytes are characters here
}

Identification D0Decoder::identification() const {
  Identification id;
  id.vendor = view(1, 4);
  id.baud = identification_end_ > 4 ? static_cast<char>(message_[4]) : ' ';
  id.text = identification_end_ > 5 ? view(5, identification_end_) : std::string_view{};
  return id;
}

}  // namespace vz::d0
