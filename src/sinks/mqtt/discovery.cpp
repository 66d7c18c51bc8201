// SPDX-License-Identifier: GPL-3.0-or-later
#include "sinks/mqtt/discovery.hpp"

#include <fmt/format.h>

#include <cstdint>
#include <nlohmann/json.hpp>

#include "core/ascii.hpp"
#include "sinks/mqtt/messages.hpp"
#include "vz/protocol.hpp"

namespace vz::mqtt {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::uint8_t kOpen = 255;

/// Media of OBIS codes, group A.
enum Medium : std::uint8_t { kAbstract = 0, kElectricity = 1, kCooling = 5, kHeat = 6, kGas = 7, kColdWater = 8, kHotWater = 9 };

struct UnitRow {
  std::string_view meter;  ///< as meters write it
  std::string_view device_class;
  std::string_view ours;   ///< as Home Assistant writes it
  bool counts = false;     ///< such a quantity accumulates by its nature
};

/// Home Assistant refuses a class together with a unit it does not know for it, so only known pairs stand here.
constexpr UnitRow kUnits[] = {
    {"Wh", "energy", "Wh", true},       {"kWh", "energy", "kWh", true},    {"MWh", "energy", "MWh", true},
    {"GJ", "energy", "GJ", true},       {"MJ", "energy", "MJ", true},      {"J", "energy", "J", true},
    {"varh", "", "varh", true},         {"kvarh", "", "kvarh", true},      {"VAh", "", "VAh", true},
    {"kVAh", "", "kVAh", true},         {"W", "power", "W"},               {"kW", "power", "kW"},
    {"MW", "power", "MW"},              {"VA", "apparent_power", "VA"},    {"kVA", "", "kVA"},
    {"var", "reactive_power", "var"},   {"kvar", "", "kvar"},              {"V", "voltage", "V"},
    {"mV", "voltage", "mV"},            {"A", "current", "A"},             {"mA", "current", "mA"},
    {"Hz", "frequency", "Hz"},          {"°C", "temperature", "°C"},       {"C", "temperature", "°C"},
    {"K", "temperature", "K"},          {"bar", "pressure", "bar"},        {"mbar", "pressure", "mbar"},
    {"Pa", "pressure", "Pa"},           {"hPa", "pressure", "hPa"},        {"m3", "volume", "m³", true},
    {"m³", "volume", "m³", true},       {"m^3", "volume", "m³", true},     {"l", "volume", "L", true},
    {"L", "volume", "L", true},         {"m3/h", "volume_flow_rate", "m³/h"},
    {"m³/h", "volume_flow_rate", "m³/h"}, {"m^3/h", "volume_flow_rate", "m³/h"},
    {"s", "duration", "s"},             {"min", "duration", "min"},        {"h", "duration", "h"},
    {"d", "duration", "d"},             {"kg", "weight", "kg"},            {"%", "", "%"},
};

const UnitRow* find_unit(std::string_view text) {
  for (const UnitRow& row : kUnits)
    if (row.meter == text) return &row;
  // meters write kWh in many ways: KWH, kwh; case tells nothing apart in these
  for (const std::string_view known : {"kWh", "Wh", "kvarh", "varh", "kW", "GJ", "m3", "m3/h"})
    if (equal_ignoring_case(known, text)) return find_unit(known);
  return nullptr;
}

/// C = D = .. of a DSMR meter behind the electricity meter (0-n:24.2.1): its volume is gas almost everywhere, and the
/// telegram does not say.
bool dsmr_volume(const Obis& code) { return code.groups[0] == kAbstract && code.groups[2] == 24; }

std::string_view volume_class(const Obis* code) {
  if (code == nullptr) return "volume";
  switch (code->groups[0]) {
    case kGas: return "gas";
    case kColdWater:
    case kHotWater: return "water";
    default: return dsmr_volume(*code) ? "gas" : "volume";
  }
}

/// A value of the past: the storage register of a billing period.
bool history(const Obis& code) { return code.groups[5] != kOpen; }

/// Active energy and power that is summed with its sign over the phases, or per phase: falls while feeding in.
bool net(const Obis& code) {
  const auto c = code.groups[2];
  return c == 16 || c == 36 || c == 56 || c == 76;
}

std::string_view state_class_of(const UnitRow* unit, const Obis* code, AggMode aggmode) {
  if (aggmode == AggMode::sum) return {};
  const bool counts = (unit != nullptr && unit->counts) || (code != nullptr && code->is_counter());
  if (!counts) return "measurement";
  if (code != nullptr && history(*code)) return {};
  if (code != nullptr && net(*code)) return "total";
  return "total_increasing";
}

struct NameRow {
  std::uint8_t c;
  std::uint8_t d;
  std::string_view name;
};
constexpr NameRow kNames[] = {
    {1, 8, "Energy import"},       {2, 8, "Energy export"},       {15, 8, "Energy, all directions"},
    {16, 8, "Energy, net"},        {3, 8, "Reactive energy import"}, {4, 8, "Reactive energy export"},
    {1, 7, "Power import"},        {2, 7, "Power export"},        {15, 7, "Power, all directions"},
    {16, 7, "Power"},              {21, 7, "Power import L1"},    {41, 7, "Power import L2"},
    {61, 7, "Power import L3"},    {22, 7, "Power export L1"},    {42, 7, "Power export L2"},
    {62, 7, "Power export L3"},    {36, 7, "Power L1"},           {56, 7, "Power L2"},
    {76, 7, "Power L3"},           {12, 7, "Voltage"},            {32, 7, "Voltage L1"},
    {52, 7, "Voltage L2"},         {72, 7, "Voltage L3"},         {11, 7, "Current"},
    {31, 7, "Current L1"},         {51, 7, "Current L2"},         {71, 7, "Current L3"},
    {91, 7, "Current N"},          {14, 7, "Frequency"},          {13, 7, "Power factor"},
    {33, 7, "Power factor L1"},    {53, 7, "Power factor L2"},    {73, 7, "Power factor L3"},
};

std::string electricity_name(const Obis& code) {
  for (const NameRow& row : kNames) {
    if (row.c != code.groups[2] || row.d != code.groups[3]) continue;
    const auto tariff = code.groups[4];
    std::string name{row.name};
    if (tariff != 0 && tariff != kOpen) name += fmt::format(", tariff {}", tariff);
    if (history(code)) name += fmt::format(", period {}", code.groups[5]);
    return name;
  }
  return {};
}

std::uint64_t fnv1a(std::string_view text, std::uint64_t hash = 14695981039346656037ULL) {
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  return hash;
}

}  // namespace

