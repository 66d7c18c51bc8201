// SPDX-License-Identifier: GPL-3.0-or-later
#include "config/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <tuple>

#include "core/ascii.hpp"
#include "core/utf8.hpp"

namespace vz::config {
namespace {

constexpr std::size_t kMaxCompared = 40;

/// Edit distance in which two swapped neighbours count as one error (optimal string alignment).
std::size_t edit_distance(std::string_view a, std::string_view b) {
  using Row = std::array<std::size_t, kMaxCompared + 1>;
  Row before_last{};
  Row last{};
  Row row{};
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const bool same = lower(a[i - 1]) == lower(b[j - 1]);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (same ? 0 : 1)});
      if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) && lower(a[i - 2]) == lower(b[j - 1]))
        row[j] = std::min(row[j], before_last[j - 2] + 1);
    }
    before_last = last;
    last = row;
  }
  return last[b.size()];
}

}  // namespace

std::string printable(std::string_view text, std::size_t limit) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = std::max<std::size_t>(1, utf8_length(text.substr(i)));
    if (i + length > limit) return out + "...";
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte < 0x20 || byte == 0x7f) {
      out += fmt::format("\\x{:02x}", byte);
    } else if (length == 1 && byte >= 0x80) {
      out += "\xEF\xBF\xBD";
    } else {
      out += text.substr(i, length);
    }
    i += length;
  }
  return out;
}

std::string shown(std::string_view text, std::size_t limit) { return '"' + printable(text, limit) + '"'; }

std::string without_credentials(std::string text) {
  constexpr std::size_t kNone = std::string::npos;
  const std::size_t scheme = text.find("://");
  const std::size_t begin = scheme == kNone ? 0 : scheme + 3;
  const std::string authority = text.substr(begin, text.find_first_of("/?#", begin) - begin);
  std::size_t at = authority.rfind('@');
  if (at != kNone) at += begin;
  // "user:word/..." where no port is meant: the word is the first part of a password with a '/', '?' or '#' in it
  const std::size_t colon = authority.rfind(':');
  const bool password = colon != kNone && authority.find_first_not_of("0123456789", colon + 1) != kNone;
  if (at == kNone && password) at = text.rfind('@');
  if (scheme == kNone && colon == kNone) return text;  // an e-mail address has none
  if (at != kNone && at >= begin) text.replace(begin, at - begin, "***");
  return text;
}

bool names_secret(std::string_view name) {
  constexpr std::string_view kParts[] = {"pass", "pwd", "key", "token", "secret", "uuid"};
  const std::string small = lower(name);
  return std::any_of(std::begin(kParts), std::end(kParts),
                     [&](std::string_view part) { return small.find(part) != std::string::npos; });
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const std::size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return parts;
}

std::string join(std::span<const std::string_view> parts, std::string_view separator, std::string_view last) {
  std::string out;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (i > 0) out += i + 1 == parts.size() ? last : separator;
    out += parts[i];
  }
  return out;
}

std::string_view closest(std::string_view typed, std::span<const std::string_view> candidates) {
  if (typed.empty() || typed.size() > kMaxCompared) return {};
  std::size_t best = std::clamp<std::size_t>(typed.size() / 3, 1, 3) + 1;
  std::string_view found;
  for (const auto candidate : candidates) {
    if (candidate.size() > kMaxCompared) continue;
    const std::size_t distance = edit_distance(typed, candidate);
    if (distance < best && distance < candidate.size()) {
      best = distance;
      found = candidate;
    }
  }
  if (!found.empty()) return found;
  const std::string small = lower(typed);  // "timeout" for "read_timeout", "password" for "pass"
  for (const auto candidate : candidates) {
    const std::string other = lower(candidate);
    const auto& [part, whole] = small.size() < other.size() ? std::tie(small, other) : std::tie(other, small);
    if (part.size() >= 4 && whole.find(part) != std::string::npos) return candidate;
  }
  return {};
}

}  // namespace vz::config
