// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "protocols/sml/session.hpp"
#include "support/decoding.hpp"
#include "support/sml_builder.hpp"

namespace vz::test::sml {

using vz::sml::SmlSession;
using vz::sml::SmlSettings;

inline SmlSettings listening() {
  SmlSettings settings;
  settings.paced_line = false;
  return settings;
}

/// Feeds a listening session the stream in pieces that `next_size` chooses, and lets it time out at the end.
template <typename NextSize>
Decoded decode(std::span<const std::byte> stream, const SmlSettings& settings, NextSize next_size) {
  SmlSession session{settings};
  return test::decode(session, stream, next_size);
}

}  // namespace vz::test::sml