SensorClass classify(const Identifier& identifier, const Unit& unit, AggMode aggmode) {
  const Obis* configured = identifier.obis();
  const Obis code = configured != nullptr ? configured->canonical() : Obis{};
  const Obis* obis = configured != nullptr ? &code : nullptr;
  SensorClass result;
  const UnitRow* row = find_unit(unit.text());
  if (row != nullptr) {
    result.device_class = row->device_class == "volume" ? volume_class(obis) : row->device_class;
    result.unit = row->ours;
  } else {
    result.unit = unit.text();
    const bool power_factor = obis != nullptr && obis->groups[0] == kElectricity && obis->groups[3] == 7 &&
                              obis->groups[2] % 20 == 13 && obis->groups[2] <= 73;
    if (power_factor && unit.text().empty()) result.device_class = "power_factor";
  }
  result.state_class = state_class_of(row, obis, aggmode);
  return result;
}

std::string entity_name(const ChannelSettings& channel) {
  std::string name;
  if (const Obis* code = channel.identifier.obis(); code != nullptr) {
    const Obis canonical = code->canonical();
    if (canonical.groups[0] == kElectricity) name = electricity_name(canonical);
  }
  if (name.empty()) name = channel.identifier.obis() != nullptr ? channel.identifier_text : channel.identifier.text();
  if (name.empty() || channel.identifier.kind() == IdentifierKind::nil) name = fmt::format("Channel {}", channel.number);
  return name;
}

std::string stable_id(const ChannelSettings& channel) {
  return fmt::format("vzlogger_{:016x}", fnv1a(channel.identifier.text(), fnv1a("/", fnv1a(channel.uuid))));
}

DiscoveryMessage discovery_message(const DiscoveryFacts& facts) {
  const SensorClass sensor = classify(facts.channel.identifier, facts.unit, facts.channel.aggmode);
  const std::string_view protocol = facts.meter.protocol != nullptr ? facts.meter.protocol->name : "";
  Json document{{"name", entity_name(facts.channel)}, {"unique_id", facts.id}, {"state_topic", facts.state_topic}};
  if (facts.timestamp) document["value_template"] = "{{ value_json.value }}";
  if (!sensor.device_class.empty()) document["device_class"] = sensor.device_class;
  if (!sensor.state_class.empty()) document["state_class"] = sensor.state_class;
  if (!sensor.unit.empty()) document["unit_of_measurement"] = sensor.unit;
  document["availability_mode"] = "all";
  document["availability"] = {{{"topic", status_topic(facts.prefix)}},
                              {{"topic", meter_status_topic(facts.prefix, facts.meter.number)}}};
  document["device"] = {{"identifiers", {facts.device_id}},
                        {"name", fmt::format("{} meter {}", protocol, facts.meter.number)},
                        {"manufacturer", "vzlogger"},
                        {"model", facts.meter.protocol != nullptr ? facts.meter.protocol->summary : ""},
                        {"sw_version", facts.version}};
  document["origin"] = {{"name", "vzlogger"}, {"sw_version", facts.version}};
  return {fmt::format("{}/sensor/{}/{}/config", facts.discovery_prefix, facts.device_id, facts.id),
          document.dump(-1, ' ', false, Json::error_handler_t::replace)};
}

}  // namespace vz::mqtt
