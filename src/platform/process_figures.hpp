// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <optional>

namespace vz {

/// What the kernel says of this process. What it does not say is missing.
struct ProcessFigures {
  std::optional<double> cpu_seconds;         ///< user and system, all threads
  std::optional<std::uint64_t> resident_bytes;
  std::optional<std::uint64_t> virtual_bytes;
  std::optional<std::uint64_t> open_files;
  std::optional<std::uint64_t> max_files;
  std::optional<std::uint64_t> threads;
  std::optional<double> start_seconds;       ///< since 1970, by the clock as it is now
};

/// Reads /proc/self; some microseconds, no waiting. Any thread.
ProcessFigures process_figures();

}  // namespace vz
