// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace vz {

/// What the eighth bit of characters is that were received as 8n1.
enum class EighthBit {
  unknown,  ///< too few characters, or none that text is made of
  clear,    ///< never set: eight data bits, or seven whose parity somebody took away already
  even,     ///< even parity: the line is 7e1
  odd,      ///< odd parity: the line is 7o1
  data,     ///< anything: binary data, or the wrong speed
};
std::string_view text(EighthBit kind);

/// True if the byte has an even number of ones, all eight bits counted.
constexpr bool even_ones(std::byte byte) {
  auto bits = std::to_integer<unsigned>(byte);
  bits ^= bits >> 4U;
  bits ^= bits >> 2U;
  bits ^= bits >> 1U;
  return (bits & 1U) == 0;
}

/// Counts what the eighth bits of characters look like and says what they are. Tolerates one character in ten that noise has
/// changed. NULs count for nothing. Pure; constant size.
class EighthBitStatistics {
 public:
  void add(std::span<const std::byte> bytes);
  [[nodiscard]] EighthBit verdict() const;
  /// Characters that count.
  [[nodiscard]] std::size_t count() const { return count_; }
  /// Nine tenths are characters that text is made of (printable, line ends, STX, ETX), the eighth bit left out.
  [[nodiscard]] bool text() const { return count_ >= kEnough && text_ * 10 >= count_ * 9; }

  /// So many characters, and no two or three alike, are needed for a verdict.
  static constexpr std::size_t kEnough = 12;

 private:
  std::size_t count_ = 0;
  std::size_t text_ = 0;
  std::size_t set_ = 0;
  std::size_t even_ = 0;
};

}  // namespace vz
