// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "vz/session.hpp"

namespace vz::d0 {

/// What vouches for a telegram.
enum class CheckValue : std::uint8_t { none, bcc, crc16 };

/// What to do about a check value (option `checksum`).
enum class ChecksumMode : std::uint8_t {
  automatic,  ///< a wrong or missing one makes the telegram damaged
  warn,       ///< report it, use the telegram all the same
  off,        ///< do not look at it
};

/// `/XXXZident`, clause 6.3.2.
struct Identification {
  std::string_view vendor;  ///< three letters
  char baud = ' ';          ///< baud rate identification Z
  std::string_view text;    ///< the rest of the line, `\W` included

  /// The third letter in lower case promises a reaction time of 20 ms.
  [[nodiscard]] bool fast() const { return vendor.size() == 3 && vendor[2] >= 'a' && vendor[2] <= 'z'; }
};

/// What the decoder found. Views live until the next call.
struct D0Event {
  enum class Kind : std::uint8_t { none, identification, telegram, damaged } kind = Kind::none;
  Identification identification;       ///< of identification, and of telegram if it had one
  std::string_view block;              ///< of telegram: the data block
  CheckValue check = CheckValue::none; ///< of telegram: what it carries
  bool check_wrong = false;            ///< of telegram: the check value is wrong or missing, and the mode lets it pass
  std::uint64_t block_offset = 0;      ///< of telegram: stream position of the data block's first byte (STX, if any)
  FaultKind fault{};                   ///< of damaged
  const char* reason = "";             ///< of damaged, and of telegram if check_wrong: what is wrong
  std::uint64_t message_offset = 0;    ///< of telegram: stream position of its first byte (`/`, if it has an identification)
  unsigned wanted = 0;                 ///< of a wrong check value: the computed one
  unsigned received = 0;               ///< of a wrong check value: the one in the telegram
};

/// Finds identification lines and data messages in the byte stream of an IEC 62056-21 or DSMR P1 meter and verifies
/// their check values (clauses 6.3, 6.5).
///
/// Pure: no I/O, no clock, no logging. Input may be split anywhere; the events depend only on the concatenated bytes
/// and on where between them idle() was called. Holds at most one message (`kMaxMessage` bytes); a longer one is
/// dropped and reported as FaultKind::oversized. Damage costs the message it is in and no other: the bytes behind it
/// are looked at again from the next `/` that opens an identification line. Echoes of request and acknowledge, NULs and noise
/// between messages are skipped. Does not allocate once it has seen its longest message. Never throws.
class D0Decoder final {
 public:
  static constexpr std::size_t kMaxMessage = 32 * 1024;

  /// `seven_bit`: the line has parity (or at least seven data bits), so that kDamagedBit marks damaged characters.
  D0Decoder(ChecksumMode mode, bool seven_bit);

  /// Consumes bytes up to the end of the first event and returns how many; `event` is of kind none if all were
  /// consumed without one. Call again with the rest (also with none) until the kind is none and nothing is left.
  std::size_t feed(std::span<const std::byte> bytes, D0Event& event);

  /// The line has been silent long enough for whatever was begun to be over. Call feed() with no bytes afterwards.
  D0Event idle();

  /// The last telegram was right in every respect and its check value, too: from now on one without is damage (until
  /// several in a row have none).
  void confirm_check() {
    expects_check_ = true;
    without_check_ = 0;
  }

  /// Forgets the message that was begun; what was learned about check values stays.
  void reset();

  /// Inside a data block, or behind its end and waiting for what belongs to it.
  [[nodiscard]] bool in_block() const { return state_ >= State::checked_block; }
  /// Behind the final `!` and line end of a telegram without STX: a short silence completes it.
  [[nodiscard]] bool in_tail() const { return state_ == State::tail && line_ends_ > 0; }
  /// Inside an identification line.
  [[nodiscard]] bool in_identification() const { return state_ == State::identification; }
  /// Between messages, nothing begun.
  [[nodiscard]] bool hunting() const { return state_ == State::hunting && replay_at_ >= replay_.size(); }
  /// Stream position of the current block's first byte; only while in_block().
  [[nodiscard]] std::uint64_t block_offset() const { return message_offset_ + block_at_; }
  /// Stream position of the current message's first byte; only while in_identification() or in_block().
  [[nodiscard]] std::uint64_t message_offset() const { return message_offset_; }
  /// Stream position of the next byte to be fed.
  [[nodiscard]] std::uint64_t position() const { return fed_; }

 private:
  enum class State : std::uint8_t {
    hunting,         ///< looking for `/` or STX
    identification,  ///< from `/` to the first line end
    gap,             ///< behind the identification: line ends, echoes, noise
    gap_slash,       ///< a `/` at a line start of the gap: another identification, or an echo
    skip_line,       ///< an echo in the gap
    checked_block,   ///< behind STX
    block_check,     ///< behind ETX: the next byte is the BCC
    plain_block,     ///< a data block without STX
    tail,            ///< behind `!` of a plain block
  };

  std::size_t step(std::span<const std::byte> bytes, D0Event& event);
  std::size_t feed_checked(std::span<const std::byte> bytes);
  [[nodiscard]] bool swallows_next(std::span<const std::byte> bytes) const;
  std::size_t feed_plain(std::span<const std::byte> bytes);
  bool feed_tail(std::byte byte, D0Event& event);
  void feed_gap(std::byte byte);
  void feed_identification(std::byte byte, D0Event& event);
  void start_message(std::byte first);
  void start_block(State state);
  bool append(std::span<const std::byte> bytes);
  void finish_checked(D0Event& event);
  void finish_plain(D0Event& event);
  void finish_crc(D0Event& event);
  void emit(D0Event& event, std::size_t block_end);
  void damage(D0Event& event, FaultKind fault, const char* reason);
  void apply_rewind();
  [[nodiscard]] bool has_damaged_character() const;
  [[nodiscard]] std::string_view view(std::size_t from, std::size_t to) const;
  [[nodiscard]] Identification identification() const;

  ChecksumMode mode_;
  bool seven_bit_;
  bool opened_ = false;                 ///< the plain block has had a bracket
  bool lost_ = false;                   ///< the checked block has run into the next telegram
  unsigned without_check_ = 0;          ///< plain telegrams in a row
  bool expects_check_ = false;          ///< this meter has sent a good check value, so one without is damage
  State state_ = State::hunting;
  std::vector<std::byte> message_;      ///< from `/` (or STX) on
  std::size_t identification_end_ = 0;  ///< 0: the message has none
  std::size_t block_at_ = 0;            ///< of the block's first byte in message_ (STX included)
  std::size_t block_end_ = 0;           ///< behind the plain block's `!`
  std::size_t depth_ = 0;               ///< open brackets of the plain block's current line
  std::size_t crc_digits_ = 0;          ///< of the tail
  std::size_t line_ends_ = 0;           ///< of the tail
  bool fresh_ = true;                   ///< hunting, and not in the middle of a data block: an STX may open one
  std::uint64_t message_offset_ = 0;
  std::uint64_t fed_ = 0;               ///< bytes fed, replays not counted
  std::size_t rewind_ = 0;              ///< bytes at the end of message_ to be looked at again
  std::vector<std::byte> replay_;       ///< what a damaged message swallowed of the next one
  std::size_t replay_at_ = 0;
  std::uint64_t replay_offset_ = 0;     ///< stream position of replay_[0]
  std::uint64_t now_offset_ = 0;        ///< stream position of the byte at hand
  unsigned replays_ = 0;                ///< in a row without new bytes; bounded
};

}  // namespace vz::d0
