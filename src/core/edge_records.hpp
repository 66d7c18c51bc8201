// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/source_records.hpp"
#include "vz/time.hpp"

namespace vz {

/// What a transport of pulse lines reports: a level, an edge, or a pulse.
struct LineEdge {
  enum class Line : char { pulse = 'p', direction = 'd' };
  Line line = Line::pulse;
  bool high = false;  ///< the level from then on
  MonoTime at{};      ///< by the kernel, where it says so
  bool operator==(const LineEdge&) const = default;
};

/// Appends a record of one of the kinds level, edge and pulse; its text is `p1 123456789`: line, level, and nanoseconds of
/// the monotonic clock. Pure.
void append_edge(std::string& out, RecordKind kind, const LineEdge& edge);

/// Reads such a text. Empty if it is none. Pure.
std::optional<LineEdge> parse_edge(std::string_view text);

}  // namespace vz
