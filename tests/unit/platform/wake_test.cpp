// SPDX-License-Identifier: GPL-3.0-or-later
#include "vz/wake.hpp"

#include <poll.h>

#include <thread>

#include "platform/clock.hpp"
#include "platform/wait.hpp"

namespace vz {
namespace {

bool readable(int fd) {
  pollfd set{fd, POLLIN, 0};
  return ::poll(&set, 1, 0) == 1;
}

TEST(Wake, IsReadableFromWakeToClear) {
  Wake wake;
  EXPECT_FALSE(readable(wake.fd()));
  wake.wake();
  wake.wake();
  EXPECT_TRUE(readable(wake.fd()));
  wake.clear();
  EXPECT_FALSE(readable(wake.fd()));
  EXPECT_FALSE(wake.stop_requested());
}

TEST(Wake, StopWakesAndIsNeverForgotten) {
  std::stop_source source;
  Wake wake;
  wake.follow(source.get_token());
  EXPECT_FALSE(readable(wake.fd()));
  source.request_stop();
  EXPECT_TRUE(readable(wake.fd()));
  wake.clear();
  EXPECT_TRUE(readable(wake.fd()));
  EXPECT_TRUE(wake.stop_requested());
}

TEST(Wake, FollowsATokenThatHasStoppedAlready) {
  std::stop_source source;
  source.request_stop();
  Wake wake;
  wake.follow(source.get_token());
  EXPECT_TRUE(readable(wake.fd()));
}

TEST(Wake, MayGoBeforeItsToken) {
  std::stop_source source;
  {
    Wake wake;
    wake.follow(source.get_token());
  }
  source.request_stop();
}

TEST(WaitFor, ADistantDeadlineEndsWithAWakeUpFromAnotherThread) {
  Wake wake;
  std::jthread other{[&] { wake.wake(); }};
  EXPECT_EQ(platform::wait_for(-1, 0, MonoTime::max(), wake).end, platform::WaitEnd::woken);
}

TEST(WaitFor, APastDeadlineStillLooksOnce) {
  Wake wake;
  Wake ready;
  ready.wake();
  EXPECT_EQ(platform::wait_for(ready.fd(), POLLIN, MonoTime{}, wake).end, platform::WaitEnd::ready);
  EXPECT_EQ(platform::wait_for(-1, 0, MonoTime{}, wake).end, platform::WaitEnd::timeout);
  wake.wake();
  EXPECT_EQ(platform::wait_for(ready.fd(), POLLIN, MonoTime{}, wake).end, platform::WaitEnd::woken);
}

TEST(SystemClock, ReadsBothClocks) {
  const SystemClock clock;
  const auto wall = std::chrono::system_clock::now();
  const auto mono = std::chrono::steady_clock::now();
  const Instant now = clock.now();
  EXPECT_GE(now.mono, mono);
  EXPECT_GE(now.wall, std::chrono::floor<std::chrono::milliseconds>(wall));
  EXPECT_LE(now.mono, std::chrono::steady_clock::now());
}

}  // namespace
}  // namespace vz
