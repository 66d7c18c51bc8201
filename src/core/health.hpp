// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>
#include <vector>

#include "vz/status.hpp"

namespace vz {

/// Whether a daemon does what it is there for, and if not, why, in words. What /healthz says and what `vzlogger status`
/// returns.
struct Health {
  std::vector<std::string>
      reasons;  ///< one a trouble, worst place first: meters, endpoints, channels, outbox, services
  [[nodiscard]] bool ok() const { return reasons.empty(); }
};

/// Judges a report. Pure. Trouble is: a line that is away or silent, a meter from which nothing good came for kFaulty,
/// an endpoint or channel that takes nothing, an outbox that cannot write its file, a service that does not work. None
/// is: a meter that is disabled, paused or lent, one damaged telegram among good ones, what was rejected or dropped in
/// the past.
Health health(const StatusReport& report);

/// So long a meter's faults may follow each other before they are trouble.
inline constexpr std::chrono::seconds kFaulty{60};

/// "away", "connected", ...: also the word in JSON.
std::string_view text(MeterReport::State state);

}  // namespace vz
