// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>

#include "vz/time.hpp"

namespace vz {

/// The machine's two clocks. Stateless, thread-safe, never fails.
class SystemClock final : public Clock {
 public:
  [[nodiscard]] Instant now() const override;
};

/// True while the machine has been up for less than five minutes and the kernel says that its clock is not synchronised:
/// a machine without a real-time clock, which boots in the past. A machine that never synchronises counts as settled
/// after that time.
bool clock_is_settling();

/// True if the kernel says that its clock is kept right by somebody.
bool clock_is_synchronised();

/// What names this boot; empty if nobody tells: the kernel, or, where that is hidden (ProcSubset=pid), VZLOGGER_BOOT_ID.
std::string boot_id();

}  // namespace vz
