// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <CLI/CLI.hpp>

#include <optional>

#include "cli/command.hpp"

namespace vz::cli {

/// Reads a sub-command's options. Empty: go on; else everything is said (help, or what is wrong): end with this status.
std::optional<int> read_options(CLI::App& app, const CommandLine& line);

}  // namespace vz::cli
