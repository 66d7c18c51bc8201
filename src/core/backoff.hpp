// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <chrono>
#include <cstdint>

namespace vz {

/// Small seeded generator for jitter (SplitMix64): the same numbers on every machine, so that a simulation replays.
class JitterSource {
 public:
  explicit JitterSource(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next();
  /// Evenly spread over [0, 1).
  double unit();

 private:
  std::uint64_t state_;
};

/// Capped exponential back-off with jitter. Pure: no clock, no globals; the randomness is passed in. Value type.
///
/// The n-th pause in a row is `first * 2^(n-1)`, at most `cap`, then spread by up to a fifth to either side, so that
/// many clients of one server do not come back in the same second.
class Backoff {
 public:
  static constexpr std::chrono::seconds kShortestCap{300};

  /// `first` below one second means one second (`retry` 0 and negative); a `cap` below `first` means `first`.
  explicit Backoff(std::chrono::seconds first, std::chrono::seconds cap = kShortestCap);

  /// The pause after one more failure.
  std::chrono::milliseconds next(JitterSource& jitter);
  /// After a success: the next pause is the first one again.
  void reset() { step_ = first_; }

 private:
  std::chrono::milliseconds first_;
  std::chrono::milliseconds cap_;
  std::chrono::milliseconds step_;
};

}  // namespace vz
