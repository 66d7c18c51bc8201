// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/ascii.hpp"
#include "vz/obis.hpp"

#include <fmt/format.h>

namespace vz {
namespace {

constexpr std::uint8_t kOpen = 255;

constexpr ObisAlias kAliases[] = {
    {"power", {{1, 0, 1, 7, kOpen, kOpen}}, "Wirkleistung  (Summe)"},
    {"power-l1", {{1, 0, 21, 7, kOpen, kOpen}}, "Wirkleistung  (Phase 1)"},
    {"power-l2", {{1, 0, 41, 7, kOpen, kOpen}}, "Wirkleistung  (Phase 2)"},
    {"power-l3", {{1, 0, 61, 7, kOpen, kOpen}}, "Wirkleistung  (Phase 3)"},
    {"voltage", {{1, 0, 12, 7, kOpen, kOpen}}, "Spannung      (Mittelwert)"},
    {"voltage-l1", {{1, 0, 32, 7, kOpen, kOpen}}, "Spannung      (Phase 1)"},
    {"voltage-l2", {{1, 0, 52, 7, kOpen, kOpen}}, "Spannung      (Phase 2)"},
    {"voltage-l3", {{1, 0, 72, 7, kOpen, kOpen}}, "Spannung      (Phase 3)"},
    {"current", {{1, 0, 11, 7, kOpen, kOpen}}, "Stromstaerke  (Summe)"},
    {"current-l1", {{1, 0, 31, 7, kOpen, kOpen}}, "Stromstaerke  (Phase 1)"},
    {"current-l2", {{1, 0, 51, 7, kOpen, kOpen}}, "Stromstaerke  (Phase 2)"},
    {"current-l3", {{1, 0, 71, 7, kOpen, kOpen}}, "Stromstaerke  (Phase 3)"},
    {"frequency", {{1, 0, 14, 7, 0, kOpen}}, "Netzfrequenz"},
    {"powerfactor", {{1, 0, 12, 7, 0, kOpen}}, "Leistungsfaktor"},
    {"device", {{0, 0, 96, 1, kOpen, kOpen}}, "Zaehler Seriennr."},
    {"status", {{1, 0, 96, 5, 5, kOpen}}, "Zaehler Status"},
    {"counter", {{1, 0, 1, 8, kOpen, kOpen}}, "Zaehlerstand Wirkleistung"},
    {"counter-out", {{1, 0, 2, 8, kOpen, kOpen}}, "Zaehlerstand Lieferg."},
    {"esy-counter-t1", {{1, 0, 1, 8, 1, kOpen}}, "Active Power Counter Tariff 1"},
    {"esy-counter-t2", {{1, 0, 1, 8, 2, kOpen}}, "Active Power Counter Tariff 2"},
    {"hag-id", {{1, 0, 0, 0, 0, kOpen}}, "Eigentumsnr."},
    {"hag-status", {{1, 0, 96, 50, 0, 0}}, "Netz Status"},
    {"hag-frequency", {{1, 0, 96, 50, 0, 1}}, "Netz Periode"},
    {"hag-temp", {{1, 0, 96, 50, 0, 2}}, "aktuelle Chiptemperatur"},
    {"hag-temp-min", {{1, 0, 96, 50, 0, 3}}, "minimale Chiptemperatur"},
    {"hag-temp-avg", {{1, 0, 96, 50, 0, 4}}, "gemittelte Chiptemperatur"},
    {"hag-temp-max", {{1, 0, 96, 50, 0, 5}}, "maximale Chiptemperatur"},
    {"hag-check", {{1, 0, 96, 50, 0, 6}}, "Kontrollnr."},
    {"hag-diag", {{1, 0, 96, 50, 0, 7}}, "Diagnose"},
    {"lg-counter-et", {{kOpen, kOpen, 16, 8, 0, kOpen}}, "Sum active energy (Total)"},
    {"lg-counter-ht", {{kOpen, kOpen, 16, 8, 1, kOpen}}, "Sum active energy (T1)"},
    {"lg-counter-lt", {{kOpen, kOpen, 16, 8, 2, kOpen}}, "Sum active energy (T2)"},
};

}  // namespace

std::span<const ObisAlias> obis_aliases() { return kAliases; }

std::optional<Obis> Obis::parse(std::string_view text) {
  enum Group : std::size_t { A, B, C, D, E, F };
  Obis code;
  std::size_t group = C;   // the group being read; `-` and `:` move what was read to A or B
  bool before_code = true; // no `:` and no `.` yet
  bool first_separator = true;
  unsigned value = 0;
  bool digits = false;
  bool letter = false;

  const auto store = [&](std::size_t where) {
    code.groups[where] = static_cast<std::uint8_t>(value);
    value = 0;
    digits = false;
    letter = false;
    first_separator = false;
  };
  for (const char c : text) {
    if (is_digit(c)) {
      if (letter) return std::nullopt;
      value = value * 10 + static_cast<unsigned>(c - '0');
      if (value > 0xFFFFFF) return std::nullopt;
      digits = true;
    } else if (const unsigned special = obis_letter_group(c); special != 0) {
      if (digits || letter) return std::nullopt;
      value = special;
      letter = true;
    } else {
      if (value > 255) return std::nullopt;
      switch (c) {
        case '-':
          if (!first_separator) return std::nullopt;
          store(A);
          break;
        case ':':
          if (!before_code) return std::nullopt;
          store(B);
          before_code = false;
          break;
        case '.':
          if (group >= E) return std::nullopt;
          store(group++);
          before_code = false;
          break;
        case '*':
        case '&':
          if (group != D && group != E) return std::nullopt;
          store(group);
          group = F;
          break;
        default: return std::nullopt;
      }
    }
  }
  if (group < D) return std::nullopt;
  store(group);
  return code;
}

std::optional<Obis> Obis::parse_or_alias(std::string_view text) {
  if (const auto code = parse(text)) return code;
  for (const auto& alias : kAliases)
    if (alias.name == text) return alias.code;
  return std::nullopt;
}

std::string Obis::text() const {
  return fmt::format("{}-{}:{}.{}.{}*{}", groups[0], groups[1], groups[2], groups[3], groups[4], groups[5]);
}

Obis Obis::canonical() const {
  Obis full = *this;
  if (full.groups[0] == kOpen && full.groups[1] == kOpen) {
    full.groups[0] = 1;
    full.groups[1] = 0;
  }
  if (full.groups[4] == kOpen) full.groups[4] = 0;
  return full;
}

bool Obis::is_counter() const {
  const auto c = groups[2];
  const auto d = groups[3];
  if (c == 16 || c == 36 || c == 56 || c == 76) return false;  // net values: fall while feeding in
  if (d == 8) return true;                            // time integral 1: energy
  if (c == 6 && (d == 26 || d == 31)) return true;    // heat meter: volume, operating hours (6.8 is caught above)
  return groups[0] != kOpen && groups[0] >= 5 && groups[0] <= 9 && c <= 3 && (d == 0 || d == 2);  // heat, gas, water
}

}  // namespace vz
