// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "core/endpoint_options.hpp"
#include "protocols/d0/session.hpp"

namespace vz::test {

using Bytes = std::vector<std::byte>;

inline Bytes bytes_of(std::string_view text) {
  Bytes out;
  for (const char c : text) out.push_back(static_cast<std::byte>(c));
  return out;
}

inline Bytes read_bytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return bytes_of(std::string{std::istreambuf_iterator<char>(file), {}});
}

/// What a session made of a stream: one line for each telegram (all its readings) and each fault.
struct Decoded {
  std::vector<std::vector<Reading>> telegrams;
  std::vector<FaultKind> faults;
  [[nodiscard]] std::vector<std::string> lines() const {
    std::vector<std::string> out;
    for (const auto& telegram : telegrams)
      for (const auto& r : telegram) out.push_back(fmt::format("{} {} {}", r.identifier.text(), r.value, r.unit.text()));
    for (const auto fault : faults) out.emplace_back(text(fault));
    return out;
  }
};

/// Feeds a listening session the stream in pieces that `next_size` chooses, and lets it time out at the end.
template <typename NextSize>
Decoded decode(std::span<const std::byte> stream, const d0::D0Settings& settings, NextSize next_size) {
  d0::D0Session session{settings};
  SessionOut out;
  Decoded result;
  Instant now{MonoTime{std::chrono::seconds{1000}}, WallTime{std::chrono::seconds{1700000000}}};
  const auto collect = [&] {
    if (!out.readings.empty()) result.telegrams.push_back(out.readings);
    for (const auto& fault : out.faults)
      if (fault.kind != FaultKind::silence) result.faults.push_back(fault.kind);
  };
  session.opened(now, out);
  out.clear();
  session.begin(now, out);
  std::size_t at = 0;
  while (at < stream.size()) {
    auto piece = stream.subspan(at, std::min<std::size_t>(stream.size() - at, std::max<std::size_t>(1, next_size())));
    at += piece.size();
    while (!piece.empty()) {
      out.clear();
      const auto used = session.received(piece, now, now.mono, out);
      collect();
      piece = piece.subspan(used);
    }
  }
  for (int i = 0; i < 16; ++i) {
    now.mono += std::chrono::seconds{20};
    out.clear();
    session.timer(now, out);
    collect();
  }
  return result;
}

inline d0::D0Settings listening(std::string_view parity) {
  d0::D0Settings settings;
  settings.line.format = character_format(parity);
  settings.paced_line = false;
  return settings;
}

}  // namespace vz::test
