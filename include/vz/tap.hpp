// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "vz/reading.hpp"
#include "vz/settings.hpp"
#include "vz/time.hpp"

namespace vz {

/// Sees readings on their way: raw ones as they match a channel, and what leaves the aggregation (before the duplicate
/// filter). Whether the clock is trusted is decided once for a telegram, by who calls; taps do not ask again.
/// `channel` lives as long as the daemon.
///
/// Called from the meters' threads, several at a time: implementations lock for themselves, never wait for I/O and do
/// not allocate more than their queue needs.
class ReadingTap {
 public:
  virtual ~ReadingTap() = default;
  virtual void raw(const ChannelSettings& channel, const Reading& reading) = 0;
  virtual void aggregated(const ChannelSettings& channel, double value, WallTime stamp) = 0;
  /// The same as raw() at a time at which the clock is not trusted: the reading's stamp is wrong by what the clock is wrong
  /// at `now`, and raw() does not follow.
  virtual void raw_unstamped(const ChannelSettings& /*channel*/, const Reading& /*reading*/, const Instant& /*now*/) {}
  /// The same for a result of such a time; aggregated() does not follow.
  virtual void unstamped(const ChannelSettings& /*channel*/, double /*value*/, WallTime /*stamp*/, const Instant& /*now*/) {}
};

}  // namespace vz
