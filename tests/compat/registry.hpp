// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <vector>

#include "compat/fake_registry.hpp"

namespace vz::compat {

/// The protocols and APIs against which the cases run: those of the program, and stand-ins for what the old daemon has and
/// this build has not.
inline config::Registry registry() {
  const auto merged = [](auto real, auto stand_ins) {
    std::vector<typename decltype(real)::value_type> all(real.begin(), real.end());
    for (const auto* stand_in : stand_ins) {
      bool known = false;
      for (const auto* one : real) known = known || one->name == stand_in->name;
      if (!known) all.push_back(stand_in);
    }
    return all;
  };
  static const auto protocols = merged(all_protocols(), fake::registry().protocols);
  static const auto sinks = merged(all_sinks(), fake::registry().sinks);
  return {protocols, sinks};
}

}  // namespace vz::compat
