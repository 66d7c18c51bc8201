// SPDX-License-Identifier: GPL-3.0-or-later
#include "sinks/influxdb/line_protocol.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>

namespace vz::sinks::influxdb {
namespace {

/// Puts a backslash before each of `special` that has none yet.
std::string escaped(std::string_view text, std::string_view special) {
  std::string out;
  bool after_backslash = false;
  for (const char c : text) {
    if (!after_backslash && special.find(c) != std::string_view::npos) out += '\\';
    out += c;
    after_backslash = c == '\\' && !after_backslash;
  }
  return out;
}

/// Where the next `c` without a backslash before it stands, or the end.
std::size_t find_plain(std::string_view text, char c) {
  bool after_backslash = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == c && !after_backslash) return i;
    after_backslash = text[i] == '\\' && !after_backslash;
  }
  return text.size();
}

/// Calls `use(key, value, has_equals)` for each entry of a list of tags.
template <typename Use>
void each_tag(std::string_view tags, Use use) {
  while (true) {
    const std::size_t end = find_plain(tags, ',');
    const std::string_view tag = tags.substr(0, end);
    const std::size_t equals = find_plain(tag, '=');
    use(tag.substr(0, equals), equals < tag.size() ? tag.substr(equals + 1) : std::string_view{}, equals < tag.size());
    if (end == tags.size()) return;
    tags.remove_prefix(end + 1);
  }
}

bool has_line_break(std::string_view text) { return text.find_first_of("\r\n") != std::string_view::npos; }

}  // namespace

std::string escaped_measurement(std::string_view name) { return escaped(name, ", "); }

std::string escaped_tags(std::string_view tags) {
  std::string out;
  if (tags.empty()) return out;
  each_tag(tags, [&](std::string_view key, std::string_view value, bool has_equals) {
    if (!out.empty()) out += ',';
    out += escaped(key, " ");
    if (has_equals) out += '=' + escaped(value, " =");
  });
  return out;
}

std::string measurement_doubt(std::string_view name) {
  if (name.empty()) return "is empty";
  if (has_line_break(name)) return "contains a line break";
  if (name.front() == '#') return "begins with #, which makes each line a comment";
  if (name.back() == '\\') return "ends in a backslash";
  return {};
}

std::string tags_doubt(std::string_view tags) {
  if (tags.empty()) return {};
  if (has_line_break(tags)) return "contains a line break";
  if (tags.back() == '\\') return "ends in a backslash";
  std::string doubt;
  each_tag(tags, [&](std::string_view key, std::string_view value, bool has_equals) {
    if (!doubt.empty()) return;
    if (!has_equals)
      doubt = fmt::format("has no = in \"{}\"", key);
    else if (key.empty() || value.empty())
      doubt = fmt::format("has an empty {} in \"{}={}\"", key.empty() ? "key" : "value", key, value);
  });
  return doubt;
}

void append_field(std::string& out, double value) {
  constexpr double kLargestFixed = 1e15;
  if (std::fabs(value) < kLargestFixed) {
    char text[40];
    const auto end = std::to_chars(text, text + sizeof text, value, std::chars_format::fixed, 6).ptr;
    double back = 0.0;
    std::from_chars(text, end, back);
    if (back == value) {
      out.append(text, end);
      return;
    }
  }
  char text[40];
  const auto end = std::to_chars(text, text + sizeof text, value).ptr;  // the shortest that reads back the same
  out.append(text, end);
}

}  // namespace vz::sinks::influxdb
