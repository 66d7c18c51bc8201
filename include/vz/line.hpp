// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>

namespace vz {

/// Character formats of a serial line: data bits, parity, stop bits.
enum class CharacterFormat : std::uint8_t { n8, n7, e7, o7, e8 };

/// Speed and character format of a serial line.
struct LineSettings {
  unsigned baud = 9600;
  CharacterFormat format = CharacterFormat::e7;
  bool operator==(const LineSettings&) const = default;

  /// Bits of one character on the line, start and stop bit included.
  [[nodiscard]] constexpr unsigned bits_per_character() const {
    if (format == CharacterFormat::n7) return 9;
    return format == CharacterFormat::e8 ? 11 : 10;
  }
  /// Time that `count` characters take on the line.
  [[nodiscard]] constexpr std::chrono::nanoseconds duration(std::size_t count) const {
    return std::chrono::nanoseconds{static_cast<std::int64_t>(count) * bits_per_character() * 1'000'000'000LL / baud};
  }
};

/// On a line with parity the transport hands every character whose parity (or stop bit) was wrong, and every break,
/// to the session with this bit set; good characters of such a line are below 0x80. (On 8n1 the bit is data. On 8e1, too:
/// there characters with wrong parity are left out, so that the frame that lacks them fails its checks.)
inline constexpr unsigned char kDamagedBit = 0x80;

/// `8n1`, `7n1`, `7e1`, `7o1`, `8e1`.
constexpr std::string_view text(CharacterFormat format) {
  switch (format) {
    case CharacterFormat::n8: return "8n1";
    case CharacterFormat::n7: return "7n1";
    case CharacterFormat::e7: return "7e1";
    case CharacterFormat::o7: return "7o1";
    case CharacterFormat::e8: return "8e1";
  }
  return "?";
}

}  // namespace vz
