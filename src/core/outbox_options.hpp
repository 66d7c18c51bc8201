// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <span>

#include "vz/options.hpp"

namespace vz {

/// The options of the section `outbox`: where readings that cannot be delivered wait. Constant.
std::span<const OptionSpec> outbox_options();

}  // namespace vz
