// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <fmt/format.h>

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "protocols/sml/session.hpp"
#include "support/sml_builder.hpp"

namespace vz::test::sml {

using vz::sml::SmlSession;
using vz::sml::SmlSettings;

inline constexpr Instant kNow{MonoTime{std::chrono::seconds{1000}}, WallTime{std::chrono::seconds{1'700'000'000}}};

inline Bytes read_bytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  Bytes out;
  for (std::istreambuf_iterator<char> at(file), end; at != end; ++at) out.push_back(static_cast<std::byte>(*at));
  return out;
}

/// What a session made of a stream.
struct Decoded {
  std::vector<std::vector<Reading>> telegrams;
  std::vector<std::string> faults;  ///< silence left out
  [[nodiscard]] std::vector<std::string> lines() const {
    std::vector<std::string> out;
    for (const auto& telegram : telegrams) {
      out.push_back(fmt::format("telegram of {}", telegram.size()));
      for (const auto& r : telegram)
        out.push_back(fmt::format("{} {} {} {}", r.identifier.text(), r.value, r.unit.text(), r.stamp.time_since_epoch().count()));
    }
    for (const auto& fault : faults) out.push_back(fault);
    return out;
  }
};

inline SmlSettings listening() {
  SmlSettings settings;
  settings.paced_line = false;
  return settings;
}

/// Feeds a listening session the stream in pieces that `next_size` chooses, and lets it time out at the end.
template <typename NextSize>
Decoded decode(std::span<const std::byte> stream, const SmlSettings& settings, NextSize next_size) {
  SmlSession session{settings};
  SessionOut out;
  Decoded result;
  Instant now = kNow;
  const auto collect = [&] {
    if (out.telegrams > 0) result.telegrams.push_back(out.readings);
    for (const auto& fault : out.faults)
      if (fault.kind != FaultKind::silence) result.faults.emplace_back(vz::text(fault.kind));
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
  for (int i = 0; i < 4; ++i) {
    now.mono += std::chrono::seconds{20};
    out.clear();
    session.timer(now, out);
    collect();
  }
  return result;
}

inline constexpr auto all_at_once = [] { return std::size_t{1} << 20U; };

}  // namespace vz::test::sml
