// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "core/backoff.hpp"
#include "core/heartbeat.hpp"
#include "runtime/trouble.hpp"
#include "vz/http.hpp"
#include "vz/log.hpp"
#include "vz/outbox.hpp"
#include "vz/sink.hpp"
#include "vz/time.hpp"

namespace vz {

struct UploaderSettings {
  std::chrono::seconds retry{15};  ///< first pause after a failure; 0 and negative: one second
  std::uint64_t seed = 1;          ///< of the jitter
};

/// How an endpoint does. `trouble` is empty if all is well; it never holds a secret.
struct EndpointStatus {
  std::string endpoint;
  bool sending = false;        ///< a request is under way
  std::uint64_t requests = 0;  ///< ended ones
  std::uint64_t failures = 0;  ///< of these, those that delivered nothing
  std::string trouble;         ///< why nothing arrives at the moment
  std::optional<WallTime> trouble_since;
  std::optional<WallTime> next_try;
  std::optional<WallTime> last_success;
};

/// How a channel does at its endpoint.
struct DeliveryStatus {
  QueueId id{};
  std::string section;  ///< "chn0"
  std::string label;
  std::string endpoint;
  std::string trouble;  ///< of this channel alone, e.g. an unknown uuid
  std::optional<WallTime> trouble_since;
  std::optional<WallTime> next_try;
  std::optional<WallTime> last_success;
  QueueStats queue;
};

struct UploaderStatus {
  std::vector<EndpointStatus> endpoints;
  std::vector<DeliveryStatus> channels;
};

/// Carries readings from the outbox to their endpoints.
///
/// An endpoint (Sink::endpoint) is one lane of the HTTP client: one request at a time; its channels take turns, and
/// within a channel the oldest readings go first. What waits is sent back to back until nothing waits; requests grow
/// while the replies are fast and shrink while they are slow. Passing trouble pauses the endpoint (capped back-off from
/// `retry`, no new reading shortens it), trouble of one channel only that channel (1 min, doubling to 1 h). A refused
/// batch is cut in halves. Nothing is ever dropped here: a reading leaves the outbox as accepted, or as rejected when
/// its sink said so. A failure that only ever hits one channel while others get through becomes that channel's own
/// trouble.
///
/// Log: the beginning and the end of a trouble once, then a counted summary at most once an hour (Trouble); no uuid and
/// no credentials above debug level.
///
/// Threads: add() before the thread starts; then one thread calls run() (or step()); notify() and status() may be
/// called from any thread. Does not sleep and does not poll: without readings and pauses it waits for notify() alone.
class Uploader {
 public:
  /// All references must outlive the uploader. `notify` should be the outbox's push callback.
  Uploader(HttpClient& http, Outbox& outbox, const Clock& clock, Log& log, UploaderSettings settings);

  /// Adds a channel. `section` is its name in the log ("chn0"), `channel_label` its name for people, without a full
  /// uuid. A queue that is known already, or a sink that delivers nothing, is ignored.
  void add(QueueId queue, std::unique_ptr<Sink> sink, std::string section, std::string channel_label);

  /// The thread's body: step() until a stop is requested, then halt(). A stop takes no longer than
  /// HttpClient::abort_all.
  void run(const std::stop_token& stop);

  /// One turn: starts what can be started, waits for what happens next (HttpClient::wait), handles what ended. False if
  /// there was nothing under way and nothing to wait for but notify().
  bool step();

  /// Aborts all transfers. What was under way is marked as a repeat and stays in the outbox, like all the rest.
  void halt();

  /// Something was pushed. Cheap: wakes the thread only if an endpoint could use it at once.
  void notify();

  [[nodiscard]] UploaderStatus status() const;
  /// Working but for HttpClient::wait.
  [[nodiscard]] const Heartbeat& heartbeat() const { return heartbeat_; }

 private:
  struct Channel {
    QueueId queue{};
    std::unique_ptr<Sink> sink;
    std::string section;
    std::string label;
    std::size_t lane = 0;
    std::size_t limit = 0;      ///< readings a request may hold, less than usual after a refusal
    unsigned full_batches = 0;  ///< accepted in a row with `limit` readings
    Backoff backoff;
    MonoTime paused_until{};
    Trouble trouble;
    Notice notes;
    Notice rejections;
    unsigned rejected_in_a_row = 0;
    std::optional<std::uint64_t> doubted;  ///< sequence of a rejected reading that gets a second try
    unsigned lone_failures = 0;        ///< passing failures in a row, others of the endpoint being accepted in between
    std::uint64_t lane_successes = 0;  ///< of the lane at the last such failure
  };

  struct Lane {
    std::string endpoint;
    std::vector<std::size_t> channels;
    std::size_t turn = 0;  ///< whose turn it is, index into `channels`
    std::size_t batch_size = 0;
    Backoff backoff;
    MonoTime paused_until{};
    Trouble trouble;
    std::uint64_t successes = 0;
    std::uint64_t requests = 0;
    std::uint64_t failures = 0;
    std::optional<std::uint64_t> request;  ///< the one under way
    std::size_t sender = 0;                ///< channel of that request
    std::vector<QueuedReading> batch;      ///< readings of that request
  };

  void start_next(std::size_t lane_index, MonoTime now);
  bool fill_batch(Lane& lane, Channel& channel);
  void send(std::size_t lane_index, Channel& channel);
  MonoTime next_deadline(MonoTime now, bool& ready) const;
  void finish(const HttpDone& done);
  void accepted(Lane& lane, Channel& channel, const Judgement& judgement, const Instant& now);
  void rejected(Lane& lane, Channel& channel, const Judgement& judgement, const Instant& now);
  void kept(Lane& lane, Channel& channel, const Judgement& judgement, const Instant& now);
  void endpoint_failed(Lane& lane, Channel& channel, const std::string& message, const Instant& now);
  void channel_failed(Lane& lane, Channel& channel, const std::string& message, const Instant& now);
  void refused_as_a_whole(Lane& lane, Channel& channel, const Judgement& judgement, const Instant& now);
  void recovered(Lane& lane, Channel& channel, MonoTime now);
  void tell(Trouble::Tell tell, const Trouble& trouble, const std::string& section, const std::string& where,
            std::uint64_t waiting, MonoDuration pause, MonoTime now);
  static bool hits_only(Lane& lane, Channel& channel);
  static void adapt_batch_size(Lane& lane, const Channel& channel, const HttpReply& reply);
  static void grow_limit(Channel& channel, std::size_t sent);
  [[nodiscard]] std::uint64_t waiting(const Lane& lane) const;
  void publish(const Lane& lane, const Channel& channel, const Instant& now, bool success);

  HttpClient& http_;
  Outbox& outbox_;
  const Clock& clock_;
  Log& log_;
  const UploaderSettings settings_;
  JitterSource jitter_;
  std::vector<Lane> lanes_;
  std::vector<Channel> channels_;
  std::uint64_t next_request_ = 1;
  std::vector<HttpDone> done_;
  Heartbeat heartbeat_;
  std::atomic<bool> watching_{false};  ///< an endpoint could send at once: a push has to wake the thread

  mutable std::mutex status_mutex_;  ///< guards status_ alone; never held during a call out
  UploaderStatus status_;            ///< without the queues' figures
};

}  // namespace vz
