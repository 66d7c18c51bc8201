// SPDX-License-Identifier: GPL-3.0-or-later
#include "config/insert_meter.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "config/reader.hpp"

namespace vz::config {
namespace {

/// Where a place of the file is in its text.
std::size_t offset_of(std::string_view text, Place place) {
  std::size_t at = 0;
  for (unsigned line = 1; line < place.line; ++line) {
    const auto end = text.find('\n', at);
    if (end == std::string_view::npos) return text.size();
    at = end + 1;
  }
  return std::min(text.size(), at + place.column - 1);
}

/// Behind the comment that begins at `at`; `at` itself if none does.
std::size_t skip_comment(std::string_view text, std::size_t at) {
  const std::string_view rest = text.substr(at);
  if (rest.starts_with("//") || rest.starts_with('#')) return std::min(text.find('\n', at), text.size());
  if (!rest.starts_with("/*")) return at;
  const auto end = text.find("*/", at + 2);
  return end == std::string_view::npos ? text.size() : end + 2;
}

std::size_t skip_string(std::string_view text, std::size_t at) {
  const char quote = text[at];
  for (++at; at < text.size() && text[at] != quote; ++at)
    if (text[at] == '\\') ++at;
  return std::min(at + 1, text.size());
}

/// Behind the last thing in the array that begins at `open` that is neither blank nor comment; nothing if the array does
/// not end.
std::optional<std::size_t> end_of_elements(std::string_view text, std::size_t open) {
  unsigned depth = 0;
  std::size_t last = open;
  for (std::size_t at = open; at < text.size();) {
    if (const std::size_t behind = skip_comment(text, at); behind != at) {
      at = behind;
      continue;
    }
    const char c = text[at];
    if (c == '"' || c == '\'') {
      at = last = skip_string(text, at);
      continue;
    }
    if (c == ']' && depth == 1) return last;
    if (c == '[' || c == '{') ++depth;
    if ((c == ']' || c == '}') && depth > 0) --depth;
    ++at;
    if (c != ' ' && c != '\t' && c != '\r' && c != '\n') last = at;
  }
  return std::nullopt;
}

}  // namespace

Expected<std::string> insert_meter(std::string_view text, std::string_view section) {
  const auto refuse = [](std::string what) {
    return tl::unexpected(Error{std::move(what), "the configuration", "put the section in by hand, or write a new file", 0});
  };
  Problems problems;
  const Document document = read(text, problems);
  if (!document.readable || problems.has_errors()) return refuse("has errors, so that nothing is put into it");
  const Mark* meters = find(document, "meters");
  if (meters == nullptr || !document.value.contains("meters") || !document.value["meters"].is_array())
    return refuse("has no array \"meters\"");
  const std::size_t open = offset_of(text, meters->value);
  if (open >= text.size() || text[open] != '[') return refuse("has no array \"meters\" that could be found in its text");
  const auto end = end_of_elements(text, open);
  if (!end) return refuse("has an array \"meters\" without end");
  const char before = text[*end - 1];
  const std::string_view rest = text.substr(*end);
  const auto next = rest.find_first_not_of(" \t");
  const bool on_one_line = next != std::string_view::npos && rest[next] == ']';
  return fmt::format("{}{}\n{}{}{}", text.substr(0, *end), before == '[' || before == ',' ? "" : ",", section,
                     on_one_line ? "\n  " : "", rest);
}

}  // namespace vz::config
