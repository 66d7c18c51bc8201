// SPDX-License-Identifier: GPL-3.0-or-later
#include "sinks/push/document.hpp"

#include <algorithm>
#include <vector>

#include "core/number_text.hpp"

namespace vz::sinks::push {
namespace {

constexpr std::size_t kBytesPerReading = 40;
constexpr std::size_t kBytesPerChannel = 80;

void append_tuples(std::string& out, std::string_view uuid, std::span<const PushReading> readings) {
  bool first = true;
  for (const auto& reading : readings) {
    if (reading.uuid != uuid) continue;
    if (!first) out += ", ";
    first = false;
    out += "[ ";
    append_number(out, std::int64_t{reading.stamp.time_since_epoch().count()});
    out += ", ";
    append_number(out, reading.value);
    out += " ]";
  }
}

}  // namespace

std::string document(std::span<const PushReading> readings) {
  std::vector<std::string_view> uuids;
  for (const auto& reading : readings)
    if (std::find(uuids.begin(), uuids.end(), reading.uuid) == uuids.end()) uuids.push_back(reading.uuid);
  std::string out;
  out.reserve(readings.size() * kBytesPerReading + uuids.size() * kBytesPerChannel + kBytesPerChannel);
  out += "{ \"data\": [ ";
  bool first = true;
  for (const auto uuid : uuids) {
    if (!first) out += ", ";
    first = false;
    out += "{ \"uuid\": \"";
    out += uuid;  // of hex digits and dashes, the configuration saw to that
    out += "\", \"tuples\": [ ";
    append_tuples(out, uuid, readings);
    out += " ] }";
  }
  out += uuids.empty() ? "] }" : " ] }";
  return out;
}

HttpRequest request(const std::string& url, std::string_view user_agent, std::span<const PushReading> readings) {
  return {.method = "POST",
          .url = url,
          .headers = {"Content-type: application/json", "Accept: application/json", "User-Agent: " + std::string{user_agent}},
          .body = document(readings),
          .timeout = kTimeout};
}

}  // namespace vz::sinks::push
