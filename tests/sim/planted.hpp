// SPDX-License-Identifier: GPL-3.0-or-later
// Bugs that are planted into copies of the sources (tests/sim/bugs, plant.cmake), to see that the simulation finds them.
#pragma once

#include <span>
#include <string_view>

namespace vz::sim {

struct PlantedBug {
  int number = 0;
  std::string_view name;
};

/// The bugs of this program; none in one that was built from the sources as they are.
std::span<const PlantedBug> planted_bugs();
/// Switches one of them on, and the others off.
void plant(int number);
/// For the planted code.
bool planted(int number);

}  // namespace vz::sim
