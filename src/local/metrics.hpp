// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>
#include <string_view>

#include "platform/process_figures.hpp"
#include "vz/status.hpp"

namespace vz::local {

/// The Content-Type of a page of metrics.
inline constexpr std::string_view kMetricsType = "text/plain; version=0.0.4; charset=utf-8";

/// The report in Prometheus' text exposition format 0.0.4. Names end in their unit, counters in `_total`; times are
/// seconds. What is not known yet has no sample. No readings and no uuids are in it: whoever may see the metrics need not
/// be allowed to see the readings. Pure.
std::string metrics_text(const StatusReport& report, const ProcessFigures& process);

/// Appends a label's value: `\`, `"` and line ends escaped.
void append_label_value(std::string& out, std::string_view text);

/// A trouble's text as a label's value: numbers of more than three digits become `#`, so that figures that change with
/// each try (milliseconds, ports) do not make a new time series each time, and at most 120 bytes of it. Pure.
std::string error_label(std::string_view text);

}  // namespace vz::local
