// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vz/time.hpp"

namespace vz {

struct StoredReading {
  WallTime stamp{};
  double value = 0.0;
};

/// A run of readings as bytes: usually 3 to 6 a reading, at most 19. Stamps as differences of differences, values as
/// differences of decimal integers where that gives back the very same double, else as its 8 bytes; a CRC-32 in front,
/// over `identity` (what the run is filed under) and the rest, so that damaged or misplaced runs are known as such.
/// Pure; any value including NaN and -0.0 comes back bit for bit.
std::string encode_segment(std::span<const StoredReading> readings, std::uint64_t identity);

/// Appends the readings to `out`; false, and `out` as before, if the bytes are not what encode_segment() made. Takes any
/// bytes; never reads out of bounds; at most one reading for each byte.
bool decode_segment(std::string_view bytes, std::uint64_t identity, std::vector<StoredReading>& out);

}  // namespace vz
