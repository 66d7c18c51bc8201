// SPDX-License-Identifier: GPL-3.0-or-later
#include <nlohmann/json.hpp>

#include "sinks/mqtt/discovery.hpp"
#include "sinks/mqtt/live_queue.hpp"
#include "sinks/mqtt/messages.hpp"
#include "sinks/mqtt/settings.hpp"
#include "vz/protocol.hpp"

namespace vz::mqtt {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

ChannelSettings channel(int number, const std::string& identifier, AggMode aggmode = AggMode::none) {
  ChannelSettings settings;
  settings.number = number;
  settings.uuid = "01234567-89ab-cdef-0123-456789abcdef";
  settings.identifier_text = identifier;
  const auto code = Obis::parse(identifier);
  settings.identifier = code ? Identifier{*code} : Identifier{identifier};
  settings.aggmode = aggmode;
  return settings;
}

std::string payload(double value, Form form) {
  std::string text = "left over";
  write_payload(text, {value, WallTime{1795343441727ms}}, form);
  return text;
}

TEST(MqttMessages, TopicsAreThoseOfTheOldDaemon) {
  auto settings = channel(7, "1.8.0");
  EXPECT_EQ(channel_topic("vzlogger", settings), "vzlogger/chn7/");
  settings.mqtt_topic = "house/grid";
  EXPECT_EQ(channel_topic("vzlogger/data", settings), "vzlogger/data/house/grid/");
  EXPECT_EQ(channel_topic("", settings), "/house/grid/");
}

TEST(MqttMessages, BareValuesHaveSixDecimals) {
  EXPECT_EQ(payload(1.5, Form::bare), "1.500000");
  EXPECT_EQ(payload(40, Form::bare), "40.000000");
  EXPECT_EQ(payload(-0.0000004, Form::bare), "-0.000000");
  EXPECT_EQ(payload(132.151, Form::bare), "132.151000");
}

TEST(MqttMessages, WithTimestampItIsJson) {
  EXPECT_EQ(payload(1.5, Form::with_timestamp), "{ \"timestamp\": 1795343441727, \"value\": 1.5 }");
  EXPECT_EQ(payload(100, Form::with_timestamp), "{ \"timestamp\": 1795343441727, \"value\": 100.0 }");
  const auto json = nlohmann::json::parse(payload(132.151, Form::with_timestamp));
  EXPECT_EQ(json["value"], 132.151);
}

TEST(MqttTopics, WhatCannotBePublishedTo) {
  EXPECT_EQ(topic_defect("a/b c/ü/€/😀"), "");
  EXPECT_THAT(topic_defect("a/+/b"), HasSubstr("+ or #"));
  EXPECT_THAT(topic_defect("a/#"), HasSubstr("+ or #"));
  EXPECT_THAT(topic_defect("a\nb"), HasSubstr("control"));
  EXPECT_THAT(topic_defect(std::string_view("a\0b", 3)), HasSubstr("control"));
  for (const char* text : {"\xff", "\xc3", "\xe2\x82", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "a\x80"})
    EXPECT_THAT(topic_defect(text), HasSubstr("UTF-8")) << text;
  EXPECT_THAT(topic_defect(std::string(70'000, 'a')), HasSubstr("longer"));
}

class MqttSettingsTest : public testing::Test {
 protected:
  MqttSettingsTest() {
    for (const char* name : {"user", "pass", "cafile", "capath", "certfile", "keyfile", "keypass", "id"})
      options_.set(name, std::string{});
    options_.set("enabled", true);
    options_.set("host", std::string{"broker"});
    options_.set("port", std::int64_t{1883});
    options_.set("keepalive", std::int64_t{10});
    options_.set("topic", std::string{"vzlogger"});
    for (const char* name : {"retain", "rawAndAgg", "timestamp", "discovery"}) options_.set(name, false);
    options_.set("qos", std::int64_t{0});
    options_.set("discoveryPrefix", std::string{"homeassistant"});
  }
  [[nodiscard]] Settings read() const { return settings(options_, "vzlogger_42"); }
  Options options_;
};

TEST_F(MqttSettingsTest, Plain) {
  const auto read_settings = read();
  EXPECT_TRUE(read_settings.enabled);
  EXPECT_EQ(read_settings.trouble, "");
  EXPECT_EQ(read_settings.broker.client_id, "vzlogger_42");
  EXPECT_FALSE(read_settings.broker.tls);
  EXPECT_FALSE(read_settings.broker.will) << "the old daemon had none";
  EXPECT_EQ(broker_name(read_settings.broker), "mqtt://broker:1883");
  EXPECT_FALSE(read_settings.durable());
}

TEST_F(MqttSettingsTest, OnlyWhatHasATimeAndIsAcknowledgedIsDurable) {
  options_.set("timestamp", true);
  EXPECT_FALSE(read().durable());
  options_.set("qos", std::int64_t{1});
  EXPECT_TRUE(read().durable());
  options_.set("timestamp", false);
  EXPECT_FALSE(read().durable());
}

TEST_F(MqttSettingsTest, WithoutHostOrPortItIsOff) {
  options_.set("host", std::string{});
  EXPECT_FALSE(read().enabled);
  options_.set("host", std::string{"broker"});
  options_.set("port", std::int64_t{0});
  EXPECT_FALSE(read().enabled);
}

TEST_F(MqttSettingsTest, AnyFileMeansTls) {
  for (const char* name : {"cafile", "capath"}) {
    options_.set(name, std::string{"/x"});
    EXPECT_TRUE(read().broker.tls) << name;
    EXPECT_EQ(read().trouble, "") << name;
    options_.set(name, std::string{});
  }
  options_.set("certfile", std::string{"/c"});
  EXPECT_TRUE(read().broker.tls) << "never plain text when TLS was asked for";
  EXPECT_THAT(read().trouble, HasSubstr("mqtt.certfile is given without mqtt.keyfile"));
  options_.set("keyfile", std::string{"/k"});
  EXPECT_TRUE(read().broker.tls);
  EXPECT_EQ(read().trouble, "");
}

TEST_F(MqttSettingsTest, ImpossibleTopicsAreTold) {
  options_.set("topic", std::string{"a/#"});
  EXPECT_THAT(read().trouble, HasSubstr("mqtt.topic \"a/#\" holds + or #"));
  options_.set("topic", std::string{"a"});
  options_.set("discoveryPrefix", std::string{"ha/+"});
  EXPECT_EQ(read().trouble, "") << "discovery is off";
  options_.set("discovery", true);
  EXPECT_THAT(read().trouble, HasSubstr("mqtt.discoveryPrefix"));
}

TEST_F(MqttSettingsTest, DiscoveryHasAWill) {
  options_.set("discovery", true);
  ASSERT_TRUE(read().broker.will);
  EXPECT_EQ(read().broker.will->topic, "vzlogger/status");
  EXPECT_EQ(read().broker.will->payload, "offline");
}

TEST(MqttBrokerName, HasNoSecretsAndBracketsIpv6) {
  MqttBroker broker;
  broker.host = "fd00::5";
  broker.port = 8883;
  broker.user = "anna";
  broker.password = "geheim";
  broker.tls.emplace();
  EXPECT_EQ(broker_name(broker), "mqtt://[fd00::5]:8883");
  broker.host = "[fd00::5]";
  EXPECT_EQ(broker_name(broker), "mqtt://[fd00::5]:8883");
}

MonoTime at(std::chrono::seconds time) { return MonoTime{} + time; }

LiveMessage message(double value, std::chrono::seconds since) { return {.outlet = 0, .reading = {value, {}}, .since = at(since)}; }

TEST(MqttLiveQueue, KeepsOrderAndDropsTheOldestAtTheBound) {
  LiveQueue queue(3);
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(queue.push(message(i, 0s)));
  EXPECT_TRUE(queue.push(message(3, 0s)));
  EXPECT_EQ(queue.dropped(), 1U);
  for (int i = 1; i <= 3; ++i) EXPECT_EQ(queue.pop(at(0s))->reading.value, i);
  EXPECT_FALSE(queue.pop(at(0s)));
}

TEST(MqttLiveQueue, AnOldValueDoesNotPretendToBeFresh) {
  LiveQueue queue;
  queue.push(message(1, 0s));
  queue.push(message(2, 30s));
  EXPECT_EQ(queue.pop(at(61s))->reading.value, 2);
  EXPECT_EQ(queue.dropped(), 1U);
}

TEST(MqttLiveQueue, TakesBackInFront) {
  LiveQueue queue(2);
  queue.push(message(2, 0s));
  queue.put_back(message(1, 0s));
  queue.put_back(message(0, 0s));
  EXPECT_EQ(queue.dropped(), 1U) << "the one for which there was no room";
  EXPECT_EQ(queue.pop(at(0s))->reading.value, 1);
  EXPECT_EQ(queue.pop(at(0s))->reading.value, 2);
  queue.push(message(3, 0s));
  queue.clear();
  EXPECT_EQ(queue.size(), 0U);
  EXPECT_EQ(queue.dropped(), 2U);
}

struct Expected {
  const char* identifier;
  const char* unit;
  const char* device_class;
  const char* state_class;
  const char* shown_unit;
};

TEST(MqttDiscovery, ClassesFollowRegisterAndUnit) {
  const Expected rows[] = {
      {"1-0:1.8.0", "kWh", "energy", "total_increasing", "kWh"},
      {"1-0:1.8.0", "Wh", "energy", "total_increasing", "Wh"},
      {"1-0:2.8.1*255", "KWH", "energy", "total_increasing", "kWh"},
      {"1-0:16.8.0", "kWh", "energy", "total", "kWh"},
      {"1-0:1.8.0*03", "kWh", "energy", "", "kWh"},
      {"1-0:16.7.0", "W", "power", "measurement", "W"},
      {"1-0:21.7.0", "kW", "power", "measurement", "kW"},
      {"1-0:32.7.0", "V", "voltage", "measurement", "V"},
      {"1-0:31.7.0", "A", "current", "measurement", "A"},
      {"1-0:14.7.0", "Hz", "frequency", "measurement", "Hz"},
      {"1-0:13.7.0", "", "power_factor", "measurement", ""},
      {"1-0:3.8.0", "varh", "", "total_increasing", "varh"},
      {"7-0:3.0.0", "m3", "gas", "total_increasing", "m³"},
      {"0-1:24.2.1", "m3", "gas", "total_increasing", "m³"},
      {"8-0:1.0.0", "m3", "water", "total_increasing", "m³"},
      {"9-0:1.0.0", "m3", "water", "total_increasing", "m³"},
      {"6-0:2.0.0", "m3", "volume", "total_increasing", "m³"},
      {"6-0:1.0.0", "GJ", "energy", "total_increasing", "GJ"},
      {"6-0:9.0.0", "m3/h", "volume_flow_rate", "measurement", "m³/h"},
      {"6-0:10.0.0", "°C", "temperature", "measurement", "°C"},
      {"28-0000055f311a", "°C", "temperature", "measurement", "°C"},
      {"1-0:1.8.0", "", "", "total_increasing", ""},
      {"Impulse", "", "", "measurement", ""},
      {"1-0:1.7.0", "furlong", "", "measurement", "furlong"},
  };
  for (const auto& row : rows) {
    const auto found = classify(channel(0, row.identifier).identifier, Unit{row.unit}, AggMode::none);
    EXPECT_EQ(found.device_class, row.device_class) << row.identifier << " " << row.unit;
    EXPECT_EQ(found.state_class, row.state_class) << row.identifier << " " << row.unit;
    EXPECT_EQ(found.unit, row.shown_unit) << row.identifier << " " << row.unit;
  }
  EXPECT_EQ(classify(channel(0, "1-0:1.8.0").identifier, Unit{"Wh"}, AggMode::sum).state_class, "");
}

TEST(MqttDiscovery, Names) {
  EXPECT_EQ(entity_name(channel(0, "1.8.0")), "Energy import");
  EXPECT_EQ(entity_name(channel(0, "1-0:2.8.2*255")), "Energy export, tariff 2");
  EXPECT_EQ(entity_name(channel(0, "1-0:52.7.0")), "Voltage L2");
  EXPECT_EQ(entity_name(channel(0, "7-0:3.0.0")), "7-0:3.0.0");
  EXPECT_EQ(entity_name(channel(0, "Impulse")), "Impulse");
  auto random = channel(4, "");
  random.identifier = Identifier{};
  EXPECT_EQ(entity_name(random), "Channel 4");
}

TEST(MqttDiscovery, IdsStayAndKeepTheUuidSecret) {
  const auto one = channel(1, "1-0:1.8.0");
  auto moved = one;
  moved.number = 5;
  EXPECT_EQ(stable_id(one), stable_id(moved));
  EXPECT_NE(stable_id(one), stable_id(channel(1, "1-0:2.8.0")));
  EXPECT_THAT(stable_id(one), Not(HasSubstr("456789")));
}

TEST(MqttDiscovery, TheDocument) {
  static const Protocol protocol{.name = "sml", .summary = "Smart Message Language", .options = {}};
  MeterSettings meter;
  meter.number = 2;
  meter.protocol = &protocol;
  const auto grid = channel(3, "1-0:1.8.0");
  const auto made = discovery_message({.meter = meter,
                                       .channel = grid,
                                       .unit = Unit{"Wh"},
                                       .id = "vzlogger_1",
                                       .device_id = "vzlogger_0",
                                       .state_topic = "vzlogger/chn3/raw",
                                       .prefix = "vzlogger",
                                       .discovery_prefix = "homeassistant",
                                       .version = "0.9.0",
                                       .timestamp = true});
  EXPECT_EQ(made.topic, "homeassistant/sensor/vzlogger_0/vzlogger_1/config");
  const auto document = nlohmann::json::parse(made.payload);
  EXPECT_EQ(document["device_class"], "energy");
  EXPECT_EQ(document["state_class"], "total_increasing");
  EXPECT_EQ(document["unit_of_measurement"], "Wh");
  EXPECT_EQ(document["state_topic"], "vzlogger/chn3/raw");
  EXPECT_EQ(document["value_template"], "{{ value_json.value }}");
  EXPECT_EQ(document["unique_id"], "vzlogger_1");
  EXPECT_EQ(document["availability_mode"], "all");
  ASSERT_EQ(document["availability"].size(), 2U);
  EXPECT_EQ(document["availability"][0]["topic"], "vzlogger/status");
  EXPECT_EQ(document["availability"][1]["topic"], "vzlogger/mtr2/status");
  EXPECT_EQ(document["device"]["identifiers"], nlohmann::json::array({"vzlogger_0"}));
  EXPECT_EQ(document["device"]["name"], "sml meter 2");
  EXPECT_EQ(document["device"]["sw_version"], "0.9.0");
  EXPECT_EQ(document["origin"]["name"], "vzlogger");
  EXPECT_THAT(made.payload, Not(HasSubstr(grid.uuid)));
}

TEST(MqttDiscovery, WhatIsNotUtf8DoesNotBreakTheDocument) {
  MeterSettings meter;
  const auto odd = channel(0, "\xff\xfe");
  const auto made = discovery_message({.meter = meter,
                                       .channel = odd,
                                       .unit = Unit{"\xb0""C"},
                                       .id = "i",
                                       .device_id = "d",
                                       .state_topic = "t",
                                       .prefix = "p",
                                       .discovery_prefix = "h",
                                       .version = "1",
                                       .timestamp = false});
  const auto document = nlohmann::json::parse(made.payload);
  EXPECT_FALSE(document.contains("value_template"));
  EXPECT_FALSE(document.contains("device_class"));
}

}  // namespace
}  // namespace vz::mqtt
