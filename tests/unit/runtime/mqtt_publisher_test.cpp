// SPDX-License-Identifier: GPL-3.0-or-later
// The publisher with a broker, a clock and an outbox that belong to the test.
#include "runtime/mqtt_publisher.hpp"

#include <deque>
#include <set>

#include "outbox/ram_outbox.hpp"
#include "unit/runtime/uploader_world.hpp"

namespace vz {
namespace {

using test::FakeClock;
using test::KeptLog;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using namespace std::chrono_literals;

struct TrustedClock final : Clock {
  [[nodiscard]] Instant now() const override {
    Instant instant = clock.now();
    instant.wall -= wrong;
    return instant;
  }
  [[nodiscard]] bool trusted() const override { return right; }
  FakeClock clock;
  bool right = true;
  std::chrono::hours wrong{0};
};

struct Sent {
  int id;
  std::string topic;
  std::string payload;
  int qos;
  bool retain;
};

/// A broker that says yes, no, or nothing.
class FakeBroker final : public MqttClient {
 public:
  explicit FakeBroker(FakeClock& clock) : clock_(clock) {}

  Expected<void> connect(MonoTime, Wake&) override {
    ++connects;
    if (unreachable) return tl::unexpected(Error{"cannot connect: Connection refused", "mqtt://b:1", "is it there?", ECONNREFUSED});
    if (answers) events.emplace_back(MqttConnected{});
    return {};
  }
  void wait(MonoTime deadline, const Wake&, std::vector<MqttEvent>& out) override {
    if (events.empty() && deadline != MonoTime::max()) clock_.passed = std::max(clock_.passed, deadline.time_since_epoch());
    for (auto& event : events) {
      if (std::holds_alternative<MqttConnected>(event)) up = true;
      if (std::holds_alternative<MqttLost>(event)) up = false;
      out.push_back(std::move(event));
    }
    events.clear();
  }
  std::optional<int> publish(std::string_view topic, std::string_view payload, int qos, bool retain) override {
    EXPECT_TRUE(up);
    EXPECT_TRUE(writable());
    if (breaks_after && sent.size() >= *breaks_after) {
      lose("broke");
      return std::nullopt;
    }
    const int id = ++last_id;
    sent.push_back({id, std::string{topic}, std::string{payload}, qos, retain});
    if (acknowledges || qos == 0) events.emplace_back(MqttDelivered{id});
    return id;
  }
  void subscribe(const std::string& topic) override { subscriptions.push_back(topic); }
  [[nodiscard]] bool writable() const override { return up && !jammed; }
  void disconnect(MonoTime) override {
    up = false;
    ++goodbyes;
  }
  void drop() override {
    up = false;
    ++drops;
    events.clear();
  }

  void lose(const std::string& why) { events.emplace_back(MqttLost{{why, "mqtt://b:1", "", 0}}); }
  [[nodiscard]] std::vector<std::string> on(std::string_view topic) const {
    std::vector<std::string> found;
    for (const auto& message : sent)
      if (message.topic == topic) found.push_back(message.payload);
    return found;
  }

  bool unreachable = false;
  bool answers = true;
  bool acknowledges = true;
  bool jammed = false;
  bool up = false;
  std::optional<std::size_t> breaks_after;
  int connects = 0;
  int goodbyes = 0;
  int drops = 0;
  int last_id = 0;
  std::vector<Sent> sent;
  std::vector<std::string> subscriptions;
  std::deque<MqttEvent> events;

 private:
  FakeClock& clock_;
};

/// One whose first readings are shown late: while they are moved there, nobody knows whether they will be.
class LateOutbox final : public Outbox {
 public:
  QueueId open(const QueueName& name) override { return ram_.open(name); }
  void push(QueueId queue, WallTime stamp, double value) override { ram_.push(queue, stamp, value); }
  void peek(QueueId queue, std::size_t max, std::vector<QueuedReading>& out) const override {
    ram_.peek(queue, max + hidden_to, out);
    std::erase_if(out, [this](const QueuedReading& reading) { return reading.sequence <= hidden_to; });
  }
  void mark_sent(QueueId queue, std::uint64_t first, std::uint64_t last) override { ram_.mark_sent(queue, first, last); }
  void settle(QueueId queue, std::uint64_t first, std::uint64_t last, Verdict verdict, std::string_view reason) override {
    ram_.settle(queue, first, last, verdict, reason);
  }
  [[nodiscard]] QueueStats stats(QueueId queue) const override { return ram_.stats(queue); }
  void on_push(std::function<void()> callback) override { ram_.on_push(std::move(callback)); }
  std::uint64_t hidden_to = 0;

