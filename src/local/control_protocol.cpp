// SPDX-License-Identifier: GPL-3.0-or-later
#include "local/control_protocol.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "local/status_json.hpp"

namespace vz::local {
namespace {

using Json = nlohmann::ordered_json;
using Kind = ControlRequest::Kind;

constexpr std::array<std::pair<std::string_view, Kind>, 12> kNames{{{"status", Kind::status},
                                                                    {"queues", Kind::queues},
                                                                    {"rejected", Kind::rejected},
                                                                    {"requeue", Kind::requeue},
                                                                    {"forget", Kind::forget},
                                                                    {"export", Kind::export_queue},
                                                                    {"retarget", Kind::retarget},
                                                                    {"drop", Kind::drop},
                                                                    {"pause", Kind::pause},
                                                                    {"resume", Kind::resume},
                                                                    {"lend", Kind::lend},
                                                                    {"back", Kind::back}}};

tl::unexpected<Error> wrong(std::string what) {
  return tl::unexpected(Error{.what = std::move(what), .where = {}, .remedy = {}});
}

std::string known_requests() {
  std::string names;
  for (const auto& [name, kind] : kNames) names += fmt::format("{}{}", names.empty() ? "" : ", ", name);
  return names;
}

// The readers of members: true if it is as it should be; a member that is not there leaves `to` alone.

bool text(const Json& json, const char* name, std::string& to) {
  const auto it = json.find(name);
  if (it == json.end()) return true;
  if (!it->is_string()) return false;
  to = it->get<std::string>();
  return true;
}

bool number(const Json& json, const char* name, std::int64_t low, std::int64_t high, std::int64_t& to) {
  const auto it = json.find(name);
  if (it == json.end()) return true;
  if (!it->is_number_integer()) return false;
  if (it->is_number_unsigned() && it->get<std::uint64_t>() > static_cast<std::uint64_t>(high)) return false;
  const auto value = it->get<std::int64_t>();
  if (value < low || value > high) return false;
  to = value;
  return true;
}

bool pattern(const Json& json, const char* name, QueuePattern& to) {
  const auto it = json.find(name);
  return it == json.end() ||
         (it->is_object() && text(*it, "channel", to.channel) && text(*it, "endpoint", to.endpoint));
}

bool id_list(const Json& json, std::vector<std::int64_t>& to) {
  const auto it = json.find("ids");
  if (it == json.end()) return true;
  if (!it->is_array() || it->size() > kMaxPage) return false;
  for (const Json& id : *it) {
    if (!id.is_number_unsigned() || id.get<std::uint64_t>() > std::numeric_limits<std::int64_t>::max()) return false;
    to.push_back(id.get<std::int64_t>());
  }
  return true;
}

/// What the member that is of the wrong kind should be; null if all are right.
const char* read_members(const Json& json, ControlRequest& request) {
  constexpr std::int64_t kHuge = std::numeric_limits<std::int64_t>::max();
  std::int64_t max = static_cast<std::int64_t>(request.max);
  std::int64_t meter = -1;
  std::int64_t limit = request.limit.count();
  if (!number(json, "after", 0, kHuge, request.after)) return "'after' has to be a whole number";
  if (!number(json, "max", 1, static_cast<std::int64_t>(kMaxPage), max)) return "'max' has to be 1 to 1000";
  if (!id_list(json, request.ids)) return "'ids' has to be a list of at most 1000 whole numbers";
  if (!pattern(json, "queue", request.queue)) return "'queue' has to be {\"channel\": ..., \"endpoint\": ...}";
  if (!pattern(json, "to", request.to)) return "'to' has to be {\"channel\": ..., \"endpoint\": ...}";
  if (!number(json, "meter", 0, 1'000'000, meter)) return "'meter' has to be its number";
  if (!text(json, "device", request.device)) return "'device' has to be a text";
  if (!number(json, "seconds", 1, kLongestLending.count(), limit)) return "'seconds' has to be 1 to 3600";
  request.max = static_cast<std::size_t>(max);
  if (meter >= 0) request.meter = static_cast<int>(meter);
  request.limit = std::chrono::seconds{limit};
  return nullptr;
}

/// What the request lacks; null if nothing.
const char* missing(const ControlRequest& request) {
  switch (request.kind) {
    case Kind::requeue:
    case Kind::forget: return request.ids.empty() ? "'ids' is missing" : nullptr;
    case Kind::retarget:
      if (request.to.channel.empty()) return "'to' is missing";
      [[fallthrough]];
    case Kind::export_queue:
    case Kind::drop: return request.queue.channel.empty() ? "'queue' is missing" : nullptr;
    case Kind::pause:
    case Kind::resume: return request.meter ? nullptr : "'meter' is missing";
    case Kind::lend: return request.meter || !request.device.empty() ? nullptr : "'meter' or 'device' is missing";
    case Kind::status:
    case Kind::queues:
    case Kind::rejected:
    case Kind::back: return nullptr;
  }
  return nullptr;
}

Json to_json(const QueuePattern& pattern) { return {{"channel", pattern.channel}, {"endpoint", pattern.endpoint}}; }

}  // namespace

Expected<ControlRequest> parse_request(std::string_view line) {
  if (line.size() > kMaxRequest) return wrong("the request is too long");
  const Json json = Json::parse(line, nullptr, false);
  if (!json.is_object()) return wrong("a request has to be a line with a JSON object");
  std::string name;
  if (!text(json, "request", name) || name.empty())
    return wrong(fmt::format("'request' has to be one of: {}", known_requests()));
  const auto found = std::find_if(kNames.begin(), kNames.end(), [&](const auto& known) { return known.first == name; });
  if (found == kNames.end()) return wrong(fmt::format("this daemon knows the requests {}", known_requests()));
  ControlRequest request;
  request.kind = found->second;
  if (const char* problem = read_members(json, request)) return wrong(problem);
  if (const char* problem = missing(request)) return wrong(problem);
  return request;
}

std::string request_line(const ControlRequest& request) {
  const ControlRequest usual;
  Json json = Json::object();
  for (const auto& [name, kind] : kNames)
    if (kind == request.kind) json["request"] = name;
  if (request.after != usual.after) json["after"] = request.after;
  if (request.max != usual.max) json["max"] = request.max;
  if (!request.ids.empty()) json["ids"] = request.ids;
  if (!request.queue.channel.empty()) json["queue"] = to_json(request.queue);
  if (!request.to.channel.empty()) json["to"] = to_json(request.to);
  if (request.meter) json["meter"] = *request.meter;
  if (!request.device.empty()) json["device"] = request.device;
  if (request.limit != usual.limit) json["seconds"] = request.limit.count();
  return dump(json);
}

Json good_answer() { return {{"ok", true}}; }

Json bad_answer(const Error& error) {
  Json answer{{"ok", false}, {"error", error.where.empty() ? error.what : error.where + ": " + error.what}};
  if (!error.remedy.empty()) answer["remedy"] = error.remedy;
  return answer;
}

}  // namespace vz::local
