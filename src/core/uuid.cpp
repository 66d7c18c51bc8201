// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/uuid.hpp"

#include <algorithm>

#include "core/ascii.hpp"

namespace vz {
namespace {

/// Anywhere, and the same without its dashes.
bool has_uuid(std::string_view stretch) {
  constexpr std::size_t kPlain = 32;
  std::size_t digits = 0;
  for (; !stretch.empty(); stretch.remove_prefix(1)) {
    digits = stretch.front() == '-' ? 0 : digits + 1;
    if (digits == kPlain || begins_with_uuid(stretch)) return true;
  }
  return false;
}

}  // namespace

bool begins_with_uuid(std::string_view text) {
  if (text.size() < kUuidLength) return false;
  for (std::size_t i = 0; i < kUuidLength; ++i)
    if (is_uuid_dash(i) ? text[i] != '-' : !is_hex_digit(text[i])) return false;
  return true;
}

std::string uuid_tail(std::string_view uuid) {
  std::string out = "...";
  for (const char c : uuid.substr(uuid.size() - std::min(uuid.size(), kUuidShown))) out += c >= 0x20 && c < 0x7F ? c : '?';
  return out;
}

std::string without_uuids(std::string_view text) {
  const auto is_part = [](char c) { return is_hex_digit(c) || c == '-'; };
  std::string out;
  while (!text.empty()) {
    const auto length = static_cast<std::size_t>(std::find_if_not(text.begin(), text.end(), is_part) - text.begin());
    const std::string_view stretch = text.substr(0, length);
    if (has_uuid(stretch)) out += uuid_tail(stretch);
    else out += stretch;
    if (length < text.size()) out += text[length];
    text.remove_prefix(std::min(length + 1, text.size()));
  }
  return out;
}

}  // namespace vz
