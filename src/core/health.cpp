// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/health.hpp"

#include <fmt/format.h>

#include <string_view>

namespace vz {
namespace {

bool troubled(const MeterReport& meter, WallTime now) {
  switch (meter.state) {
    case MeterReport::State::away: return !meter.trouble.empty();  // else it was not tried yet
    case MeterReport::State::silent: return true;
    case MeterReport::State::connected: return meter.trouble_since && now - *meter.trouble_since >= kFaulty;
    case MeterReport::State::disabled:
    case MeterReport::State::paused:
    case MeterReport::State::lent: return false;
  }
  return false;
}

void add(Health& health, std::string_view where, std::string_view state, std::string_view trouble) {
  std::string reason{where};
  for (const std::string_view part : {state, trouble})
    if (!part.empty()) reason += fmt::format(": {}", part);
  health.reasons.push_back(std::move(reason));
}

void judge_meters(const StatusReport& report, Health& health) {
  for (const MeterReport& meter : report.meters) {
    if (!troubled(meter, report.now)) continue;
    const bool connected = meter.state == MeterReport::State::connected;
    add(health, fmt::format("mtr{}", meter.number), connected ? std::string_view{} : text(meter.state), meter.trouble);
  }
}

void judge_channels(const StatusReport& report, Health& health) {
  for (const MeterReport& meter : report.meters)
    for (const ChannelReport& channel : meter.channels)
      if (!channel.trouble.empty())
        add(health, fmt::format("chn{} ({})", channel.number, channel.label), {}, channel.trouble);
}

}  // namespace

Health health(const StatusReport& report) {
  Health health;
  judge_meters(report, health);
  for (const EndpointReport& endpoint : report.endpoints)
    if (!endpoint.trouble.empty()) add(health, endpoint.endpoint, {}, endpoint.trouble);
  judge_channels(report, health);
  if (!report.outbox.trouble.empty()) add(health, "outbox", {}, report.outbox.trouble);
  for (const ServiceReport& service : report.services)
    if (!service.working || !service.trouble.empty())
      add(health, service.name, service.working ? "" : "not working", service.trouble);
  return health;
}

std::string_view text(MeterReport::State state) {
  switch (state) {
    case MeterReport::State::disabled: return "disabled";
    case MeterReport::State::away: return "away";
    case MeterReport::State::connected: return "connected";
    case MeterReport::State::silent: return "silent";
    case MeterReport::State::paused: return "paused";
    case MeterReport::State::lent: return "lent";
  }
  return "unknown";
}

}  // namespace vz
