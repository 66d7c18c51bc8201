// SPDX-License-Identifier: GPL-3.0-or-later
// What a session makes of a stream of bytes.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <string>
#include <vector>

#include "support/bytes.hpp"
#include "vz/session.hpp"

namespace vz::test {

inline constexpr Instant kNow{MonoTime{std::chrono::seconds{1000}}, WallTime{std::chrono::seconds{1'700'000'000}}};

struct Decoded {
  std::vector<std::vector<Reading>> telegrams;
  std::vector<std::string> faults;  ///< their kinds, silence left out
  std::string written;              ///< hexadecimal
  [[nodiscard]] std::vector<std::string> lines() const {
    std::vector<std::string> out;
    for (const auto& telegram : telegrams) {
      out.push_back(fmt::format("telegram of {}", telegram.size()));
      for (const auto& r : telegram)
        out.push_back(fmt::format("{} {} {} {}", r.identifier.text(), r.value, r.unit.text(), r.stamp.time_since_epoch().count()));
    }
    out.insert(out.end(), faults.begin(), faults.end());
    out.push_back(written);
    return out;
  }
};

inline constexpr auto all_at_once = [] { return std::size_t{1} << 20U; };

/// Feeds a session that listens the stream, in pieces that `next_size` chooses, and lets it time out at the end.
template <typename NextSize>
Decoded decode(Session& session, std::span<const std::byte> stream, NextSize next_size) {
  SessionOut out;
  Decoded result;
  Instant now = kNow;
  const auto collect = [&] {
    if (out.telegrams > 0 || !out.readings.empty()) result.telegrams.push_back(out.readings);
    for (const auto& fault : out.faults)
      if (fault.kind != FaultKind::silence) result.faults.emplace_back(vz::text(fault.kind));
    for (const auto& action : out.actions)
      if (const auto* write = std::get_if<WriteBytes>(&action))
        for (const std::byte byte : write->bytes) result.written += fmt::format("{:02X}", std::to_integer<unsigned>(byte));
  };
  session.opened(now, out);
  out.clear();
  session.begin(now, out);
  for (std::size_t at = 0; at < stream.size();) {
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
    now.mono += std::chrono::seconds{100};
    out.clear();
    session.timer(now, out);
    collect();
  }
  return result;
}

}  // namespace vz::test
