// SPDX-License-Identifier: GPL-3.0-or-later
#include "config/edit.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace vz::config {
namespace {

constexpr std::string_view kSpace = " \t\r\n";

Error failure(std::string what) { return {std::move(what), {}, "make the change by hand"}; }

/// Where a place of the file stands in its text.
std::size_t offset_of(std::string_view text, Place place) {
  std::size_t begin = 0;
  for (unsigned line = 1; line < place.line; ++line) {
    begin = text.find('\n', begin);
    if (begin == std::string_view::npos) return text.size();
    ++begin;
  }
  return std::min(text.size(), begin + place.column - 1);
}

/// The end of a comment that begins at `at`, or `at` if none does.
std::size_t after_comment(std::string_view text, std::size_t at) {
  const std::string_view rest = text.substr(at);
  if (rest.starts_with("//") || rest.starts_with('#')) return std::min(text.find('\n', at), text.size());
  if (!rest.starts_with("/*")) return at;
  const std::size_t end = text.find("*/", at + 2);
  return end == std::string_view::npos ? text.size() : end + 2;
}

std::size_t after_space_and_comments(std::string_view text, std::size_t at) {
  while (at < text.size()) {
    const std::size_t next = kSpace.find(text[at]) != std::string_view::npos ? at + 1 : after_comment(text, at);
    if (next == at) break;
    at = next;
  }
  return at;
}

std::size_t after_string(std::string_view text, std::size_t at) {
  const char quote = text[at++];
  while (at < text.size() && text[at] != quote) at += text[at] == '\\' ? 2 : 1;
  return std::min(at + 1, text.size());
}

/// The end of the value that begins at `at`.
std::size_t after_value(std::string_view text, std::size_t at) {
  unsigned depth = 0;
  while (at < text.size()) {
    const char c = text[at];
    if (c == '"' || c == '\'') {
      at = after_string(text, at);
    } else if (c == '{' || c == '[') {
      ++depth;
      ++at;
      continue;
    } else if (c == '}' || c == ']') {
      if (depth == 0) return at;
      --depth;
      ++at;
    } else if (const std::size_t next = after_comment(text, at); next != at) {
      if (depth == 0) return at;
      at = next;
      continue;
    } else if (depth == 0) {
      return std::min(text.find_first_of(" \t\r\n,]}/", at), text.size());
    } else {
      ++at;
      continue;
    }
    if (depth == 0) return at;
  }
  return at;
}

std::string indent_of_line(std::string_view text, std::size_t at) {
  const std::size_t newline = text.rfind('\n', at);
  const std::size_t begin = newline == std::string_view::npos || at == 0 ? 0 : newline + 1;
  const std::size_t end = std::min(text.find_first_not_of(" \t", begin), text.size());
  return std::string{text.substr(begin, std::min(end, at) - begin)};
}

std::string dumped(const Value& value, const std::string& indent) {
  std::string out;
  for (const char c : value.dump(2, ' ', false, Value::error_handler_t::replace)) {
    out += c;
    if (c == '\n') out += indent;
  }
  return out;
}

enum class OneLine { kept, broken };

/// `text` with one more thing at the end of the array or object that begins at `open`; `piece` makes it for an indentation.
/// What is written on one line stays so if `one_line` says that.
template <typename Piece>
std::string with_last(std::string_view text, std::size_t open, OneLine one_line, Piece piece) {
  const char close = text[open] == '[' ? ']' : '}';
  std::size_t last_end = 0;  // of the last element; 0: none
  std::size_t first = 0;
  bool comma = false;        // behind it
  std::size_t at = after_space_and_comments(text, open + 1);
  while (at < text.size() && text[at] != close) {
    if (first == 0) first = at;
    if (text[at] == ',' || text[at] == ':') {
      comma = text[at] == ',';
      ++at;
    } else {
      last_end = after_value(text, at);
      if (last_end == at) break;  // not a value: the check of the result will say so
      at = last_end;
      comma = false;
    }
    at = after_space_and_comments(text, at);
  }
  std::string out(text);
  if (one_line == OneLine::kept && last_end != 0 && text.substr(open, at - open).find('\n') == std::string_view::npos) {
    out.insert(last_end, ", " + piece(std::string{}));
    return out;
  }
  const std::string outer = indent_of_line(text, open);
  const bool own_line = first != 0 && text.substr(open, first - open).find('\n') != std::string_view::npos;
  const std::string inner = own_line ? indent_of_line(text, first) : outer + "  ";
  // before the blanks in front of the bracket, behind whatever comment stands there
  std::size_t end = at;
  while (end > open + 1 && kSpace.find(text[end - 1]) != std::string_view::npos) --end;
  const bool bracket_has_line = text.substr(end, at - end).find('\n') != std::string_view::npos;
  out.replace(end, bracket_has_line ? 0 : at - end, "\n" + inner + piece(inner) + (bracket_has_line ? "" : "\n" + outer));
  if (last_end != 0 && !comma) out.insert(last_end, ",");
  return out;
}

/// The value at a path of the form `meters[0].channels`, to be changed.
Value* value_at(Value& root, std::string_view path) {
  Value* at = &root;
  while (!path.empty() && at != nullptr) {
    if (path.front() == '.') path.remove_prefix(1);
    if (path.front() == '[') {
      std::size_t index = 0;
      const auto end = std::from_chars(path.data() + 1, path.data() + path.size(), index).ptr;
      path.remove_prefix(std::min(path.size(), static_cast<std::size_t>(end - path.data()) + 1));
      at = at->is_array() && index < at->size() ? &(*at)[index] : nullptr;
    } else {
      const std::size_t end = std::min(path.find_first_of(".["), path.size());
      const std::string key(path.substr(0, end));
      path.remove_prefix(end);
      at = at->is_object() && at->contains(key) ? &(*at)[key] : nullptr;
    }
  }
  return at;
}

/// The file's document, if it can be read without an error.
Expected<Document> readable(std::string_view text) {
  Problems problems;
  Document document = read(text, problems);
  if (!document.readable || problems.has_errors()) return tl::unexpected(failure("the configuration cannot be read without errors"));
  return document;
}

Expected<std::string> checked(std::string text, const Value& wanted) {
  const auto document = readable(text);
  if (!document || document->value != wanted)
    return tl::unexpected(failure("the layout of the file is too unusual to be changed by a program"));
  return text;
}

}  // namespace

