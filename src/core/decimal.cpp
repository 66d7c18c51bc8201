// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/decimal.hpp"

#include <array>
#include <charconv>
#include <cstddef>

namespace vz {
namespace {

/// The powers of ten that a double holds exactly.
constexpr std::array<double, 23> kPowers = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                            1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
constexpr int kExactPower = 22;
constexpr std::uint64_t kExactInteger = std::uint64_t{1} << 53U;

}  // namespace

double decimal(std::uint64_t magnitude, int exponent) {
  if (magnitude <= kExactInteger && exponent >= -kExactPower && exponent <= kExactPower) {
    // two exact operands and one operation: rounded once
    const double number = static_cast<double>(magnitude);
    return exponent < 0 ? number / kPowers[static_cast<std::size_t>(-exponent)] : number * kPowers[static_cast<std::size_t>(exponent)];
  }
  constexpr std::size_t kDigits = 20;  // of the largest magnitude
  std::array<char, 48> text{};
  char* end = std::to_chars(text.data(), text.data() + kDigits, magnitude).ptr;
  *end++ = 'e';
  end = std::to_chars(end, text.data() + text.size(), exponent).ptr;
  double value = 0.0;
  std::from_chars(text.data(), end, value);
  return value;
}

}  // namespace vz
