// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>

#include "cli/probe/prober.hpp"

namespace vz::cli {

/// The meter section of a configuration file for a meter that was found, with comments, a level below `meters`, without
/// a line end behind it. It runs as it is: its channels (the main registers) have the api `null`, which sends nothing, until the
/// user puts uuids in. Pure.
std::string section_text(const ProbedMeter& meter);

/// A whole configuration around such sections.
std::string configuration_text(const std::string& sections);

}  // namespace vz::cli
