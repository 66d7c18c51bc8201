// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <iosfwd>
#include <span>
#include <string_view>

#include "vz/obis.hpp"
#include "vz/protocol.hpp"
#include "vz/sink.hpp"

namespace vz::cli {

/// The usage text of `vzlogger -h`, laid out as users and scripts know it: options, protocol types, OBIS aliases, APIs.
/// Lists what is handed in, and so only what this build has. Pure but for writing to `out`.
void print_help(std::ostream& out, std::string_view argv0, std::span<const Protocol* const> protocols,
                std::span<const ObisAlias> aliases, std::span<const SinkType* const> sinks);

/// The protocol of that name in any letter case; null if there is none.
const Protocol* find_protocol(std::span<const Protocol* const> protocols, std::string_view name);

}  // namespace vz::cli
