// SPDX-License-Identifier: GPL-3.0-or-later
#include "platform/parity_marks.hpp"

#include "vz/line.hpp"

namespace vz::platform {

std::size_t ParityMarks::decode(std::span<std::byte> bytes) {
  constexpr std::byte kMark{0xFF};
  constexpr std::byte kDamaged{kDamagedBit};
  std::size_t count = 0;
  for (const std::byte byte : bytes) {
    switch (state_) {
      case State::plain:
        if (byte == kMark) {
          state_ = State::after_ff;
        } else {
          bytes[count++] = byte;
        }
        break;
      case State::after_ff:
        if (byte == std::byte{0}) {
          state_ = State::after_ff_00;
          break;
        }
        // Anything but FF FF cannot come from the driver unless an FF was received before the marks were switched on:
        // the line was disturbed, so the character is not to be trusted.
        bytes[count++] = byte == kMark ? kMark : byte | kDamaged;
        state_ = State::plain;
        break;
      case State::after_ff_00:
        bytes[count++] = byte | kDamaged;
        state_ = State::plain;
        break;
    }
  }
  return count;
}

}  // namespace vz::platform
