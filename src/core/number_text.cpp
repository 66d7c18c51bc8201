// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/number_text.hpp"

#include <array>
#include <charconv>
#include <string_view>

namespace vz {
namespace {

/// The decimal exponent of a scientific text as to_chars writes it: `-1.5e-07`.
int exponent_of(std::string_view scientific) {
  const std::size_t e = scientific.rfind('e');
  std::string_view digits = scientific.substr(e + 1);
  if (digits.starts_with('+')) digits.remove_prefix(1);  // from_chars takes no plus
  int exponent = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), exponent);
  return exponent;
}

}  // namespace

void append_number(std::string& out, double value) {
  std::array<char, 64> buffer{};
  char* const begin = buffer.data();
  char* const limit = begin + buffer.size();
  char* end = std::to_chars(begin, limit, value, std::chars_format::scientific).ptr;
  const int exponent = exponent_of({begin, end});
  if (exponent >= -4 && exponent < 17) {
    end = std::to_chars(begin, limit, value, std::chars_format::fixed).ptr;
    if (std::string_view{begin, end}.find('.') == std::string_view::npos) {
      *end++ = '.';
      *end++ = '0';
    }
  }
  out.append(begin, end);
}

void append_number(std::string& out, std::int64_t value) {
  std::array<char, 24> buffer{};
  char* const end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr;
  out.append(buffer.data(), end);
}

}  // namespace vz
