// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>

#include "vz/unit.hpp"

namespace vz {

/// The unit that a code of the DLMS/COSEM enumeration means (IEC 62056-62, table of units), as SML and M-Bus gateways send it:
/// 30 is `Wh`, 27 `W`. Written without special characters where the trade does so (`m3`, `Ohm`). Codes without a
/// text (reserved, other, unitless) give an empty unit. Pure; the reference is to a constant.
const Unit& dlms_unit(std::uint8_t code);

}  // namespace vz
