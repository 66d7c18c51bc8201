// SPDX-License-Identifier: GPL-3.0-or-later
#include "sim/planted.hpp"

namespace vz::sim {
std::span<const PlantedBug> planted_bugs() { return {}; }
}  // namespace vz::sim
