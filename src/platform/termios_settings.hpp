// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <termios.h>

#include <optional>
#include <string>

#include "vz/line.hpp"

namespace vz::platform {

/// The speed constant of a baud rate; none if the C library has no name for it.
std::optional<speed_t> speed_constant(unsigned baud);

/// All baud rates that speed_constant knows, "50, 75, ... 4000000".
std::string known_baud_rates();

/// True if characters with wrong parity are to be marked in the input (and the input is to be decoded by ParityMarks).
constexpr bool marks_parity(CharacterFormat format) {
  return format == CharacterFormat::e7 || format == CharacterFormat::o7;
}

/// The settings of a raw line with `line`'s speed and format: every byte passes unchanged in both directions, no flow
/// control, no signals, no carrier needed. With a parity format the parity is checked and errors are marked.
/// Of `base` only what none of this touches is kept (HUPCL, the unused control characters). None if the speed is
/// unknown. Pure.
///
/// VMIN is 1, not 0: with 0 a non-blocking read without data returns 0, which could not be told from a hang-up.
std::optional<termios> raw_termios(const termios& base, LineSettings line);

}  // namespace vz::platform
