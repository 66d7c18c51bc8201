// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/url.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/ascii.hpp"

namespace vz {
namespace {

bool blank_or_control(char c) { return static_cast<unsigned char>(c) <= 0x20 || c == 0x7f; }

}  // namespace

UrlParts split_url(std::string_view text) {
  UrlParts parts;
  if (const std::size_t colon = text.find("://");
      colon != std::string_view::npos && colon < text.find_first_of("/?#")) {
    parts.scheme = text.substr(0, colon);
    text.remove_prefix(colon + 3);
  }
  if (const std::size_t rest = text.find_first_of("?#"); rest != std::string_view::npos) {
    parts.rest = text.substr(rest);
    text = text.substr(0, rest);
  }
  if (const std::size_t slash = text.find('/'); slash != std::string_view::npos) {
    parts.path = text.substr(slash);
    text = text.substr(0, slash);
  }
  if (const std::size_t at = text.rfind('@'); at != std::string_view::npos) {
    parts.credentials = text.substr(0, at);
    text.remove_prefix(at + 1);
  }
  parts.host = text;
  return parts;
}

std::string url_error(std::string_view text, std::string_view example) {
  if (text.empty()) return fmt::format("is empty; expected an address, e.g. {}", example);
  if (std::any_of(text.begin(), text.end(), blank_or_control)) {
    return fmt::format("contains a blank or a control character; expected an address like {}", example);
  }
  const UrlParts parts = split_url(text);
  const std::string scheme = lower(parts.scheme);
  if (!scheme.empty() && scheme != "http" && scheme != "https") {
    return fmt::format("starts with \"{}://\"; expected http:// or https://, e.g. {}", scheme, example);
  }
  if (parts.host.empty() || parts.host.front() == ':') {
    return fmt::format("names no host; expected an address like {}", example);
  }
  return {};
}

std::string endpoint_name(std::string_view text) {
  const UrlParts parts = split_url(text);
  std::string_view path = parts.path;
  while (path.ends_with('/')) path.remove_suffix(1);
  const std::string scheme = parts.scheme.empty() ? "http" : lower(parts.scheme);
  return fmt::format("{}://{}{}", scheme, lower(parts.host), path);
}

std::string percent_encoded(std::string_view text) {
  constexpr std::string_view kPlain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
  std::string out;
  for (const char c : text) {
    if (kPlain.find(c) != std::string_view::npos)
      out += c;
    else
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

std::string base64(std::string_view text) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < text.size(); i += 3) {
    const auto byte = [&](std::size_t k) {
      return i + k < text.size() ? static_cast<unsigned>(static_cast<unsigned char>(text[i + k])) : 0U;
    };
    const unsigned bits = byte(0) << 16U | byte(1) << 8U | byte(2);
    for (unsigned k = 0; k < 4; ++k) out += i + k > text.size() ? '=' : kDigits[bits >> (18U - 6U * k) & 63U];
  }
  return out;
}

}  // namespace vz
