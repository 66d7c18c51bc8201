// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <string_view>

namespace vz::oms {

/// What a value information field speaks of, as far as it matters for finding a register.
enum class Quantity : std::uint8_t {
  other,  ///< has a name, and no register of its own
  energy, volume, mass, power, volume_flow, mass_flow,
  flow_temperature, return_temperature, temperature_difference, external_temperature, pressure,
  hca_units,  ///< of a heat cost allocator
  date, date_time,
  operating_time, reactive_energy, apparent_energy, reactive_power, apparent_power, voltage, current, frequency,
  error_flags,
  plain_text,    ///< the unit is a text in the frame
  manufacturer,  ///< only the manufacturer knows
};

/// A row of the standard's tables, applied to one code.
struct Meaning {
  Quantity quantity = Quantity::other;
  int exponent = 0;             ///< the value is the number times ten to this, in `unit`
  std::string_view unit;        ///< empty: none
  std::string_view name;        ///< in words; empty: reserved, its meaning is not known
};

/// EN 13757-3:2018, table 10: primary codes, without the extension bit. Pure; the views are constants.
Meaning primary_meaning(unsigned code);
/// Table 14: behind FD.
Meaning meaning_behind_fd(unsigned code);
/// Table 12: behind FB.
Meaning meaning_behind_fb(unsigned code);

}  // namespace vz::oms
