// SPDX-License-Identifier: GPL-3.0-or-later
#include "local/status_json.hpp"

namespace vz::local {
namespace {

using std::chrono::milliseconds;

StatusReport full_report() {
  StatusReport report;
  report.version = "1.2.3";
  report.now = WallTime{milliseconds{1'700'000'000'123}};
  report.started = WallTime{milliseconds{1'699'999'000'000}};
  MeterReport meter;
  meter.number = 1;
  meter.protocol = "d0";
  meter.line = "/dev/ttyUSB0";
  meter.state = MeterReport::State::lent;
  meter.telegrams = 7;
  meter.opened = 2;
  for (std::size_t i = 0; i < kFaultKinds; ++i) meter.faults[i] = i + 1;
  meter.last_reading = WallTime{milliseconds{5}};
  meter.trouble = "a \"quoted\" trouble";
  meter.trouble_since = WallTime{milliseconds{6}};
  ChannelReport channel;
  channel.number = 3;
  channel.label = "channel ...a1b2c3";
  channel.identifier = "1-0:1.8.0";
  channel.endpoint = "http://localhost/middleware.php";
  channel.last_value = -0.25;
  channel.last_reading = WallTime{milliseconds{7}};
  channel.trouble = "unknown uuid";
  channel.trouble_since = WallTime{milliseconds{8}};
  channel.last_success = WallTime{milliseconds{9}};
  channel.queue = {.waiting = 1, .accepted = 2, .rejected = 3, .dropped = 4, .oldest = WallTime{milliseconds{10}}};
  meter.channels.push_back(channel);
  report.meters.push_back(meter);
  report.endpoints.push_back({.endpoint = "http://localhost/middleware.php",
                              .requests = 1,
                              .failures = 2,
                              .waiting = 3,
                              .accepted = 4,
                              .rejected = 5,
                              .dropped = 6,
                              .oldest = WallTime{milliseconds{11}},
                              .trouble = "refused",
                              .trouble_since = WallTime{milliseconds{12}},
                              .next_try = WallTime{milliseconds{13}},
                              .last_success = WallTime{milliseconds{14}}});
  report.outbox = {.path = "/var/lib/vzlogger/outbox.db",
                   .durable = true,
                   .trouble = "full",
                   .bytes = 1,
                   .ram_readings = 2,
                   .dropped = 3,
                   .orphan_queues = 4,
                   .orphan_readings = 5};
  report.services.push_back({.name = "mqtt",
                             .working = true,
                             .trouble = "t",
                             .trouble_since = WallTime{milliseconds{15}},
                             .counters = {{"published", 16}}});
  return report;
}

TEST(StatusJson, ComesBackAsItWas) {
  const auto json = to_json(full_report());
  const auto back = report_from(nlohmann::ordered_json::parse(dump(json)));
  ASSERT_TRUE(back);
  EXPECT_EQ(dump(to_json(*back)), dump(json));
  EXPECT_EQ(back->meters.at(0).state, MeterReport::State::lent);
  EXPECT_EQ(back->meters[0].faults[7], 8U);
  EXPECT_EQ(back->meters[0].channels.at(0).last_value, -0.25);
  EXPECT_EQ(back->endpoints.at(0).next_try, WallTime{milliseconds{13}});
  EXPECT_EQ(back->services.at(0).counters.at(0).second, 16U);
}

TEST(StatusJson, UnknownIsNull) {
  StatusReport report;
  report.meters.emplace_back();
  report.meters[0].channels.emplace_back();
  const auto json = to_json(report);
  EXPECT_TRUE(json["meters"][0]["last_reading"].is_null());
  EXPECT_TRUE(json["meters"][0]["channels"][0]["last_value"].is_null());
  EXPECT_EQ(json["meters"][0]["state"], "away");
  EXPECT_EQ(json["health"]["ok"], true);
}

TEST(StatusJson, BadBytesInATextDoNotBreakIt) {
  StatusReport report;
  report.outbox.trouble = "caf\xe9 is full";
  EXPECT_TRUE(nlohmann::ordered_json::accept(dump(to_json(report))));
}

TEST(StatusJson, ForeignJsonGivesDefaults) {
  EXPECT_FALSE(report_from(nlohmann::ordered_json::parse("[]")));
  const auto report = report_from(nlohmann::ordered_json::parse(
      R"({"version":7,"now":"x","meters":[1,{"number":-4,"state":"asleep","faults":[],"telegrams":1.5,"channels":{}}],
          "endpoints":null,"outbox":3,"services":[{"counters":{"a":"b"}}]})"));
  ASSERT_TRUE(report);
  EXPECT_EQ(report->version, "");
  ASSERT_EQ(report->meters.size(), 1U);
  EXPECT_EQ(report->meters[0].number, 0);
  EXPECT_EQ(report->meters[0].state, MeterReport::State::away);
  EXPECT_EQ(report->services.at(0).counters.size(), 0U);
}

}  // namespace
}  // namespace vz::local
