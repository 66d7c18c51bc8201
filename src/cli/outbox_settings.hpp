// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "outbox/durable_outbox.hpp"
#include "vz/settings.hpp"

namespace vz::cli {

/// What the configuration says about the outbox; where it says nothing about its place the folder that the service
/// manager (or whoever sets it) gave counts: `state_directory` is STATE_DIRECTORY, or null.
DurableSettings durable_settings(const Options& outbox, const char* state_directory);

}  // namespace vz::cli
