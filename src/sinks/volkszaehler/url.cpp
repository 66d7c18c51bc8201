// SPDX-License-Identifier: GPL-3.0-or-later
#include "sinks/volkszaehler/url.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace vz::sinks::volkszaehler {
namespace {

constexpr std::string_view kExample = R"("http://localhost/middleware.php")";

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string lower(std::string_view text) {
  std::string out{text};
  for (char& c : out) c = lower(c);
  return out;
}

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

std::string url_error(std::string_view text) {
  if (text.empty()) return fmt::format("is empty; expected the middleware's address, e.g. {}", kExample);
  if (std::any_of(text.begin(), text.end(), blank_or_control)) {
    return fmt::format("contains a blank or a control character; expected an address like {}", kExample);
  }
  const UrlParts parts = split_url(text);
  const std::string scheme = lower(parts.scheme);
  if (!scheme.empty() && scheme != "http" && scheme != "https") {
    return fmt::format("starts with \"{}://\"; expected http:// or https://, e.g. {}", scheme, kExample);
  }
  if (parts.host.empty() || parts.host.front() == ':') {
    return fmt::format("names no host; expected an address like {}", kExample);
  }
  return {};
}

std::string url_doubt(std::string_view text) {
  const UrlParts parts = split_url(text);
  if (!parts.rest.empty()) {
    return "contains `?` or `#`, but the path of the channel is put behind it: that cannot work with most servers";
  }
  if (parts.scheme.empty())
    return fmt::format("has no http:// or https:// in front; http:// is assumed, e.g. {}", kExample);
  const std::string_view path = parts.path;
  const bool usual = path.find("middleware") != std::string_view::npos || path.find("/api") != std::string_view::npos;
  if (!usual) return fmt::format("does not end in /middleware.php (or /api) as usual, e.g. {}", kExample);
  return {};
}

std::string endpoint_name(std::string_view text) {
  const UrlParts parts = split_url(text);
  std::string_view path = parts.path;
  while (path.ends_with('/')) path.remove_suffix(1);
  const std::string scheme = parts.scheme.empty() ? "http" : lower(parts.scheme);
  return fmt::format("{}://{}{}", scheme, lower(parts.host), path);
}

}  // namespace vz::sinks::volkszaehler
