// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "vz/line.hpp"

namespace vz::platform {

/// Parity on lines that know none: a pseudo-terminal, or a serial server that works with eight bits while the meter
/// works with seven and parity. There the parity arrives as the eighth bit of the characters.
///
/// With a format that has parity: a set eighth bit that is the right parity is taken away. Once some were seen, the line
/// is known to carry parity: then characters without the bit that should have it are damaged, and what is sent gets
/// parity, too. A line on which the bit is never set passes unchanged: somebody has checked the parity before. Pure but
/// for its own state; in place; no allocation but the growth of `out`. Thread-compatible.
class EighthBitFilter final {
 public:
  /// A change of format forgets what was learned; a change of speed does not.
  void set_format(CharacterFormat format);
  /// Characters with wrong parity get (or keep) kDamagedBit.
  void received(std::span<std::byte> bytes);
  /// What to send for `bytes`: themselves, or a copy with parity in `out`.
  std::span<const std::byte> to_send(std::span<const std::byte> bytes, std::vector<std::byte>& out) const;
  [[nodiscard]] bool carries_parity() const { return carries_; }

 private:
  [[nodiscard]] bool right(std::byte byte) const;

  CharacterFormat format_ = CharacterFormat::n8;
  bool carries_ = false;
  unsigned seen_ = 0;    ///< right parity bits that were set
  unsigned missing_ = 0; ///< characters in a row that lack theirs
};

}  // namespace vz::platform
