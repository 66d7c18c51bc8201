// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "vz/error.hpp"
#include "vz/status.hpp"

namespace vz::local {

/// The report as JSON, the one form of it (control socket, `vzlogger status --json`): the members' names are those of
/// the structs, times are milliseconds since 1970 (UTC), and what is not known is null; `faults` has a member for each
/// kind. `health` is the judgement: {"ok": ..., "reasons": [...]}. Pure.
nlohmann::ordered_json to_json(const StatusReport& report);

/// The report back from its JSON. What is missing or of another type is left at its default, so that a program can read
/// an older or newer daemon; an Error only if it is no object at all. Pure; never throws. At most as large as its
/// input.
Expected<StatusReport> report_from(const nlohmann::ordered_json& json);

/// One line of text, whatever bytes the strings hold.
std::string dump(const nlohmann::ordered_json& json);

/// The name of a kind of fault in JSON and metrics: "check_value".
std::string_view key(FaultKind kind);

}  // namespace vz::local
