// SPDX-License-Identifier: GPL-3.0-or-later
#include "sim/planted.hpp"

namespace vz::sim {
namespace {
int g_planted = 0;
}

void plant(int number) { g_planted = number; }
bool planted(int number) { return g_planted == number; }

}  // namespace vz::sim
