// SPDX-License-Identifier: GPL-3.0-or-later
#include "protocols/sml/crc16.hpp"

#include <array>

namespace vz::sml {
namespace {

constexpr std::uint16_t kPolynomial = 0x8408;  // reflected 0x1021
constexpr std::size_t kSlices = 8;

using Table = std::array<std::array<std::uint16_t, 256>, kSlices>;

/// Row k: what a byte contributes when k more bytes follow it, so that eight bytes take eight independent look-ups.
constexpr Table make_table() {
  Table table{};
  for (unsigned value = 0; value < 256; ++value) {
    unsigned crc = value;
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 1U) != 0 ? (crc >> 1U) ^ kPolynomial : crc >> 1U;
    table[0][value] = static_cast<std::uint16_t>(crc);
  }
  for (std::size_t slice = 1; slice < kSlices; ++slice)
    for (unsigned value = 0; value < 256; ++value) {
      const unsigned before = table[slice - 1][value];
      table[slice][value] = static_cast<std::uint16_t>((before >> 8U) ^ table[0][before & 0xFFU]);
    }
  return table;
}
constexpr Table kTable = make_table();

std::uint16_t update(unsigned crc, std::span<const std::byte> bytes) {
  const auto at = [&](std::size_t i) { return std::to_integer<unsigned>(bytes[i]); };
  while (bytes.size() >= kSlices) {
    crc = static_cast<unsigned>(kTable[7][(crc ^ at(0)) & 0xFFU] ^ kTable[6][(crc >> 8U) ^ at(1)] ^ kTable[5][at(2)] ^
                                kTable[4][at(3)] ^ kTable[3][at(4)] ^ kTable[2][at(5)] ^ kTable[1][at(6)] ^ kTable[0][at(7)]);
    bytes = bytes.subspan(kSlices);
  }
  for (const std::byte byte : bytes) crc = (crc >> 8U) ^ kTable[0][(crc ^ std::to_integer<unsigned>(byte)) & 0xFFU];
  return static_cast<std::uint16_t>(crc);
}

}  // namespace

std::uint16_t crc_x25(std::span<const std::byte> bytes) { return static_cast<std::uint16_t>(update(0xFFFF, bytes) ^ 0xFFFFU); }

std::uint16_t crc_kermit(std::span<const std::byte> bytes) { return update(0, bytes); }

}  // namespace vz::sml
