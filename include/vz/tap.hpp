// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "vz/reading.hpp"
#include "vz/settings.hpp"
#include "vz/time.hpp"

namespace vz {

/// Sees readings on their way: raw ones as they match a channel, and what leaves the aggregation (before the duplicate
/// filter, after the clock was trusted). `channel` lives as long as the daemon.
///
/// Called from the meters' threads, several at a time: implementations lock for themselves, never wait for I/O and do
/// not allocate more than their queue needs.
class ReadingTap {
 public:
  virtual ~ReadingTap() = default;
  virtual void raw(const ChannelSettings& channel, const Reading& reading) = 0;
  virtual void aggregated(const ChannelSettings& channel, double value, WallTime stamp) = 0;
};

}  // namespace vz