Expected<std::string> with_value(std::string_view text, std::string_view path, const Value& value) {
  const auto document = readable(text);
  if (!document) return tl::unexpected(document.error());
  const Mark* mark = find(*document, path);
  Value wanted = document->value;
  Value* target = value_at(wanted, path);
  if (mark == nullptr || target == nullptr || target->is_structured())
    return tl::unexpected(failure(fmt::format("there is no single value at {}", path)));
  *target = value;
  const std::size_t begin = offset_of(text, mark->value);
  std::string out(text);
  out.replace(begin, after_value(text, begin) - begin, value.dump(-1, ' ', false, Value::error_handler_t::replace));
  return checked(std::move(out), wanted);
}

namespace {

/// Adds `element` to the array at `path`; `piece` writes it.
template <typename Piece>
Expected<std::string> add_element(std::string_view text, std::string_view path, const Value& element, Piece piece) {
  const auto document = readable(text);
  if (!document) return tl::unexpected(document.error());
  const Mark* mark = find(*document, path);
  Value wanted = document->value;
  Value* target = value_at(wanted, path);
  if (mark == nullptr || target == nullptr || !target->is_array())
    return tl::unexpected(failure(fmt::format("there is no array at {}", path)));
  target->push_back(element);
  return checked(with_last(text, offset_of(text, mark->value), OneLine::broken, piece), wanted);
}

}  // namespace

Expected<std::string> with_element(std::string_view text, std::string_view path, const Value& element) {
  return add_element(text, path, element, [&](const std::string& indent) { return dumped(element, indent); });
}

Expected<std::string> with_written_element(std::string_view text, std::string_view path, std::string_view element) {
  const auto written = readable(element);
  if (!written) return tl::unexpected(written.error());
  const std::size_t first = std::min(element.find_first_not_of(kSpace), element.size());
  return add_element(text, path, written->value, [&](const std::string&) { return std::string{element.substr(first)}; });
}

Expected<std::string> with_member(std::string_view text, std::string_view path, const std::string& name, const Value& value) {
  const auto document = readable(text);
  if (!document) return tl::unexpected(document.error());
  const Mark* mark = find(*document, path);
  Value wanted = document->value;
  Value* target = value_at(wanted, path);
  if (mark == nullptr || target == nullptr || !target->is_object() || target->contains(name))
    return tl::unexpected(failure(fmt::format("there is no object without \"{}\" at {}", name, path)));
  (*target)[name] = value;
  const std::size_t open = offset_of(text, mark->value);
  const auto piece = [&](const std::string& indent) { return Value(name).dump() + ": " + dumped(value, indent); };
  return checked(with_last(text, open, OneLine::kept, piece), wanted);
}

}  // namespace vz::config
