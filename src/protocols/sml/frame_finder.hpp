// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "vz/session.hpp"

namespace vz::sml {

/// What the finder found. The view lives until its next call.
struct FrameEvent {
  enum class Kind : std::uint8_t { none, frame, damaged } kind = Kind::none;
  std::span<const std::byte> content;  ///< of frame: the messages, without escapes; fill bytes may follow them
  std::uint64_t offset = 0;            ///< stream position of the start sequence's first byte
  std::size_t length = 0;              ///< of frame: with start and end sequence, as it came over the line
  FaultKind fault{};                   ///< of damaged
  const char* reason = "";             ///< of damaged: what is wrong
  unsigned wanted = 0;                 ///< of a wrong check value: the computed one
  unsigned received = 0;               ///< of a wrong check value: the one in the frame
};

/// Cuts a byte stream into SML transport frames, version 1 (SML 1.03 and 1.04, chapter 8; BSI TR-03109-1, annex IV):
///
///     1B 1B 1B 1B 01 01 01 01, messages, 0 to 3 fill bytes 00, 1B 1B 1B 1B 1A fill-count CRC CRC
///
/// and verifies the CRC (X-25, low byte first; or Kermit in either order, as some meters send it). 1B 1B 1B 1B in the
/// content is sent twice, which is undone here; where a meter forgets it, the CRC decides.
///
/// Pure: no I/O, no clock, no logging. Input may be split anywhere; the events depend only on the concatenated bytes
/// and on where between them idle() was called. Sequences are found at any position, not only at multiples of four, so
/// that a lost byte costs the frame it is in and no other: damaged frames are searched again for a start sequence inside.
/// Holds at most one frame (`kMaxFrame` bytes, allocated once); a longer one is dropped and reported as
/// FaultKind::oversized. Never throws, never allocates after construction. Thread-compatible.
class FrameFinder final {
 public:
  static constexpr std::size_t kMaxFrame = 16 * 1024;

  FrameFinder() : buffer_(kMaxFrame) {}

  /// Consumes bytes up to the end of the first event and returns how many; `event` is of kind none if all were
  /// consumed without one. Call again with the rest (also with none) until the kind is none and nothing is left.
  std::size_t feed(std::span<const std::byte> bytes, FrameEvent& event);

  /// The line has been silent for so long that whatever was begun is over. Call feed() with no bytes afterwards.
  FrameEvent idle();

  /// Forgets the frame that was begun.
  void reset();

  /// A start sequence has come, its end not yet.
  [[nodiscard]] bool in_frame() const { return in_frame_; }
  /// Bytes that are or may become the start of a frame are held.
  [[nodiscard]] bool begun() const { return fill_ > finished_; }
  /// Stream position of the first byte held; the frame's first byte while in_frame().
  [[nodiscard]] std::uint64_t offset() const { return base_ + finished_; }
  /// Stream position of the next byte to be fed.
  [[nodiscard]] std::uint64_t position() const { return base_ + fill_; }

 private:
  enum class Mark : std::uint8_t { undecided, start, end };

  bool hunt();
  bool scan_frame(FrameEvent& event);
  Mark find_mark();
  void finish(FrameEvent& event);
  void damage(FrameEvent& event, FaultKind fault, const char* reason, std::size_t drop);
  void discard(std::size_t count);
  void remove_doubled_escapes(std::size_t end, FrameEvent& event);
  [[nodiscard]] std::size_t run_of(std::byte value, std::size_t from, std::size_t limit) const;

  std::vector<std::byte> buffer_;  ///< while in_frame_: from the start sequence on, as it came
  std::size_t fill_ = 0;
  std::size_t scan_ = 0;           ///< looked at up to here
  std::size_t finished_ = 0;       ///< bytes at the front that the last event was about
  std::uint64_t base_ = 0;         ///< stream position of buffer_[0]
  bool in_frame_ = false;
  bool has_doubled_ = false;       ///< the frame has an escaped escape
};

}  // namespace vz::sml
