// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string_view>
#include <vector>

#include "vz/options.hpp"
#include "vz/settings.hpp"

namespace vz::config {

/// Adds what `vzlogger check` says beyond load(): settings that are allowed and that the daemon runs without a word, but that
/// hardly anybody means. Keeps the order of the file. Pure.
void add_advice(const Settings& settings, std::vector<Problem>& problems);

/// True for the uuids that stand for a channel that is still to be made: zeros, numbered in the last group.
bool is_placeholder_uuid(std::string_view uuid);

}  // namespace vz::config
