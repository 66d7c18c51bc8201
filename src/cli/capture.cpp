// SPDX-License-Identifier: GPL-3.0-or-later
#include "cli/capture.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/ascii.hpp"
#include "core/eighth_bit.hpp"
#include "vz/line.hpp"

namespace vz::cli {
namespace {

bool between_bytes(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == ',' || c == ':' || c == ';' || c == '-'; }

/// One row of a dump: up to 16 times two digits and a blank, then the same as text.
void append_dump_row(std::string_view row, std::vector<std::byte>& out) {
  constexpr std::size_t kBytes = 16;
  for (std::size_t i = 0; i < kBytes && row.size() >= 3 * i + 3; ++i) {
    const int high = hex_value(row[3 * i]);
    const int low = hex_value(row[3 * i + 1]);
    if (high < 0 || low < 0 || row[3 * i + 2] != ' ') return;
    out.push_back(static_cast<std::byte>(high * 16 + low));
  }
}

std::vector<std::byte> dump_bytes(std::string_view content) {
  std::vector<std::byte> out;
  bool received = false;
  while (!content.empty()) {
    const std::size_t end = std::min(content.find('\n'), content.size());
    const std::string_view row = content.substr(0, end);
    content.remove_prefix(std::min(end + 1, content.size()));
    if (row.starts_with(">>>>>")) {
      received = true;
    } else if (row.starts_with("<<<<<") || row.starts_with("#####")) {
      received = false;
    } else if (received) {
      append_dump_row(row, out);
    }
  }
  return out;
}

}  // namespace

Expected<std::vector<std::byte>> hex_bytes(std::string_view text) {
  std::vector<std::byte> out;
  int high = 0;
  bool half = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (!half && c == '0' && i + 1 < text.size() && (text[i + 1] == 'x' || text[i + 1] == 'X')) {
      ++i;
      continue;
    }
    const int value = hex_value(c);
    if (value < 0) {
      if (between_bytes(c) && !half) continue;
      return tl::unexpected(Error{fmt::format("character {} is no hexadecimal digit", i + 1), "the hexadecimal text",
                                  "bytes of two digits 0-9, a-f, e.g. 1b1b1b1b 01010101", 0});
    }
    if (half) out.push_back(static_cast<std::byte>(high * 16 + value));
    else high = value;
    half = !half;
  }
  if (half) return tl::unexpected(Error{"the last byte has only one digit", "the hexadecimal text", "is something missing?", 0});
  if (out.empty()) return tl::unexpected(Error{"there is no byte in it", "the hexadecimal text", "", 0});
  return out;
}

std::vector<std::byte> capture_bytes(std::string_view content) {
  constexpr std::size_t kMarkWithin = 4096;
  const std::string_view head = content.substr(0, kMarkWithin);
  if (head.find("##### ") != std::string_view::npos || head.find(">>>>> ") != std::string_view::npos) return dump_bytes(content);
  const bool textual = std::all_of(content.begin(), content.end(),
                                   [](char c) { return is_hex_digit(c) || between_bytes(c) || c == 'x' || c == 'X'; });
  if (textual)
    if (auto bytes = hex_bytes(content)) return *bytes;
  std::vector<std::byte> raw(content.size());
  std::transform(content.begin(), content.end(), raw.begin(), [](char c) { return static_cast<std::byte>(c); });
  return raw;
}

CaptureKind prepare_capture(std::vector<std::byte>& bytes) {
  constexpr std::array kStart = {std::byte{0x1B}, std::byte{0x1B}, std::byte{0x1B}, std::byte{0x1B},
                                 std::byte{0x01}, std::byte{0x01}, std::byte{0x01}, std::byte{0x01}};
  if (std::search(bytes.begin(), bytes.end(), kStart.begin(), kStart.end()) != bytes.end()) return {"sml", "8n1"};
  EighthBitStatistics statistics;
  statistics.add(bytes);
  const EighthBit bit = statistics.verdict();
  if (bit == EighthBit::data || bit == EighthBit::unknown) return {"d0", "8n1"};
  if (bit == EighthBit::clear) return {"d0", "7e1"};
  constexpr std::byte kDamaged{kDamagedBit};
  for (std::byte& byte : bytes) {
    const bool right = even_ones(byte) == (bit == EighthBit::even);
    byte = right ? byte & ~kDamaged : byte | kDamaged;
  }
  return {"d0", bit == EighthBit::even ? "7e1" : "7o1"};
}

void ReplayClock::step_to(MonoTime time) {
  if (time <= now_.mono) return;
  now_.wall += std::chrono::duration_cast<std::chrono::milliseconds>(time - now_.mono);
  now_.mono = time;
}

ReadResult ReplayTransport::read(std::span<std::byte> buffer, MonoTime, MonoTime deadline, Wake& wake) {
  if (wake.stop_requested()) return {ReadResult::Kind::woken, 0, std::nullopt};
  if (rest_.empty()) {
    clock_.step_to(deadline);
    return {ReadResult::Kind::timeout, 0, std::nullopt};
  }
  const std::size_t count = std::min(buffer.size(), rest_.size());
  std::copy_n(rest_.begin(), count, buffer.begin());
  rest_ = rest_.subspan(count);
  return {ReadResult::Kind::bytes, count, std::nullopt};
}

}  // namespace vz::cli
