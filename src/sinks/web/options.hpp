// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <limits>

#include "vz/http.hpp"
#include "vz/options.hpp"

// Options that several web APIs have, described once.

namespace vz::sinks::web {

inline constexpr OptionSpec kTimeoutOption{.name = "timeout",
                                           .type = OptionType::integer,
                                           .unit = "s",
                                           .default_text = "30",
                                           .help = "longest time a request may take; 0: no limit",
                                           .min = 0,
                                           .max = std::numeric_limits<std::int32_t>::max()};

inline constexpr OptionSpec kVerifyPeerOption{.name = "ssl_verifypeer",
                                              .type = OptionType::boolean,
                                              .default_text = "true",
                                              .help = "check who made the server's certificate"};

/// What kVerifyPeerOption says.
inline TlsCheck tls_check(const Options& options) {
  return options.boolean(kVerifyPeerOption.name) ? TlsCheck::full : TlsCheck::name_only;
}

}  // namespace vz::sinks::web
