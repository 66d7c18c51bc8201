// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

namespace vz::platform {

/// From now on the calling thread does not interrupt others when it is woken, but waits until they wait (SCHED_BATCH): for
/// threads that work off what others bring, so that whoever wakes one finishes first. Costs a context switch less each
/// time, and a meter is never kept waiting for a delivery. Where it is not permitted nothing changes.
void give_way();

}  // namespace vz::platform
