// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <iosfwd>

#include "vz/http.hpp"
#include "vz/log.hpp"
#include "vz/settings.hpp"

namespace vz::cli {

/// `vzlogger -r`: for each channel of each enabled meter, in order, sends what its API wants for a registration, one
/// request after the other. Failures are told and the rest goes on; `..done` is printed after each meter, as always.
void register_channels(const Settings& settings, HttpClient& http, Log& log, std::ostream& out);

}  // namespace vz::cli
