// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/health.hpp"

namespace vz {
namespace {

using std::chrono::seconds;
using State = MeterReport::State;

constexpr WallTime kNow{seconds{1'700'000'000}};

MeterReport meter(State state, std::string trouble = {}, seconds since = seconds{0}) {
  MeterReport report;
  report.number = 2;
  report.state = state;
  report.trouble = std::move(trouble);
  if (!report.trouble.empty()) report.trouble_since = kNow - since;
  return report;
}

Health of(MeterReport one) {
  StatusReport report;
  report.now = kNow;
  report.meters.push_back(std::move(one));
  return health(report);
}

TEST(Health, NothingWrongIsOk) { EXPECT_TRUE(of(meter(State::connected)).ok()); }

TEST(Health, AMeterOnRequestAwayIsNoTrouble) {
  for (const State state : {State::disabled, State::paused, State::lent})
    EXPECT_TRUE(of(meter(state, "device gone", seconds{3600})).ok());
}

TEST(Health, ALineThatWasNotTriedYetIsNoTrouble) { EXPECT_TRUE(of(meter(State::away)).ok()); }

TEST(Health, ALostLineIsTrouble) {
  EXPECT_EQ(of(meter(State::away, "/dev/ttyUSB0: hung up")).reasons,
            std::vector<std::string>{"mtr2: away: /dev/ttyUSB0: hung up"});
}

TEST(Health, SilenceIsTrouble) { EXPECT_FALSE(of(meter(State::silent, "no answer")).ok()); }

TEST(Health, FaultsAreTroubleOnceTheyLast) {
  EXPECT_TRUE(of(meter(State::connected, "parity error", seconds{59})).ok());
  EXPECT_EQ(of(meter(State::connected, "parity error", seconds{60})).reasons,
            std::vector<std::string>{"mtr2: parity error"});
}

TEST(Health, NamesEndpointsChannelsOutboxAndServices) {
  StatusReport report;
  report.now = kNow;
  report.meters.push_back(meter(State::connected));
  ChannelReport channel;
  channel.number = 4;
  channel.label = "channel ...a1b2c3";
  channel.trouble = "unknown uuid";
  report.meters[0].channels.push_back(channel);
  EndpointReport endpoint;
  endpoint.endpoint = "http://localhost/middleware.php";
  endpoint.trouble = "connection refused";
  report.endpoints.push_back(endpoint);
  report.outbox.trouble = "disk full";
  report.services.push_back({.name = "mqtt", .working = false, .trouble = {}, .trouble_since = {}, .counters = {}});
  report.services.push_back({.name = "push", .working = true, .trouble = {}, .trouble_since = {}, .counters = {}});
  EXPECT_EQ(health(report).reasons, (std::vector<std::string>{"http://localhost/middleware.php: connection refused",
                                                              "chn4 (channel ...a1b2c3): unknown uuid",
                                                              "outbox: disk full", "mqtt: not working"}));
}

TEST(Health, WhatIsOverIsNoTrouble) {
  StatusReport report;
  report.outbox.dropped = 5;
  EndpointReport endpoint;
  endpoint.rejected = 3;
  endpoint.failures = 9;
  report.endpoints.push_back(endpoint);
  EXPECT_TRUE(health(report).ok());
}

}  // namespace
}  // namespace vz
