// SPDX-License-Identifier: GPL-3.0-or-later
#include "sinks/web/text.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace vz::sinks::web {
namespace {

// More than this of a reply is never looked at for a message, so that cleaning costs the same for every reply.
constexpr std::size_t kMaxLookedAt = 4096;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
bool is_hex(char c) { return (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'f'); }
bool is_blank(char c) { return static_cast<unsigned char>(c) <= 0x20 || c == 0x7f; }

/// The length of the well-formed UTF-8 sequence at the front of `text`, 0 if there is none.
std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  const std::size_t length = lead >= 0xc2 && lead < 0xe0   ? 2
                             : lead >= 0xe0 && lead < 0xf0 ? 3
                             : lead >= 0xf0 && lead < 0xf5 ? 4
                                                           : 0;
  if (length == 0 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0U) != 0x80U) return 0;
  }
  // overlong forms, surrogates, beyond U+10FFFF
  if ((lead == 0xe0 && byte(1) < 0xa0) || (lead == 0xed && byte(1) >= 0xa0)) return 0;
  if ((lead == 0xf0 && byte(1) < 0x90) || (lead == 0xf4 && byte(1) >= 0x90)) return 0;
  // the C1 control characters
  if (lead == 0xc2 && byte(1) < 0xa0) return 0;
  return length;
}

bool uuid_shape_at(std::string_view text) {
  constexpr std::size_t kLength = 36;
  if (text.size() < kLength) return false;
  for (std::size_t i = 0; i < kLength; ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? text[i] != '-' : !is_hex(text[i])) return false;
  }
  return true;
}

bool starts_any_case(std::string_view text, std::string_view with) {
  return text.size() >= with.size() &&
         std::equal(with.begin(), with.end(), text.begin(), [](char a, char b) { return lower(a) == lower(b); });
}

std::string mask_uuids(std::string_view text, std::string_view uuid) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    std::size_t length = 0;
    if (uuid.size() > 6 && starts_any_case(text, uuid))
      length = uuid.size();
    else if (uuid_shape_at(text))
      length = 36;
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

std::string uuid_tail(std::string_view uuid) {
  return "..." + std::string{uuid.substr(uuid.size() - std::min<std::size_t>(uuid.size(), 6))};
}

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
    const std::size_t length = utf8_length(left);
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
  return starts_any_case(text, "<!doctype html") || starts_any_case(text, "<html");
}

}  // namespace vz::sinks::web
