// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <optional>
#include <vector>

#include "protocols/sml/file.hpp"
#include "vz/reading.hpp"
#include "vz/session.hpp"

namespace vz::sml {

/// Whether power that is marked as a signed number of one or two bytes is really unsigned. Some meters of DZG shorten
/// the number to the bytes that an unsigned one needs, so that 350 W become -305 W.
enum class UnsignedPower : std::uint8_t {
  automatic,  ///< for 1-0:16.7.0 of the DZG meters whose serial numbers are known to do it
  on,         ///< for every power of this meter
  off,        ///< never
};

/// How registers become readings.
struct MappingSettings {
  bool use_local_time = false;
  UnsignedPower unsigned_power = UnsignedPower::automatic;
  bool sign_from_status = false;
  std::optional<unsigned> status_sign_bit;  ///< of the status word; none: the one that its layout says
};

/// Meter and host may differ by this much for the meter's time to be believed: clocks drift by minutes, while a
/// wrong time zone is half an hour at least and a seconds counter decades.
inline constexpr std::chrono::minutes kPlausible{10};

/// Appends the readings of a list, in its order. Registers without a number and codes that no channel could name make
/// none. `arrival` is the stamp of those whose meter time is not given or not believed. False if the list's structure is
/// broken; what was read before stands. Pure.
/// With `text` all registers are told there, too, the server's id as the identification.
bool append_readings(ListReader& list, const MappingSettings& settings, WallTime arrival, std::vector<Reading>& readings,
                     TelegramText* text = nullptr);

/// The bit of a status word that is set while energy flows to the grid; none if the layout is not known.
std::optional<unsigned> feed_in_bit(std::uint64_t status);

}  // namespace vz::sml
