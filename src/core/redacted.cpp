// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>
#include <optional>

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

// Behind "scheme://" if it begins so (RFC 3986, 3.1). "://" may come late in a text that is no URL.
std::optional<std::size_t> after_scheme(const std::string& url) {
  const std::size_t end = url.find("://");
  if (end == kNone) return 0;
  const auto may_be_in_scheme = [](char c) { return is_letter(c) || is_digit(c) || c == '+' || c == '-' || c == '.'; };
  if (end == 0 || !std::all_of(url.begin(), url.begin() + static_cast<std::ptrdiff_t>(end), may_be_in_scheme)) return {};
  return end + 3;
}

// Everything behind the scheme, without user and password.
std::string without_user(const std::string& rest) {
  const std::string authority = rest.substr(0, rest.find_first_of("/?#"));
  std::size_t at = authority.rfind('@');
  if (at == kNone && looks_like_password(authority)) at = rest.rfind('@');
  return at == kNone ? rest : rest.substr(at + 1);
}

}  // namespace

std::string redacted(const std::string& url) {
  const auto scheme = after_scheme(url);
  const std::size_t begin = scheme.value_or(0);
  const std::size_t at = url.rfind('@');
  // What is no URL (with a blank before it, say) may have a password anywhere before its last @.
  const std::string rest = scheme ? without_user(url.substr(begin)) : url.substr(at == kNone ? 0 : at + 1);
  return without_uuids(url.substr(0, begin)) + without_uuids(rest.substr(0, rest.find_first_of("?#")));
}

}  // namespace vz
