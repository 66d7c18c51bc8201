// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>
#include <cctype>

#include "vz/http.hpp"

namespace vz {
namespace {

constexpr std::size_t kNone = std::string::npos;

bool is_hex(char c) { return std::isxdigit(static_cast<unsigned char>(c)) != 0; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

// "host:word" without '@' is no address: the word is rather the first part of a password with a '/', '?' or '#' in it.
bool looks_like_password(const std::string& authority) {
  const std::size_t bracket = authority.rfind(']');
  const std::size_t colon = authority.find(':', bracket == kNone ? 0 : bracket);
  return colon != kNone &&
         !std::all_of(authority.begin() + static_cast<std::ptrdiff_t>(colon) + 1, authority.end(), is_digit);
}

// Behind "scheme://" if it begins so (RFC 3986, 3.1); "://" may come late in a text that is no URL.
std::size_t after_scheme(const std::string& url) {
  const std::size_t end = url.find("://");
  if (end == kNone || end == 0) return 0;
  const auto may_be_in_scheme = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '+' || c == '-' || c == '.';
  };
  return std::all_of(url.begin(), url.begin() + static_cast<std::ptrdiff_t>(end), may_be_in_scheme) ? end + 3 : 0;
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
  constexpr std::size_t kDashed = 36;
  constexpr std::size_t kPlain = 32;
  const std::size_t end = std::min(text.size(), begin + kDashed);
  std::size_t plain = 0;
  while (begin + plain < end && is_hex(text[begin + plain])) ++plain;
  if (plain == kPlain) return kPlain;
  if (end - begin < kDashed) return 0;
  for (std::size_t i = 0; i < kDashed; ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? text[begin + i] != '-' : !is_hex(text[begin + i])) return 0;
  }
  return kDashed;
}

// Of a stretch of hexadecimal digits and dashes that has a uuid in it, only the end is shown: uuids may overlap.
std::string without_uuids(const std::string& text) {
  constexpr std::size_t kShown = 6;
  const auto is_part = [](char c) { return is_hex(c) || c == '-'; };
  std::string out;
  for (std::size_t begin = 0; begin < text.size();) {
    const auto first = text.begin() + static_cast<std::ptrdiff_t>(begin);
    const auto length = static_cast<std::size_t>(std::find_if_not(first, text.end(), is_part) - first);
    const std::size_t end = begin + length;
    bool found = false;
    for (std::size_t i = begin; i < end && !found; ++i) found = uuid_length(text, i) != 0;
    out += found ? "..." + text.substr(end - kShown, kShown) : text.substr(begin, length);
    if (end < text.size()) out += text[end];
    begin = end + 1;
  }
  return out;
}

}  // namespace

std::string redacted(const std::string& url) {
  const std::size_t begin = after_scheme(url);
  const std::string rest = without_user(url.substr(begin));
  return without_uuids(url.substr(0, begin)) + without_uuids(rest.substr(0, rest.find_first_of("?#")));
}

}  // namespace vz
