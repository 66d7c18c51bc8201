// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vz/error.hpp"
#include "vz/options.hpp"
#include "vz/protocol.hpp"
#include "vz/settings.hpp"
#include "vz/sink.hpp"

namespace vz::config {

/// The protocols and APIs that a configuration may name.
struct Registry {
  std::span<const Protocol* const> protocols;
  std::span<const SinkType* const> sinks;
};

struct Result {
  std::optional<Settings> settings;  ///< absent if `problems` has an error
  std::vector<Problem> problems;     ///< in file order, errors and warnings
};

/// Reads and checks a whole configuration and tells everything that is wrong with it at once. Protocols and sinks are
/// made on trial, so that what they have to say is among the problems.
///
/// Errors are what the old daemon refused or crashed on; what it tolerated only warns. In a disabled meter everything
/// about the options of its protocol and of its channels' APIs only warns; if even the protocol is unknown, the meter
/// is left out of the settings, but its numbers (mtrN, chnN) stay taken. The options of disabled meters may lack
/// required values.
///
/// Pure, if the make functions are. Never throws on input; bounded by kMaxFile (reader.hpp).
Result load(std::string_view text, const Registry& registry);

/// The text of a configuration file of at most kMaxFile bytes. Errors: it cannot be read or is larger.
Expected<std::string> read_file(const std::string& path);

/// One line: `FILE:LINE:COLUMN: error: TEXT [at meters[0].channels[0].uuid]`.
std::string format(const Problem& problem, std::string_view file);

}  // namespace vz::config
