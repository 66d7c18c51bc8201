// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "vz/protocol.hpp"
#include "vz/settings.hpp"

namespace vz::cli {

/// A meter that a command is to read: the settings and what its protocol made of them.
struct ChosenMeter {
  MeterSettings settings;
  std::unique_ptr<MeterSource> source;
};

/// Why there is none, in lines for the user, and the exit status that goes with it.
struct NoMeter {
  std::vector<std::string> lines;
  int status = 0;
};
using MeterChoice = tl::expected<ChosenMeter, NoMeter>;

/// A meter section, checked exactly as one in a configuration file is. `protocol` has to be in it; it counts as enabled,
/// and channels may be missing.
MeterChoice meter_from_section(const nlohmann::ordered_json& section);

/// A protocol and options as typed, `key=value`; the type comes from the protocol's option table.
MeterChoice meter_from_options(const std::string& protocol, const std::vector<std::string>& options);

/// The section for that; errors: an option without `=`, or that the protocol does not have.
tl::expected<nlohmann::ordered_json, NoMeter> section_from_options(const std::string& protocol,
                                                                    const std::vector<std::string>& options);

/// Meter `name` (`mtr0`, or just `0`) of a configuration file; empty: the only enabled one. Problems of the file are told
/// if they are errors.
MeterChoice meter_from_file(const std::string& path, const std::string& name);

}  // namespace vz::cli
