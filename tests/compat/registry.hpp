// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "compat/fake_registry.hpp"

namespace vz::compat {

/// The protocols and APIs against which the cases run.
inline config::Registry registry() { return fake::registry(); }

}  // namespace vz::compat
