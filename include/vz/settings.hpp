// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "vz/identifier.hpp"
#include "vz/options.hpp"
#include "vz/unit.hpp"

namespace vz {

struct Protocol;
struct SinkType;

enum class AggMode { none, max, sum, avg };

/// One channel of the configuration, validated.
struct ChannelSettings {
  int number = 0;               ///< chn<number>, counted over all meters in file order, disabled ones included
  std::string uuid;             ///< as written
  std::string identifier_text;  ///< as written, or "NilIdentifier"
  Identifier identifier;
  std::string api_text;         ///< as written
  const SinkType* sink = nullptr;
  AggMode aggmode = AggMode::none;
  int duplicates = 0;
  std::optional<Unit> unit{};   ///< the numbers are converted to this one; none: they stay the meter's
  std::string mqtt_topic;
  Options options;              ///< of the sink; those of a disabled meter's channels may lack required values
};

/// One meter of the configuration, validated.
struct MeterSettings {
  int number = 0;               ///< mtr<number>
  const Protocol* protocol = nullptr;  ///< never null
  bool enabled = false;
  bool allowskip = false;
  int interval = -1;            ///< seconds; <= 0: none. 0 where the protocol does not allow one
  int aggtime = -1;             ///< seconds; <= 0: none
  bool aggfixedinterval = false;
  Options options;              ///< of the protocol; those of a disabled meter may lack required values
  std::vector<ChannelSettings> channels;
};

/// The section `local`.
struct LocalSettings {
  bool enabled = false;
  int port = 8080;
  bool index = false;
  int timeout = 30;
  int buffer = -1;
  std::string address;          ///< where it listens; empty: everywhere
  std::string cors;             ///< the web pages that may read it; empty: none
  int connections = 640;        ///< at once
};

/// The whole configuration, validated.
struct Settings {
  std::optional<int> verbosity;
  std::string log;
  int retry = 15;
  bool i_have_a_time_machine = false;
  LocalSettings local;
  std::vector<std::string> push_urls;
  Options outbox;               ///< of the table outbox_options(), defaults if the section is not there
  Options mqtt;                 ///< of the table config::mqtt_options(), defaults if the section is not there
  std::vector<MeterSettings> meters;
};

}  // namespace vz
