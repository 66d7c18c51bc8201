// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "core/backoff.hpp"
#include "core/heartbeat.hpp"
#include "runtime/stamp_gate.hpp"
#include "runtime/trouble.hpp"
#include "sinks/mqtt/live_queue.hpp"
#include "sinks/mqtt/settings.hpp"
#include "vz/log.hpp"
#include "vz/mqtt.hpp"
#include "vz/outbox.hpp"
#include "vz/status.hpp"
#include "vz/tap.hpp"
#include "vz/wake.hpp"

namespace vz {

/// How MQTT does, for the status board. No secrets.
struct MqttStatus {
  std::string endpoint;            ///< mqtt://host:port
  bool connected = false;
  std::optional<WallTime> since;   ///< connected, or in trouble, since then
  std::string trouble;             ///< the last error in words; empty while connected
  std::uint64_t published = 0;     ///< values that the broker has acknowledged (QoS 1 and 2) or that were sent (QoS 0)
  std::uint64_t queued = 0;        ///< values that wait, in memory and in the outbox
  std::uint64_t dropped = 0;       ///< values that were lost: no connection (QoS 0), too old or too many

  [[nodiscard]] ServiceReport report() const;
};

/// Publishes readings at an MQTT broker.
///
/// What waits, and where: values with a time and QoS 1 or 2 wait in the outbox, a queue for each topic, and leave it
/// when the broker has acknowledged them (so they survive everything, and may come twice). All others wait in memory:
/// bare values for a minute at most (mqtt::LiveQueue), because a subscriber takes them for the value of now; with QoS 0
/// they do not wait for a connection at all.
///
/// Each channel's `id` and `uuid` are announced before its first value of each connection. With discovery, Home Assistant
/// is told of each channel that has been read, at each connection, when its unit changes, and when Home Assistant says that
/// it has started; `<topic>/status` and `<topic>/mtr<N>/status` say what works.
///
/// Log: the beginning and the end of a trouble once, then a counted summary at most once an hour (Trouble).
///
/// Threads: the taps are called from the meters' threads (memory work only, one short lock, no allocation after the
/// first message); one thread calls run(); notify_outbox() and status() may be called from any. Sleeps while there is
/// nothing to do; reconnects after 1 s, doubling to a minute. All references outlive this object.
class MqttPublisher final : public ReadingTap {
 public:
  struct Environment {
    MqttClient& client;
    Outbox& outbox;
    StampGate& gate;         ///< to the same outbox; told of the queues, so resume() it after this
    const Clock& clock;
    Log& log;
    std::uint64_t seed = 0;  ///< of the jitter
    std::string version;     ///< of this program, for Home Assistant
  };
  /// Messages under way to the broker at a time: what it may have to process twice after a broken connection, and no
  /// more than any broker takes.
  static constexpr std::size_t kWindow = 20;
  /// A connection that takes longer to come about is given up.
  static constexpr std::chrono::seconds kConnectLimit{15};
  /// A meter has to be in trouble for so long before it counts as not available.
  static constexpr std::chrono::seconds kMeterGrace{30};
  /// How long a stop may wait for the broker's last words.
  static constexpr std::chrono::milliseconds kFarewell{200};

  /// `settings` is enabled and without trouble. Opens the queues. Channels with topics that cannot be are told and left out.
  MqttPublisher(mqtt::Settings settings, std::span<const MeterSettings> meters, Environment environment);
  ~MqttPublisher() override;

  /// How a meter does, by its number; called from this thread only. Before run().
  void watch_meters(std::function<bool(int)> healthy) { healthy_ = std::move(healthy); }

  void raw(const ChannelSettings& channel, const Reading& reading) override;
  void raw_unstamped(const ChannelSettings& channel, const Reading& reading, const Instant& now) override;
  void aggregated(const ChannelSettings& channel, double value, WallTime stamp) override;
  void unstamped(const ChannelSettings& channel, double value, WallTime stamp, const Instant& now) override;

