// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <utility>

#include "vz/time.hpp"

namespace vz {

/// Lets the first of many like messages through, and after that one an hour that says how many there were. Pure.
class RepeatGate {
 public:
  static constexpr std::chrono::hours kPeriod{1};

  /// To be called for each occurrence. A value: log it, it stands for that many occurrences; none: keep quiet.
  std::optional<std::uint64_t> occurred(MonoTime now) {
    ++count_;
    if (last_ && now - *last_ < kPeriod) return std::nullopt;
    last_ = now;
    return std::exchange(count_, 0);
  }
  /// The trouble is over: the next occurrence is a first one.
  void reset() {
    last_.reset();
    count_ = 0;
  }

 private:
  std::optional<MonoTime> last_;
  std::uint64_t count_ = 0;
};

}  // namespace vz
