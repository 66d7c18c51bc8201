// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vz/settings.hpp"
#include "vz/tap.hpp"
#include "vz/time.hpp"

namespace vz::local {

/// A reading that the local interface shows.
struct Tuple {
  WallTime stamp{};
  double value = 0.0;
  bool operator==(const Tuple&) const = default;
};

/// A channel as the local interface shows it, copied.
struct ChannelView {
  std::string uuid;
  std::string obis;           ///< long form of the identifier
  std::int64_t last = 0;      ///< newest stamp of the raw readings, 0 if there is none
  int interval = -1;          ///< of the meter
  std::string protocol;
  std::vector<Tuple> tuples;  ///< oldest first
};

/// Keeps the last readings for the local interface: one list for each uuid, as `local.buffer` says, of what leaves the
/// aggregation, and for each channel the newest stamp of its raw readings.
///
/// Channels that share a uuid share its list. With `buffer` n > 0 readings leave from the front once they are older than
/// n seconds by their own stamps, at the first younger one that stops; with n < 0 the last -n stay. Either way at most
/// kMaxTuples are held, spread evenly over the lists; beyond that the oldest go. Readings without a
/// stamp (raw_unstamped()) do not move `last`.
///
/// Thread-safe; one lock, held for memory work alone. The settings outlive it.
class ReadingBoard final : public ReadingTap {
 public:
  static constexpr std::size_t kMaxTuples = 1'000'000;
  static constexpr std::size_t kLeastTuples = 1'000;  ///< of one list, however many lists there are

  /// A list, or all.
  using Scope = std::optional<std::size_t>;

  ReadingBoard(const std::vector<MeterSettings>& meters, int buffer, const Clock& clock,
               std::size_t max_tuples = kMaxTuples);

  void raw(const ChannelSettings& channel, const Reading& reading) override;
  void aggregated(const ChannelSettings& channel, double value, WallTime stamp) override;

  /// Called after each aggregated reading, by the meter's thread. Set once, before the meters start; must be cheap.
  void on_change(std::function<void()> callback) { on_change_ = std::move(callback); }

  /// The list of that uuid, in this very spelling.
  [[nodiscard]] std::optional<std::size_t> find(std::string_view uuid) const;
  [[nodiscard]] bool empty() const { return channels_.empty(); }
  [[nodiscard]] std::size_t lists() const { return lists_.size(); }

  /// Counts the aggregated readings of the scope: a waiting client waits until it rises.
  [[nodiscard]] std::uint64_t news(Scope scope) const;
  /// True if a reading is there that is younger than `since`.
  [[nodiscard]] bool has_newer(Scope scope, WallTime since) const;
  /// Rises with every change of what copy() gives. Readings that have become too old are dropped first.
  [[nodiscard]] std::uint64_t revision(Scope scope);
  /// The channels of the scope in the order of the configuration.
  [[nodiscard]] std::vector<ChannelView> copy(Scope scope) const;
  /// Readings that were dropped for kMaxTuples alone.
  [[nodiscard]] std::uint64_t dropped() const;

 private:
  struct List {
    std::deque<Tuple> tuples;
    std::uint64_t news = 0;
    std::uint64_t revision = 0;
  };
  struct Channel {
    const ChannelSettings* settings = nullptr;
    const MeterSettings* meter = nullptr;
    std::size_t list = 0;
    WallTime last{};
  };
  Channel* channel_of(const ChannelSettings& settings);
  void drop_old(List& list, WallTime now);
  void changed(List& list);

  const Clock& clock_;
  const std::int64_t buffer_;
  std::size_t most_ = 0;                    ///< tuples that one list may hold
  std::map<std::string, std::size_t, std::less<>> by_uuid_;  ///< not changed after construction
  std::vector<std::size_t> by_number_;      ///< index into channels_ by ChannelSettings::number; not changed either
  std::function<void()> on_change_;
  mutable std::mutex mutex_;                ///< guards what follows
  std::vector<Channel> channels_;           ///< (their number and settings never change)
  std::vector<List> lists_;
  std::uint64_t news_ = 0;
  std::uint64_t revision_ = 0;
  std::uint64_t dropped_ = 0;
};

}  // namespace vz::local
