// SPDX-License-Identifier: GPL-3.0-or-later
#include "platform/log_line.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <iterator>

namespace vz::platform {
namespace {

constexpr std::size_t kMessageColumn = 24;
constexpr std::size_t kSectionWidth = 7;

unsigned char byte_at(std::string_view text, std::size_t i) { return static_cast<unsigned char>(text[i]); }

bool continues(std::string_view text, std::size_t i) { return i < text.size() && (byte_at(text, i) & 0xC0) == 0x80; }

// Length of the printable UTF-8 character at `i`; 0 if it is a control character or no UTF-8 (RFC 3629, clause 4).
std::size_t printable(std::string_view text, std::size_t i) {
  const unsigned char first = byte_at(text, i);
  if (first < 0x80) return first >= 0x20 && first != 0x7F ? 1 : 0;
  const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4) return 0;
  for (std::size_t k = 1; k < length; ++k) {
    if (!continues(text, i + k)) return 0;
  }
  const unsigned char second = byte_at(text, i + 1);
  const bool overlong = (first == 0xE0 && second < 0xA0) || (first == 0xF0 && second < 0x90);
  const bool outside = (first == 0xED && second >= 0xA0) || (first == 0xF4 && second >= 0x90);
  const bool control = first == 0xC2 && second < 0xA0;  // U+0080 to U+009F: terminals obey some of them
  return overlong || outside || control ? 0 : length;
}

void append(spdlog::memory_buf_t& out, std::string_view text) { out.append(text.data(), text.data() + text.size()); }

}  // namespace

void append_visible(spdlog::memory_buf_t& out, std::string_view text) {
  const std::string_view shown = text.substr(0, kMaxMessage);
  for (std::size_t i = 0; i < shown.size();) {
    if (const std::size_t length = printable(shown, i); length > 0) {
      append(out, shown.substr(i, length));
      i += length;
      continue;
    }
    const char c = shown[i++];
    if (c == '\r') {
      append(out, "<CR>");
    } else if (c == '\n') {
      append(out, "<LF>");
    } else {
      fmt::format_to(std::back_inserter(out), "\\x{:02x}", static_cast<unsigned char>(c));
    }
  }
  if (text.size() > shown.size()) {
    fmt::format_to(std::back_inserter(out), "... ({} more bytes)", text.size() - shown.size());
  }
}

void append_line(spdlog::memory_buf_t& out, const std::tm& local, std::string_view section, std::string_view text) {
  constexpr std::array kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::size_t begin = out.size();
  const auto month = static_cast<std::size_t>(std::clamp(local.tm_mon, 0, 11));
  fmt::format_to(std::back_inserter(out), "[{} {:02} {:02}:{:02}:{:02}]", kMonths[month], local.tm_mday, local.tm_hour,
                 local.tm_min, local.tm_sec);
  if (!section.empty()) {
    const std::size_t stamp_end = out.size();
    append(out, "[");
    append_visible(out, section);
    append(out, "]");
    out.resize(std::min(out.size(), stamp_end + kSectionWidth));
  }
  while (out.size() < begin + kMessageColumn) out.push_back(' ');
  append_visible(out, text);
  out.push_back('\n');
}

void LineFormatter::format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) {
  const std::time_t seconds =
      std::chrono::system_clock::to_time_t(std::chrono::floor<std::chrono::seconds>(message.time));
  std::tm local{};
  ::localtime_r(&seconds, &local);
  append_line(out, local, {message.logger_name.data(), message.logger_name.size()},
              {message.payload.data(), message.payload.size()});
}

std::unique_ptr<spdlog::formatter> LineFormatter::clone() const { return std::make_unique<LineFormatter>(); }

}  // namespace vz::platform
