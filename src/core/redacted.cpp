// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>

#include "core/ascii.hpp"
#include "core/uuid.hpp"
#include "vz/http.hpp"

namespace vz {
namespace {

constexpr std::size_t kNone = std::string::npos;

// "host:word" without '@' is no address: the word is rather the first part of a password with a '/', '?' or '#' in it.
bool looks_like_password(const std::string& authority) {
  const std::size_t bracket = authority.rfind(']');
  const std::size_t colon = authority.find(':', bracket == kNone ? 0 : bracket);
  return colon != kNone &&
         !std::all_of(authority.begin() + static_cast<std::ptrdiff_t>(colon) + 1, authority.end(), is_digit);
}

// Everything behind the scheme, without user and password.
std::string without_user(const std::string& rest) {
  const std::string authority = rest.substr(0, rest.find_first_of("/?#"));
  std::size_t at = authority.rfind('@');
  if (at == kNone && looks_like_password(authority)) at = rest.rfind('@');
  return at == kNone ? rest : rest.substr(at + 1);
}

// A uuid is a write key. Its length at `begin`: 36 as 8-4-4-4-12, 32 without dashes, or 0.
std::size_t uuid_length(const std::string& text, std::size_t begin) {
  constexpr std::size_t kPlain = 32;
  const std::size_t end = std::min(text.size(), begin + kUuidLength);
  std::size_t plain = 0;
  while (begin + plain < end && is_hex_digit(text[begin + plain])) ++plain;
  if (plain == kPlain) return kPlain;
  return begins_with_uuid(std::string_view{text}.substr(begin)) ? kUuidLength : 0;
}

std::string with_tails(const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = uuid_length(text, i);
    if (length == 0) {
      out += text[i++];
    } else {
      out += uuid_tail(std::string_view{text}.substr(i, length));
      i += length;
    }
  }
  return out;
}

}  // namespace

std::string redacted(const std::string& url) {
  const std::size_t scheme = url.find("://");
  const std::size_t begin = scheme == kNone ? 0 : scheme + 3;
  const std::string rest = without_user(url.substr(begin));
  return url.substr(0, begin) + with_tails(rest.substr(0, rest.find_first_of("?#")));
}

}  // namespace vz
