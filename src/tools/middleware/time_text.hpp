// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "vz/time.hpp"

namespace vz::middleware {

/// Where days begin: the machine's time zone (variable TZ), or UTC.
enum class Zone { local, utc };

/// Reads a time as the original's from, to and ts: digits are milliseconds since the epoch, anything else is read as
/// PHP's strtotime() would, in whole seconds. Of its language these words are known, in any order and number:
/// `now today midnight noon yesterday tomorrow`, `2026-11-22 22.11.2026`, `12:30 12:30:15` with `Z` or `+01:00`,
/// `@1700000000`, `+1 day -2 hours 3 weeks ago last month`, `first day of this month`. Units: second, minute, hour,
/// day, week, month, year. Empty if it cannot be read. Does not allocate without bound; depends on its arguments and,
/// with Zone::local, on TZ.
std::optional<double> parse_time(std::string_view text, WallTime now, Zone zone);

/// The groups of `group=`.
enum class Group { second, minute, quarter, hour, day, week, month, year };
std::optional<Group> parse_group(std::string_view text);

/// A number that is the same for all stamps of one group (and rises with time).
std::int64_t group_key(Group group, std::int64_t ms, Zone zone);

}  // namespace vz::middleware
