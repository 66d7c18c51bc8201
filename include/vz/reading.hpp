// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "vz/identifier.hpp"
#include "vz/time.hpp"
#include "vz/unit.hpp"

namespace vz {

/// One register value as a meter delivered it. The number is the meter's own (kWh stay kWh); always finite.
struct Reading {
  Identifier identifier;
  double value = 0.0;
  Unit unit;
  WallTime stamp{};  ///< arrival of the first byte of the telegram's data block, or the meter's own time
};

}  // namespace vz
