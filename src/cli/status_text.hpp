// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "vz/status.hpp"

namespace vz::cli {

/// The report for people, as `vzlogger status` prints it: the judgement first, then meters with their channels,
/// endpoints, outbox and services. Pure. Control characters of foreign texts become blanks.
std::string status_text(const StatusReport& report);

/// "3 min ago"; "-" for none. A time to come counts as just now.
std::string ago(const std::optional<WallTime>& time, WallTime now);

/// "1.4 MB".
std::string bytes_text(std::uint64_t bytes);

/// Rows as lines with their columns one below the other, `indent` blanks in front. The last column is not padded.
std::string table(const std::vector<std::vector<std::string>>& rows, std::size_t indent);

}  // namespace vz::cli
