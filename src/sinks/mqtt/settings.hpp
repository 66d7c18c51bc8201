// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>
#include <string_view>

#include "vz/mqtt.hpp"
#include "vz/options.hpp"

namespace vz::mqtt {

/// The section `mqtt`, typed.
struct Settings {
  bool enabled = false;
  MqttBroker broker;
  std::string topic;
  bool retain = false;
  bool raw_and_agg = false;
  int qos = 0;
  bool timestamp = false;
  bool discovery = false;
  std::string discovery_prefix;
  /// Why nothing can be published with this section although it is enabled; empty if all is well. The configuration's
  /// own check has told of a missing host or port already: that is `enabled` false.
  std::string trouble;

  /// Whether what waits does so in the outbox: it has a time, and somebody who acknowledges it.
  [[nodiscard]] bool durable() const { return timestamp && qos > 0; }
};

/// Of validated options of config::mqtt_options(). `default_id` is the client id if none is given. TLS is on if any of
/// its files is given. Pure.
Settings settings(const Options& options, std::string default_id);

/// `mqtt://host:port`, IPv6 addresses in brackets, no secrets: the broker's lasting name, with TLS or without.
std::string broker_name(const MqttBroker& broker);

/// What is wrong with a topic to publish to (MQTT 3.1.1, 4.7), as it goes on after the topic; empty if nothing is.
std::string topic_defect(std::string_view topic);

}  // namespace vz::mqtt
