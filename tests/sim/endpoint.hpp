// SPDX-License-Identifier: GPL-3.0-or-later
// The model of a middleware: (channel, millisecond) is the key, a batch is atomic, skipduplicates skips what is there.
// And the ways in which it, or the network before it, fails.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/backoff.hpp"
#include "sim/simulation.hpp"
#include "vz/http.hpp"
#include "vz/time.hpp"

namespace vz::sim {

/// What is known of a reading from its push on.
struct Item {
  std::int64_t stamp = 0;
  double value = 0.0;
  MonoTime pushed{};
  std::uint64_t sequence = 0;  ///< in this life
  bool stored = false;         ///< the endpoint has it
  bool accepted = false;       ///< the outbox was told so
  bool rejected = false;
  bool durable = false;        ///< has to survive whatever comes
  bool lost = false;           ///< the crash may have taken it
};

/// A channel at its endpoint, over all lives.
struct ChannelTruth {
  std::string uuid;
  std::string endpoint;
  std::vector<Item> items;             ///< by stamp
  std::size_t acked = 0;               ///< one behind the last item that was accepted
  std::uint64_t dropped = 0;           ///< that the outbox counted in its past lives
  std::vector<std::size_t> poisoned;   ///< items that its database refuses
  Item* find(std::int64_t stamp);
};

enum class Fault {
  none,
  refused,
  lost_before,
  lost_after,
  reset,
  too_slow,
  server_error,
  server_error_after,
  gateway_timeout,
  database_down,
  database_lost,
  busy,
  false_duplicate,
  too_few_rows,
  unknown_uuid,
  log_in_page,
  count
};
const char* name_of(Fault fault);

struct Answer {
  HttpReply reply;
  MonoDuration takes{};
};

class Endpoint {
 public:
  Endpoint(std::string url, JitterSource& random, Counts& counts, std::string& violation)
      : url_(std::move(url)), random_(random), counts_(counts), violation_(violation) {}

  [[nodiscard]] const std::string& url() const { return url_; }
  void add(ChannelTruth* channel) { channels_[channel->uuid] = channel; }
  Answer answer(const HttpRequest& request, MonoTime now);
  /// Faults come and go from now on, or stop.
  void set_trouble(double share, MonoTime until) {
    share_ = share;
    until_ = until;
  }
  void heal() { healthy_ = true; }

 private:
  struct Tuple {
    std::int64_t stamp;
    double value;
  };
  Fault draw(MonoTime now);
  HttpReply act(Fault fault, ChannelTruth& channel, const std::vector<Tuple>& tuples, bool skip);
  HttpReply store(ChannelTruth& channel, const std::vector<Tuple>& tuples, bool skip);
  void check(ChannelTruth& channel, const std::vector<Tuple>& tuples, bool skip);
  void violated(const ChannelTruth& channel, const std::string& what);

  std::string url_;
  JitterSource& random_;
  Counts& counts_;
  std::string& violation_;
  std::map<std::string, ChannelTruth*> channels_;
  double share_ = 0.0;
  MonoTime until_{};
  Fault mood_ = Fault::none;
  MonoTime mood_until_{};
  bool healthy_ = false;
};

}  // namespace vz::sim
