// SPDX-License-Identifier: GPL-3.0-or-later
#include "sinks/web/text.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "core/ascii.hpp"
#include "core/utf8.hpp"
#include "core/uuid.hpp"

namespace vz::sinks::web {
namespace {

// More than this of a reply is never looked at for a message, so that cleaning costs the same for every reply.
constexpr std::size_t kMaxLookedAt = 4096;

bool is_blank(char c) { return static_cast<unsigned char>(c) <= 0x20 || c == 0x7f; }

/// Of the character at the front of `text`, 0 if there is none; the control characters C1 are none.
std::size_t shown_length(std::string_view text) {
  const bool control = text.size() > 1 && text[0] == '\xc2' && static_cast<unsigned char>(text[1]) < 0xa0;
  return control ? 0 : utf8_length(text);
}

std::string mask_uuids(std::string_view text, std::string_view uuid) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    std::size_t length = 0;
    if (uuid.size() > 6 && starts_ignoring_case(text, uuid))
      length = uuid.size();
    else if (begins_with_uuid(text))
      length = kUuidLength;
    if (length == 0) {
      out += text.front();
      text.remove_prefix(1);
    } else {
      out += uuid_tail(text.substr(0, length));
      text.remove_prefix(length);
    }
  }
  return out;
}

/// Drops what stands between `<name` and `</name>`, the tags with it.
void drop_element(std::string& page, std::string_view open, std::string_view close) {
  for (std::size_t begin = find_any_case(page, open); begin != std::string::npos;
       begin = find_any_case(page, open, begin)) {
    const std::size_t end = find_any_case(page, close, begin);
    page.erase(begin, end == std::string::npos ? std::string::npos : end + close.size() - begin);
  }
}

std::string without_tags(std::string_view page) {
  std::string out;
  bool in_tag = false;
  for (const char c : page) {
    if (c == '<')
      in_tag = true;
    else if (c == '>' && in_tag) {
      in_tag = false;
      out += '\n';
    } else if (!in_tag)
      out += c;
  }
  return out;
}

std::string_view first_line(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  return text.substr(0, text.find_first_of("\r\n"));
}

}  // namespace

std::size_t find_any_case(std::string_view text, std::string_view needle, std::size_t from) {
  if (from > text.size()) return std::string_view::npos;
  const auto found = std::search(text.begin() + static_cast<std::ptrdiff_t>(from), text.end(), needle.begin(),
                                 needle.end(), [](char a, char b) { return lower(a) == b; });
  return found == text.end() ? std::string_view::npos : static_cast<std::size_t>(found - text.begin());
}

std::string clean_words(std::string_view text, std::string_view uuid) {
  const std::string masked = mask_uuids(text.substr(0, kMaxLookedAt), uuid);
  std::string_view left = masked;
  std::string out;
  while (!left.empty()) {
    const std::size_t length = shown_length(left);
    if (out.size() + std::max<std::size_t>(length, 1) > kMaxWords) return out + "...";
    if (is_blank(left.front())) {
      if (!out.empty() && out.back() != ' ') out += ' ';
      left.remove_prefix(1);
    } else if (length == 0) {
      out += '?';
      left.remove_prefix(1);
    } else {
      out += left.substr(0, length);
      left.remove_prefix(length);
    }
  }
  while (out.ends_with(' ')) out.pop_back();
  return out;
}

std::string page_words(std::string_view page) {
  page = page.substr(0, kMaxLookedAt);
  if (const std::size_t title = find_any_case(page, "<title>"); title != std::string_view::npos) {
    const std::string_view rest = page.substr(title + 7);
    const std::string_view words = first_line(rest.substr(0, rest.find('<')));
    if (!words.empty()) return std::string{words};
  }
  std::string bare{page};
  constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kUnread{
      {{"<script", "</script>"}, {"<style", "</style>"}, {"<head", "</head>"}, {"<!--", "-->"}}};
  for (const auto& [open, close] : kUnread) drop_element(bare, open, close);
  return std::string{first_line(without_tags(bare))};
}

bool is_page(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  return starts_ignoring_case(text, "<!doctype html") || starts_ignoring_case(text, "<html");
}

}  // namespace vz::sinks::web
