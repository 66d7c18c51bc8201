// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/hex.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/ascii.hpp"

namespace vz {
std::vector<std::byte> parse_hex(std::string_view text) {
  std::vector<std::byte> bytes;
  bytes.reserve((text.size() + 1) / 2);
  for (std::size_t at = 0; at < text.size(); at += 2) {
    std::string_view pair = text.substr(at, 2);
    if (pair.front() == ' ') pair.remove_prefix(1);
    int value = 0;
    for (const char c : pair) {
      const int d = hex_value(c);
      if (d < 0) break;
      value = value * 16 + d;
    }
    bytes.push_back(static_cast<std::byte>(value));
  }
  return bytes;
}

std::string hex_problem(std::string_view text) {
  const auto odd = std::find_if(text.begin(), text.end(), [](char c) { return !is_hex_digit(c); });
  if (odd != text.end())
    return fmt::format("has the character '{}', which is no hexadecimal digit; expected pairs like 2F3F210D0A", *odd);
  if (text.size() % 2 != 0) return "has an odd number of hexadecimal digits; the last one alone becomes a byte";
  return {};
}

}  // namespace vz
