// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>

#include "core/aggregator.hpp"
#include "vz/settings.hpp"

// Topics and payloads, as the old daemon's subscribers know them. Pure.

namespace vz::mqtt {

/// `<prefix>/<mqtt_topic, or chnN>/`: what the topics of a channel begin with.
std::string channel_topic(const std::string& prefix, const ChannelSettings& channel);
/// `<prefix>/status`: whether this program is connected.
std::string status_topic(const std::string& prefix);
/// `<prefix>/mtr<N>/status`: whether that meter is being read.
std::string meter_status_topic(const std::string& prefix, int meter);

/// Replaces `out` by a value: six decimals, or with its time `{ "timestamp": 1795343441727, "value": 1.5 }`.
enum class Form { bare, with_timestamp };
void write_payload(std::string& out, Point reading, Form form);

}  // namespace vz::mqtt
