// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>
#include <string_view>

#include "vz/settings.hpp"
#include "vz/unit.hpp"

// What Home Assistant is told about meters and channels (its "MQTT discovery"). Pure.

namespace vz::mqtt {

/// How Home Assistant is to see a value; empty texts are left out of the document.
struct SensorClass {
  std::string_view device_class;  ///< "energy", "power", ...
  std::string_view state_class;   ///< "total_increasing" for counters, "total" for those that may fall, "measurement"
  std::string unit;               ///< in Home Assistant's spelling: m³, not m3
};

/// From what is measured and the unit the meter gives. Without a unit there is no class either, because the number alone
/// does not tell Wh from kWh. Sums and history values have no state class: they neither only rise nor are they momentary.
SensorClass classify(const Identifier& identifier, const Unit& unit, AggMode aggmode);

/// "Energy import", "Voltage L1"; the identifier's own text for what has no name here.
std::string entity_name(const ChannelSettings& channel);

/// A name for a channel that stays while its uuid and its identifier do, and does not give the uuid away: a uuid is a
/// write key, and a discovery document is kept by the broker for all to read.
std::string stable_id(const ChannelSettings& channel);

struct DiscoveryMessage {
  std::string topic;
  std::string payload;
};

/// What one entity's document is made of. References are to things that live longer.
struct DiscoveryFacts {
  const MeterSettings& meter;
  const ChannelSettings& channel;
  Unit unit;
  std::string id;           ///< stable_id(), made unique among all channels
  std::string device_id;    ///< that of the meter
  std::string state_topic;
  std::string prefix;       ///< of all topics of ours
  std::string discovery_prefix;
  std::string_view version;
  bool timestamp = false;
};

/// The document of one channel: `<discovery prefix>/sensor/<device id>/<id>/config`.
DiscoveryMessage discovery_message(const DiscoveryFacts& facts);

}  // namespace vz::mqtt
