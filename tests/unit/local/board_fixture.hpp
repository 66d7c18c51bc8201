// SPDX-License-Identifier: GPL-3.0-or-later
// A configuration for tests of the local interface, and a clock that belongs to the test.
#pragma once

#include <string>
#include <vector>

#include "local/reading_board.hpp"
#include "vz/protocol.hpp"
#include "vz/settings.hpp"

namespace vz::local {

inline constexpr long long kNow = 1'795'343'270'485;
inline constexpr const char* kUuidA = "550e8400-e29b-11d4-a716-446655440000";
inline constexpr const char* kUuidB = "01234567-89ab-cdef-0123-456789abcdef";

inline WallTime at(long long ms) { return WallTime{std::chrono::milliseconds{ms}}; }

class HandClock final : public Clock {
 public:
  [[nodiscard]] Instant now() const override { return {MonoTime{} + std::chrono::hours{1}, wall}; }
  [[nodiscard]] bool trusted() const override { return sane; }
  WallTime wall = at(kNow);
  bool sane = true;
};

/// Channel 0: random, uuid A. Channels 1 and 2: d0 (disabled), uuids B and A.
class Meters {
 public:
  Meters() {
    random_.name = "random";
    d0_.name = "d0";
    all.resize(2);
    all[0].protocol = &random_;
    all[0].enabled = true;
    all[0].interval = 1;
    all[1].protocol = &d0_;
    all[0].channels = {channel(0, kUuidA, {})};
    all[1].channels = {channel(1, kUuidB, Identifier::parse(IdentifierKind::obis, "1-0:1.8.0*255").value()),
                       channel(2, kUuidA, Identifier{std::string{"Impulse"}})};
  }
  [[nodiscard]] const ChannelSettings& operator[](int number) const {
    return number == 0 ? all[0].channels[0] : all[1].channels[static_cast<std::size_t>(number - 1)];
  }
  std::vector<MeterSettings> all;

 private:
  static ChannelSettings channel(int number, std::string uuid, Identifier identifier) {
    ChannelSettings settings;
    settings.number = number;
    settings.uuid = std::move(uuid);
    settings.identifier = std::move(identifier);
    return settings;
  }
  Protocol random_{};
  Protocol d0_{};
};

/// A raw reading, and the same out of the aggregation.
inline void read(ReadingBoard& board, const ChannelSettings& channel, long long ms, double value) {
  board.raw(channel, Reading{channel.identifier, value, {}, at(ms)});
  board.aggregated(channel, value, at(ms));
}

}  // namespace vz::local
