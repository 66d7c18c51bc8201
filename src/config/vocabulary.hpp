// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"

namespace vz::config {

/// The sections in which an option can stand.
enum class Level { general, local, push, mqtt, outbox, meter, channel };

/// Where an unknown name was found: the level and, in a meter or channel, its protocol's or API's table.
struct Where {
  Level level = Level::general;
  std::span<const OptionSpec> special = {};
};

/// What to tell about a name that its section does not know: a likely misspelling of one of the section's own names, or
/// where the name belongs. Pure.
std::string unknown_name(std::string_view name, const Where& where, const Registry& registry);

}  // namespace vz::config
