// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstddef>
#include <span>

namespace vz::platform {

/// Undoes the escape of a tty with PARMRK set (POSIX.1-2017, 11.2.2): FF FF is a good FF; FF 00 c is a character c with
/// wrong parity or stop bit, a break is FF 00 00. Damaged characters come out as c | kDamagedBit.
///
/// Pure: the output depends only on the concatenated input, however it is split. In place, no allocation, holds at most
/// two characters of an unfinished escape. Thread-compatible. Never throws.
class ParityMarks final {
 public:
  /// Decodes `bytes` in place; the first N bytes (N is returned, never more than went in) are the characters.
  std::size_t decode(std::span<std::byte> bytes);
  /// Forgets an unfinished escape, as after the input was discarded.
  void reset() { state_ = State::plain; }

 private:
  enum class State { plain, after_ff, after_ff_00 };
  State state_ = State::plain;
};

}  // namespace vz::platform
