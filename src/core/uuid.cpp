// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/uuid.hpp"

#include <algorithm>

#include "core/ascii.hpp"

namespace vz {

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
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    if (begins_with_uuid(text)) {
      out += uuid_tail(text.substr(0, kUuidLength));
      text.remove_prefix(kUuidLength);
    } else {
      out += text.front();
      text.remove_prefix(1);
    }
  }
  return out;
}

}  // namespace vz
