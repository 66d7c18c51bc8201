// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/backoff.hpp"

namespace vz {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using namespace std::chrono_literals;

void expect_near(milliseconds pause, milliseconds nominal) {
  EXPECT_GE(pause, nominal * 8 / 10 - 1ms);
  EXPECT_LE(pause, nominal * 12 / 10);
}

TEST(Backoff, DoublesFromTheFirstPauseToTheCap) {
  JitterSource jitter{7};
  Backoff backoff{15s};
  for (const seconds nominal : {15s, 30s, 60s, 120s, 240s, 300s, 300s, 300s})
    expect_near(backoff.next(jitter), nominal);
}

TEST(Backoff, StartsAgainAfterASuccess) {
  JitterSource jitter{7};
  Backoff backoff{15s};
  for (int i = 0; i < 5; ++i) backoff.next(jitter);
  backoff.reset();
  expect_near(backoff.next(jitter), 15s);
  expect_near(backoff.next(jitter), 30s);
}

TEST(Backoff, CapGrowsWithTheFirstPause) {
  JitterSource jitter{7};
  Backoff backoff{1000s};
  for (int i = 0; i < 4; ++i) expect_near(backoff.next(jitter), 1000s);
}

TEST(Backoff, ZeroAndNegativeMeanOneSecond) {
  for (const seconds first : {0s, -1s, seconds::min()}) {
    JitterSource jitter{7};
    Backoff backoff{first};
    expect_near(backoff.next(jitter), 1s);
    expect_near(backoff.next(jitter), 2s);
  }
}

TEST(Backoff, TheLargestPauseDoesNotOverflow) {
  JitterSource jitter{7};
  Backoff backoff{seconds::max(), seconds::max()};
  for (int i = 0; i < 100; ++i) EXPECT_GT(backoff.next(jitter), 24h);
}

TEST(Backoff, JitterSpreadsAndReplays) {
  JitterSource jitter{1};
  JitterSource same{1};
  milliseconds least = milliseconds::max();
  milliseconds most{0};
  for (int i = 0; i < 1000; ++i) {
    Backoff backoff{100s};
    const milliseconds pause = backoff.next(jitter);
    Backoff again{100s};
    EXPECT_EQ(again.next(same), pause);
    least = std::min(least, pause);
    most = std::max(most, pause);
  }
  EXPECT_LT(least, 82s);
  EXPECT_GT(most, 118s);
}

TEST(JitterSource, IsTheSameEverywhere) {
  // SplitMix64's published first outputs for seed 1234567
  JitterSource jitter{1234567};
  EXPECT_EQ(jitter.next(), 6457827717110365317U);
  EXPECT_EQ(jitter.next(), 3203168211198807973U);
}

}  // namespace
}  // namespace vz
