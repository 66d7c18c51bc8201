// SPDX-License-Identifier: GPL-3.0-or-later
#include "platform/clock.hpp"

#include <sys/timex.h>
#include <unistd.h>

#include <cstdlib>
#include <ctime>
#include <fstream>

namespace vz {

Instant SystemClock::now() const {
  // The two clocks cannot be read in one go: a pair that a reschedule tore apart is read again.
  constexpr MonoDuration kTogether = std::chrono::microseconds{200};
  constexpr int kTries = 4;
  Instant instant;
  for (int i = 0; i < kTries; ++i) {
    const MonoTime before = std::chrono::steady_clock::now();
    instant.wall = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
    instant.mono = std::chrono::steady_clock::now();
    if (instant.mono - before <= kTogether) break;
  }
  return instant;
}

Synchronisation timesyncd_synchronisation(const std::string& folder) {
  if (::access(folder.c_str(), F_OK) != 0) return Synchronisation::unknown;
  return ::access((folder + "/synchronized").c_str(), F_OK) == 0 ? Synchronisation::yes : Synchronisation::no;
}

Synchronisation clock_synchronisation() {
  timex state{};  // all zero: a question
  if (::adjtimex(&state) < 0) return timesyncd_synchronisation("/run/systemd/timesync");
  return (state.status & STA_UNSYNC) == 0 ? Synchronisation::yes : Synchronisation::no;
}

bool clock_is_settling() {
  timespec up{};
  if (::clock_gettime(CLOCK_BOOTTIME, &up) != 0) return false;
  const std::chrono::seconds since_boot{up.tv_sec};
  return is_settling(since_boot, Synchronisation::no) && is_settling(since_boot, clock_synchronisation());
}

bool clock_is_synchronised() { return clock_synchronisation() == Synchronisation::yes; }

std::string boot_id() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string id;
  std::getline(file, id);
  if (const char* told = std::getenv("VZLOGGER_BOOT_ID"); id.empty() && told != nullptr) id = told;
  std::erase(id, '-');
  return id.substr(0, 64);
}

}  // namespace vz
