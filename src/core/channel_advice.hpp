// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "vz/identifier.hpp"
#include "vz/settings.hpp"
#include "vz/unit.hpp"

namespace vz {

/// What a channel of the Volkszähler middleware has to be like for a register's numbers to mean what the meter means:
/// resolution is the number of the register's units in a kWh, a cubic metre or a litre, as the type counts them. The
/// classic mistake is kWh in a channel of resolution 1000. Pure.
struct ChannelAdvice {
  std::string_view type;              ///< the middleware's name: "electric meter"
  std::string_view german;            ///< the frontend's: "El. Energie (Zählerstände)"
  std::optional<double> resolution;   ///< none: the type needs none
  std::string title;                  ///< a proposal
  std::string unit;                   ///< of the number: the meter's, or the usual one of its protocol
  bool unit_is_known = false;         ///< the meter said so
};

/// For a register of that identifier and unit (empty: not known; then the protocol's usual one is taken). Empty for what
/// no type of the middleware fits, e.g. a serial number. `per_kwh` is the s0 meter's option `resolution`.
std::optional<ChannelAdvice> advise_channel(const Identifier& identifier, const Unit& unit, std::string_view protocol,
                                            double per_kwh = 1000);

/// The same for a register of a configured meter, whose unit is not known yet.
std::optional<ChannelAdvice> advise_channel(const MeterSettings& meter, const Identifier& identifier);

/// Why a channel of that type and resolution would show wrong numbers, and what would be right; empty if it is right, or
/// cannot be judged.
std::string channel_misfit(const ChannelAdvice& advice, std::string_view type, std::optional<double> resolution);

}  // namespace vz
