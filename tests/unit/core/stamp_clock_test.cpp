// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/stamp_clock.hpp"

#include "support/pch.hpp"

namespace vz {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

class Machine final : public Clock {
 public:
  Instant now() const override { return {mono, wall}; }
  void pass(milliseconds time) {
    mono += time;
    wall += time;
  }
  MonoTime mono{seconds{100}};
  WallTime wall{seconds{1'700'000'000}};
};

TEST(StampClock, FollowsTheMachine) {
  Machine machine;
  const StampClock clock{machine, WallTime{}};
  EXPECT_EQ(clock.now().wall, machine.wall);
  machine.pass(seconds{10});
  EXPECT_EQ(clock.now().wall, machine.wall);
  machine.wall += std::chrono::hours{1};
  EXPECT_EQ(clock.now().wall, machine.wall);
  EXPECT_EQ(clock.steps().slowed + clock.steps().followed, 0U);
}

TEST(StampClock, RunsSlowerAfterASmallStepBack) {
  Machine machine;
  const StampClock clock{machine, WallTime{}};
  const WallTime before = clock.now().wall;
  machine.wall -= seconds{30};
  WallTime last = before;
  for (int second = 1; second <= 59; ++second) {
    machine.pass(seconds{1});
    const WallTime now = clock.now().wall;
    EXPECT_EQ(now - last, milliseconds{500}) << second;
    last = now;
  }
  machine.pass(seconds{2});
  EXPECT_EQ(clock.now().wall, machine.wall);  // caught up after a minute
  EXPECT_EQ(clock.steps().slowed, 1U);
}

TEST(StampClock, TakesTheNewTimeAfterALargeStepBack) {
  Machine machine;
  const StampClock clock{machine, WallTime{}};
  (void)clock.now();
  machine.wall -= minutes{6};
  EXPECT_EQ(clock.now().wall, machine.wall);
  EXPECT_EQ(clock.steps().followed, 1U);
}

TEST(StampClock, ManyLooksWhileItIsSlowAddUp) {
  Machine machine;
  const StampClock clock{machine, WallTime{}};
  const WallTime before = clock.now().wall;
  machine.wall -= seconds{30};
  for (int i = 0; i < 10'000; ++i) {
    machine.pass(milliseconds{1});
    (void)clock.now();
  }
  EXPECT_EQ(clock.now().wall - before, seconds{5});
}

TEST(StampClock, IsNotTrustedBeforeItsOwnBuildOrWhileSettling) {
  Machine machine;
  bool settling = true;
  const StampClock clock{machine, machine.wall + seconds{1}, [&] { return settling; }};
  EXPECT_FALSE(clock.trusted());
  machine.pass(seconds{2});
  EXPECT_FALSE(clock.trusted());
  settling = false;
  EXPECT_TRUE(clock.trusted());
  settling = true;
  EXPECT_TRUE(clock.trusted());  // once settled it stays so
}

}  // namespace
}  // namespace vz

namespace vz {
namespace {

TEST(StampClock, DoesNotBelieveATimeBeforeTheOneOfAnEarlierBoot) {
  Machine machine;
  bool synchronised = false;
  StampClock clock{machine, WallTime{}, {}, [&] { return synchronised; }};
  EXPECT_TRUE(clock.trusted());
  const WallTime last = machine.wall + minutes{30};
  clock.go_on_from(last, StampClock::Boot::earlier);
  EXPECT_FALSE(clock.trusted());
  machine.pass(minutes{29});
  EXPECT_FALSE(clock.trusted());
  machine.pass(minutes{1});
  EXPECT_TRUE(clock.trusted());
  machine.wall -= minutes{10};
  EXPECT_TRUE(clock.trusted()) << "from now on the machine knows";
}

TEST(StampClock, BelievesTheKernelMoreThanAnEarlierBoot) {
  Machine machine;
  bool synchronised = false;
  StampClock clock{machine, WallTime{}, {}, [&] { return synchronised; }};
  clock.go_on_from(machine.wall + std::chrono::hours{24 * 365}, StampClock::Boot::earlier);
  EXPECT_FALSE(clock.trusted());
  synchronised = true;
  EXPECT_TRUE(clock.trusted());
  EXPECT_EQ(clock.now().wall, machine.wall);
}

TEST(StampClock, DoubtsForADayAtMost) {
  Machine machine;
  StampClock clock{machine, WallTime{}};
  clock.go_on_from(machine.wall + std::chrono::hours{24 * 365}, StampClock::Boot::earlier);
  machine.pass(std::chrono::hours{23});
  EXPECT_FALSE(clock.trusted());
  machine.pass(std::chrono::hours{1});
  EXPECT_TRUE(clock.trusted());
}

TEST(StampClock, AStepBackWhileNoProcessRanIsAStepBack) {
  Machine machine;
  StampClock small{machine, WallTime{}};
  const WallTime last = machine.wall + minutes{1};
  small.go_on_from(last, StampClock::Boot::this_one);
  EXPECT_TRUE(small.trusted());
  EXPECT_EQ(small.now().wall, last);
  machine.pass(seconds{10});
  EXPECT_EQ(small.now().wall, last + seconds{5});
  StampClock large{machine, WallTime{}};
  large.go_on_from(machine.wall + minutes{6}, StampClock::Boot::this_one);
  EXPECT_TRUE(large.trusted());
  EXPECT_EQ(large.now().wall, machine.wall);
  EXPECT_EQ(large.steps().followed, 1U);
}

}  // namespace
}  // namespace vz
