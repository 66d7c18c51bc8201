// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>
#include <string_view>

// InfluxDB's line protocol, as far as one float field needs it. Pure.

namespace vz::sinks::influxdb {

/// A measurement's name with commas and blanks escaped; what is escaped already stays as it is.
std::string escaped_measurement(std::string_view name);

/// A list `key=value,key=value` with the blanks in it, and further `=` in a value, escaped; what is escaped already stays.
std::string escaped_tags(std::string_view tags);

/// What InfluxDB will refuse or misread in a measurement or in a list of tags; empty if nothing.
std::string measurement_doubt(std::string_view name);
std::string tags_doubt(std::string_view tags);

/// Appends a number as a float field: fixed notation with six decimals, as the old daemon wrote it, unless that would
/// change the value; then with as many digits as it takes.
void append_field(std::string& out, double value);

}  // namespace vz::sinks::influxdb
