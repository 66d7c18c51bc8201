// SPDX-License-Identifier: GPL-3.0-or-later
#include "protocols/sml/readings.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <iterator>

#include "core/decimal.hpp"
#include "core/dlms_units.hpp"
#include "core/number_text.hpp"

namespace vz::sml {
namespace {

enum Group : std::size_t { A, B, C, D, E, F };

bool is_code(const ListEntry& entry, const Obis& code) {
  return entry.name.size() == code.groups.size() && std::memcmp(entry.name.data(), code.groups.data(), code.groups.size()) == 0;
}

constexpr Obis kDeviceId{{1, 0, 96, 1, 0, 255}};
constexpr Obis kPower{{1, 0, 16, 7, 0, 255}};

/// What the old daemon let pass: an energy or volume meter's code, without manufacturer's channels and storage numbers.
bool is_valid(const Obis& code) {
  return code.groups[A] <= 9 && code.groups[B] <= 64 && (code.groups[F] <= 99 || code.groups[F] == 255);
}

/// Active power of all phases together: imported, exported or their difference, absolute.
bool is_total_power(const Obis& code) {
  const auto c = code.groups[C];
  return code.groups[A] == 1 && code.groups[D] == 7 && (c == 1 || c == 15 || c == 16);
}

bool is_power(const Obis& code) {
  const auto c = code.groups[C];
  return is_total_power(code) || (code.groups[A] == 1 && code.groups[D] == 7 &&
                                  (c == 21 || c == 35 || c == 36 || c == 41 || c == 55 || c == 56 || c == 61 || c == 75 || c == 76));
}

/// A DZG meter of the series that shortens the power as if it were unsigned: identification 0A 01 "DZG", then the serial number.
bool shortens_power(std::span<const std::byte> id) {
  constexpr std::array<std::byte, 5> kPrefix = {std::byte{0x0A}, std::byte{0x01}, std::byte{'D'}, std::byte{'Z'}, std::byte{'G'}};
  if (id.size() != 10 || !std::equal(kPrefix.begin(), kPrefix.end(), id.begin())) return false;
  const std::uint64_t serial = unsigned_value(id.subspan(kPrefix.size()));
  return (serial >= 42'000'000 && serial <= 48'999'999) || (serial >= 55'000'000 && serial <= 58'999'999);
}

/// The meter's time where it is one, else nothing. A seconds counter that shows the time of day is one, too.
std::optional<WallTime> plausible_time(const MeterTime& time, WallTime now) {
  if (time.kind == MeterTime::Kind::none || time.seconds > 0xFFFF'FFFF) return std::nullopt;
  const WallTime stamp{std::chrono::seconds{static_cast<std::int64_t>(time.seconds)}};
  const auto distance = stamp > now ? stamp - now : now - stamp;
  if (distance > kPlausible) return std::nullopt;
  return stamp;
}

std::string hex_text(std::span<const std::byte> bytes) {
  std::string text;
  for (const std::byte byte : bytes) fmt::format_to(std::back_inserter(text), "{:02x}", std::to_integer<unsigned>(byte));
  return text;
}

/// Bytes as text where all of them are printable, else in hexadecimal.
RegisterText octets_text(const ListEntry& entry) {
  RegisterText text;
  Obis code;
  if (entry.name.size() == code.groups.size()) {
    std::memcpy(code.groups.data(), entry.name.data(), code.groups.size());
    text.address = code.text();
  } else {
    text.address = hex_text(entry.name);
  }
  const auto& bytes = entry.value.bytes;
  const auto printable = [](std::byte b) { return b >= std::byte{0x20} && b < std::byte{0x7F}; };
  if (!bytes.empty() && std::all_of(bytes.begin(), bytes.end(), printable))
    for (const std::byte b : bytes) text.value += static_cast<char>(b);
  else
    text.value = hex_text(bytes);
  return text;
}

RegisterText number_register(const Reading& reading) {
  RegisterText text{reading.identifier.obis()->text(), {}, std::string{reading.unit.text()}};
  append_number(text.value, reading.value);
  if (text.value.ends_with(".0")) text.value.resize(text.value.size() - 2);
  return text;
}

void make_unsigned(Value& value) {
  value.negative = false;
  value.magnitude = unsigned_value(value.bytes);
}

}  // namespace

std::optional<unsigned> feed_in_bit(std::uint64_t status) {
  constexpr unsigned kNewLayout = 11;  // 32 bits of FNN, the lowest byte always 04
  constexpr unsigned kOldLayout = 5;   // EDL 1.0: bit 7 always set
  if ((status & 0xFFU) == 0x04) return kNewLayout;
  if ((status & 0x80U) != 0) return kOldLayout;
  return std::nullopt;
}

bool append_readings(ListReader& list, const MappingSettings& settings, WallTime arrival, std::vector<Reading>& readings,
                     TelegramText* text) {
  if (text != nullptr) text->identification = hex_text(list.server_id());
  const std::size_t first = readings.size();
  bool shortened = false;
  bool feeding_in = false;
  bool status_seen = false;
  ListEntry entry;
  while (list.next(entry)) {
    if (entry.has_status && !status_seen && settings.sign_from_status) {
      const auto bit = settings.status_sign_bit ? settings.status_sign_bit : feed_in_bit(entry.status);
      status_seen = bit.has_value();
      feeding_in = bit && *bit < 64 && (entry.status >> *bit & 1U) != 0;
    }
    if (text != nullptr && entry.value.kind == Value::Kind::octets) text->registers.push_back(octets_text(entry));
    if (entry.value.kind == Value::Kind::octets) {
      shortened = shortened || (is_code(entry, kDeviceId) && shortens_power(entry.value.bytes));
      continue;
    }
    Obis code;
    if (entry.value.kind == Value::Kind::none || entry.scaler_wrong || entry.name.size() != code.groups.size()) continue;
    std::memcpy(code.groups.data(), entry.name.data(), code.groups.size());
    if (!is_valid(code)) continue;
    if (entry.value.negative && entry.value.bytes.size() <= 2 &&
        ((settings.unsigned_power == UnsignedPower::automatic && shortened && code == kPower) ||
         (settings.unsigned_power == UnsignedPower::on && is_power(code))))
      make_unsigned(entry.value);
    Reading& reading = readings.emplace_back();
    const double number = decimal(entry.value.magnitude, entry.scaler);
    reading.value = entry.value.negative ? -number : number;
    reading.identifier = Identifier{code};
    reading.unit = dlms_unit(entry.unit);
    reading.stamp = arrival;
    if (!settings.use_local_time && entry.time.kind != MeterTime::Kind::none)
      reading.stamp = plausible_time(entry.time, arrival).value_or(arrival);
  }
  if (feeding_in) {
    for (std::size_t i = first; i < readings.size(); ++i)
      if (readings[i].value > 0.0 && is_total_power(*readings[i].identifier.obis())) readings[i].value = -readings[i].value;
  }
  if (text != nullptr)
    for (std::size_t i = first; i < readings.size(); ++i) text->registers.push_back(number_register(readings[i]));
  return !list.malformed();
}

}  // namespace vz::sml
