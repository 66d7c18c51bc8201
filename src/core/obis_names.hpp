// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>
#include <string_view>

#include "vz/obis.hpp"

namespace vz {

/// What a register means, in plain words: English, with the German terms that stand on meters and in forums
/// in brackets: "energy drawn, tariff 1 (Bezug, Tarif 1)". Empty for codes that are not known. IEC 62056-61, EN 13757-1 and
/// DSMR P1, as far as household meters use them. Groups that were not given mean the usual. Pure.
std::string obis_meaning(const Obis& code);

/// The maker behind the three letters with which meters identify themselves (FLAG Association), in any letter case. Empty
/// for letters that are not known. Pure.
std::string_view meter_maker(std::string_view letters);

}  // namespace vz