 private:
  RamOutbox ram_;
};

class MqttPublisherTest : public testing::Test {
 protected:
  MqttPublisherTest() {
    settings_.enabled = true;
    settings_.broker.host = "b";
    settings_.broker.port = 1;
    settings_.topic = "vz";
    meters_.emplace_back();
    meters_[0].enabled = true;
    add("1-0:1.8.0");
    log_.verbosity = Level::info;
  }

  ChannelSettings& add(const std::string& identifier, AggMode aggmode = AggMode::none) {
    ChannelSettings channel;
    channel.number = static_cast<int>(meters_[0].channels.size());
    channel.uuid = "u" + std::to_string(channel.number);
    channel.identifier = Identifier{*Obis::parse(identifier)};
    channel.identifier_text = identifier;
    channel.aggmode = aggmode;
    meters_[0].channels.push_back(std::move(channel));
    return meters_[0].channels.back();
  }
  MqttPublisher& start() {
    publisher_ = std::make_unique<MqttPublisher>(
        settings_, meters_, MqttPublisher::Environment{broker_, outbox_, gate_, clock_, log_, 1, "0.9.0"});
    outbox_.on_push([this] { publisher_->notify_outbox(); });
    return *publisher_;
  }
  void steps(int count) {
    while (count-- > 0) publisher_->step();
  }
  /// As the pipeline does for a channel without aggregation.
  void read(double value, std::size_t channel = 0) {
    const auto& settings = meters_[0].channels[channel];
    const Instant now = clock_.now();
    if (clock_.right) publisher_->raw(settings, {settings.identifier, value, unit_, now.wall});
    else publisher_->raw_unstamped(settings, {settings.identifier, value, unit_, now.wall}, now);
    if (settings.aggmode == AggMode::none) result(value, channel);
  }
  void result(double value, std::size_t channel = 0) {
    const auto& settings = meters_[0].channels[channel];
    if (clock_.right) publisher_->aggregated(settings, value, clock_.now().wall);
    else publisher_->unstamped(settings, value, clock_.now().wall, clock_.now());
  }
  void durable() {
    settings_.timestamp = true;
    settings_.qos = 1;
  }
  void pass(MonoDuration time) { clock_.clock.passed += time; }
  [[nodiscard]] QueueStats queue(const std::string& endpoint = "mqtt://b:1/raw", const std::string& uuid = "u0") {
    return outbox_.stats(outbox_.open({endpoint, uuid}));
  }

