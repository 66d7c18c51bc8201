// SPDX-License-Identifier: GPL-3.0-or-later
#include "platform/give_way.hpp"

#include <sched.h>

#include <thread>

namespace vz::platform {
namespace {

TEST(GiveWay, IsForTheCallingThreadAlone) {
  const int before = ::sched_getscheduler(0);
  int inside = -1;
  std::thread([&] {
    give_way();
    inside = ::sched_getscheduler(0);
  }).join();
  EXPECT_EQ(inside, SCHED_BATCH);
  EXPECT_EQ(::sched_getscheduler(0), before);
}

}  // namespace
}  // namespace vz::platform
