// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace vz {

/// An OBIS code (IEC 62056-61): medium A, channel B, indicator C, mode D, tariff E, storage F. 255 means "not given".
/// A value type; pure.
struct Obis {
  std::array<std::uint8_t, 6> groups{255, 255, 255, 255, 255, 255};

  bool operator==(const Obis& other) const { return std::memcmp(groups.data(), other.groups.data(), sizeof groups) == 0; }

  /// Reads `A-B:C.D.E*F` with A, B, E and F optional, `&` for `*`, the letters C F L P for 96 to 99, and the
  /// two-group form with storage number (`6.8*01`). Groups not given become 255, empty ones 0. No aliases.
  /// Errors: empty result for anything else, and for a group above 255 (the last one wraps modulo 256 as it always
  /// did, so that an old identifier keeps its meaning).
  static std::optional<Obis> parse(std::string_view text);

  /// As parse(), and where that fails the names of the old alias table (`power`, `counter`, ...), case-sensitive.
  static std::optional<Obis> parse_or_alias(std::string_view text);

  /// All six groups, decimal: `1-0:1.8.0*255`.
  [[nodiscard]] std::string text() const;

  /// The code with everything spelt out that equivalence does not look at: A and B not given become 1-0, E not given
  /// becomes 0, F not given stays 255. Two codes are equivalent if their canonical forms are equal.
  [[nodiscard]] Obis canonical() const;

  /// True for registers that count energy or volume and so never run backwards by themselves (D = 8, or the usual
  /// volume registers of heat, gas and water meters).
  [[nodiscard]] bool is_counter() const;
};

/// 96 to 99 for the letters C, F, L, P that stand for a whole group, 0 for any other character.
constexpr unsigned obis_letter_group(char c) {
  switch (c) {
    case 'C': return 96;
    case 'F': return 97;
    case 'L': return 98;
    case 'P': return 99;
    default: return 0;
  }
}

/// One row of the alias table, in the order in which `vzlogger -h` prints it.
struct ObisAlias {
  std::string_view name;
  Obis code;
  std::string_view description;
};
std::span<const ObisAlias> obis_aliases();

}  // namespace vz
