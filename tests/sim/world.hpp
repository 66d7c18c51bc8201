// SPDX-License-Identifier: GPL-3.0-or-later
// What stays the same over all lives of the daemon: the clock of the machine, the disk, the endpoints, the truth.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "outbox/durable_outbox.hpp"
#include "sim/endpoint.hpp"
#include "sim/simulation.hpp"
#include "sim/truth.hpp"
#include "support/crash_vfs.hpp"
#include "vz/log.hpp"

namespace vz::sim {

inline constexpr std::int64_t kEpoch = 1'700'000'000'000;

/// The machine's clocks. The wall clock is wrong by `offset`.
class MachineClock final : public Clock {
 public:
  [[nodiscard]] Instant now() const override {
    return {MonoTime{} + passed, WallTime{std::chrono::milliseconds{kEpoch + offset}} +
                                     std::chrono::duration_cast<std::chrono::milliseconds>(passed)};
  }
  MonoDuration passed = std::chrono::hours{1};
  std::int64_t offset = 0;  ///< ms
};

class TraceLog final : public Log {
 public:
  TraceLog(const MachineClock& clock, bool trace) : clock_(clock), trace_(trace) {}
  [[nodiscard]] bool enabled(Level level) const override { return trace_ && level <= Level::info; }
  void write(Level, std::string_view section, std::string_view text) override {
    if (!trace_ || (section.starts_with("chn") && text.starts_with("Adding"))) return;
    fmt::print(stderr, "{:10.3f} {} {}\n", std::chrono::duration<double>(clock_.passed).count(), section, text);
  }

 private:
  const MachineClock& clock_;
  bool trace_;
};

struct World {
  explicit World(const Options& wanted)
      : options(wanted), random(wanted.seed * 2 + 1), disk(wanted.seed), log(clock, wanted.trace) {}
  /// 0 to n - 1
  std::uint64_t below(std::uint64_t n) { return random.next() % n; }
  bool chance(double probability) { return random.unit() < probability; }
  void violated(std::string what) {
    if (options.trace)
      fmt::print(stderr, "{:10.3f} --- VIOLATION: {}\n", std::chrono::duration<double>(clock.passed).count(), what);
    if (violation.empty()) violation = std::move(what);
  }
  /// A fault of that kind has happened.
  void fault(const char* kind) {
    ++counts[kind];
    if (options.trace)
      fmt::print(stderr, "{:10.3f} --- {}\n", std::chrono::duration<double>(clock.passed).count(), kind);
  }

  const Options& options;
  JitterSource random;
  MachineClock clock;
  test::CrashDisk disk;
  TraceLog log;
  Counts counts;
  std::uint64_t& readings = counts["readings"];
  std::uint64_t values = 0;  ///< made by meters
  std::string violation;
  std::vector<std::unique_ptr<Endpoint>> endpoints;
  std::vector<std::unique_ptr<ChannelTruth>> channels;  ///< those without an heir are what a configuration may have
  DurableSettings settings;
  std::chrono::milliseconds interval{1000};  ///< of the meters
  double poison = 0.0;
  bool small = false;       ///< the size limit matters
  bool odd_values = false;
  bool disk_faults = false;
  bool clock_faults = false;
  bool device_faults = false;
  bool config_faults = false;
  bool commands = false;
  std::uint64_t dropped = 0;  ///< all that the outboxes of all lives have counted
  std::uint64_t maybe_dropped = 0;
  std::uint64_t held_gone = 0;  ///< of all channels
  MonoTime disk_bad{};      ///< when the disk failed last
  AggMode mode = AggMode::none;
  int aggtime = -1;

  // The machine since it was started, and its wall clock.
  int boot = 0;
  MonoDuration booted{};
  MonoDuration life_begin{};
  bool wrong = false;              ///< the wall clock is
  std::int64_t right = 0;          ///< the offset when nothing is wrong
  MonoDuration right_at = MonoDuration::max();  ///< when it will be set
  std::int64_t forward = 0;        ///< all steps forward, ms
  std::uint64_t steps_back = 0;    ///< those that are followed: stamps may go back
  std::uint64_t small_steps_back = 0;
  bool unsynchronised = false;     ///< the kernel says so

  void set_offset(std::int64_t offset) {
    forward += std::max<std::int64_t>(0, offset - clock.offset);
    clock.offset = offset;
  }
};

}  // namespace vz::sim
