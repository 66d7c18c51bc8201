// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vz/error.hpp"
#include "vz/http.hpp"
#include "vz/options.hpp"
#include "vz/outbox.hpp"

namespace vz {

/// When a request that failed is worth another try.
enum class Retry {
  soon,    ///< passing trouble of the endpoint: capped, jittered back-off, the whole endpoint waits
  rarely,  ///< this channel's own trouble that only the user can mend (unknown uuid): the channel waits, rarely tried
  halve,   ///< the batch was refused as a whole: send halves, down to the one reading that is the cause
};

/// What a reply means for the readings of its request.
struct Judgement {
  Verdict verdict = Verdict::keep;
  Retry retry = Retry::soon;    ///< for Verdict::keep
  bool repeat = false;          ///< for keep: mark the readings as repeats (they may be there already)
  std::string message;          ///< for the log and the status: the endpoint's own words and what to do; empty if all is well
};

/// Turns one channel's readings into requests of one API and judges the replies. Pure: no I/O, no clock, no logging;
/// it may remember what its API is about (mysmartgrid's first value). Thread-compatible; made for one channel.
class Sink {
 public:
  virtual ~Sink() = default;
  /// The endpoint's lasting name; channels with the same name share a connection and a back-off. No secrets.
  [[nodiscard]] virtual std::string endpoint() const = 0;
  /// What tells channels with the same uuid and endpoint apart (InfluxDB's measurement and tags); part of the queue's lasting
  /// name. Usually empty.
  [[nodiscard]] virtual std::string series() const { return {}; }
  /// How long the channel waits after a request that was accepted, for an API that wants few requests.
  [[nodiscard]] virtual std::chrono::seconds pace() const { return std::chrono::seconds{0}; }
  /// What `vzlogger -r` sends, in this order; an error if an option that only this needs is missing.
  [[nodiscard]] virtual Expected<std::vector<HttpRequest>> registration() const { return std::vector<HttpRequest>{}; }
  /// False for sinks that send nothing (`null`): their readings are not queued at all.
  [[nodiscard]] virtual bool delivers() const { return true; }
  /// How many readings a request may hold at most.
  [[nodiscard]] virtual std::size_t max_batch() const = 0;
  /// `batch` is never empty, stamps strictly rising, values finite. Any reading of it may be a repeat.
  [[nodiscard]] virtual HttpRequest encode(std::span<const QueuedReading> batch) const = 0;
  [[nodiscard]] virtual Judgement classify(const HttpReply& reply, std::span<const QueuedReading> batch) const = 0;
};

/// Facts that every sink of a process shares.
struct SinkContext {
  std::string user_agent;  ///< "vzlogger/<version> (<libcurl's version>)"
  std::string uuid;        ///< the channel's
  int duplicates = 0;      ///< the channel's
};

/// The registration of an API: one constant of this type in src/sinks/NAME.cpp, named `vz::sinks::NAME_sink`.
struct SinkType {
  std::string_view name;     ///< as in `api`, lower case
  std::string_view summary;
  std::span<const OptionSpec> options;  ///< of the channel, besides the common ones
  /// Null if a problem of severity error was added.
  std::unique_ptr<Sink> (*make)(const Options&, const SinkContext&, ProblemSink&) = nullptr;
};

/// All APIs of this build. Generated.
std::span<const SinkType* const> all_sinks();

}  // namespace vz
