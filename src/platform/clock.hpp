// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <chrono>
#include <string>

#include "vz/time.hpp"

namespace vz {

/// The machine's two clocks. Stateless, thread-safe, never fails.
class SystemClock final : public Clock {
 public:
  [[nodiscard]] Instant now() const override;
};

/// Whether somebody keeps the clock right.
enum class Synchronisation {
  yes,
  no,
  unknown,  ///< nobody who may be asked knows
};

/// What the kernel says (adjtimex). Where it may not be asked (a unit with ProtectClock=, a container) what
/// systemd-timesyncd left in its folder below /run.
Synchronisation clock_synchronisation();

/// The latter: the folder is there while timesyncd runs, and in it a file `synchronized` once it has set the clock.
Synchronisation timesyncd_synchronisation(const std::string& folder);

/// True for a machine that has been up for less than five minutes and whose clock is not known to be right: one without a
/// real-time clock boots in the past. After that time a machine counts as settled, whether or not it ever synchronises.
/// Unknown counts as not synchronised: to hold readings for some minutes costs nothing, a wrong time cannot be mended.
constexpr bool is_settling(std::chrono::seconds up, Synchronisation state) {
  constexpr std::chrono::minutes kSettled{5};
  return up < kSettled && state != Synchronisation::yes;
}

/// The same for this machine, now.
bool clock_is_settling();

/// True if somebody is known to keep the clock right.
bool clock_is_synchronised();

/// What names this boot; empty if nobody tells: the kernel, or, where that is hidden (ProcSubset=pid), VZLOGGER_BOOT_ID.
std::string boot_id();

}  // namespace vz
