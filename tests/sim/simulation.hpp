// SPDX-License-Identifier: GPL-3.0-or-later
// Meters, pipeline, outbox, uploader and a middleware in one deterministic world: a fake clock, one thread, and a seed
// that decides what goes wrong and when.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace vz::sim {

/// How much of everything a run has seen, by name.
using Counts = std::map<std::string, std::uint64_t>;

struct Result {
  std::string violation;  ///< empty: all is as it should be
  Counts counts;
  [[nodiscard]] bool good() const { return violation.empty(); }
};

struct Options {
  std::uint64_t seed = 1;
  double size = 1.0;   ///< scales the length of a run
  bool trace = false;  ///< tells the log and the events on stderr
};

/// One run: a few lives of the daemon over one disk and some endpoints, then a last life in which everything works.
/// Checked all along, and at its end, is that every reading that was pushed and (accepted or durable) is at its endpoint
/// exactly once, with its value, in order, and that memory and disk kept within their bounds.
Result simulate(const Options& options);

}  // namespace vz::sim
