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
#include "sim/truth.hpp"
#include "vz/http.hpp"
#include "vz/time.hpp"

namespace vz::sim {

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
  stored_late,
  gateway_late,
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
      : url_(std::move(url)), random_(random), counts_(counts), violation_(violation), requests_(counts["requests"]) {}

  [[nodiscard]] const std::string& url() const { return url_; }
  void add(ChannelTruth* channel) { channels_[channel->uuid] = channel; }
  Answer answer(const HttpRequest& request, MonoTime now);
  /// Faults come and go from now on, or stop.
  void set_trouble(double share, MonoTime until) {
    share_ = share;
    until_ = until;
  }
  void heal() { healthy_ = true; }
  /// Does what it was asked long ago, and given up for.
  void do_late_work(MonoTime now);

 private:
  struct Tuple {
    std::int64_t stamp;
    double value;
  };
  Fault draw(MonoTime now);
  HttpReply act(Fault fault, ChannelTruth& channel, const std::vector<Tuple>& tuples, bool skip);
  HttpReply act_badly(Fault fault, ChannelTruth& channel, const std::vector<Tuple>& tuples, bool skip);
  enum class When { now, late };
  HttpReply store(ChannelTruth& channel, const std::vector<Tuple>& tuples, bool skip, When when = When::now);
  struct Late {
    MonoTime at{};
    ChannelTruth* channel = nullptr;
    std::vector<Tuple> tuples;
    bool skip = false;
  };
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
  std::vector<Late> late_;
  MonoTime now_{};
  std::uint64_t& requests_;
};

}  // namespace vz::sim
