// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>

namespace vz {

/// magnitude × 10^exponent as the double nearest to it: 20124 × 10^-1 is 2012.4, not 2012.4000000000001. Pure, no
/// allocation, no locale. Precondition: |exponent| at most 200, so that the result is finite.
double decimal(std::uint64_t magnitude, int exponent);

}  // namespace vz
