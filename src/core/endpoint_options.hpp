// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <optional>
#include <string>

#include "vz/options.hpp"
#include "vz/transport.hpp"

// What the serial protocols share in reading their options. Pure.

namespace vz {

/// From `host` (if it is not empty) or `device`. Adds a problem and returns nothing if neither says where to connect, or
/// `host` is not name:port.
std::optional<Endpoint> endpoint_option(const Options& options, ProblemSink& problems);

/// Splits `name:port`, `1.2.3.4:port` or `[IPv6]:port`.
std::optional<TcpPeer> parse_peer(std::string_view text);

/// Of one of the texts `8n1`, `7n1`, `7e1`, `7o1`, in any letter case.
CharacterFormat character_format(std::string_view text);

/// For OptionSpec::check: empty, or the list of speeds if the number is none of them.
std::string check_baud(const OptionValue& value);

}  // namespace vz
