// SPDX-License-Identifier: GPL-3.0-or-later
#include "platform/eighth_bit_filter.hpp"

#include <algorithm>

#include "core/eighth_bit.hpp"

namespace vz::platform {
namespace {

constexpr std::byte kTop{kDamagedBit};
/// So many set parity bits make a line one that carries parity, so many missing ones in a row the opposite.
constexpr unsigned kLearned = 3;
constexpr unsigned kUnlearned = 6;

bool has_parity(CharacterFormat format) { return format == CharacterFormat::e7 || format == CharacterFormat::o7; }

}  // namespace

void EighthBitFilter::set_format(CharacterFormat format) {
  if (format == format_) return;
  format_ = format;
  carries_ = false;
  seen_ = missing_ = 0;
}

bool EighthBitFilter::right(std::byte byte) const { return even_ones(byte) == (format_ == CharacterFormat::e7); }

void EighthBitFilter::received(std::span<std::byte> bytes) {
  if (!has_parity(format_)) return;
  for (std::byte& byte : bytes) {
    const bool set = (byte & kTop) != std::byte{0};
    if (right(byte)) {
      if (set && ++seen_ >= kLearned) carries_ = true;
      if (set) missing_ = 0;
      byte &= ~kTop;
    } else if (!set && carries_) {
      if (++missing_ >= kUnlearned) carries_ = false, seen_ = 0;
      byte |= kTop;
    }
  }
}

std::span<const std::byte> EighthBitFilter::to_send(std::span<const std::byte> bytes, std::vector<std::byte>& out) const {
  const auto whole = [&](std::byte byte) { return right(byte) || (byte & kTop) != std::byte{0}; };
  if (!has_parity(format_) || !carries_ || std::all_of(bytes.begin(), bytes.end(), whole)) return bytes;
  out.assign(bytes.begin(), bytes.end());
  for (std::byte& byte : out)
    if (!whole(byte)) byte |= kTop;
  return out;
}

}  // namespace vz::platform
