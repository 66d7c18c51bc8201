// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>

#include "vz/time.hpp"

namespace vz {

/// The clock that stamps readings: the machine's, made sane.
///
/// After a small step back (up to kSlowdown) its wall time runs at half speed until the machine's has caught up, so that
/// stamps keep their order and their spacing; after a larger one the new time is taken. Steps forward are taken at once.
/// trusted() is false while the wall clock is older than the program itself, or while `settling` says that the machine
/// has just booted and does not know the time yet, or while it is older than the last time that an earlier boot knew
/// (unless the kernel says that it is synchronised, and for kLongestDoubt at most: that time may have been wrong):
/// readings are then held and stamped later.
/// Thread-safe: one short lock. Monotonic time passes through unchanged.
class StampClock final : public Clock {
 public:
  static constexpr std::chrono::minutes kSlowdown{5};
  static constexpr std::chrono::hours kLongestDoubt{24};

  struct Steps {
    std::uint64_t slowed = 0;    ///< small steps back
    std::uint64_t followed = 0;  ///< large steps back
  };

  enum class Boot { this_one, earlier };

  /// `oldest`: no time before it can be right. `settling` is asked until it first says false; none: never settling.
  /// `synchronised`: what the kernel says; none: never.
  StampClock(const Clock& machine, WallTime oldest, std::function<bool()> settling = {},
             std::function<bool()> synchronised = {});

  /// The last time that an earlier process knew. In the same boot a clock that is behind it was set back while no process
  /// ran: the same rule as for any step back. In an earlier boot: nothing before it is believed.
  void go_on_from(WallTime last, Boot boot);

  [[nodiscard]] Instant now() const override;
  [[nodiscard]] bool trusted() const override;
  [[nodiscard]] Steps steps() const;
  /// Whether the machine's clock has yet to reach `stamp`: it was set back since that was given out.
  [[nodiscard]] bool has_yet_to_reach(WallTime stamp) const;

 private:
  using Fine = std::chrono::sys_time<std::chrono::nanoseconds>;
  void slow_down_from(WallTime last, const Instant& raw) const;
  [[nodiscard]] bool doubted(const Instant& raw) const;

  const Clock& machine_;
  const WallTime oldest_;
  mutable std::mutex mutex_;
  mutable std::function<bool()> settling_;
  const std::function<bool()> synchronised_;
  mutable std::optional<WallTime> doubt_before_;  ///< the last time that an earlier boot knew
  MonoTime doubt_since_{};
  mutable std::optional<MonoTime> last_mono_;
  mutable Fine last_wall_{};  ///< what was given out last
  mutable bool slow_ = false;
  mutable Steps steps_;
};

}  // namespace vz
