// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/unit_conversion.hpp"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <numeric>

#include "core/ascii.hpp"

namespace vz {
namespace {

enum class Quantity : std::uint8_t {
  energy, reactive_energy, apparent_energy, power, reactive_power, apparent_power, volume, flow, voltage, current, charge,
  frequency, temperature, pressure, mass, time, ratio, angle,
};

/// One unit: so many (`times` / `divided_by`) of the quantity's first unit. For temperatures the offset to kelvin comes first.
struct Row {
  std::string_view name;
  Quantity quantity;
  std::int64_t times = 1;
  std::int64_t divided_by = 1;
  double offset = 0.0;
  std::string_view also = {};  ///< other ways to write it, set apart by blanks
};

constexpr std::int64_t kKilo = 1'000;
constexpr std::int64_t kMega = 1'000'000;
constexpr std::int64_t kGiga = 1'000'000'000;
constexpr std::int64_t kHour = 3'600;  // joules of a watt-hour

constexpr Row kRows[] = {
    {"Wh", Quantity::energy},
    {"kWh", Quantity::energy, kKilo},
    {"MWh", Quantity::energy, kMega},
    {"GWh", Quantity::energy, kGiga},
    {"J", Quantity::energy, 1, kHour},
    {"kJ", Quantity::energy, kKilo, kHour},
    {"MJ", Quantity::energy, kMega, kHour},
    {"GJ", Quantity::energy, kGiga, kHour},
    {"W", Quantity::power},
    {"kW", Quantity::power, kKilo},
    {"MW", Quantity::power, kMega},
    {"J/h", Quantity::power, 1, kHour},
    {"varh", Quantity::reactive_energy},
    {"kvarh", Quantity::reactive_energy, kKilo},
    {"Mvarh", Quantity::reactive_energy, kMega},
    {"var", Quantity::reactive_power},
    {"kvar", Quantity::reactive_power, kKilo},
    {"VAh", Quantity::apparent_energy},
    {"kVAh", Quantity::apparent_energy, kKilo},
    {"VA", Quantity::apparent_power},
    {"kVA", Quantity::apparent_power, kKilo},
    {"m3", Quantity::volume, kKilo, 1, 0.0, "m³ m^3 cbm"},
    {"l", Quantity::volume, 1, 1, 0.0, "dm3 dm³"},
    {"m3/h", Quantity::flow, kKilo, 1, 0.0, "m³/h m^3/h"},
    {"l/h", Quantity::flow},
    {"l/min", Quantity::flow, 60},
    {"V", Quantity::voltage},
    {"mV", Quantity::voltage, 1, kKilo},
    {"kV", Quantity::voltage, kKilo},
    {"A", Quantity::current},
    {"mA", Quantity::current, 1, kKilo},
    {"kA", Quantity::current, kKilo},
    {"Ah", Quantity::charge},
    {"Hz", Quantity::frequency},
    {"kHz", Quantity::frequency, kKilo},
    {"°C", Quantity::temperature, 1, 1, 273.15, "C Cel degC"},
    {"K", Quantity::temperature},
    {"°F", Quantity::temperature, 5, 9, 459.67, "F degF"},
    {"Pa", Quantity::pressure},
    {"hPa", Quantity::pressure, 100},
    {"kPa", Quantity::pressure, kKilo},
    {"mbar", Quantity::pressure, 100},
    {"bar", Quantity::pressure, 100'000},
    {"kg", Quantity::mass, kKilo},
    {"g", Quantity::mass},
    {"t", Quantity::mass, kMega},
    {"s", Quantity::time, 1, 1, 0.0, "sec"},
    {"min", Quantity::time, 60},
    {"h", Quantity::time, kHour},
    {"d", Quantity::time, 24 * kHour},
    {"%", Quantity::ratio},
    {"°", Quantity::angle, 1, 1, 0.0, "deg"},
};

bool is_listed(std::string_view text, std::string_view list) {
  while (!list.empty()) {
    const auto blank = list.find(' ');
    if (list.substr(0, blank) == text) return true;
    list.remove_prefix(blank == std::string_view::npos ? list.size() : blank + 1);
  }
  return false;
}

const Row* find(std::string_view text) {
  for (const Row& row : kRows)
    if (row.name == text || is_listed(text, row.also)) return &row;
  // Meters write KWh and kVArh. But the first letter tells milli from mega, and no single letter is another's capital.
  if (text.size() < 2) return nullptr;
  const Row* found = nullptr;
  for (const Row& row : kRows) {
    const bool prefix_differs = lower(text[0]) == 'm' && row.name[0] != text[0] && !row.name.starts_with("m3");
    if (prefix_differs || !equal_ignoring_case(row.name, text)) continue;
    if (found != nullptr) return nullptr;
    found = &row;
  }
  return found;
}

}  // namespace

bool is_known_unit(std::string_view text) { return find(text) != nullptr; }

std::optional<UnitConversion> unit_conversion(std::string_view from, std::string_view to) {
  if (!from.empty() && from == to) return UnitConversion{};
  const Row* a = find(from);
  const Row* b = find(to);
  if (a == nullptr || b == nullptr || a->quantity != b->quantity) return std::nullopt;
  if (a == b) return UnitConversion{};
  std::int64_t times = a->times * b->divided_by;
  std::int64_t divided_by = a->divided_by * b->times;
  const std::int64_t common = std::gcd(times, divided_by);
  times /= common;
  divided_by /= common;
  // kelvin = (value + offset) * factor for both, so the second offset is taken off before the factors
  const double offset = a->offset - b->offset * static_cast<double>(divided_by) / static_cast<double>(times);
  return UnitConversion{offset, static_cast<double>(times), static_cast<double>(divided_by)};
}

std::string known_units() {
  std::string text;
  for (const Row& row : kRows) {
    if (!text.empty()) text += row.quantity == (&row - 1)->quantity ? " " : "; ";
    text += row.name;
  }
  return text;
}

void UnitConverter::look_up(const Unit& unit) {
  from_ = unit;
  looked_up_ = true;
  conversion_ = unit_conversion(unit.text(), wanted_.text());
}

}  // namespace vz