  TrustedClock clock_;
  FakeBroker broker_{clock_.clock};
  LateOutbox outbox_;
  KeptLog log_;
  StampGate gate_{outbox_, clock_, log_};
  Unit unit_;
  mqtt::Settings settings_;
  std::vector<MeterSettings> meters_;
  std::unique_ptr<MqttPublisher> publisher_;
};

std::vector<std::string> topics(const std::vector<Sent>& sent) {
  std::vector<std::string> result;
  for (const auto& message : sent) result.push_back(message.topic);
  return result;
}

TEST_F(MqttPublisherTest, AnnouncesAndPublishesRawValues) {
  start();
  steps(1);
  read(1.5);
  read(2.5);
  steps(2);
  EXPECT_THAT(topics(broker_.sent), ElementsAre("vz/chn0/id", "vz/chn0/uuid", "vz/chn0/raw", "vz/chn0/raw"));
  EXPECT_EQ(broker_.sent[0].payload, "1-0:1.8.0*255");
  EXPECT_EQ(broker_.sent[1].payload, "u0");
  EXPECT_THAT(broker_.on("vz/chn0/raw"), ElementsAre("1.500000", "2.500000"));
  EXPECT_FALSE(broker_.sent[0].retain);
  EXPECT_EQ(publisher_->status().published, 2U);
  EXPECT_TRUE(publisher_->status().connected);
  EXPECT_EQ(publisher_->status().endpoint, "mqtt://b:1");
}

TEST_F(MqttPublisherTest, AggregatedChannelsPublishResultsAndOnRequestRawValues) {
  auto& channel = meters_[0].channels[0];
  channel.aggmode = AggMode::max;
  channel.mqtt_topic = "grid";
  settings_.qos = 2;
  settings_.retain = true;
  start();
  steps(1);
  read(1);
  steps(1);
  EXPECT_THAT(topics(broker_.sent), ElementsAre("vz/grid/id", "vz/grid/uuid")) << "announced by the first reading";
  result(3);
  steps(2);
  EXPECT_THAT(broker_.on("vz/grid/agg"), ElementsAre("3.000000"));
  EXPECT_THAT(broker_.on("vz/grid/raw"), IsEmpty());
  EXPECT_EQ(broker_.sent.back().qos, 2);
  EXPECT_TRUE(broker_.sent.back().retain);

  broker_.sent.clear();
  settings_.raw_and_agg = true;
  start();
  steps(1);
  read(1);
  result(3);
  steps(2);
  EXPECT_THAT(broker_.on("vz/grid/raw"), ElementsAre("1.000000"));
  EXPECT_THAT(broker_.on("vz/grid/agg"), ElementsAre("3.000000"));
}

TEST_F(MqttPublisherTest, Qos0DoesNotWaitForABroker) {
  start();
  read(1);
  steps(1);
  read(2);
  steps(1);
  EXPECT_THAT(broker_.on("vz/chn0/raw"), ElementsAre("2.000000"));
  EXPECT_EQ(publisher_->status().dropped, 1U);
}

TEST_F(MqttPublisherTest, BareValuesWaitAMinuteAtMost) {
  settings_.qos = 1;
  broker_.unreachable = true;
  start();
  steps(1);
  read(1);
  pass(50s);
  read(2);
  pass(11s);
  broker_.unreachable = false;
  steps(3);
  EXPECT_THAT(broker_.on("vz/chn0/raw"), ElementsAre("2.000000"));
  EXPECT_EQ(publisher_->status().dropped, 1U);
  EXPECT_EQ(publisher_->status().queued, 0U);
}

TEST_F(MqttPublisherTest, TooManyBareValuesAreToldOnce) {
  settings_.qos = 1;
  broker_.unreachable = true;
  start();
  for (std::size_t i = 0; i < mqtt::LiveQueue::kCapacity + 50; ++i) read(static_cast<double>(i));
  EXPECT_EQ(publisher_->status().dropped, 50U);
  EXPECT_EQ(publisher_->status().queued, mqtt::LiveQueue::kCapacity);
  ASSERT_EQ(log_.texts(Level::warning).size(), 1U);
  EXPECT_THAT(log_.texts(Level::warning)[0], HasSubstr("oldest are dropped"));
}

TEST_F(MqttPublisherTest, BareValuesUnderWayAreSentAgain) {
  settings_.qos = 1;
  start();
  steps(1);
  broker_.acknowledges = false;
  read(1);
  read(2);
  steps(1);
  broker_.lose("gone");
  steps(1);
  broker_.acknowledges = true;
  steps(4);
  EXPECT_THAT(broker_.on("vz/chn0/raw"), ElementsAre("1.000000", "2.000000", "1.000000", "2.000000"));
  EXPECT_THAT(broker_.on("vz/chn0/uuid"), ElementsAre("u0", "u0")) << "announced at each connection";
  EXPECT_EQ(publisher_->status().published, 2U);
}

TEST_F(MqttPublisherTest, StampedValuesLeaveTheOutboxWhenAcknowledged) {
  durable();
  broker_.acknowledges = false;
  start();
  steps(1);
  read(1.5);
  steps(1);
  EXPECT_EQ(queue().waiting, 1U);
  ASSERT_EQ(broker_.on("vz/chn0/raw").size(), 1U);
  EXPECT_THAT(broker_.on("vz/chn0/raw")[0], testing::MatchesRegex(R"(\{ "timestamp": [0-9]+, "value": 1.5 \})"));
  steps(2);
  EXPECT_EQ(broker_.on("vz/chn0/raw").size(), 1U) << "not again while it is under way";
  broker_.events.emplace_back(MqttDelivered{broker_.last_id});
  steps(1);
  EXPECT_EQ(queue().waiting, 0U);
  EXPECT_EQ(queue().accepted, 1U);
}

TEST_F(MqttPublisherTest, StampedValuesSurviveAnOutageInOrder) {
  durable();
  broker_.unreachable = true;
  start();
  for (int i = 0; i < 500; ++i) {
    read(i);
    pass(10s);
  }
  steps(3);
  EXPECT_EQ(publisher_->status().queued, 500U);
  broker_.unreachable = false;
  steps(60);
  ASSERT_EQ(broker_.on("vz/chn0/raw").size(), 500U);
  for (std::size_t i = 0; i < 500; ++i)
    EXPECT_THAT(broker_.on("vz/chn0/raw")[i], HasSubstr("\"value\": " + std::to_string(i) + ".0"));
  EXPECT_EQ(queue().accepted, 500U);
  EXPECT_EQ(publisher_->status().dropped, 0U);
}

TEST_F(MqttPublisherTest, WhatIsMovedBeforeAPublishedValueIsPublishedAfterIt) {
  durable();
  start();
  steps(1);
  outbox_.hidden_to = 100;
  for (int i = 0; i < 101; ++i) read(i);
  steps(5);
  EXPECT_THAT(broker_.on("vz/chn0/raw"), ElementsAre(HasSubstr("100.0")));
  outbox_.hidden_to = 0;
  read(101);
  steps(20);
  EXPECT_EQ(broker_.on("vz/chn0/raw").size(), 102U);
  EXPECT_EQ(queue().waiting, 0U);
}

TEST_F(MqttPublisherTest, NoMoreThanTheWindowIsUnderWay) {
  durable();
  broker_.acknowledges = false;
  add("1-0:2.8.0");
  start();
  for (int i = 0; i < 100; ++i) {
    read(i, 0);
    read(i, 1);
  }
  steps(5);
  EXPECT_EQ(broker_.sent.size(), MqttPublisher::kWindow);
  EXPECT_FALSE(broker_.on("vz/chn0/raw").empty() && broker_.on("vz/chn1/raw").empty());
}

TEST_F(MqttPublisherTest, AJammedConnectionIsNotStuffed) {
  start();
  steps(1);
  broker_.jammed = true;
  read(1);
  steps(2);
  EXPECT_THAT(broker_.sent, IsEmpty());
  broker_.jammed = false;
  steps(1);
  EXPECT_THAT(broker_.on("vz/chn0/raw"), ElementsAre("1.000000"));
}

TEST_F(MqttPublisherTest, AConnectionThatBreaksWhilePublishingLosesNothingStamped) {
  durable();
  start();
  for (int i = 0; i < 50; ++i) read(i);
  for (std::size_t break_at : {3U, 30U, 40U, 55U}) {
    broker_.breaks_after = break_at;
    steps(4);
  }
  broker_.breaks_after.reset();
  steps(20);
  EXPECT_EQ(queue().accepted, 50U);
  std::set<std::string> different;
  for (const auto& payload : broker_.on("vz/chn0/raw")) different.insert(payload.substr(payload.find("value")));
  EXPECT_EQ(different.size(), 50U);
}

TEST_F(MqttPublisherTest, ChannelsThatShareAUuidHaveQueuesOfTheirOwn) {
  durable();
  add("1-0:2.8.0").uuid = "u0";
  broker_.unreachable = true;
  start();
  read(1, 0);
  read(2, 1);
  EXPECT_EQ(queue().waiting, 1U);
  EXPECT_EQ(publisher_->status().queued, 2U);
}

TEST_F(MqttPublisherTest, TroubleIsToldOnceAndSoIsItsEnd) {
  broker_.unreachable = true;
  start();
  steps(30);
  ASSERT_EQ(log_.texts(Level::alert).size(), 1U);
  EXPECT_THAT(log_.texts(Level::alert)[0], HasSubstr("mqtt://b:1: cannot connect: Connection refused (is it there?). With qos 0"));
  EXPECT_THAT(publisher_->status().trouble, HasSubstr("refused"));
  EXPECT_TRUE(publisher_->status().since);
  read(1);
  broker_.unreachable = false;
  steps(4);
  ASSERT_EQ(log_.texts(Level::alert).size(), 2U);
  EXPECT_THAT(log_.texts(Level::alert)[1], testing::AllOf(HasSubstr("connected to mqtt://b:1 after"), HasSubstr("1 were dropped")));
  EXPECT_EQ(publisher_->status().trouble, "");
}

TEST_F(MqttPublisherTest, TriesBecomeRarerUpToAMinute) {
  broker_.unreachable = true;
  start();
  steps(1);
  const auto begun = clock_.clock.passed;
  const int before = broker_.connects;
  while (clock_.clock.passed - begun < 1h) steps(1);
  EXPECT_LT(broker_.connects - before, 90);
  EXPECT_GT(broker_.connects - before, 50);
}

TEST_F(MqttPublisherTest, ABrokerThatDoesNotAnswerIsGivenUp) {
  broker_.answers = false;
  start();
  steps(3);
  EXPECT_THAT(log_.texts(Level::alert), ElementsAre(HasSubstr("no answer within 15 s")));
  EXPECT_GE(broker_.drops, 1);
}

TEST_F(MqttPublisherTest, AChannelWithAnImpossibleTopicIsLeftOut) {
  meters_[0].channels[0].mqtt_topic = "a/#";
  start();
  steps(1);
  read(1);
  steps(1);
  EXPECT_THAT(broker_.sent, IsEmpty());
  EXPECT_THAT(log_.texts(Level::alert), ElementsAre(HasSubstr("mqtt_topic \"a/#\" of chn0 holds + or #")));
}

TEST_F(MqttPublisherTest, WrongTimesAreNeverPublished) {
  settings_.timestamp = true;
  start();
  steps(1);
  clock_.right = false;
  read(1);
  steps(1);
  EXPECT_THAT(broker_.on("vz/chn0/raw"), IsEmpty());
  EXPECT_EQ(publisher_->status().dropped, 1U) << "with qos 0 nothing waits";
  clock_.right = true;
  read(2);
  steps(1);
  EXPECT_EQ(broker_.on("vz/chn0/raw").size(), 1U);
}

TEST_F(MqttPublisherTest, WhatTheOutboxKeepsGetsItsTimeWhenTheClockIsRight) {
  durable();
  meters_[0].channels[0].aggmode = AggMode::max;
  settings_.raw_and_agg = true;
  start();
  steps(1);
  clock_.right = false;
  clock_.wrong = 1000h;
  read(1);
  result(2);
  const WallTime moment = clock_.clock.now().wall;
  pass(5s);
  steps(1);
  EXPECT_EQ(broker_.sent.size(), 2U) << "the announcement";
  clock_.right = true;
  clock_.wrong = 0h;
  EXPECT_TRUE(gate_.look());
  steps(2);
  const std::string stamp = std::to_string(moment.time_since_epoch().count());
  EXPECT_THAT(broker_.on("vz/chn0/raw"), ElementsAre("{ \"timestamp\": " + stamp + ", \"value\": 1.0 }"));
  EXPECT_THAT(broker_.on("vz/chn0/agg"), ElementsAre("{ \"timestamp\": " + stamp + ", \"value\": 2.0 }"));
}

TEST_F(MqttPublisherTest, WhetherAStampIsRightIsNotItsDecision) {
  settings_.timestamp = true;
  settings_.raw_and_agg = true;
  meters_[0].channels[0].aggmode = AggMode::max;
  start();
  steps(1);
  const auto& settings = meters_[0].channels[0];
  const Reading reading{settings.identifier, 1, unit_, clock_.now().wall};
  clock_.right = false;  // it has become so since the pipeline looked
  publisher_->raw(settings, reading);
  steps(1);
  EXPECT_EQ(broker_.on("vz/chn0/raw").size(), 1U);
  clock_.right = true;
  publisher_->raw_unstamped(settings, reading, clock_.now());
  steps(1);
  EXPECT_EQ(broker_.on("vz/chn0/raw").size(), 1U);
}

TEST_F(MqttPublisherTest, BareValuesDoNotCareForTheClock) {
  meters_[0].channels[0].aggmode = AggMode::max;
  start();
  steps(1);
  clock_.right = false;
  read(1);
  result(2);
  steps(1);
  EXPECT_THAT(broker_.on("vz/chn0/agg"), ElementsAre("2.000000"));
}

TEST_F(MqttPublisherTest, AStopSaysGoodbyeAndKeepsWhatIsUnderWay) {
  durable();
  broker_.acknowledges = false;
  start();
  steps(1);
  read(1);
  steps(1);
  std::stop_source stop;
  stop.request_stop();
  publisher_->run(stop.get_token());
  EXPECT_EQ(broker_.goodbyes, 1);
  std::vector<QueuedReading> waiting;
  outbox_.peek(outbox_.open({"mqtt://b:1/raw", "u0"}), 10, waiting);
  ASSERT_EQ(waiting.size(), 1U);
  EXPECT_TRUE(waiting[0].repeat);
}

class MqttDiscoveryTest : public MqttPublisherTest {
 protected:
  MqttDiscoveryTest() {
    settings_.discovery = true;
    settings_.discovery_prefix = "homeassistant";
    settings_.broker.will = MqttWill{"vz/status", "offline"};
  }
  [[nodiscard]] std::size_t documents() const {
    return static_cast<std::size_t>(std::count_if(broker_.sent.begin(), broker_.sent.end(),
                                                  [](const Sent& s) { return s.topic.ends_with("/config"); }));
  }
  MqttPublisher& begin() {
    MqttPublisher& publisher = start();
    publisher.watch_meters([this](int) { return healthy_; });
    return publisher;
  }
  bool healthy_ = true;
};

TEST_F(MqttDiscoveryTest, AChannelIsDescribedOnceItWasReadWithTheMetersUnit) {
  begin();
  steps(2);
  EXPECT_EQ(documents(), 0U);
  EXPECT_THAT(broker_.on("vz/status"), ElementsAre("online"));
  EXPECT_THAT(broker_.on("vz/mtr0/status"), ElementsAre("online"));
  EXPECT_THAT(broker_.subscriptions, ElementsAre("homeassistant/status"));
  unit_ = Unit{"kWh"};
  read(1);
  steps(1);
  ASSERT_EQ(documents(), 1U);
  const auto document = std::find_if(broker_.sent.begin(), broker_.sent.end(),
                                     [](const Sent& s) { return s.topic.ends_with("/config"); });
  EXPECT_THAT(document->payload, HasSubstr("\"unit_of_measurement\":\"kWh\""));
  EXPECT_TRUE(document->retain);
  EXPECT_EQ(document->qos, 1);
  read(2);
  steps(2);
  EXPECT_EQ(documents(), 1U);
  unit_ = Unit{"Wh"};
  read(3);
  steps(1);
  EXPECT_EQ(documents(), 2U);
}

TEST_F(MqttDiscoveryTest, HomeAssistantsStartAndANewConnectionRepeatTheDocuments) {
  begin();
  steps(1);
  read(1);
  steps(1);
  EXPECT_EQ(documents(), 1U);
  broker_.events.emplace_back(MqttReceived{"homeassistant/status", "offline"});
  steps(2);
  EXPECT_EQ(documents(), 1U);
  broker_.events.emplace_back(MqttReceived{"homeassistant/status", "online"});
  steps(2);
  EXPECT_EQ(documents(), 2U);
  broker_.lose("gone");
  steps(4);
  EXPECT_EQ(documents(), 3U);
  EXPECT_EQ(broker_.on("vz/status").size(), 2U);
}

TEST_F(MqttDiscoveryTest, AMeterIsUnavailableWhenItsTroubleLasts) {
  begin();
  steps(2);
  healthy_ = false;
  steps(1);
  EXPECT_THAT(broker_.on("vz/mtr0/status"), ElementsAre("online")) << "not at the first fault";
  for (int i = 0; i < 5; ++i) steps(1);  // ten seconds each
  EXPECT_THAT(broker_.on("vz/mtr0/status"), ElementsAre("online", "offline"));
  healthy_ = true;
  steps(2);
  EXPECT_THAT(broker_.on("vz/mtr0/status"), ElementsAre("online", "offline", "online"));
  EXPECT_TRUE(broker_.sent.back().retain);
}

TEST_F(MqttDiscoveryTest, AStopSaysOfflineItself) {
  begin();
  steps(1);
  std::stop_source stop;
  stop.request_stop();
  publisher_->run(stop.get_token());
  EXPECT_THAT(broker_.on("vz/status"), ElementsAre("online", "offline"));
  EXPECT_EQ(broker_.goodbyes, 1);
}

TEST_F(MqttDiscoveryTest, IfItCannotTheBrokerDoes) {
  begin();
  steps(2);
  broker_.jammed = true;
  std::stop_source stop;
  stop.request_stop();
  publisher_->run(stop.get_token());
  EXPECT_EQ(broker_.goodbyes, 0) << "a polite end would keep the will from being published";
  EXPECT_GE(broker_.drops, 1);
}

}  // namespace
}  // namespace vz
