// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vz/options.hpp"

namespace vz::config {

/// The options of the sections that every build knows. Protocols and sinks bring their own tables.
std::span<const OptionSpec> general_options();  ///< top level of the file, besides the sections themselves
std::span<const OptionSpec> local_options();
std::span<const OptionSpec> push_options();  ///< of one element of `push`
std::span<const OptionSpec> mqtt_options();
std::span<const OptionSpec> meter_options();    ///< of every protocol, besides `channel` and `channels`
std::span<const OptionSpec> channel_options();  ///< of every API

/// Names that hold sections instead of values.
std::span<const std::string_view> general_sections();  ///< local, push, mqtt, outbox, meters, sensors
std::span<const std::string_view> meter_sections();    ///< channels, channel

/// Null if the table has no such name; aliases do not count.
const OptionSpec* find_option(std::span<const OptionSpec> table, std::string_view name);

/// The value that `default_text` stands for: monostate for none, and for a text that is no value of the option's type.
OptionValue default_value(const OptionSpec& spec);

/// What is wrong with a table itself, for tests: defaults that are no values or not allowed, names twice, no help.
std::vector<std::string> table_defects(std::span<const OptionSpec> table);

}  // namespace vz::config
