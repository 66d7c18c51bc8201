// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <vector>

#include "vz/options.hpp"
#include "vz/settings.hpp"

namespace vz::config {

/// Adds what `vzlogger check` says beyond load(): settings that are allowed and that the daemon runs without a word, but that
/// hardly anybody means. Keeps the order of the file. Pure.
void add_advice(const Settings& settings, std::vector<Problem>& problems);

}  // namespace vz::config
