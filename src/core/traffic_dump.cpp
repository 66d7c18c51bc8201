// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/traffic_dump.hpp"

#include <fmt/format.h>

#include <iterator>

namespace vz {

void TrafficDump::flush(std::string& out) {
  if (fill_ == 0) return;
  std::string text;
  for (std::size_t i = 0; i < kRow; ++i) {
    if (i < fill_) {
      const auto c = std::to_integer<unsigned>(row_[i]);
      fmt::format_to(std::back_inserter(out), "{:02x} ", c);
      text += c >= 0x20 && c < 0x7F ? static_cast<char>(c) : ' ';
    } else {
      out += "   ";
      text += ' ';
    }
  }
  out += "  " + text + " \n";
  fill_ = 0;
}

void TrafficDump::begin(Kind kind, MonoTime now, std::string& out) {
  flush(out);
  const auto since_boot = std::chrono::duration_cast<std::chrono::nanoseconds>(now.time_since_epoch()).count();
  const auto delta = last_ == MonoTime{} ? 0 : std::chrono::duration_cast<std::chrono::milliseconds>(now - last_).count();
  constexpr const char* kMarks[] = {"", "#####", ">>>>>", "<<<<<"};
  fmt::format_to(std::back_inserter(out), "\n{} {:2}.{:09}s ({:6} ms) ", kMarks[static_cast<int>(kind)],
                 since_boot / 1'000'000'000 % 100, since_boot % 1'000'000'000, delta);
  kind_ = kind;
  last_ = now;
}

void TrafficDump::note(std::string_view text, MonoTime now, std::string& out) {
  begin(Kind::note, now, out);
  out += text;
}

void TrafficDump::data(Kind kind, std::span<const std::byte> bytes, MonoTime now, std::string& out) {
  if (bytes.empty()) return;
  if (kind != kind_) {
    begin(kind, now, out);
    out += '\n';
  }
  for (const std::byte b : bytes) {
    row_[fill_++] = b;
    if (fill_ == kRow) flush(out);
  }
}

}  // namespace vz
