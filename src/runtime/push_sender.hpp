// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "core/backoff.hpp"
#include "runtime/trouble.hpp"
#include "sinks/push/document.hpp"
#include "vz/http.hpp"
#include "vz/log.hpp"
#include "vz/status.hpp"
#include "vz/tap.hpp"

namespace vz {

struct PushSettings {
  std::vector<std::string> urls;
  std::string user_agent;
  std::uint64_t seed = 1;  ///< of the jitter
  std::size_t max_waiting = 10'000;
};

/// Sends every raw reading to the push targets as it comes: live data for those who watch, without a promise.
///
/// Each target has a lane of its own in the HTTP client, so that a dead one delays no other; while a document is on its
/// way, what comes waits for the next one (at most kMaxDocument readings each). A target that cannot be reached is tried
/// again after 1 s, doubling to a minute, and what could not be sent waits for it: at most `max_waiting` readings, then the
/// oldest go, counted. What may have arrived is never sent twice, as ever: a document that was answered with anything
/// but success, or whose answer did not come, is counted as failed and forgotten. At a stop nothing is kept. Readings
/// without a stamp (raw_unstamped()) are left out and counted.
///
/// Log: beginning and end of a trouble, a counted summary at most once an hour; no credentials, no full uuids.
///
/// raw() from any thread; one thread calls run() (or step()); report() from any.
class PushSender final : public ReadingTap {
 public:
  static constexpr std::size_t kMaxDocument = 1'000;

  /// References outlive it.
  PushSender(HttpClient& http, const Clock& clock, Log& log, PushSettings settings);

  void raw(const ChannelSettings& channel, const Reading& reading) override;
  void aggregated(const ChannelSettings&, double, WallTime) override {}
  void raw_unstamped(const ChannelSettings& channel, const Reading& reading, const Instant& now) override;

  /// The thread's body, until a stop is requested. Aborts what is under way.
  void run(const std::stop_token& stop);
  /// One turn: starts what can be started, waits for what happens next, handles what ended.
  void step();

  /// How the target of that index in PushSettings::urls does.
  [[nodiscard]] ServiceReport report(std::size_t target) const;

 private:
  struct Target {
    std::string url;
    std::string name;             ///< the URL without secrets
    std::uint64_t next = 0;       ///< number of the first reading that was not taken
    bool busy = false;
    std::uint64_t taken = 0;      ///< readings of the document under way: those before `next`
    MonoTime paused_until{};
    Backoff backoff;
    Trouble trouble;
    std::uint64_t documents = 0;  ///< delivered
    std::uint64_t readings = 0;   ///< delivered
    std::uint64_t failed = 0;     ///< readings of documents that were refused or not answered
    std::uint64_t dropped = 0;    ///< readings lost to the bound
    std::uint64_t dropped_before = 0;  ///< those that were looked at
    Notice drops;                 ///< of run()'s thread alone
    std::optional<WallTime> trouble_since;
  };

  [[nodiscard]] std::string name_for(const std::string& url) const;
  void start_what_can(MonoTime now);
  [[nodiscard]] MonoTime next_deadline(MonoTime now) const;
  void finish(const HttpDone& done);
  void succeeded(Target& target, MonoTime now);
  void failed(Target& target, const HttpReply& reply, const Instant& now);
  void tell(const Target& target, Trouble::Tell tell, std::uint64_t lost, MonoTime now);
  void trim();

  HttpClient& http_;
  const Clock& clock_;
  Log& log_;
  const PushSettings settings_;
  JitterSource jitter_;
  std::vector<HttpDone> done_;
  std::vector<sinks::push::PushReading> batch_;

  mutable std::mutex mutex_;  ///< guards what follows; never held during a call out
  std::deque<sinks::push::PushReading> waiting_;
  std::uint64_t first_ = 0;   ///< number of the front of waiting_
  std::vector<Target> targets_;
  std::uint64_t unstamped_ = 0;
};

}  // namespace vz
