// SPDX-License-Identifier: GPL-3.0-or-later
#include "sinks/mqtt/messages.hpp"

#include <fmt/format.h>

#include <iterator>

#include "core/number_text.hpp"

namespace vz::mqtt {

std::string channel_topic(const std::string& prefix, const ChannelSettings& channel) {
  return channel.mqtt_topic.empty() ? fmt::format("{}/chn{}/", prefix, channel.number)
                                    : fmt::format("{}/{}/", prefix, channel.mqtt_topic);
}

std::string status_topic(const std::string& prefix) { return prefix + "/status"; }

std::string meter_status_topic(const std::string& prefix, int meter) { return fmt::format("{}/mtr{}/status", prefix, meter); }

void write_payload(std::string& out, Point reading, Form form) {
  out.clear();
  if (form == Form::bare) {
    fmt::format_to(std::back_inserter(out), "{:.6f}", reading.value);
    return;
  }
  out += "{ \"timestamp\": ";
  append_number(out, static_cast<std::int64_t>(reading.stamp.time_since_epoch().count()));
  out += ", \"value\": ";
  append_number(out, reading.value);
  out += " }";
}

}  // namespace vz::mqtt
