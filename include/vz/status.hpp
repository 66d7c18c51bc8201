// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "vz/outbox.hpp"
#include "vz/session.hpp"
#include "vz/time.hpp"

namespace vz {

/// How the daemon does, as one copy of plain values: what the control socket, /metrics, /healthz and the service manager's
/// status line are made from. Holds no secret: a uuid appears as its last six characters (`label`), URLs without user,
/// password and token. Texts are for people.
struct ChannelReport {
  int number = 0;              ///< chn<number>
  std::string label;           ///< "channel ...a1b2c3"
  std::string identifier;      ///< as configured
  std::string endpoint;        ///< where it goes; empty if its api sends nothing
  std::optional<double> last_value;  ///< raw, as it matched
  std::optional<WallTime> last_reading;
  std::string trouble;         ///< of this channel alone, e.g. an unknown uuid; empty if all is well
  std::optional<WallTime> trouble_since;
  std::optional<WallTime> last_success;
  QueueStats queue;
};

struct MeterReport {
  enum class State {
    disabled,
    away,       ///< the line cannot be opened, or was lost
    connected,
    silent,     ///< connected, but nothing comes
    paused,     ///< on request
    lent,       ///< the line is lent to another process
  };
  int number = 0;         ///< mtr<number>
  std::string protocol;
  std::string line;       ///< device or host:port
  State state = State::away;
  std::uint64_t telegrams = 0;
  std::uint64_t opened = 0;  ///< how often the line was opened
  std::array<std::uint64_t, kFaultKinds> faults{};
  std::optional<WallTime> last_reading;
  std::string trouble;    ///< empty while all is well
  std::optional<WallTime> trouble_since;
  std::vector<ChannelReport> channels;
};

struct EndpointReport {
  std::string endpoint;
  std::uint64_t requests = 0;
  std::uint64_t failures = 0;
  std::uint64_t waiting = 0;   ///< readings, all channels
  std::uint64_t accepted = 0;
  std::uint64_t rejected = 0;
  std::uint64_t dropped = 0;
  std::optional<WallTime> oldest;
  std::string trouble;
  std::optional<WallTime> trouble_since;
  std::optional<WallTime> next_try;
  std::optional<WallTime> last_success;
};

struct OutboxReport {
  std::string path;            ///< empty: memory alone
  bool durable = false;
  std::string trouble;
  std::uint64_t bytes = 0;         ///< on disk
  std::uint64_t ram_readings = 0;
  std::uint64_t dropped = 0;
  std::uint64_t orphan_queues = 0;
  std::uint64_t orphan_readings = 0;
};

/// Anything else that runs and can be in trouble: MQTT, push, the local HTTP server.
struct ServiceReport {
  std::string name;
  bool working = false;
  std::string trouble;
  std::optional<WallTime> trouble_since;
  std::vector<std::pair<std::string, std::uint64_t>> counters;  ///< name, value: "published", "queued", "dropped"
};

struct StatusReport {
  std::string version;
  WallTime now{};
  WallTime started{};
  std::vector<MeterReport> meters;
  std::vector<EndpointReport> endpoints;
  OutboxReport outbox;
  std::vector<ServiceReport> services;
};

/// Makes a report. Callable from any thread; takes each part's lock in turn, waits for no I/O.
using StatusSource = std::function<StatusReport()>;

}  // namespace vz
