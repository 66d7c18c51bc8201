// SPDX-License-Identifier: GPL-3.0-or-later
#include "tools/middleware/entity_types.hpp"

#include <algorithm>
#include <string>
#include <vector>

namespace vz::middleware {
namespace {

using enum Interpreter;

constexpr EntityType kTypes[] = {
    {"group", "", 1, aggregator, "", "", false, "Gruppe", "Group"},
    {"building", "", 1, aggregator, "", "", false, "Gebäude", "Building"},
    {"user", "", 1, aggregator, "", "", false, "Nutzer", "User"},
    {"power", "W", 1000, impulse, "resolution", "", true, "El. Energie (S0-Impulse)", "El. energy (S0 pulses)"},
    {"powersensor", "W", 1000, sensor, "", "resolution", true, "El. Energie (Leistungswerte)",
     "El. energy (power values)"},
    {"electric meter", "W", 1000, accumulator, "resolution", "", true, "El. Energie (Zählerstände)",
     "El. energy (meter readings)"},
    {"voltage", "V", 1, sensor, "", "resolution", false, "Spannungssensor", "Voltage sensor"},
    {"current", "A", 1, sensor, "", "resolution", false, "Stromsensor", "Current sensor"},
    {"gas", "m³/h", 1, impulse, "resolution", "", true, "Gas (S0-Impulse)", "Gas (S0 pulses)"},
    {"gas sensor", "m³/h", 1, sensor, "resolution", "", true, "Gas (Durchflusswerte)", "Gas (flow values)"},
    {"gas meter", "m³/h", 1, accumulator, "resolution", "", true, "Gas (Zählerstände)", "Gas (meter readings)"},
    {"heat", "W", 1000, impulse, "resolution", "", true, "Wärme (S0-Impulse)", "Heat (S0 pulses)"},
    {"heatsensor", "W", 1000, sensor, "", "resolution", true, "Wärme (Leistungswerte)", "Heat (power values)"},
    {"heattotal", "W", 1000, accumulator, "resolution", "", true, "Wärme (Zählerstände)", "Heat (meter readings)"},
    {"temperature", "°C", 1, sensor, "", "resolution", false, "Temperatur", "Temperature"},
    {"water", "l/h", 1, impulse, "resolution", "", true, "Wasser (S0-Impulse)", "Water (S0 pulses)"},
    {"flow", "m³/h", 1, sensor, "", "resolution", true, "Wasser (Durchflusswerte)", "Water (flow values)"},
    {"watertotal", "l/h", 1, accumulator, "resolution", "", true, "Wasser (Zählerstände)", "Water (meter readings)"},
    {"filllevel", "l", 1, sensor, "", "resolution tolerance cost local", false, "Füllstand", "Fill level"},
    {"workinghours", "", 1, impulse, "resolution", "tolerance local gap", true, "Betriebsstundenzähler (Impulse)",
     "Working hours (pulses)"},
    {"workinghourstotal", "", 1, accumulator, "resolution", "tolerance local gap", true,
     "Betriebsstundenzähler (Zählerstand)", "Working hours (meter readings)"},
    {"workinghourssensor", "", 1000, sensor, "", "resolution", true, "Betriebsstundensensor", "Working hours sensor"},
    {"valve", "%", 1, sensor, "", "resolution", false, "Ventil", "Valve"},
    {"pressure", "hPa", 1, sensor, "", "resolution", false, "Luftdruck", "Air pressure"},
    {"humidity", "%", 1, sensor, "", "resolution", false, "Luftfeuchtigkeit", "Humidity"},
    {"humidity absolute", "g/m³", 1, sensor, "", "resolution", false, "absolute Luftfeuchtigkeit",
     "Absolute humidity"},
    {"windspeed", "km/h", 1, sensor, "", "resolution", false, "Windgeschwindigkeit", "Wind speed"},
    {"fanspeed", "u/min", 1, sensor, "", "resolution", false, "Drehzahl", "Fan speed"},
    {"luminosity", "cd", 1, sensor, "", "resolution", false, "Lichtstärke", "Luminosity"},
    {"illumination", "lx", 1, sensor, "", "resolution", false, "Beleuchtungsstärke", "Illumination"},
    {"frequency", "Hz", 1, sensor, "", "resolution", false, "Frequenz", "Frequency"},
    {"universalcounter", "", 1, impulse, "unit", "resolution", true, "Allgemeiner Impulszähler",
     "Universal pulse counter"},
    {"universalsensor", "", 1, sensor, "unit", "resolution", false, "Sensor", "Sensor"},
    {"consumptionsensor", "", 1, sensor, "unit", "resolution", true, "Verbrauchssensor", "Consumption sensor"},
    {"virtualsensor", "", 1, virtual_channel, "unit rule in1", "in2 in3 in4", false, "Sensor (virt.)",
     "Sensor (virt.)"},
    {"virtualconsumption", "", 1, virtual_channel, "unit rule in1", "in2 in3 in4", true, "Verbrauchssensor (virt.)",
     "Consumption sensor (virt.)"},
    {"co2 concentration", "ppm", 1, sensor, "", "", false, "CO2-Konzentration", "CO2 concentration"},
    {"particulate matter", "µg/m³", 1, sensor, "", "", false, "Feinstaub", "Particulate matter"},
};

constexpr std::string_view kOptionalForAll =
    "public active color style fillstyle linestyle linewidth yaxis description owner address:lat address:lon "
    "address:city address:house address:postal address:state address:country link gap";
constexpr std::string_view kOptionalForConsumption = "initialconsumption cost";

std::vector<std::string> words(std::string_view text) {
  std::vector<std::string> out;
  while (!text.empty()) {
    const auto end = text.find(' ');
    if (end != 0) out.emplace_back(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
  }
  return out;
}

std::vector<std::string> required_properties(const EntityType& type) {
  return words("title " + std::string(type.required));
}

std::vector<std::string> optional_properties(const EntityType& type) {
  std::string all{kOptionalForAll};
  if (type.consumption) all += " " + std::string(kOptionalForConsumption);
  auto names = words(all);
  for (auto& own : words(type.optional))
    if (std::find(names.begin(), names.end(), own) == names.end()) names.push_back(std::move(own));
  return names;
}

bool contains(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::string joined(const std::vector<std::string>& names) {
  std::string out;
  for (const auto& name : names) out += (out.empty() ? "" : ", ") + name;
  return out;
}

const char* interpreter_class(Interpreter interpreter) {
  switch (interpreter) {
    case aggregator: return "Volkszaehler\\Interpreter\\AggregatorInterpreter";
    case impulse: return "Volkszaehler\\Interpreter\\ImpulseInterpreter";
    case sensor: return "Volkszaehler\\Interpreter\\SensorInterpreter";
    case accumulator: return "Volkszaehler\\Interpreter\\AccumulatorInterpreter";
    case virtual_channel: return "Volkszaehler\\Interpreter\\VirtualInterpreter";
  }
  return "";
}

}  // namespace

std::span<const EntityType> entity_types() { return kTypes; }

const EntityType* find_entity_type(std::string_view name) {
  const auto* const found =
      std::find_if(std::begin(kTypes), std::end(kTypes), [&](const EntityType& type) { return type.name == name; });
  return found == std::end(kTypes) ? nullptr : found;
}

Result<void> check_properties(const EntityType& type, const Properties& properties) {
  const auto required = required_properties(type);
  const auto optional = optional_properties(type);
  std::vector<std::string> missing;
  for (const auto& name : required)
    if (std::none_of(properties.begin(), properties.end(), [&](const auto& item) { return item.first == name; }))
      missing.push_back(name);
  if (!missing.empty())
    return fail("Entity '" + std::string(type.name) + "' requires propert" + (missing.size() == 1 ? "y" : "ies") +
                ": '" + joined(missing) + "'");
  std::vector<std::string> invalid;
  for (const auto& [name, value] : properties)
    if (!contains(required, name) && !contains(optional, name)) invalid.push_back(name);
  if (!invalid.empty())
    return fail((invalid.size() == 1 ? "Property '" : "Properties '") + joined(invalid) +
                (invalid.size() == 1 ? "' is" : "' are") + " not valid for entity '" + std::string(type.name) + "'");
  return {};
}

Json entity_definitions() {
  Json list = Json::array();
  for (const auto& type : kTypes) {
    Json entry;
    entry["name"] = type.name;
    entry["required"] = required_properties(type);
    entry["optional"] = optional_properties(type);
    if (!type.unit.empty()) entry["unit"] = type.unit;
    entry["interpreter"] = interpreter_class(type.interpreter);
    entry["model"] = type.is_channel() ? "Volkszaehler\\Model\\Channel" : "Volkszaehler\\Model\\Aggregator";
    entry["hasConsumption"] = type.consumption;
    entry["scale"] = type.scale;
    entry["translation"] = {{"de", type.german}, {"en", type.english}};
    list.push_back(std::move(entry));
  }
  return list;
}

}  // namespace vz::middleware
