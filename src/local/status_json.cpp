// SPDX-License-Identifier: GPL-3.0-or-later
#include "local/status_json.hpp"

#include <cstdint>
#include <utility>

#include "core/health.hpp"
#include "local/json_members.hpp"

namespace vz::local {
namespace {

using Json = nlohmann::ordered_json;

Json when(const std::optional<WallTime>& time) {
  return time ? Json(static_cast<std::int64_t>(time->time_since_epoch().count())) : Json(nullptr);
}

Json queue(const QueueStats& stats) {
  return {{"waiting", stats.waiting},
          {"accepted", stats.accepted},
          {"rejected", stats.rejected},
          {"dropped", stats.dropped},
          {"oldest", when(stats.oldest)}};
}

Json channel(const ChannelReport& report) {
  return {{"number", report.number},
          {"label", report.label},
          {"identifier", report.identifier},
          {"endpoint", report.endpoint},
          {"last_value", report.last_value ? Json(*report.last_value) : Json(nullptr)},
          {"last_reading", when(report.last_reading)},
          {"trouble", report.trouble},
          {"trouble_since", when(report.trouble_since)},
          {"last_success", when(report.last_success)},
          {"queue", queue(report.queue)}};
}

Json meter(const MeterReport& report) {
  Json faults = Json::object();
  for (std::size_t i = 0; i < kFaultKinds; ++i) faults[std::string{key(static_cast<FaultKind>(i))}] = report.faults[i];
  Json channels = Json::array();
  for (const auto& one : report.channels) channels.push_back(channel(one));
  return {{"number", report.number},
          {"protocol", report.protocol},
          {"line", report.line},
          {"state", text(report.state)},
          {"telegrams", report.telegrams},
          {"opened", report.opened},
          {"faults", std::move(faults)},
          {"last_reading", when(report.last_reading)},
          {"trouble", report.trouble},
          {"trouble_since", when(report.trouble_since)},
          {"channels", std::move(channels)}};
}

Json endpoint(const EndpointReport& report) {
  return {{"endpoint", report.endpoint},       {"requests", report.requests},
          {"failures", report.failures},       {"waiting", report.waiting},
          {"accepted", report.accepted},       {"rejected", report.rejected},
          {"dropped", report.dropped},         {"oldest", when(report.oldest)},
          {"trouble", report.trouble},         {"trouble_since", when(report.trouble_since)},
          {"next_try", when(report.next_try)}, {"last_success", when(report.last_success)}};
}

Json outbox(const OutboxReport& report) {
  return {{"path", report.path},
          {"durable", report.durable},
          {"trouble", report.trouble},
          {"bytes", report.bytes},
          {"ram_readings", report.ram_readings},
          {"dropped", report.dropped},
          {"orphan_queues", report.orphan_queues},
          {"orphan_readings", report.orphan_readings}};
}

Json service(const ServiceReport& report) {
  Json counters = Json::object();
  for (const auto& [name, value] : report.counters) counters[name] = value;
  return {{"name", report.name},
          {"working", report.working},
          {"trouble", report.trouble},
          {"trouble_since", when(report.trouble_since)},
          {"counters", std::move(counters)}};
}

/// The member of that name if it is an array of objects; else an empty one.
template <typename T>
std::vector<T> list(const Json& from, const char* name, T (*make)(const Json&)) {
  std::vector<T> out;
  const auto it = from.find(name);
  if (it == from.end() || !it->is_array()) return out;
  for (const Json& one : *it)
    if (one.is_object()) out.push_back(make(one));
  return out;
}

const Json& object(const Json& from, const char* name) {
  static const Json kEmpty = Json::object();
  const auto it = from.find(name);
  return it != from.end() && it->is_object() ? *it : kEmpty;
}

ChannelReport to_channel(const Json& json) {
  ChannelReport report;
  take(json, "number", report.number);
  take(json, "label", report.label);
  take(json, "identifier", report.identifier);
  take(json, "endpoint", report.endpoint);
  take(json, "last_value", report.last_value);
  take(json, "last_reading", report.last_reading);
  take(json, "trouble", report.trouble);
  take(json, "trouble_since", report.trouble_since);
  take(json, "last_success", report.last_success);
  const Json& stats = object(json, "queue");
  take(stats, "waiting", report.queue.waiting);
  take(stats, "accepted", report.queue.accepted);
  take(stats, "rejected", report.queue.rejected);
  take(stats, "dropped", report.queue.dropped);
  take(stats, "oldest", report.queue.oldest);
  return report;
}

MeterReport::State to_state(std::string_view word) {
  using State = MeterReport::State;
  for (const State state : {State::disabled, State::connected, State::silent, State::paused, State::lent})
    if (word == text(state)) return state;
  return State::away;
}

MeterReport to_meter(const Json& json) {
  MeterReport report;
  take(json, "number", report.number);
  take(json, "protocol", report.protocol);
  take(json, "line", report.line);
  std::string state;
  take(json, "state", state);
  report.state = to_state(state);
  take(json, "telegrams", report.telegrams);
  take(json, "opened", report.opened);
  const Json& faults = object(json, "faults");
  for (std::size_t i = 0; i < kFaultKinds; ++i)
    take(faults, std::string{key(static_cast<FaultKind>(i))}.c_str(), report.faults[i]);
  take(json, "last_reading", report.last_reading);
  take(json, "trouble", report.trouble);
  take(json, "trouble_since", report.trouble_since);
  report.channels = list(json, "channels", to_channel);
  return report;
}

EndpointReport to_endpoint(const Json& json) {
  EndpointReport report;
  take(json, "endpoint", report.endpoint);
  take(json, "requests", report.requests);
  take(json, "failures", report.failures);
  take(json, "waiting", report.waiting);
  take(json, "accepted", report.accepted);
  take(json, "rejected", report.rejected);
  take(json, "dropped", report.dropped);
  take(json, "oldest", report.oldest);
  take(json, "trouble", report.trouble);
  take(json, "trouble_since", report.trouble_since);
  take(json, "next_try", report.next_try);
  take(json, "last_success", report.last_success);
  return report;
}

OutboxReport to_outbox(const Json& json) {
  OutboxReport report;
  take(json, "path", report.path);
  take(json, "durable", report.durable);
  take(json, "trouble", report.trouble);
  take(json, "bytes", report.bytes);
  take(json, "ram_readings", report.ram_readings);
  take(json, "dropped", report.dropped);
  take(json, "orphan_queues", report.orphan_queues);
  take(json, "orphan_readings", report.orphan_readings);
  return report;
}

ServiceReport to_service(const Json& json) {
  ServiceReport report;
  take(json, "name", report.name);
  take(json, "working", report.working);
  take(json, "trouble", report.trouble);
  take(json, "trouble_since", report.trouble_since);
  for (const auto& [name, value] : object(json, "counters").items())
    if (value.is_number_unsigned()) report.counters.emplace_back(name, value.get<std::uint64_t>());
  return report;
}

}  // namespace

std::string_view key(FaultKind kind) {
  switch (kind) {
    case FaultKind::check_value: return "check_value";
    case FaultKind::parity: return "parity";
    case FaultKind::grammar: return "grammar";
    case FaultKind::truncated: return "truncated";
    case FaultKind::oversized: return "oversized";
    case FaultKind::silence: return "silence";
    case FaultKind::implausible: return "implausible";
    case FaultKind::encryption: return "encryption";
  }
  return "other";
}

Json to_json(const StatusReport& report) {
  const Health judged = health(report);
  Json json{{"version", report.version},       {"now", when(report.now)},
            {"started", when(report.started)}, {"health", {{"ok", judged.ok()}, {"reasons", judged.reasons}}},
            {"meters", Json::array()},         {"endpoints", Json::array()},
            {"outbox", outbox(report.outbox)}, {"services", Json::array()}};
  for (const auto& one : report.meters) json["meters"].push_back(meter(one));
  for (const auto& one : report.endpoints) json["endpoints"].push_back(endpoint(one));
  for (const auto& one : report.services) json["services"].push_back(service(one));
  return json;
}

Expected<StatusReport> report_from(const Json& json) {
  if (!json.is_object()) return tl::unexpected(Error{.what = "this is no status report", .where = {}, .remedy = {}});
  StatusReport report;
  take(json, "version", report.version);
  take(json, "now", report.now);
  take(json, "started", report.started);
  report.meters = list(json, "meters", to_meter);
  report.endpoints = list(json, "endpoints", to_endpoint);
  report.outbox = to_outbox(object(json, "outbox"));
  report.services = list(json, "services", to_service);
  return report;
}

std::string dump(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

}  // namespace vz::local