  /// The outbox has something that it had not before. Any thread.
  void notify_outbox();
  /// The thread's body. Returns soon after a stop request, at most kFarewell later while connected.
  void run(std::stop_token stop);
  /// One turn of run(): does what is due, then waits until something happens.
  void step();

  /// The queues of the outbox that are in use here, for those who list and move what waits.
  struct WaitingQueue {
    QueueName name;
    QueueId id{};
    int channel = 0;  ///< chn<channel>
  };
  [[nodiscard]] const std::vector<WaitingQueue>& queues() const { return queues_; }

  [[nodiscard]] MqttStatus status() const;
  [[nodiscard]] const Heartbeat& heartbeat() const { return heartbeat_; }

 private:
  struct Channel;
  struct Outlet;
  struct Meter;
  enum class State { idle, connecting, connected };
  /// Under way to the broker.
  struct Flight {
    int id = 0;
    std::optional<mqtt::LiveMessage> live;  ///< a value from memory
    std::size_t outlet = 0;                 ///< if sequence is not 0: a value from the outbox
    std::uint64_t sequence = 0;
  };

  void add_meter(const MeterSettings& meter);
  void add_channel(const MeterSettings& meter, const ChannelSettings& channel, const std::string& device_id);
  std::size_t add_outlet(const Channel& channel, std::string_view kind);
  std::string unique_id(const ChannelSettings& channel) const;
  Channel* find(const ChannelSettings& channel) const;
  void seen(Channel& channel, const Unit& unit);
  void offer(std::size_t outlet, Point reading);
  void hold(std::size_t outlet, Point reading, const Instant& now);
  void dropped_one();
  void wake();

  void connect(const Instant& now);
  void handle(const MqttEvent& event, const Instant& now);
  void connected(const Instant& now);
  void lost(const Error& error, const Instant& now);
  void delivered(int id);
  void take_back_flights();
  void tell_lost(const Error& error, const Instant& now);
  void farewell();

  bool publish_due(const Instant& now);
  bool publish_state(const Instant& now);
  bool publish_meters(const Instant& now);
  bool describe(Channel& channel);
  bool announce(Channel& channel);
  bool publish_live(const Instant& now);
  bool publish_waiting(std::size_t outlet);
  bool send_extra(const std::string& topic, const std::string& payload, int qos, bool retain);
  [[nodiscard]] bool room() const { return flights_.size() < kWindow && environment_.client.writable(); }

  const mqtt::Settings settings_;
  const std::string name_;
  Environment environment_;
  std::function<bool(int)> healthy_;
  std::vector<std::unique_ptr<Channel>> channels_;
  std::vector<Channel*> by_number_;  ///< index: the channel's number; null for those that are not published
  std::vector<Outlet> outlets_;
  std::vector<WaitingQueue> queues_;
  std::vector<Meter> meters_;

  Heartbeat heartbeat_;
  Wake wake_;       ///< something to do, or a stop
  Wake stop_;       ///< a stop alone
  std::atomic<bool> watching_ = false;  ///< the thread is about to sleep and wants to know of new values
  std::atomic<bool> connected_ = false;

  // the thread's own
  State state_ = State::idle;
  MonoTime next_try_{};
  MonoTime connect_deadline_{};
  MonoTime connected_at_{};
  bool ever_connected_ = false;
  Backoff backoff_;
  JitterSource jitter_;
  Trouble trouble_;
  bool state_published_ = false;
  std::uint64_t dropped_before_ = 0;  ///< when the trouble began
  std::size_t turn_ = 0;              ///< which outlet is next
  std::vector<Flight> flights_;
  std::vector<MqttEvent> events_;
  std::vector<QueuedReading> batch_;
  std::string payload_;

  mutable std::mutex mutex_;  ///< short; guards what follows, and Channel::unit and unit_changed
  mqtt::LiveQueue live_;
  std::uint64_t refused_ = 0;  ///< dropped because there was no connection, or no right time
  Notice full_;
  MqttStatus status_;
};

}  // namespace vz
