// SPDX-License-Identifier: GPL-3.0-or-later
#include "outbox/ram_outbox.hpp"

#include <atomic>
#include <thread>

namespace vz {
namespace {

WallTime at(long long ms) { return WallTime{std::chrono::milliseconds{ms}}; }

std::vector<QueuedReading> all(const Outbox& outbox, QueueId queue, std::size_t max = 1000) {
  std::vector<QueuedReading> out;
  outbox.peek(queue, max, out);
  return out;
}

std::vector<double> values(const Outbox& outbox, QueueId queue) {
  std::vector<double> out;
  for (const QueuedReading& reading : all(outbox, queue)) out.push_back(reading.value);
  return out;
}

using testing::ElementsAre;
using testing::IsEmpty;

TEST(RamOutbox, FindsAQueueByItsName) {
  RamOutbox outbox;
  const QueueId a = outbox.open({"http://a", "uuid"});
  const QueueId b = outbox.open({"http://b", "uuid"});
  EXPECT_NE(a, b);
  EXPECT_EQ(outbox.open({"http://a", "uuid"}), a);
  EXPECT_EQ(outbox.open({"http://b", "uuid"}), b);
}

TEST(RamOutbox, GivesTheOldestFirstAndKeepsThem) {
  RamOutbox outbox;
  const QueueId queue = outbox.open({"e", "c"});
  for (int i = 0; i < 5; ++i) outbox.push(queue, at(1000 + i), i);
  const auto first = all(outbox, queue, 2);
  ASSERT_EQ(first.size(), 2U);
  EXPECT_EQ(first[0].stamp, at(1000));
  EXPECT_EQ(first[1].value, 1.0);
  EXPECT_LT(first[0].sequence, first[1].sequence);
  EXPECT_FALSE(first[0].repeat);
  EXPECT_THAT(values(outbox, queue), ElementsAre(0, 1, 2, 3, 4));

  std::vector<QueuedReading> appended = first;
  outbox.peek(queue, 1, appended);
  EXPECT_EQ(appended.size(), 3U);
}

TEST(RamOutbox, SettlesAndCounts) {
  RamOutbox outbox;
  const QueueId queue = outbox.open({"e", "c"});
  for (int i = 0; i < 5; ++i) outbox.push(queue, at(1000 + i), i);
  const auto readings = all(outbox, queue);
  outbox.settle(queue, readings[0].sequence, readings[1].sequence, Verdict::accepted, {});
  outbox.settle(queue, readings[2].sequence, readings[2].sequence, Verdict::rejected, "bad");
  outbox.settle(queue, readings[3].sequence, readings[4].sequence, Verdict::keep, {});
  EXPECT_THAT(values(outbox, queue), ElementsAre(3, 4));
  const QueueStats stats = outbox.stats(queue);
  EXPECT_EQ(stats.waiting, 2U);
  EXPECT_EQ(stats.accepted, 2U);
  EXPECT_EQ(stats.rejected, 1U);
  EXPECT_EQ(stats.dropped, 0U);
  EXPECT_EQ(stats.oldest, at(1003));
}

TEST(RamOutbox, SettlesOutOfOrderToo) {
  RamOutbox outbox;
  const QueueId queue = outbox.open({"e", "c"});
  for (int i = 0; i < 5; ++i) outbox.push(queue, at(1000 + i), i);
  const auto readings = all(outbox, queue);
  outbox.settle(queue, readings[2].sequence, readings[3].sequence, Verdict::accepted, {});
  EXPECT_THAT(values(outbox, queue), ElementsAre(0, 1, 4));
  // once settled is settled
  outbox.settle(queue, readings[0].sequence, readings[3].sequence, Verdict::rejected, {});
  EXPECT_THAT(values(outbox, queue), ElementsAre(4));
  EXPECT_EQ(outbox.stats(queue).accepted, 2U);
  EXPECT_EQ(outbox.stats(queue).rejected, 2U);
  EXPECT_EQ(outbox.stats(queue).waiting, 1U);
}

TEST(RamOutbox, MarksRepeats) {
  RamOutbox outbox;
  const QueueId queue = outbox.open({"e", "c"});
  for (int i = 0; i < 3; ++i) outbox.push(queue, at(1000 + i), i);
  const auto readings = all(outbox, queue);
  outbox.mark_sent(queue, readings[0].sequence, readings[1].sequence);
  const auto marked = all(outbox, queue);
  EXPECT_TRUE(marked[0].repeat);
  EXPECT_TRUE(marked[1].repeat);
  EXPECT_FALSE(marked[2].repeat);
}

TEST(RamOutbox, DropsTheOldestOfTheLongestQueueAtTheLimit) {
  RamOutbox outbox{5};
  const QueueId busy = outbox.open({"e", "busy"});
  const QueueId quiet = outbox.open({"e", "quiet"});
  outbox.push(quiet, at(1), 100);
  for (int i = 0; i < 6; ++i) outbox.push(busy, at(1000 + i), i);
  outbox.push(quiet, at(2), 101);
  EXPECT_THAT(values(outbox, quiet), ElementsAre(100, 101));
  EXPECT_THAT(values(outbox, busy), ElementsAre(3, 4, 5));
  EXPECT_EQ(outbox.stats(busy).dropped, 3U);
  EXPECT_EQ(outbox.stats(quiet).dropped, 0U);
}

TEST(RamOutbox, WhatWasDroppedWhileUnderWayIsNotCountedTwice) {
  RamOutbox outbox{2};
  const QueueId queue = outbox.open({"e", "c"});
  outbox.push(queue, at(1), 1);
  outbox.push(queue, at(2), 2);
  const auto under_way = all(outbox, queue);
  outbox.push(queue, at(3), 3);
  outbox.settle(queue, under_way.front().sequence, under_way.back().sequence, Verdict::accepted, {});
  EXPECT_THAT(values(outbox, queue), ElementsAre(3));
  EXPECT_EQ(outbox.stats(queue).accepted, 1U);
  EXPECT_EQ(outbox.stats(queue).dropped, 1U);
  EXPECT_EQ(outbox.stats(queue).waiting, 1U);
}

TEST(RamOutbox, ALimitOfZeroStillHoldsOne) {
  RamOutbox outbox{0};
  const QueueId queue = outbox.open({"e", "c"});
  outbox.push(queue, at(1), 1);
  outbox.push(queue, at(2), 2);
  EXPECT_THAT(values(outbox, queue), ElementsAre(2));
}

TEST(RamOutbox, CallsBackAfterThePushAndWithoutItsLock) {
  RamOutbox outbox;
  const QueueId queue = outbox.open({"e", "c"});
  std::vector<std::uint64_t> seen;
  outbox.on_push([&] { seen.push_back(outbox.stats(queue).waiting); });
  outbox.push(queue, at(1), 1);
  outbox.push(queue, at(2), 2);
  EXPECT_THAT(seen, ElementsAre(1, 2));
}

TEST(RamOutbox, AnEmptyQueueIsEmpty) {
  RamOutbox outbox;
  const QueueId queue = outbox.open({"e", "c"});
  EXPECT_THAT(values(outbox, queue), IsEmpty());
  EXPECT_EQ(outbox.stats(queue).oldest, std::nullopt);
  outbox.settle(queue, 1, 5, Verdict::accepted, {});
  EXPECT_EQ(outbox.stats(queue).accepted, 0U);
}

TEST(RamOutbox, ManyThreadsPushWhileOneDrains) {
  constexpr int kThreads = 4;
  constexpr int kEach = 5000;
  RamOutbox outbox;
  std::vector<QueueId> queues;
  for (int i = 0; i < kThreads; ++i) queues.push_back(outbox.open({"e", std::to_string(i)}));
  std::atomic<int> pushes{0};
  outbox.on_push([&] { ++pushes; });
  std::vector<std::jthread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) outbox.push(queues[static_cast<std::size_t>(t)], at(i), i);
    });
  }
  int drained = 0;
  std::vector<int> next(kThreads, 0);
  while (drained < kThreads * kEach) {
    for (std::size_t t = 0; t < queues.size(); ++t) {
      const auto batch = all(outbox, queues[t], 100);
      if (batch.empty()) continue;
      for (const QueuedReading& reading : batch) EXPECT_EQ(reading.value, next[t]++);
      outbox.settle(queues[t], batch.front().sequence, batch.back().sequence, Verdict::accepted, {});
      drained += static_cast<int>(batch.size());
    }
    std::this_thread::yield();
  }
  threads.clear();
  EXPECT_EQ(pushes, kThreads * kEach);
  for (const QueueId queue : queues) EXPECT_EQ(outbox.stats(queue).accepted, static_cast<std::uint64_t>(kEach));
}

}  // namespace
}  // namespace vz
