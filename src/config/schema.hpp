// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <span>
#include <string>

#include "config/config.hpp"

namespace vz::config {

/// Descriptions of the configuration, all made from the option tables. Pure.

/// A JSON schema (draft-07) of configuration files, indented, for editors. Stricter than load() where an editor ought
/// to help: unknown names and odd uuids are marked. JSON has no comments and trailing commas; editors call the dialect
/// JSONC.
std::string json_schema(const Registry& registry);

/// A table as markdown, for the manual: option, type, default, what is allowed, meaning.
std::string option_table_markdown(std::span<const OptionSpec> table);

/// A table as plain text, two lines an option.
std::string option_table_text(std::span<const OptionSpec> table);

/// What `--help-protocol NAME` and its counterpart for APIs show.
std::string protocol_help(const Protocol& protocol);
std::string sink_help(const SinkType& sink);

}  // namespace vz::config
