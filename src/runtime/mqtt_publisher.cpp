// SPDX-License-Identifier: GPL-3.0-or-later
#include "runtime/mqtt_publisher.hpp"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <utility>

#include "sinks/mqtt/discovery.hpp"
#include "sinks/mqtt/messages.hpp"

namespace vz {
namespace {

using std::chrono::seconds;

constexpr std::string_view kSection = "mqtt";
constexpr seconds kFirstPause{1};
constexpr seconds kLongestPause{60};
/// A connection that lasted so long was a good one: the next try comes soon.
constexpr seconds kGoodConnection{10};
/// How often meters are looked at while nothing else wakes the thread.
constexpr seconds kLookAtMeters{10};

}  // namespace

/// One topic with values.
struct MqttPublisher::Outlet {
  std::string topic;
  std::optional<QueueId> queue;    ///< where its values wait; none: in memory
  std::size_t under_way = 0;
};

struct MqttPublisher::Channel {
  Channel(const MeterSettings& of, const ChannelSettings& channel) : meter(of), settings(channel) {}
  const MeterSettings& meter;
  const ChannelSettings& settings;
  std::string topic;
  std::optional<std::size_t> raw;
  std::optional<std::size_t> agg;
  std::string id;
  std::string device_id;
  std::atomic<bool> seen = false;
  bool announced = false;   ///< the thread's
  bool described = false;   ///< the thread's
  Unit unit;                ///< guarded by mutex_
  bool unit_changed = false;
};

struct MqttPublisher::Meter {
  int number = 0;
  std::optional<MonoTime> bad_since;
  std::optional<bool> told;
};

MqttPublisher::MqttPublisher(mqtt::Settings settings, std::span<const MeterSettings> meters, Environment environment)
    : settings_(std::move(settings)),
      name_(mqtt::broker_name(settings_.broker)),
      environment_(std::move(environment)),
      backoff_(kFirstPause, kLongestPause),
      jitter_(environment_.seed) {
  for (const auto& meter : meters)
    if (meter.enabled) add_meter(meter);
  flights_.reserve(kWindow);
  status_.endpoint = name_;
}

MqttPublisher::~MqttPublisher() = default;

void MqttPublisher::add_meter(const MeterSettings& meter) {
  if (meter.channels.empty()) return;
  meters_.push_back({.number = meter.number, .bad_since = {}, .told = {}});
  const std::string device_id = unique_id(meter.channels.front());
  for (const auto& channel : meter.channels) add_channel(meter, channel, device_id);
}

void MqttPublisher::add_channel(const MeterSettings& meter, const ChannelSettings& channel, const std::string& device_id) {
  auto made = std::make_unique<Channel>(meter, channel);
  made->topic = mqtt::channel_topic(settings_.topic, channel);
  if (const auto defect = mqtt::topic_defect(made->topic); !defect.empty()) {
    environment_.log.print(Level::alert, kSection, "mqtt_topic \"{}\" of chn{} {}. This channel is not published.",
                           channel.mqtt_topic, channel.number, defect);
    return;
  }
  made->id = unique_id(channel);
  made->device_id = device_id;
  const bool aggregates = channel.aggmode != AggMode::none;
  if (!aggregates || settings_.raw_and_agg) made->raw = add_outlet(*made, "raw");
  if (aggregates) made->agg = add_outlet(*made, "agg");
  const auto number = static_cast<std::size_t>(channel.number);
  if (by_number_.size() <= number) by_number_.resize(number + 1);
  by_number_[number] = made.get();
  channels_.push_back(std::move(made));
}

/// Channels may share a uuid, and even the register: entities and queues must not.
std::string MqttPublisher::unique_id(const ChannelSettings& channel) const {
  std::string id = mqtt::stable_id(channel);
  const auto taken = [&](const std::string& candidate) {
    return std::any_of(channels_.begin(), channels_.end(), [&](const auto& other) { return other->id == candidate; });
  };
  for (int copy = 2; taken(id); ++copy) id = fmt::format("{}_{}", mqtt::stable_id(channel), copy);
  return id;
}

std::size_t MqttPublisher::add_outlet(const Channel& channel, std::string_view kind) {
  Outlet outlet{.topic = channel.topic + std::string{kind}, .queue = {}, .under_way = 0};
  if (settings_.durable()) {
    // The name must not depend on what the configuration's order or topics are at the moment.
    const auto& settings = channel.settings;
    const auto shares = std::count_if(channels_.begin(), channels_.end(),
                                      [&](const auto& other) { return other->settings.uuid == settings.uuid; });
    const std::string extra = shares > 0 ? "/" + channel.id : std::string{};
    const QueueName name{fmt::format("{}/{}{}", name_, kind, extra), settings.uuid};
    outlet.queue = environment_.outbox.open(name);
    environment_.gate.know(*outlet.queue, name);
    queues_.push_back({name, *outlet.queue, settings.number});
  }
  outlets_.push_back(std::move(outlet));
  return outlets_.size() - 1;
}

MqttPublisher::Channel* MqttPublisher::find(const ChannelSettings& channel) const {
  const auto number = static_cast<std::size_t>(channel.number);
  return number < by_number_.size() ? by_number_[number] : nullptr;
}

ServiceReport MqttStatus::report() const {
  return {.name = endpoint,
          .working = connected,
          .trouble = trouble,
          .trouble_since = connected ? std::nullopt : since,
          .counters = {{"published", published}, {"queued", queued}, {"dropped", dropped}}};
}

// ---- from the meters' threads

/// With a time of its own a reading is published from here only if it is aggregated as well: else it comes as a result, too.
void MqttPublisher::raw(const ChannelSettings& channel, const Reading& reading) {
  Channel* known = find(channel);
  if (known == nullptr) return;
  seen(*known, reading.unit);
  if (known->raw && (!settings_.timestamp || channel.aggmode != AggMode::none)) offer(*known->raw, {reading.value, reading.stamp});
}

void MqttPublisher::raw_unstamped(const ChannelSettings& channel, const Reading& reading, const Instant& now) {
  Channel* known = find(channel);
  if (known == nullptr) return;
  seen(*known, reading.unit);
  if (!known->raw) return;
  if (!settings_.timestamp) offer(*known->raw, {reading.value, reading.stamp});
  else if (channel.aggmode != AggMode::none) hold(*known->raw, {reading.value, reading.stamp}, now);
}

void MqttPublisher::aggregated(const ChannelSettings& channel, double value, WallTime stamp) {
  Channel* known = find(channel);
  if (known == nullptr) return;
  if (known->agg) return offer(*known->agg, {value, stamp});
  if (settings_.timestamp) offer(*known->raw, {value, stamp});
}

void MqttPublisher::unstamped(const ChannelSettings& channel, double value, WallTime stamp, const Instant& now) {
  Channel* known = find(channel);
  if (known == nullptr) return;
  if (settings_.timestamp) hold(known->agg ? *known->agg : *known->raw, {value, stamp}, now);
  else if (known->agg) offer(*known->agg, {value, stamp});  // bare values have no time that could be wrong
}

void MqttPublisher::seen(Channel& channel, const Unit& unit) {
  bool news = !channel.seen.load(std::memory_order_relaxed);
  if (settings_.discovery) {
    const std::scoped_lock lock(mutex_);
    if (!(channel.unit == unit)) {
      channel.unit = unit;
      channel.unit_changed = news = true;
    }
  }
  if (!news) return;
  channel.seen = true;
  wake();
}

/// Until its time is known. What does not wait in the outbox is worth nothing by then.
void MqttPublisher::hold(std::size_t outlet, Point reading, const Instant& now) {
  if (const auto queue = outlets_[outlet].queue) environment_.gate.push(*queue, reading, now, StampGate::Stamp::wrong);
  else dropped_one();
}

void MqttPublisher::offer(std::size_t outlet, Point reading) {
  const Instant instant = environment_.clock.now();
  if (const auto queue = outlets_[outlet].queue) {
    environment_.gate.push(*queue, reading, instant, StampGate::Stamp::right);  // the outbox then calls notify_outbox()
    return;
  }
  if (settings_.qos == 0 && !connected_) return dropped_one();
  const MonoTime now = instant.mono;
  std::optional<std::uint64_t> untold;
  {
    const std::scoped_lock lock(mutex_);
    if (live_.push({.outlet = outlet, .reading = reading, .since = now})) untold = full_.happened(now);
  }
  if (untold)
    environment_.log.print(Level::warning, kSection,
                           "{} values wait for {}; the oldest are dropped and counted. With \"timestamp\": true and a qos of 1 "
                           "or 2 all of them are kept.",
                           mqtt::LiveQueue::kCapacity, name_);
  wake();
}

void MqttPublisher::dropped_one() {
  const std::scoped_lock lock(mutex_);
  ++refused_;
}

void MqttPublisher::notify_outbox() {
  if (settings_.durable()) wake();
}

void MqttPublisher::wake() {
  if (watching_.exchange(false)) wake_.wake();
}

MqttStatus MqttPublisher::status() const {
  MqttStatus status;
  {
    const std::scoped_lock lock(mutex_);
    status = status_;
    status.queued = live_.size();
    status.dropped = refused_ + live_.dropped();
  }
  for (const auto& outlet : outlets_) {
    if (!outlet.queue) continue;
    const QueueStats stats = environment_.outbox.stats(*outlet.queue);
    status.queued += stats.waiting;
    status.dropped += stats.dropped;
  }
  return status;
}

// ---- the thread

void MqttPublisher::run(std::stop_token stop) {
  wake_.follow(stop);
  stop_.follow(stop);
  while (!stop.stop_requested()) step();
  heartbeat_.waiting();
  farewell();
}

void MqttPublisher::step() {
  wake_.clear();
  const Instant now = environment_.clock.now();
  if (state_ == State::idle && now.mono >= next_try_) connect(now);
  if (state_ == State::connecting && now.mono >= connect_deadline_) {
    environment_.client.drop();
    lost({.what = fmt::format("no answer within {} s", kConnectLimit.count()),
          .where = name_,
          .remedy = "is the broker reachable, and no firewall in between?"},
         now);
  }
  MonoTime deadline = state_ == State::connecting ? connect_deadline_ : next_try_;
  if (state_ == State::connected) {
    watching_ = true;  // before the look: what comes after it wakes
    (void)publish_due(now);  // what failed comes back as an event
    deadline = settings_.discovery ? now.mono + kLookAtMeters : MonoTime::max();
  }
  events_.clear();
  heartbeat_.waiting();
  environment_.client.wait(deadline, wake_, events_);
  watching_ = false;
  const Instant after = environment_.clock.now();
  heartbeat_.working(after.mono);
  for (const auto& event : events_) handle(event, after);
}

void MqttPublisher::connect(const Instant& now) {
  environment_.log.print(Level::debug, kSection, "connecting to {}", name_);
  heartbeat_.waiting();  // a name look-up may take its time; it ends with a stop
  const auto begun = environment_.client.connect(now.mono + kConnectLimit, stop_);
  const Instant after = environment_.clock.now();
  if (begun) {
    state_ = State::connecting;
    connect_deadline_ = after.mono + kConnectLimit;
    return;
  }
  if (stop_.stop_requested() && begun.error().code == ECANCELED) return;
  lost(begun.error(), after);
}

void MqttPublisher::handle(const MqttEvent& event, const Instant& now) {
  if (std::holds_alternative<MqttConnected>(event)) {
    connected(now);
  } else if (const auto* lost_event = std::get_if<MqttLost>(&event)) {
    lost(lost_event->error, now);
  } else if (const auto* acknowledged = std::get_if<MqttDelivered>(&event)) {
    delivered(acknowledged->id);
  } else if (const auto* message = std::get_if<MqttReceived>(&event)) {
    if (message->topic != settings_.discovery_prefix + "/status" || message->payload != "online") return;
    environment_.log.write(Level::info, kSection, "Home Assistant has started; telling it about the channels again");
    for (auto& channel : channels_) channel->described = false;
  }
}

void MqttPublisher::connected(const Instant& now) {
  state_ = State::connected;
  connected_at_ = now.mono;
  state_published_ = false;
  for (auto& channel : channels_) channel->announced = channel->described = false;
  for (auto& meter : meters_) meter.told.reset();
  const bool again = std::exchange(ever_connected_, true);
  const char* how = settings_.broker.tls ? " with TLS" : "";
  const auto trouble = trouble_.ended(now.mono);
  {
    const std::scoped_lock lock(mutex_);
    live_.expire(now.mono);
    status_.connected = true;
    status_.since = now.wall;
    status_.trouble.clear();
  }
  connected_ = true;
  if (!trouble) {
    environment_.log.print(Level::info, kSection, "connected to {}{}", name_, how);
    return;
  }
  const MqttStatus counts = status();
  environment_.log.print(trouble->told ? Level::alert : Level::info, kSection,
                         "connected to {}{}{} after {}; {} values waited for it, {} were dropped", name_, how,
                         again ? " again" : "", duration_text(trouble->lasted), counts.queued, counts.dropped - dropped_before_);
}

void MqttPublisher::lost(const Error& error, const Instant& now) {
  connected_ = false;
  if (state_ == State::connected && now.mono - connected_at_ >= kGoodConnection) backoff_.reset();
  state_ = State::idle;
  take_back_flights();
  next_try_ = now.mono + backoff_.next(jitter_);
  if (!trouble_.active()) dropped_before_ = status().dropped;
  tell_lost(error, now);
  const std::scoped_lock lock(mutex_);
  if (settings_.qos == 0) live_.clear();
  if (status_.connected || status_.trouble.empty()) status_.since = now.wall;
  status_.connected = false;
  status_.trouble = error.text();
}

/// What was under way may have arrived or not: it is sent once more.
void MqttPublisher::take_back_flights() {
  {
    const std::scoped_lock lock(mutex_);
    for (auto flight = flights_.rbegin(); flight != flights_.rend(); ++flight)
      if (flight->live) live_.put_back(*flight->live);
  }
  for (const Flight& flight : flights_)
    if (flight.sequence != 0)
      environment_.outbox.mark_sent(*outlets_[flight.outlet].queue, flight.sequence, flight.sequence);
  flights_.clear();
  for (auto& outlet : outlets_) outlet.under_way = 0;
}

void MqttPublisher::tell_lost(const Error& error, const Instant& now) {
  const std::string text = error.text();
  const auto tell = trouble_.failed(now.mono, text);
  if (tell == Trouble::Tell::nothing) return;
  if (tell == Trouble::Tell::summary) {
    const MqttStatus counts = status();
    environment_.log.print(Level::warning, kSection, "still no connection after {}, {} tries; {} values wait, {} were dropped: {}",
                           duration_text(now.mono - trouble_.since()), trouble_.tries(), counts.queued,
                           counts.dropped - dropped_before_, text);
    return;
  }
  const char* meanwhile = settings_.durable() ? "Readings wait in the outbox"
                          : settings_.qos > 0 ? "Values, which carry no time, wait for a minute at most"
                                              : "With qos 0 values do not wait for it";
  environment_.log.print(Level::alert, kSection, "{}. {}. Trying again until it works.", text, meanwhile);
}

void MqttPublisher::delivered(int id) {
  const auto flight = std::find_if(flights_.begin(), flights_.end(), [&](const Flight& f) { return f.id == id; });
  if (flight == flights_.end()) return;
  if (flight->sequence != 0) {
    Outlet& outlet = outlets_[flight->outlet];
    environment_.outbox.settle(*outlet.queue, flight->sequence, flight->sequence, Verdict::accepted, {});
    --outlet.under_way;
  }
  const bool value = flight->sequence != 0 || flight->live;
  flights_.erase(flight);
  if (!value) return;
  const std::scoped_lock lock(mutex_);
  ++status_.published;
}

void MqttPublisher::farewell() {
  if (state_ == State::connected) {
    Instant now = environment_.clock.now();
    const MonoTime deadline = now.mono + kFarewell;
    const Wake never;
    (void)publish_due(now);
    // if this cannot be said, the connection breaks off instead, and the broker says it for us
    const bool said = !settings_.discovery || send_extra(settings_.broker.will->topic, "offline", 1, true);
    while (state_ == State::connected && !flights_.empty() && now.mono < deadline) {
      events_.clear();
      environment_.client.wait(deadline, never, events_);
      now = environment_.clock.now();
      for (const auto& event : events_)
        if (const auto* acknowledged = std::get_if<MqttDelivered>(&event)) delivered(acknowledged->id);
        else if (std::holds_alternative<MqttLost>(event)) state_ = State::idle;
    }
    if (said) environment_.client.disconnect(deadline);
    else environment_.client.drop();
  } else {
    environment_.client.drop();
  }
  connected_ = false;
  state_ = State::idle;
  take_back_flights();
  const std::scoped_lock lock(mutex_);
  status_.connected = false;
}

// ---- publishing; each returns false when the connection takes no more at the moment

bool MqttPublisher::publish_due(const Instant& now) {
  if (!publish_state(now)) return false;
  for (auto& channel : channels_) {
    if (!channel->seen) continue;
    if (!channel->announced && !announce(*channel)) return false;
    if (settings_.discovery && !describe(*channel)) return false;
  }
  if (!settings_.durable()) return publish_live(now);
  // each topic in turn, so that a long queue does not hold up the others
  for (std::size_t i = 0; i < outlets_.size() && room(); ++i) {
    turn_ = (turn_ + 1) % outlets_.size();
    if (!publish_waiting(turn_)) return false;
  }
  return true;
}

/// A message beside the values: nobody waits for its acknowledgement but the window.
bool MqttPublisher::send_extra(const std::string& topic, const std::string& payload, int qos, bool retain) {
  if (!environment_.client.writable()) return false;
  const auto id = environment_.client.publish(topic, payload, qos, retain);
  if (id && qos > 0) flights_.push_back({.id = *id, .live = {}, .outlet = 0, .sequence = 0});
  return id.has_value();
}

bool MqttPublisher::publish_state(const Instant& now) {
  if (!settings_.discovery) return true;
  if (!state_published_) {
    if (!send_extra(settings_.broker.will->topic, "online", 1, true)) return false;
    environment_.client.subscribe(settings_.discovery_prefix + "/status");
    state_published_ = true;
  }
  return publish_meters(now);
}

bool MqttPublisher::publish_meters(const Instant& now) {
  for (auto& meter : meters_) {
    const bool good = !healthy_ || healthy_(meter.number);
    if (good) meter.bad_since.reset();
    else if (!meter.bad_since) meter.bad_since = now.mono;
    if (!good && now.mono - *meter.bad_since < kMeterGrace) continue;
    if (meter.told == good) continue;
    if (!send_extra(mqtt::meter_status_topic(settings_.topic, meter.number), good ? "online" : "offline", 1, true)) return false;
    meter.told = good;
  }
  return true;
}

bool MqttPublisher::announce(Channel& channel) {
  const std::string id = channel.settings.identifier.text();
  if (!id.empty() && !send_extra(channel.topic + "id", id, settings_.qos, settings_.retain)) return false;
  if (!channel.settings.uuid.empty() && !send_extra(channel.topic + "uuid", channel.settings.uuid, settings_.qos, settings_.retain))
    return false;
  channel.announced = true;
  return true;
}

bool MqttPublisher::describe(Channel& channel) {
  Unit unit;
  {
    const std::scoped_lock lock(mutex_);
    if (channel.described && !channel.unit_changed) return true;
    unit = channel.unit;
    channel.unit_changed = false;
  }
  channel.described = false;
  const std::size_t outlet = channel.agg ? *channel.agg : *channel.raw;
  const auto message = mqtt::discovery_message({.meter = channel.meter,
                                                .channel = channel.settings,
                                                .unit = unit,
                                                .id = channel.id,
                                                .device_id = channel.device_id,
                                                .state_topic = outlets_[outlet].topic,
                                                .prefix = settings_.topic,
                                                .discovery_prefix = settings_.discovery_prefix,
                                                .version = environment_.version,
                                                .timestamp = settings_.timestamp});
  channel.described = send_extra(message.topic, message.payload, 1, true);
  return channel.described;
}

bool MqttPublisher::publish_live(const Instant& now) {
  while (room()) {
    std::optional<mqtt::LiveMessage> message;
    {
      const std::scoped_lock lock(mutex_);
      message = live_.pop(now.mono);
    }
    if (!message) return true;
    mqtt::write_payload(payload_, message->reading, settings_.timestamp ? mqtt::Form::with_timestamp : mqtt::Form::bare);
    const auto id = environment_.client.publish(outlets_[message->outlet].topic, payload_, settings_.qos, settings_.retain);
    const std::scoped_lock lock(mutex_);
    if (!id) {
      live_.put_back(*message);
      return false;
    }
    if (settings_.qos == 0) ++status_.published;
    else flights_.push_back({.id = *id, .live = *message, .outlet = message->outlet, .sequence = 0});
  }
  return true;
}

bool MqttPublisher::publish_waiting(std::size_t index) {
  Outlet& outlet = outlets_[index];
  batch_.clear();
  environment_.outbox.peek(*outlet.queue, outlet.under_way + kWindow - flights_.size(), batch_);
  for (const QueuedReading& reading : batch_) {
    const bool is_under_way = std::any_of(flights_.begin(), flights_.end(), [&](const Flight& flight) {
      return flight.outlet == index && flight.sequence == reading.sequence;
    });
    if (is_under_way) continue;
    if (!room()) return true;
    if (!std::isfinite(reading.value)) {  // none should ever get here
      environment_.outbox.settle(*outlet.queue, reading.sequence, reading.sequence, Verdict::rejected, "not a finite number");
      continue;
    }
    mqtt::write_payload(payload_, {reading.value, reading.stamp}, mqtt::Form::with_timestamp);
    const auto id = environment_.client.publish(outlet.topic, payload_, settings_.qos, settings_.retain);
    if (!id) return false;
    flights_.push_back({.id = *id, .live = {}, .outlet = index, .sequence = reading.sequence});
    ++outlet.under_way;
  }
  return true;
}

}  // namespace vz
