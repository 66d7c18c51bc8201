// SPDX-License-Identifier: GPL-3.0-or-later
#include "cli/traffic_text.hpp"

#include <fmt/format.h>

#include <array>
#include <string_view>
#include <utility>

namespace vz::cli {
namespace {

constexpr std::array<std::string_view, 32> kNames{"NUL", "SOH", "STX", "ETX", "EOT", "ENQ", "ACK", "BEL", "BS",  "TAB", "LF",
                                                  "VT",  "FF",  "CR",  "SO",  "SI",  "DLE", "DC1", "DC2", "DC3", "DC4", "NAK",
                                                  "SYN", "ETB", "CAN", "EM",  "SUB", "ESC", "FS",  "GS",  "RS",  "US"};

void append_annotated(unsigned char c, std::string& out) {
  if (c < kNames.size()) {
    out += fmt::format("<{}>", kNames[c]);
  } else if (c < 0x7F) {
    out += static_cast<char>(c);
  } else {
    out += fmt::format("<x{:02X}>", c);  // <FF> is form feed
  }
}

}  // namespace

std::string annotated(std::span<const std::byte> bytes) {
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    append_annotated(std::to_integer<unsigned char>(bytes[i]), out);
    if (bytes[i] != std::byte{0}) continue;
    std::size_t nuls = 1;
    while (i + 1 < bytes.size() && bytes[i + 1] == std::byte{0}) ++nuls, ++i;
    if (nuls > 1) out += fmt::format("x{}", nuls);
  }
  return out;
}

void TrafficText::flush_line() {
  if (line_.empty()) return;
  if (++lines_ <= kMaxLines) {
    const double seconds = std::chrono::duration<double>(line_began_ - start_).count();
    out_ += fmt::format("{:8.2f} s  {} {}\n", seconds, kind_ == Traffic::Kind::sent ? '>' : '<', line_);
    if (lines_ == kMaxLines) out_ += "            ...\n";
  }
  line_.clear();
}

void TrafficText::character(unsigned char c) {
  append_annotated(c, line_);
  if (c == '\n' || line_.size() >= kMaxLine) flush_line();
}

void TrafficText::add(const Traffic& entry) {
  if (!std::exchange(started_, true)) start_ = entry.at;
  if (entry.kind != kind_) {
    flush_line();
    lines_ = 0;
  }
  kind_ = entry.kind;
  if (entry.kind == Traffic::Kind::line) {
    out_ += fmt::format("{:8.2f} s  {} {}\n", std::chrono::duration<double>(entry.at - start_).count(), entry.line.baud,
                        text(entry.line.format));
    return;
  }
  if (entry.kind == Traffic::Kind::sent) {
    line_began_ = entry.at;
    line_ = annotated(entry.bytes);
    flush_line();
    return;
  }
  for (const std::byte byte : entry.bytes) {
    if (line_.empty()) line_began_ = entry.at;
    character(std::to_integer<unsigned char>(byte));
  }
}

std::string TrafficText::take() { return std::exchange(out_, {}); }

std::string TrafficText::finish() {
  flush_line();
  lines_ = 0;
  return take();
}

}  // namespace vz::cli
