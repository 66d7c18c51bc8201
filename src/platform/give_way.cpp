// SPDX-License-Identifier: GPL-3.0-or-later
#include "platform/give_way.hpp"

#include <sched.h>

namespace vz::platform {

void give_way() {
  const sched_param none{};
  (void)::sched_setscheduler(0, SCHED_BATCH, &none);  // 0: this thread
}

}  // namespace vz::platform
