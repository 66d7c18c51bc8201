// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/endpoint_options.hpp"
#include "protocols/d0/session.hpp"
#include "support/decoding.hpp"

namespace vz::test {

/// Feeds a listening session the stream in pieces that `next_size` chooses, and lets it time out at the end.
template <typename NextSize>
Decoded decode(std::span<const std::byte> stream, const d0::D0Settings& settings, NextSize next_size) {
  d0::D0Session session{settings};
  Decoded result = decode(session, stream, next_size);
  // which time a telegram gets depends on those before it (the meter's clock), and so on how many of them were damaged
  for (auto& telegram : result.telegrams)
    for (auto& reading : telegram) reading.stamp = {};
  return result;
}

inline d0::D0Settings listening(std::string_view parity) {
  d0::D0Settings settings;
  settings.line.format = character_format(parity);
  settings.paced_line = false;
  return settings;
}

}  // namespace vz::test
