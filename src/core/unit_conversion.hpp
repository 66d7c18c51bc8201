// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "vz/unit.hpp"

namespace vz {

/// How a number of one unit becomes one of another: `(value + offset) * times / divided_by`. The factors are whole numbers and
/// have no common divisor, so that 132.149 kWh become exactly what 132149 Wh are as a double.
struct UnitConversion {
  double offset = 0.0;
  double times = 1.0;
  double divided_by = 1.0;
  [[nodiscard]] double operator()(double value) const { return (value + offset) * times / divided_by; }
};

/// From one unit to another of the same quantity. Empty if they are not, or one of them is not known. The same text is always
/// convertible. Units are found however meters write them: `KWh`, `m³`, `kVArh`. Pure.
std::optional<UnitConversion> unit_conversion(std::string_view from, std::string_view to);

/// Whether the unit is one that others can be converted to.
bool is_known_unit(std::string_view text);

/// All known units, by quantity, for messages and documentation: "Wh kWh MWh ...; W kW ...".
std::string known_units();

/// The option `unit` of a channel: converts one register's numbers. Looks a register's unit up once. A value type without heap;
/// thread-compatible.
class UnitConverter {
 public:
  explicit UnitConverter(Unit wanted) : wanted_(wanted) {}
  /// Empty if a number of that unit cannot be converted.
  std::optional<double> operator()(double value, const Unit& unit) {
    if (!looked_up_ || !(unit == from_)) look_up(unit);
    if (!conversion_) return std::nullopt;
    return (*conversion_)(value);
  }
  [[nodiscard]] const Unit& wanted() const { return wanted_; }

 private:
  void look_up(const Unit& unit);

  Unit wanted_;
  Unit from_;
  std::optional<UnitConversion> conversion_;
  bool looked_up_ = false;
};

}  // namespace vz
