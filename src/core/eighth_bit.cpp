// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/eighth_bit.hpp"

namespace vz {

std::string_view text(EighthBit kind) {
  switch (kind) {
    case EighthBit::unknown: return "not known";
    case EighthBit::clear: return "no parity";
    case EighthBit::even: return "even parity";
    case EighthBit::odd: return "odd parity";
    case EighthBit::data: return "data";
  }
  return "?";
}

void EighthBitStatistics::add(std::span<const std::byte> bytes) {
  for (const std::byte byte : bytes) {
    const auto low = std::to_integer<unsigned>(byte & std::byte{0x7F});
    if (low == 0) continue;
    ++count_;
    if ((low >= 0x20 && low < 0x7F) || low == '\r' || low == '\n' || low == 0x02 || low == 0x03) ++text_;
    if ((byte & std::byte{0x80}) != std::byte{0}) ++set_;
    if (even_ones(byte)) ++even_;
  }
}

EighthBit EighthBitStatistics::verdict() const {
  if (count_ < kEnough) return EighthBit::unknown;
  const auto nearly_all = [&](std::size_t part) { return part * 10 >= count_ * 9; };
  if (!text()) return EighthBit::data;
  if (set_ * 50 <= count_) return EighthBit::clear;
  if (nearly_all(even_)) return EighthBit::even;
  if (nearly_all(count_ - even_)) return EighthBit::odd;
  if (nearly_all(count_ - set_)) return EighthBit::clear;
  return EighthBit::data;
}

}  // namespace vz
