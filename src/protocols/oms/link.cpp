// SPDX-License-Identifier: GPL-3.0-or-later
#include "protocols/oms/link.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace vz::oms {
namespace {

constexpr unsigned kAcknowledge = 0xE5;
constexpr unsigned kShortStart = 0x10;
constexpr unsigned kLongStart = 0x68;
constexpr unsigned kStop = 0x16;
constexpr std::size_t kShortFrame = 5;
constexpr std::size_t kHead = 4;          ///< of a long frame: start, length, length, start
constexpr std::size_t kFrame = kHead + 2; ///< of a long frame: what L does not count
constexpr unsigned kLeastLength = 3;      ///< C, A, CI

}  // namespace

std::size_t FrameFinder::feed(std::span<const std::byte> bytes, LinkEvent& event) {
  event = LinkEvent{};
  discard(std::exchange(finished_, 0));
  std::size_t used = 0;
  while (true) {
    const std::size_t taken = std::min(bytes.size() - used, buffer_.size() - fill_);
    if (taken > 0) std::memcpy(buffer_.data() + fill_, bytes.data() + used, taken);
    fill_ += taken;
    used += taken;
    Look found = Look::undecided;
    while (fill_ > 0 && (found = look(event)) == Look::no_frame) {
      discard(1);
      ++noise_;
    }
    if (fill_ > 0 && found == Look::event) {
      // what came behind the event and with this call stays with the caller
      const std::size_t back = std::min(taken, fill_ - finished_);
      fill_ -= back;
      return used - back;
    }
    if (used == bytes.size()) return used;
  }
}

LinkEvent FrameFinder::idle() {
  LinkEvent event;
  discard(std::exchange(finished_, 0));
  if (fill_ == 0) return event;
  event.offset = base_;
  if (at(0) == kLongStart && fill_ >= kHead) {
    damage(event, FaultKind::truncated, "the frame stopped in its middle", fill_);
    return event;
  }
  do {  // a few bytes that may be anything
    discard(1);
    ++noise_;
  } while (fill_ > 0 && look(event) != Look::event);
  return event;
}

void FrameFinder::reset() {
  finished_ = 0;
  noise_ = 0;
  discard(fill_);
  suspect_until_ = 0;
}

std::size_t FrameFinder::missing() const {
  const std::size_t held = fill_ - finished_;
  if (held == 0) return 1;
  const unsigned first = at(finished_);
  if (first == kShortStart) return kShortFrame - std::min(held, kShortFrame - 1);
  if (first != kLongStart || held < kHead) return kFrame + kLeastLength - std::min<std::size_t>(held, kFrame + kLeastLength - 1);
  const std::size_t whole = kFrame + at(finished_ + 1);
  return whole > held ? whole - held : 1;
}

std::size_t FrameFinder::take_noise() { return std::exchange(noise_, 0); }

void FrameFinder::discard(std::size_t count) {
  if (count == 0) return;
  std::memmove(buffer_.data(), buffer_.data() + count, fill_ - count);
  fill_ -= count;
  base_ += count;
}

unsigned FrameFinder::sum(std::size_t from, std::size_t count) const {
  unsigned total = 0;
  for (std::size_t i = from; i < from + count; ++i) total += at(i);
  return total & 0xFFU;
}

/// What begins at the first byte held.
FrameFinder::Look FrameFinder::look(LinkEvent& event) {
  switch (at(0)) {
    case kLongStart: return look_at_long(event);
    case kShortStart: return base_ < suspect_until_ ? Look::no_frame : look_at_short(event);
    case kAcknowledge:
      if (base_ < suspect_until_) return Look::no_frame;
      deliver(event, LinkEvent::Kind::acknowledge, 1);
      return Look::event;
    default: return Look::no_frame;
  }
}

FrameFinder::Look FrameFinder::look_at_short(LinkEvent& event) {
  if (fill_ < kShortFrame) return Look::undecided;
  if (at(kShortFrame - 1) != kStop || sum(1, 2) != at(3)) return Look::no_frame;
  event.control = static_cast<std::uint8_t>(at(1));
  event.address = static_cast<std::uint8_t>(at(2));
  deliver(event, LinkEvent::Kind::short_frame, kShortFrame);
  return Look::event;
}

FrameFinder::Look FrameFinder::look_at_long(LinkEvent& event) {
  if (fill_ >= 2 && at(1) < kLeastLength) return Look::no_frame;
  if (fill_ >= 3 && at(1) != at(2)) return Look::no_frame;
  if (fill_ >= kHead && at(3) != kLongStart) return Look::no_frame;
  if (fill_ < kHead) return Look::undecided;
  const std::size_t length = at(1);
  if (fill_ < kFrame + length) return Look::undecided;
  event.offset = base_;
  if (at(kHead + length + 1) != kStop)
    return damage(event, FaultKind::grammar, "the frame does not end with the stop byte 16", kFrame + length);
  const unsigned wanted = sum(kHead, length);
  const unsigned received = at(kHead + length);
  if (wanted != received) {
    event.wanted = wanted;
    event.received = received;
    return damage(event, FaultKind::check_value, "check sum of the frame", kFrame + length);
  }
  event.control = static_cast<std::uint8_t>(at(kHead));
  event.address = static_cast<std::uint8_t>(at(kHead + 1));
  event.user_data = std::span<const std::byte>(buffer_).subspan(kHead + 2, length - 2);
  deliver(event, LinkEvent::Kind::long_frame, kFrame + length);
  return Look::event;
}

/// The frame is lost; the search goes on behind its first byte.
FrameFinder::Look FrameFinder::damage(LinkEvent& event, FaultKind fault, const char* reason, std::size_t length) {
  event.kind = LinkEvent::Kind::damaged;
  event.fault = fault;
  event.reason = reason;
  suspect_until_ = std::max(suspect_until_, base_ + length);
  finished_ = 1;
  return Look::event;
}

void FrameFinder::deliver(LinkEvent& event, LinkEvent::Kind kind, std::size_t length) {
  event.kind = kind;
  event.offset = base_;
  finished_ = length;
}

}  // namespace vz::oms
