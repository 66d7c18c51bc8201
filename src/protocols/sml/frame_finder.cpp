// SPDX-License-Identifier: GPL-3.0-or-later
#include "protocols/sml/frame_finder.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "protocols/sml/crc16.hpp"

namespace vz::sml {
namespace {

constexpr std::byte kEscape{0x1B};
constexpr std::byte kStart{0x01};
constexpr std::byte kEnd{0x1A};
constexpr std::size_t kEscapeLength = 4;
constexpr std::size_t kMarkLength = 8;  ///< of a start or end sequence

}  // namespace

std::size_t FrameFinder::feed(std::span<const std::byte> bytes, FrameEvent& event) {
  event = FrameEvent{};
  discard(std::exchange(finished_, 0));
  std::size_t used = 0;
  do {
    const std::size_t taken = std::min(bytes.size() - used, buffer_.size() - fill_);
    if (taken > 0) std::memcpy(buffer_.data() + fill_, bytes.data() + used, taken);
    fill_ += taken;
    used += taken;
    while (in_frame_ || hunt()) {
      if (!scan_frame(event)) break;
      // what came behind the event and with this call stays with the caller
      const std::size_t back = std::min(taken, fill_ - finished_);
      fill_ -= back;
      return used - back;
    }
  } while (used < bytes.size());
  return used;
}

FrameEvent FrameFinder::idle() {
  FrameEvent event;
  discard(std::exchange(finished_, 0));
  if (in_frame_) damage(event, FaultKind::truncated, "the telegram stopped in its middle", 1);
  return event;
}

void FrameFinder::reset() {
  finished_ = 0;
  in_frame_ = false;
  discard(fill_);
}

void FrameFinder::discard(std::size_t count) {
  if (count == 0) return;
  std::memmove(buffer_.data(), buffer_.data() + count, fill_ - count);
  fill_ -= count;
  base_ += count;
  scan_ = 0;
}

/// Length of the run of `value` from `from` on, at most `limit`.
std::size_t FrameFinder::run_of(std::byte value, std::size_t from, std::size_t limit) const {
  const std::size_t end = std::min(fill_, from + limit);
  std::size_t at = from;
  while (at < end && buffer_[at] == value) ++at;
  return at - from;
}

/// Looks for a start sequence, however many escape bytes precede it, and drops what is in front of it.
bool FrameFinder::hunt() {
  std::size_t at = 0;
  while (true) {
    const void* found = at < fill_ ? std::memchr(buffer_.data() + at, std::to_integer<int>(kEscape), fill_ - at) : nullptr;
    if (found == nullptr) {
      discard(fill_);
      return false;
    }
    at = static_cast<std::size_t>(static_cast<const std::byte*>(found) - buffer_.data());
    const std::size_t run = run_of(kEscape, at, fill_);
    const std::size_t behind = at + run;
    if (run >= kEscapeLength || behind == fill_) {
      const std::size_t start = behind - std::min(run, kEscapeLength);
      const std::size_t ones = run_of(kStart, behind, kEscapeLength);
      if (run >= kEscapeLength && ones == kEscapeLength) {
        discard(start);
        in_frame_ = true;
        has_doubled_ = false;
        scan_ = kMarkLength;
        return true;
      }
      if (behind + ones == fill_) {
        discard(start);
        return false;
      }
    }
    at = behind;
  }
}

/// Goes on from scan_ to the next start or end sequence. On one, scan_ is its first byte; undecided: more bytes are needed.
FrameFinder::Mark FrameFinder::find_mark() {
  while (true) {
    const void* found = scan_ < fill_ ? std::memchr(buffer_.data() + scan_, std::to_integer<int>(kEscape), fill_ - scan_) : nullptr;
    if (found == nullptr) {
      scan_ = fill_;
      return Mark::undecided;
    }
    scan_ = static_cast<std::size_t>(static_cast<const std::byte*>(found) - buffer_.data());
    const std::size_t run = run_of(kEscape, scan_, kMarkLength);
    const std::size_t behind = scan_ + run;
    if (run == kMarkLength) {  // an escape that belongs to the content
      has_doubled_ = true;
      scan_ = behind;
      continue;
    }
    if (behind == fill_) return Mark::undecided;
    if (run < kEscapeLength) {
      scan_ = behind;
      continue;
    }
    scan_ = behind - kEscapeLength;  // of five to seven the first ones belong to the content
    if (buffer_[behind] == kEnd) return fill_ - scan_ < kMarkLength ? Mark::undecided : Mark::end;
    const std::size_t ones = run_of(kStart, behind, kEscapeLength);
    if (ones == kEscapeLength) return Mark::start;
    if (behind + ones == fill_) return Mark::undecided;
    scan_ = behind;  // no sequence: a meter that does not escape; the CRC decides
  }
}

/// True with an event.
bool FrameFinder::scan_frame(FrameEvent& event) {
  switch (find_mark()) {
    case Mark::start:
      damage(event, FaultKind::truncated, "the next telegram began before this one had ended", scan_);
      return true;
    case Mark::end:
      finish(event);
      return true;
    case Mark::undecided: break;
  }
  if (fill_ < buffer_.size()) return false;
  damage(event, FaultKind::oversized, "the telegram is longer than 16 KiB", 1);
  return true;
}

/// The end sequence is at scan_.
void FrameFinder::finish(FrameEvent& event) {
  const std::size_t length = scan_ + kMarkLength;
  const auto covered = std::span<const std::byte>(buffer_).first(length - 2);
  const auto received = static_cast<std::uint16_t>(std::to_integer<unsigned>(buffer_[length - 2]) |
                                                   std::to_integer<unsigned>(buffer_[length - 1]) << 8U);
  const std::uint16_t wanted = crc_x25(covered);
  if (wanted != received) {
    const std::uint16_t kermit = crc_kermit(covered);
    if (kermit != received && kermit != swap_bytes(received)) {
      damage(event, FaultKind::check_value, "CRC of the telegram", 1);
      event.wanted = wanted;
      event.received = received;
      return;
    }
  }
  event.kind = FrameEvent::Kind::frame;
  event.offset = base_;
  event.length = length;
  event.content = std::span<const std::byte>(buffer_).subspan(kMarkLength, scan_ - kMarkLength);
  if (has_doubled_) remove_doubled_escapes(scan_, event);
  finished_ = length;
  in_frame_ = false;
}

void FrameFinder::remove_doubled_escapes(std::size_t end, FrameEvent& event) {
  std::size_t to = kMarkLength;
  for (std::size_t from = kMarkLength; from < end;) {
    if (end - from >= kMarkLength && run_of(kEscape, from, kMarkLength) == kMarkLength) {
      std::fill_n(buffer_.begin() + static_cast<std::ptrdiff_t>(to), kEscapeLength, kEscape);
      to += kEscapeLength;
      from += kMarkLength;
    } else {
      buffer_[to++] = buffer_[from++];
    }
  }
  event.content = event.content.first(to - kMarkLength);
}

/// The frame is lost; the search goes on behind its first `drop` bytes, for another may have begun inside it.
void FrameFinder::damage(FrameEvent& event, FaultKind fault, const char* reason, std::size_t drop) {
  event.kind = FrameEvent::Kind::damaged;
  event.fault = fault;
  event.reason = reason;
  event.offset = base_;
  finished_ = drop;
  in_frame_ = false;
}

}  // namespace vz::sml
