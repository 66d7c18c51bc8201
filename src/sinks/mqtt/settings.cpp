// SPDX-License-Identifier: GPL-3.0-or-later
#include "sinks/mqtt/settings.hpp"

#include <fmt/format.h>

#include <utility>

namespace vz::mqtt {
namespace {

/// Room for what follows the prefix.
constexpr std::size_t kLongestTopic = 60'000;

/// Length of the UTF-8 sequence that begins `text`; 0 if it is none (RFC 3629, so no surrogates either).
std::size_t sequence_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t length = first >= 0xF0 && first < 0xF5 ? 4 : first >= 0xE0 && first < 0xF0 ? 3 : first >= 0xC2 && first < 0xE0 ? 2 : 0;
  if (length == 0 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i)
    if ((byte(i) & 0xC0U) != 0x80) return 0;
  const unsigned char second = byte(1);
  const bool overlong = (first == 0xE0 && second < 0xA0) || (first == 0xF0 && second < 0x90);
  const bool outside = (first == 0xED && second >= 0xA0) || (first == 0xF4 && second >= 0x90);
  return overlong || outside ? 0 : length;
}

std::string trouble_of(const Settings& settings, const TlsFiles& tls) {
  if (tls.certfile.empty() != tls.keyfile.empty())
    return fmt::format("mqtt.{} is given without mqtt.{}: a certificate needs its key. MQTT stays off rather than going on "
                       "without encryption or without the certificate",
                       tls.certfile.empty() ? "keyfile" : "certfile", tls.certfile.empty() ? "certfile" : "keyfile");
  if (const auto defect = topic_defect(settings.topic); !defect.empty())
    return fmt::format("mqtt.topic \"{}\" {}. MQTT stays off", settings.topic, defect);
  if (!settings.discovery) return {};
  if (settings.discovery_prefix.empty()) return "mqtt.discoveryPrefix is empty. MQTT stays off; the usual text is \"homeassistant\"";
  if (const auto defect = topic_defect(settings.discovery_prefix); !defect.empty())
    return fmt::format("mqtt.discoveryPrefix \"{}\" {}. MQTT stays off", settings.discovery_prefix, defect);
  return {};
}

}  // namespace

std::string topic_defect(std::string_view topic) {
  if (topic.size() > kLongestTopic) return fmt::format("is longer than {} bytes", kLongestTopic);
  if (topic.find_first_of("+#") != std::string_view::npos) return "holds + or #, which only subscriptions may have";
  for (std::size_t at = 0; at < topic.size();) {
    const std::size_t length = sequence_length(topic.substr(at));
    const auto c = static_cast<unsigned char>(topic[at]);
    if (length == 0) return "is not UTF-8";
    if (c < 0x20 || c == 0x7F) return "holds a control character";
    at += length;
  }
  return {};
}

std::string broker_name(const MqttBroker& broker) {
  const bool bare_ipv6 = broker.host.find(':') != std::string::npos && !broker.host.starts_with('[');
  return fmt::format("mqtt://{}{}{}:{}", bare_ipv6 ? "[" : "", broker.host, bare_ipv6 ? "]" : "", broker.port);
}

Settings settings(const Options& options, std::string default_id) {
  Settings result;
  result.topic = options.string("topic");
  result.retain = options.boolean("retain");
  result.raw_and_agg = options.boolean("rawAndAgg");
  result.qos = static_cast<int>(options.integer("qos"));
  result.timestamp = options.boolean("timestamp");
  result.discovery = options.boolean("discovery");
  result.discovery_prefix = options.string("discoveryPrefix");

  MqttBroker& broker = result.broker;
  broker.host = options.string("host");
  broker.port = options.has("port") ? static_cast<std::uint16_t>(options.integer("port")) : std::uint16_t{0};
  broker.keepalive = std::chrono::seconds{options.integer("keepalive")};
  broker.client_id = options.string("id").empty() ? std::move(default_id) : options.string("id");
  broker.user = options.string("user");
  broker.password = options.string("pass");
  TlsFiles tls{.cafile = options.string("cafile"),
               .capath = options.string("capath"),
               .certfile = options.string("certfile"),
               .keyfile = options.string("keyfile"),
               .keypass = options.string("keypass")};
  result.enabled = options.boolean("enabled") && !broker.host.empty() && broker.port != 0;
  result.trouble = trouble_of(result, tls);
  if (!tls.cafile.empty() || !tls.capath.empty() || !tls.certfile.empty() || !tls.keyfile.empty()) broker.tls = std::move(tls);
  if (result.discovery) broker.will = MqttWill{result.topic + "/status", "offline"};
  return result;
}

}  // namespace vz::mqtt
