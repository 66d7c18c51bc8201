// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <optional>

#include "protocols/oms/records.hpp"
#include "vz/obis.hpp"

namespace vz::oms {

/// The OBIS code of a record of a meter for `medium` (the device type of the header), after OMS specification volume 2,
/// annexes A and B, and DLMS UA 1000-1 (value groups of electricity, heat, gas and water); nothing if there is none that is
/// sure: a unit in words, a manufacturer's field, a modifier of unknown effect.
///
/// Subunit becomes the channel (group B), tariff group E, storage number group F; of heat, water and heat cost allocators the
/// first storage number is the value at the set date (D = 2). The four registers that the old daemon knew (energy and power,
/// both directions, 32 bits, scale 1) have its codes, without medium and channel. Pure.
std::optional<Obis> register_of(const Record& record, unsigned medium);

}  // namespace vz::oms
