// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/dlms_units.hpp"

#include <array>
#include <cstddef>

namespace vz {
namespace {

/// From code 1 on.
constexpr std::string_view kTexts[] = {
    "a",       "mo",      "wk",      "d",      "h",     "min",   "s",     "°",     "°C",    "currency",   // 1 to 10
    "m",       "m/s",     "m3",      "m3",     "m3/h",  "m3/h",  "m3/d",  "m3/d",  "l",     "kg",         // 11 to 20
    "N",       "Nm",      "Pa",      "bar",    "J",     "J/h",   "W",     "VA",    "var",   "Wh",         // 21 to 30
    "VAh",     "varh",    "A",       "C",      "V",     "V/m",   "F",     "Ohm",   "Ohm m", "Wb",         // 31 to 40
    "T",       "A/m",     "H",       "Hz",     "1/Wh",  "1/varh", "1/VAh", "V2h",  "A2h",   "kg/s",       // 41 to 50
    "S",       "K",       "1/(V2h)", "1/(A2h)", "1/m3", "%",     "Ah",    "",      "",      "Wh/m3",      // 51 to 60
    "J/m3",    "Mol %",   "g/m3",    "Pa s",                                                              // 61 to 64
};

constexpr std::array<Unit, 256> make_table() {
  std::array<Unit, 256> table{};
  for (std::size_t i = 0; i < std::size(kTexts); ++i) table[i + 1] = Unit{kTexts[i]};
  return table;
}
constexpr std::array<Unit, 256> kUnits = make_table();

}  // namespace

const Unit& dlms_unit(std::uint8_t code) { return kUnits[code]; }

}  // namespace vz
