// SPDX-License-Identifier: GPL-3.0-or-later
#include "protocols/oms/registers.hpp"

#include <algorithm>
#include <array>

namespace vz::oms {
namespace {

constexpr std::uint8_t kOpen = 255;
constexpr unsigned kMostChannels = 64;
constexpr unsigned kMostTariffs = 63;
constexpr std::uint64_t kMostStorages = 99;

/// Value group A.
enum Medium : std::uint8_t { kAbstract = 0, kElectricity = 1, kHca = 4, kCooling = 5, kHeat = 6, kGas = 7, kCold = 8, kHot = 9 };

/// EN 13757-7:2018, table 13.
Medium medium_of(unsigned device_type) {
  switch (device_type) {
    case 0x00:  // other
    case 0x02:
    case 0x0E:  // a communication adapter, in front of an electricity meter
    case 0x0F:  // unknown
      return kElectricity;
    case 0x03: return kGas;
    case 0x04:
    case 0x0C:
    case 0x0D: return kHeat;
    case 0x06:
    case 0x15: return kHot;
    case 0x07:
    case 0x16:
    case 0x17: return kCold;
    case 0x08: return kHca;
    case 0x0A:
    case 0x0B: return kCooling;
    default: return kAbstract;
  }
}

/// Groups C and D of a quantity.
struct Register {
  unsigned c = 0;
  unsigned d = 0;
};

/// Active: both directions, their sum and their difference. Reactive: by direction or quadrant. Apparent: by direction.
std::optional<unsigned> power_indicator(const Record& record) {
  const Modifiers& with = record.modifiers;
  const bool plain = !with.delta && !with.absolute;
  switch (record.meaning.quantity) {
    case Quantity::energy:
    case Quantity::power:
      if (with.quadrant != 0) return std::nullopt;
      if (with.delta) return 16;
      if (with.absolute) return 15;
      return with.backward ? 2 : 1;
    case Quantity::reactive_energy:
    case Quantity::reactive_power:
      if (!plain) return std::nullopt;
      if (with.quadrant != 0) return 4U + with.quadrant;
      return with.backward ? 4 : 3;
    case Quantity::apparent_energy:
    case Quantity::apparent_power:
      if (!plain || with.quadrant != 0) return std::nullopt;
      return with.backward ? 10 : 9;
    default: return std::nullopt;
  }
}

std::optional<unsigned> electric_indicator(const Record& record) {
  constexpr unsigned kPhaseStep = 20;
  constexpr unsigned kNeutralConductor = 4;
  const Modifiers& with = record.modifiers;
  const Quantity quantity = record.meaning.quantity;
  if (with.phase == kNeutralConductor)
    return quantity == Quantity::current ? std::optional<unsigned>{91} : std::nullopt;
  if (quantity == Quantity::frequency) return 14;
  std::optional<unsigned> c = power_indicator(record);
  if (quantity == Quantity::current) c = 11;
  if (quantity == Quantity::voltage) c = 12;
  if (c) *c += kPhaseStep * with.phase;
  return c;
}

std::optional<Register> electric(const Record& record) {
  const Quantity quantity = record.meaning.quantity;
  const auto c = electric_indicator(record);
  if (!c || record.modifiers.base_conditions || record.modifiers.uncorrected) return std::nullopt;
  const bool counter = quantity == Quantity::energy || quantity == Quantity::reactive_energy || quantity == Quantity::apparent_energy;
  if (counter) return record.function == Function::instantaneous ? std::optional<Register>{{*c, 8}} : std::nullopt;
  switch (record.function) {
    case Function::instantaneous: return Register{*c, 7};
    case Function::maximum: return Register{*c, 6};
    default: return Register{*c, 3};
  }
}

std::optional<Register> gas(const Record& record) {
  if (record.function != Function::instantaneous || record.modifiers.backward) return std::nullopt;
  unsigned condition = 1;  // converted by temperature, as the meters do it
  if (record.modifiers.uncorrected) condition = 0;
  if (record.modifiers.base_conditions) condition = 2;
  if (record.meaning.quantity == Quantity::volume) return Register{3, condition};
  if (record.meaning.quantity == Quantity::volume_flow) return Register{43, 15 + condition};
  return std::nullopt;
}

std::optional<unsigned> thermal_indicator(Quantity quantity) {
  switch (quantity) {
    case Quantity::energy: return 1;
    case Quantity::volume: return 2;
    case Quantity::mass: return 3;
    case Quantity::power: return 8;
    case Quantity::volume_flow: return 9;
    case Quantity::flow_temperature: return 10;
    case Quantity::return_temperature: return 11;
    case Quantity::temperature_difference: return 12;
    default: return std::nullopt;
  }
}

std::optional<unsigned> water_indicator(Quantity quantity) {
  if (quantity == Quantity::volume) return 1;
  if (quantity == Quantity::volume_flow) return 2;
  return std::nullopt;
}

/// Heat, cooling, water, heat cost allocators: their group D tells current values, those of the set date, and extremes.
std::optional<Register> consumption(const Record& record, Medium medium) {
  const Quantity quantity = record.meaning.quantity;
  if (record.modifiers.uncorrected || record.modifiers.base_conditions) return std::nullopt;
  std::optional<unsigned> c;
  if (medium == kHeat || medium == kCooling) c = thermal_indicator(quantity);
  if (medium == kCold || medium == kHot) c = water_indicator(quantity);
  if (medium == kHca && quantity == Quantity::hca_units) c = 1;
  if (!c) return std::nullopt;
  switch (record.function) {
    case Function::instantaneous: return Register{*c, record.storage == 1 ? 2U : 0U};
    case Function::maximum: return Register{*c, 5};
    default: return Register{*c, 4};
  }
}

std::optional<Register> of_medium(const Record& record, Medium& medium, unsigned device_type) {
  constexpr unsigned kHeatAndCooling = 0x0D;
  const Modifiers& with = record.modifiers;
  if (medium == kElectricity) return electric(record);
  if (with.phase != 0 || with.quadrant != 0 || with.delta || with.absolute) return std::nullopt;
  if (medium == kGas) return gas(record);
  if (with.backward) {
    if (device_type != kHeatAndCooling || record.meaning.quantity != Quantity::energy) return std::nullopt;
    medium = kCooling;
  }
  return consumption(record, medium);
}

/// What meters of every medium have.
std::optional<Register> of_any(const Record& record, Medium& medium) {
  if (record.function != Function::instantaneous) return std::nullopt;
  switch (record.meaning.quantity) {
    case Quantity::error_flags: return Register{97, 97};
    case Quantity::operating_time: return Register{96, 8};
    case Quantity::external_temperature: medium = kAbstract; return Register{96, 9};
    default: return std::nullopt;
  }
}

/// What the old daemon read: DIF, VIF and its code.
struct OldRegister {
  std::array<std::uint8_t, 3> head;
  std::size_t length;
  std::uint8_t c;
  std::uint8_t d;
};
constexpr std::array<OldRegister, 4> kOld = {{
    {{0x04, 0x03}, 2, 1, 8},
    {{0x04, 0x83, 0x3C}, 3, 2, 8},
    {{0x04, 0x2B}, 2, 1, 7},
    {{0x04, 0xAB, 0x3C}, 3, 2, 7},
}};

std::optional<Obis> old_register(const Record& record) {
  for (const OldRegister& old : kOld)
    if (std::equal(record.head.begin(), record.head.end(), old.head.begin(), old.head.begin() + old.length,
                   [](std::byte a, std::uint8_t b) { return std::to_integer<std::uint8_t>(a) == b; }))
      return Obis{{kOpen, kOpen, old.c, old.d, 0, kOpen}};
  return std::nullopt;
}

}  // namespace

std::optional<Obis> register_of(const Record& record, unsigned device_type) {
  if (record.modifiers.unclear || record.error != 0 || record.function == Function::during_error) return std::nullopt;
  if (record.subunit > kMostChannels || record.tariff > kMostTariffs || record.storage > kMostStorages) return std::nullopt;
  Medium medium = medium_of(device_type);
  if (medium == kElectricity)
    if (const auto old = old_register(record)) return old;
  auto found = of_medium(record, medium, device_type);
  if (!found) found = of_any(record, medium);
  if (!found) return std::nullopt;
  const bool set_date = found->d == 2 && medium != kGas && medium != kElectricity;
  const bool current = record.storage == 0 || set_date;
  return Obis{{static_cast<std::uint8_t>(medium), static_cast<std::uint8_t>(record.subunit), static_cast<std::uint8_t>(found->c),
               static_cast<std::uint8_t>(found->d), static_cast<std::uint8_t>(record.tariff),
               current ? kOpen : static_cast<std::uint8_t>(record.storage)}};
}

}  // namespace vz::oms
