// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/channel_advice.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "vz/protocol.hpp"

namespace vz {
namespace {

/// What a register measures.
enum class Quantity { energy, power, voltage, current, frequency, gas, water, heat, heat_power, temperature, flow, pulses };

struct Type {
  Quantity quantity;
  std::string_view type;
  std::string_view german;
  std::string_view title;
};

constexpr std::array kTypes{
    Type{Quantity::energy, "electric meter", "El. Energie (Zählerstände)", "Strom"},
    Type{Quantity::power, "powersensor", "El. Energie (Leistungswerte)", "Leistung"},
    Type{Quantity::voltage, "voltage", "Spannungssensor", "Spannung"},
    Type{Quantity::current, "current", "Stromsensor", "Stromstärke"},
    Type{Quantity::frequency, "frequency", "Frequenz", "Frequenz"},
    Type{Quantity::gas, "gas meter", "Gas (Zählerstände)", "Gas"},
    Type{Quantity::water, "watertotal", "Wasser (Zählerstände)", "Wasser"},
    Type{Quantity::heat, "heattotal", "Wärme (Zählerstände)", "Wärme"},
    Type{Quantity::heat_power, "heatsensor", "Wärme (Leistungswerte)", "Wärmeleistung"},
    Type{Quantity::temperature, "temperature", "Temperatur", "Temperatur"},
    Type{Quantity::flow, "flow", "Wasser (Durchflusswerte)", "Durchfluss"},
    Type{Quantity::pulses, "power", "El. Energie (S0-Impulse)", "Impulse"},
};

/// A unit with how many of it make one of what the type counts in: kWh, W, m3, litre.
struct Scale {
  std::string_view unit;
  Quantity quantity;
  double per_counted;
};

constexpr std::array kScales{
    Scale{"kWh", Quantity::energy, 1},   Scale{"Wh", Quantity::energy, 1000},    Scale{"MWh", Quantity::energy, 0.001},
    Scale{"kvarh", Quantity::energy, 1}, Scale{"varh", Quantity::energy, 1000},  Scale{"kVAh", Quantity::energy, 1},
    Scale{"VAh", Quantity::energy, 1000}, Scale{"kWh", Quantity::heat, 1},       Scale{"Wh", Quantity::heat, 1000},
    Scale{"MWh", Quantity::heat, 0.001}, Scale{"GJ", Quantity::heat, 0.0036},    Scale{"MJ", Quantity::heat, 3.6},
    Scale{"kJ", Quantity::heat, 3600},   Scale{"J", Quantity::heat, 3.6e6},      Scale{"m3", Quantity::gas, 1},
    Scale{"l", Quantity::gas, 1000},     Scale{"m3", Quantity::water, 0.001},    Scale{"l", Quantity::water, 1},
    Scale{"W", Quantity::power, 1},      Scale{"kW", Quantity::power, 0.001},    Scale{"W", Quantity::heat_power, 1},
    Scale{"kW", Quantity::heat_power, 0.001},
};

bool is_power_register(unsigned c) {
  for (const unsigned phase : {0U, 20U, 40U, 60U})
    if (c == phase + 1 || c == phase + 2 || c == phase + 15 || c == phase + 16) return true;
  return false;
}

bool is_phase_register(unsigned c, unsigned first) { return c == first || c == first + 20 || c == first + 40 || c == first + 60; }

std::optional<Quantity> electric_quantity(unsigned c, unsigned d) {
  if (d == 8 || d == 9) return c <= 80 ? std::optional{Quantity::energy} : std::nullopt;
  if (d != 7) return std::nullopt;
  if (c == 14 || c == 34 || c == 54 || c == 74) return Quantity::frequency;
  if (is_phase_register(c, 12)) return Quantity::voltage;
  if (is_phase_register(c, 11)) return Quantity::current;
  if (is_power_register(c)) return Quantity::power;
  return std::nullopt;
}

std::optional<Quantity> quantity_of(const Obis& code) {
  const Obis full = code.canonical();
  const unsigned medium = full.groups[0];
  const unsigned c = full.groups[2];
  const unsigned d = full.groups[3];
  switch (medium) {
    case 0: return c == 24 && d == 2 ? std::optional{Quantity::gas} : std::nullopt;  // DSMR's M-Bus devices
    case 1: return electric_quantity(c, d);
    case 5:
    case 6:
      if (c == 1 || c == 128) return Quantity::heat;
      if (c == 8) return Quantity::heat_power;
      if (c == 9) return Quantity::flow;
      if (c == 10 || c == 11) return Quantity::temperature;
      return std::nullopt;
    case 7: return c <= 3 || c == 13 || c == 23 ? std::optional{Quantity::gas} : std::nullopt;
    case 8:
    case 9: return c == 1 ? std::optional{Quantity::water} : c == 2 ? std::optional{Quantity::flow} : std::nullopt;
    default: return std::nullopt;
  }
}

std::optional<Quantity> quantity_of(const Identifier& identifier, std::string_view protocol) {
  if (const Obis* code = identifier.obis()) return quantity_of(*code);
  if (protocol == "w1therm") return Quantity::temperature;
  const std::string* name = identifier.string();
  if (protocol == "s0" && name != nullptr) return name->starts_with("Power") ? Quantity::power : Quantity::pulses;
  if (const FluksoChannel* flukso = identifier.flukso()) return flukso->power ? Quantity::power : Quantity::energy;
  return std::nullopt;
}

std::string_view usual_unit(Quantity quantity, std::string_view protocol) {
  const bool kilo = protocol == "d0";  // IEC 62056-21 writes kWh and kW, SML and M-Bus give Wh and W
  switch (quantity) {
    case Quantity::energy: return kilo ? "kWh" : "Wh";
    case Quantity::power: return kilo ? "kW" : "W";
    case Quantity::heat: return kilo ? "kWh" : "Wh";
    case Quantity::heat_power: return kilo ? "kW" : "W";
    case Quantity::gas:
    case Quantity::water: return "m3";
    case Quantity::voltage: return "V";
    case Quantity::current: return "A";
    case Quantity::frequency: return "Hz";
    case Quantity::temperature: return "°C";
    case Quantity::flow: return "m3/h";
    case Quantity::pulses: return "";
  }
  return "";
}

/// "Bezug", "Lieferung T1", ...
std::string title_of(const Type& type, const Identifier& identifier) {
  std::string title(type.title);
  const Obis* code = identifier.obis();
  if (code == nullptr) return identifier.string() != nullptr ? fmt::format("{} {}", title, *identifier.string()) : title;
  const Obis full = code->canonical();
  if (type.quantity == Quantity::energy) {
    if (full.groups[2] == 1) title += " Bezug";
    if (full.groups[2] == 2) title += " Lieferung";
    if (full.groups[4] != 0) title += fmt::format(" T{}", full.groups[4]);
    if (full.groups[2] > 2) title += fmt::format(" {}.{}.{}", full.groups[2], full.groups[3], full.groups[4]);
  } else if (full.groups[2] > 20 && full.groups[2] < 80 && full.groups[0] == 1) {
    title += fmt::format(" L{}", full.groups[2] / 20);
  }
  return title;
}

}  // namespace

std::optional<ChannelAdvice> advise_channel(const Identifier& identifier, const Unit& unit, std::string_view protocol,
                                            double per_kwh) {
  const auto quantity = quantity_of(identifier, protocol);
  if (!quantity) return std::nullopt;
  const auto* type = std::find_if(kTypes.begin(), kTypes.end(), [&](const Type& t) { return t.quantity == *quantity; });
  ChannelAdvice advice{.type = type->type,
                       .german = type->german,
                       .resolution = {},
                       .title = title_of(*type, identifier),
                       .unit = std::string(unit.text().empty() ? usual_unit(*quantity, protocol) : unit.text()),
                       .unit_is_known = !unit.text().empty()};
  if (*quantity == Quantity::pulses) advice.resolution = per_kwh;
  for (const Scale& scale : kScales)
    if (scale.quantity == *quantity && scale.unit == advice.unit) advice.resolution = scale.per_counted;
  // a sensor in its own unit needs none
  if ((*quantity == Quantity::power || *quantity == Quantity::heat_power) && advice.resolution == 1.0) advice.resolution.reset();
  return advice;
}

std::optional<ChannelAdvice> advise_channel(const MeterSettings& meter, const Identifier& identifier) {
  const std::string_view protocol = meter.protocol->name;
  if (protocol == "s0" && meter.options.has("resolution"))
    return advise_channel(identifier, Unit{}, protocol, static_cast<double>(meter.options.integer("resolution")));
  return advise_channel(identifier, Unit{}, protocol);
}

std::string channel_misfit(const ChannelAdvice& advice, std::string_view type, std::optional<double> resolution) {
  if (type == "group" || type == "building" || type == "user") return fmt::format("it is a {}: use the uuid of a channel", type);
  if (type.starts_with("universal") || type.starts_with("virtual") || type == "consumptionsensor") return {};
  if (type != advice.type) {
    return fmt::format("it is of type \"{}\", but the register's numbers ({}) belong into a channel of type \"{}\" ({})", type,
                       advice.unit.empty() ? "pulses" : advice.unit, advice.type, advice.german);
  }
  if (!advice.resolution || !resolution) return {};
  const double wanted = *advice.resolution;
  if (std::fabs(*resolution - wanted) <= 1e-9 * wanted) return {};
  return fmt::format("its resolution is {}, but the meter counts in {}{}: set the channel's resolution to {}, or all values are "
                     "{} times too {}",
                     *resolution, advice.unit.empty() ? fmt::format("pulses, {} a kWh", wanted) : advice.unit,
                     advice.unit_is_known || advice.unit.empty() ? "" : " (as meters of this kind do)", wanted,
                     *resolution > wanted ? *resolution / wanted : wanted / *resolution, *resolution > wanted ? "small" : "large");
}

}  // namespace vz
