// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "vz/session.hpp"

namespace vz::oms {

/// What the finder found. The view lives until its next call.
struct LinkEvent {
  enum class Kind : std::uint8_t {
    none,
    acknowledge,  ///< the single character E5
    short_frame,  ///< control and address
    long_frame,   ///< control, address and user data: the CI field and what follows it; at least the CI field
    damaged,
  } kind = Kind::none;
  std::uint8_t control = 0;
  std::uint8_t address = 0;
  std::span<const std::byte> user_data;
  std::uint64_t offset = 0;  ///< stream position of the frame's first byte
  FaultKind fault{};         ///< of damaged
  const char* reason = "";   ///< of damaged: what is wrong
  unsigned wanted = 0;       ///< of a wrong check sum: the computed one
  unsigned received = 0;     ///< of a wrong check sum: the one in the frame
};

/// Cuts a byte stream into M-Bus link layer frames (EN 13757-2, IEC 60870-5-2 frame class FT 1.2):
///
///     E5
///     10 C A checksum 16
///     68 L L 68 C A CI data... checksum 16     L counts C to the last byte of data, 3 to 255
///
/// A frame is one only if both start bytes, both lengths, the check sum and the stop byte are right. After a damaged one
/// the search goes on behind its first byte, for another may have begun inside it; but only for long frames, because the
/// shorter forms have too little that could be wrong to be believed there.
///
/// Pure: no I/O, no clock, no logging. Input may be split anywhere; the events depend only on the concatenated bytes and
/// on where between them idle() was called. Holds at most one frame; never allocates, never throws. Thread-compatible.
class FrameFinder final {
 public:
  static constexpr std::size_t kMaxFrame = 255 + 6;

  /// Consumes bytes up to the end of the first event and returns how many; `event` is of kind none if all were
  /// consumed without one. Call again with the rest (also with none) until the kind is none and nothing is left.
  std::size_t feed(std::span<const std::byte> bytes, LinkEvent& event);

  /// The line has been silent for so long that whatever was begun is over. Call feed() with no bytes afterwards.
  LinkEvent idle();

  /// Forgets the frame that was begun.
  void reset();

  /// Bytes are held that are or may become a frame.
  [[nodiscard]] bool begun() const { return fill_ > finished_; }
  /// How many bytes are missing to the end of the frame, at least.
  [[nodiscard]] std::size_t missing() const;
  /// Stream position of the next byte to be fed.
  [[nodiscard]] std::uint64_t position() const { return base_ + fill_; }
  /// Bytes so far that were no part of a frame, since this was last called.
  std::size_t take_noise();

 private:
  enum class Look : std::uint8_t { undecided, no_frame, event };

  Look look(LinkEvent& event);
  Look look_at_short(LinkEvent& event);
  Look look_at_long(LinkEvent& event);
  Look damage(LinkEvent& event, FaultKind fault, const char* reason, std::size_t length);
  void deliver(LinkEvent& event, LinkEvent::Kind kind, std::size_t length);
  void discard(std::size_t count);
  [[nodiscard]] unsigned at(std::size_t index) const { return std::to_integer<unsigned>(buffer_[index]); }
  [[nodiscard]] unsigned sum(std::size_t from, std::size_t count) const;

  std::array<std::byte, kMaxFrame> buffer_{};
  std::size_t fill_ = 0;
  std::size_t finished_ = 0;          ///< bytes at the front that the last event was about
  std::uint64_t base_ = 0;            ///< stream position of buffer_[0]
  std::uint64_t suspect_until_ = 0;   ///< up to here the stream is what is left of a damaged frame
  std::size_t noise_ = 0;
};

}  // namespace vz::oms
