// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace vz::sml {

/// CRC-16/X-25, what SML asks for: "123456789" gives 0x906E. Pure.
std::uint16_t crc_x25(std::span<const std::byte> bytes);

/// CRC-16/KERMIT, what some meters send instead (Holley DTZ541): "123456789" gives 0x2189. Pure.
std::uint16_t crc_kermit(std::span<const std::byte> bytes);

constexpr std::uint16_t swap_bytes(std::uint16_t value) {
  return static_cast<std::uint16_t>((value >> 8U) | (value << 8U));
}

}  // namespace vz::sml
