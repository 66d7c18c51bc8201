// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <vector>

#include "tools/metersim/wire.hpp"
#include "vz/time.hpp"

namespace vz::metersim {

/// One thing that happened, for the log. `name` is a literal.
struct Event {
  std::string_view name;
  Instant at;
  nlohmann::ordered_json fields;
};

/// What the meter wants after it was told something.
struct MeterOut {
  std::optional<Transmission> send;     ///< at most one is under way at any time
  std::optional<MonoDuration> hang_up;  ///< take the line away for so long
  std::vector<Event> events;
};

/// A meter as the simulator sees it: a state machine without I/O that is told characters and time, and asks for
/// transmissions and timers.
class Device {
 public:
  virtual ~Device() = default;

  /// Switches the meter on; a pushing one sends its first telegram at once.
  virtual void start(Instant now, MeterOut& out) = 0;
  /// One character was on the line.
  virtual void received(const Character& character, Instant now, MeterOut& out) = 0;
  /// The first, or the last byte of the transmission is out.
  virtual void transmission_began(Instant now, MeterOut& out) = 0;
  virtual void transmission_ended(Instant now, MeterOut& out) = 0;
  /// Call timer_expired() then. Changes with every call.
  [[nodiscard]] virtual std::optional<MonoTime> timer() const = 0;
  virtual void timer_expired(Instant now, MeterOut& out) = 0;
  /// A pushing meter does not begin a telegram while nobody listens (where that can be known).
  virtual void set_listener(bool there, Instant now) = 0;

  /// Speed at which the meter listens at the moment.
  [[nodiscard]] virtual unsigned baud() const = 0;
  /// All readouts that were asked for are done.
  [[nodiscard]] virtual bool finished() const = 0;
  /// Readouts begun so far.
  [[nodiscard]] virtual std::uint64_t readouts() const = 0;
  /// 7, or 8 data bits.
  [[nodiscard]] virtual unsigned data_bits() const = 0;
  /// It sends without being asked.
  [[nodiscard]] virtual bool sends_by_itself() const = 0;
};

}  // namespace vz::metersim
