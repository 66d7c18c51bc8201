// SPDX-License-Identifier: GPL-3.0-or-later
#include "outbox/durable_outbox.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <future>
#include <limits>
#include <set>
#include <thread>

#include "core/outbox_options.hpp"
#include "outbox/outbox_writer.hpp"
#include "support/crash_vfs.hpp"

namespace vz {
namespace {

using namespace std::chrono_literals;
using test::CrashDisk;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

class FakeClock final : public Clock {
 public:
  [[nodiscard]] Instant now() const override {
    return {MonoTime{} + passed, WallTime{1'700'000'000'000ms} + std::chrono::duration_cast<std::chrono::milliseconds>(passed)};
  }
  MonoDuration passed = 1h;
};

class KeptLog final : public Log {
 public:
  [[nodiscard]] bool enabled(Level level) const override { return level <= Level::info; }
  void write(Level, std::string_view, std::string_view text) override { lines.emplace_back(text); }
  std::vector<std::string> lines;
};

WallTime at(long long ms) { return WallTime{std::chrono::milliseconds{1'700'000'000'000 + ms}}; }

const QueueName kQueue{"http://mw", "uuid-1"};
const QueueName kNeighbour{"http://mw", "uuid-2"};

/// Lives of the program over one disk.
struct World {
  FakeClock clock;
  KeptLog log;
  CrashDisk disk{1};
  DurableSettings settings{.path = "/state/outbox.db", .page_readings = 8};
  std::unique_ptr<DurableOutbox> outbox;
  QueueId queue{};

  World() { begin(); }
  void begin() {
    outbox = std::make_unique<DurableOutbox>(clock, log, settings, disk.files());
    const auto started = outbox->start();
    if (!started) ADD_FAILURE() << started.error().text();
    queue = outbox->open(kQueue);
  }
  void stop_and_begin() {
    ASSERT_TRUE(outbox->close(MonoTime::max()));
    outbox.reset();
    begin();
  }
  void crash_and_begin(CrashDisk::Loss loss = CrashDisk::Loss::all) {
    disk.crash_now();
    outbox.reset();
    disk.reboot(loss);
    begin();
  }
  void push(int from, int to) {
    for (int i = from; i <= to; ++i) outbox->push(queue, at(i * 1000), i);
  }
  void wait(MonoDuration duration) {
    clock.passed += duration;
    outbox->tick();
  }
  /// Everything that waits, read and settled batch by batch as the uploader does.
  std::vector<double> drain() {
    std::vector<double> values;
    for (int empty = 0; empty < 4;) {
      std::vector<QueuedReading> batch;
      outbox->peek(queue, 5, batch);
      if (batch.empty()) {
        ++empty;
        outbox->tick();
        continue;
      }
      empty = 0;
      for (const QueuedReading& reading : batch) values.push_back(reading.value);
      outbox->settle(queue, batch.front().sequence, batch.back().sequence, Verdict::accepted, {});
    }
    return values;
  }
  std::vector<QueuedReading> peek(std::size_t max = 1000) {
    std::vector<QueuedReading> out;
    outbox->peek(queue, max, out);
    if (out.empty()) {
      outbox->tick();
      outbox->peek(queue, max, out);
    }
    return out;
  }
};

std::vector<double> numbers(int from, int to) {
  std::vector<double> out;
  for (int i = from; i <= to; ++i) out.push_back(i);
  return out;
}

TEST(DurableOutbox, AHealthyEndpointCostsNoWrite) {
  World world;
  for (int second = 0; second < 3600; ++second) {
    world.push(second, second);
    for (const QueuedReading& reading : world.peek())
      world.outbox->settle(world.queue, reading.sequence, reading.sequence, Verdict::accepted, {});
    world.wait(1s);
  }
  EXPECT_EQ(world.disk.changes(), 0U);
  EXPECT_THAT(world.disk.names(), IsEmpty());
  EXPECT_EQ(world.outbox->stats(world.queue).accepted, 3600U);
}

TEST(DurableOutbox, WhatWaitsLongerThanTheIntervalSurvivesAPowerCut) {
  World world;
  world.push(1, 3);
  world.wait(4999ms);
  EXPECT_EQ(world.disk.changes(), 0U);
  world.wait(1ms);
  world.push(4, 4);
  world.crash_and_begin();
  EXPECT_EQ(world.drain(), numbers(1, 3)) << "and the last one was too young";
}

TEST(DurableOutbox, AFloodIsWrittenBeforeTheInterval) {
  World world;
  world.settings.commit_interval = 1h;
  world.settings.max_unwritten = 100;
  world.stop_and_begin();
  world.push(1, 100);
  ASSERT_TRUE(world.outbox->next_work());
  EXPECT_GT(*world.outbox->next_work(), world.clock.now().mono);
  int calls = 0;
  world.outbox->on_work([&] { ++calls; });
  world.push(101, 101);
  EXPECT_EQ(calls, 1) << "the writer is woken";
  ASSERT_TRUE(world.outbox->next_work());
  EXPECT_LE(*world.outbox->next_work(), world.clock.now().mono);
  world.outbox->tick();
  EXPECT_EQ(world.outbox->progress(world.queue).stored_to, 101U);
  EXPECT_GT(world.outbox->next_work().value_or(MonoTime::max()), world.clock.now().mono) << "and then sleeps again";
  world.crash_and_begin();
  EXPECT_EQ(world.drain(), numbers(1, 101));
}

TEST(DurableOutbox, AFloodIsNoReasonToWriteWhereTheDiskFails) {
  World world;
  world.settings.max_unwritten = 10;
  world.stop_and_begin();
  world.disk.failing = true;
  world.push(1, 11);
  world.outbox->tick();
  world.push(12, 20);
  ASSERT_TRUE(world.outbox->next_work());
  EXPECT_GT(*world.outbox->next_work(), world.clock.now().mono) << "it is tried again after a pause";
}

/// A long write must not keep a stop from writing the rest.
TEST(DurableOutbox, AStopLetsNoMoreThanOneTransactionEnd) {
  World world;
  world.settings.commit_interval = 0s;
  world.stop_and_begin();
  std::stop_source stop;
  world.outbox->on_push([&] {
    if (world.outbox->status().commits > 0) stop.request_stop();
  });
  world.push(1, 30'000);
  world.outbox->tick(stop.get_token());
  EXPECT_EQ(world.outbox->status().commits, 1U);
  EXPECT_LT(world.outbox->progress(world.queue).stored_to, 30'000U);
  world.stop_and_begin();
  EXPECT_EQ(world.outbox->stats(world.queue).waiting, 30'000U);
}

TEST(DurableOutbox, ReReadReadingsAreRepeatsAndNewOnesAreNot) {
  World world;
  world.push(1, 3);
  world.stop_and_begin();
  world.push(4, 5);
  const auto readings = world.peek();
  const auto rest = [&] {
    world.outbox->settle(world.queue, readings.front().sequence, readings.back().sequence, Verdict::accepted, {});
    return world.peek();
  };
  std::vector<bool> repeats;
  std::vector<double> values;
  for (const auto& batch : {readings, rest()}) {
    for (const QueuedReading& reading : batch) {
      repeats.push_back(reading.repeat);
      values.push_back(reading.value);
    }
  }
  values.resize(5);
  repeats.resize(5);
  EXPECT_EQ(values, numbers(1, 5));
  EXPECT_THAT(repeats, ElementsAre(true, true, true, false, false));
}

TEST(DurableOutbox, AStopKeepsEverythingInOrder) {
  World world;
  world.push(1, 100);
  world.stop_and_begin();
  world.push(101, 150);
  world.stop_and_begin();
  world.push(151, 160);
  EXPECT_EQ(world.outbox->stats(world.queue).waiting, 160U);
  EXPECT_EQ(world.outbox->stats(world.queue).oldest, at(1000));
  EXPECT_EQ(world.drain(), numbers(1, 160));
}

TEST(DurableOutbox, ProgressSurvivesAndSequencesAreNotUsedAgain) {
  World world;
  world.push(1, 20);
  world.wait(5s);
  auto readings = world.peek(10);
  world.outbox->settle(world.queue, readings.front().sequence, readings.back().sequence, Verdict::accepted, {});
  const auto settled = readings.size();
  world.stop_and_begin();
  world.push(21, 21);
  EXPECT_EQ(world.drain(), numbers(static_cast<int>(settled) + 1, 21));
}

TEST(DurableOutbox, WhatIsOnDiskNeedNotBeInMemory) {
  World world;
  for (int i = 0; i < 200; ++i) {
    world.push(i * 10 + 1, i * 10 + 10);
    world.wait(5s);
  }
  EXPECT_LE(world.outbox->status().ram_readings, 16U);
  EXPECT_EQ(world.outbox->stats(world.queue).waiting, 2000U);
  EXPECT_EQ(world.drain(), numbers(1, 2000));
  EXPECT_LE(world.outbox->status().ram_readings, 16U);
}

TEST(DurableOutbox, TakesLittleSpaceAndGivesItBack) {
  World world;
  world.settings.page_readings = 2048;
  world.stop_and_begin();
  constexpr int kReadings = 86'400;
  for (int i = 0; i < kReadings; ++i) {
    world.outbox->push(world.queue, at(i * 1000 + i % 7), 132.149 + (i / 5) * 0.001);
    if (i % 5 == 4) world.wait(5s);
  }
  const double each = static_cast<double>(world.disk.bytes()) / kReadings;
  EXPECT_LT(each, 30.0);
  EXPECT_EQ(world.drain().size(), static_cast<std::size_t>(kReadings));
  for (int i = 0; i < 1000; ++i) world.wait(10ms);
  world.wait(5s);
  for (int i = 0; i < 100; ++i) world.wait(10ms);
  EXPECT_LT(world.disk.bytes(), 1'000'000U);
}

TEST(DurableOutbox, AStopAfterACatchUpGivesBackSpaceToo) {
  World world;
  world.settings.page_readings = 2048;
  world.stop_and_begin();
  for (int i = 0; i < 200'000; ++i) world.outbox->push(world.queue, at(i * 1000), std::sqrt(i));
  world.wait(5s);
  EXPECT_GT(world.disk.bytes(), 1'500'000U);
  EXPECT_EQ(world.drain().size(), 200'000U);
  ASSERT_TRUE(world.outbox->close(MonoTime::max()));
  EXPECT_LT(world.disk.bytes(), 1'000'000U);
}

TEST(DurableOutbox, WithIntervalZeroAReadingCountsOnceItIsDurable) {
  World world;
  world.settings.commit_interval = 0ms;
  world.stop_and_begin();
  world.push(1, 2);
  std::vector<QueuedReading> out;
  world.outbox->peek(world.queue, 10, out);
  EXPECT_THAT(out, IsEmpty());
  EXPECT_TRUE(world.outbox->flush(MonoTime::max()));
  world.outbox->peek(world.queue, 10, out);
  EXPECT_THAT(out, SizeIs(2));
  world.crash_and_begin();
  EXPECT_EQ(world.drain(), numbers(1, 2));
}

TEST(DurableOutbox, AFullFileDropsTheOldestAndSaysSo) {
  World world;
  world.settings.max_size = kSmallestStore;
  world.stop_and_begin();
  int pushed = 0;
  while (world.outbox->stats(world.queue).dropped == 0) {
    for (int i = 0; i < 1000; ++i, ++pushed) world.outbox->push(world.queue, at(pushed * 1000), std::sqrt(pushed));
    world.wait(5s);
    ASSERT_LT(pushed, 1'000'000);
  }
  EXPECT_LE(world.disk.bytes(), kSmallestStore);
  EXPECT_THAT(world.log.lines, ElementsAre(AllOf(HasSubstr("outbox is full"), HasSubstr("outbox.max_size"))));
  const auto dropped = world.outbox->stats(world.queue).dropped;
  const auto left = world.drain();
  ASSERT_EQ(left.size() + dropped, static_cast<std::size_t>(pushed));
  EXPECT_EQ(left.front(), std::sqrt(static_cast<double>(dropped))) << "the oldest ones";
}

TEST(DurableOutbox, WhatACommitGaveUpIsCountedEvenIfItFailed) {
  World world;
  world.settings.max_size = kSmallestStore;
  world.stop_and_begin();
  std::size_t pushed = 0;
  const auto push = [&] {
    for (int i = 0; i < 1000; ++i, ++pushed)
      world.outbox->push(world.queue, at(static_cast<long long>(pushed) * 1000), std::sqrt(pushed));
    world.wait(5s);
  };
  while (world.outbox->stats(world.queue).dropped == 0) push();
  // some settled behind those that will be given up
  const std::uint64_t head = world.outbox->progress(world.queue).settled_to;
  world.outbox->settle(world.queue, head + 1001, head + 2500, Verdict::accepted, {});
  for (int i = 0; i < 3; ++i) push();
  world.disk.sync_fails = true;
  for (int i = 0; i < 5; ++i) push();
  world.wait(301s);
  world.disk.sync_fails = false;
  world.wait(301s);
  world.wait(301s);
  ASSERT_TRUE(world.outbox->status().durable);
  const auto stats = world.outbox->stats(world.queue);
  EXPECT_EQ(stats.accepted, 1500U);
  EXPECT_EQ(stats.waiting + stats.dropped + stats.accepted, pushed);
  world.crash_and_begin();
  EXPECT_EQ(world.outbox->stats(world.queue).waiting, stats.waiting);
  EXPECT_THAT(world.drain(), SizeIs(stats.waiting));
  for (const std::string& line : world.log.lines) EXPECT_THAT(line, Not(HasSubstr("damaged"))) << line;
}

TEST(DurableOutbox, TheCompanionOfACommitThatFailedIsNotWrittenLater) {
  World world;
  int version = 1;
  world.outbox->set_companion("clock", [&] { return Companion{.bytes = std::to_string(version)}; });
  world.disk.failing = true;
  world.push(1, 1);
  world.wait(5s);
  ASSERT_FALSE(world.outbox->status().durable);
  world.disk.failing = false;
  version = 2;
  world.stop_and_begin();
  EXPECT_EQ(world.outbox->get_state("clock"), "2");
}

TEST(DurableOutbox, ADiskThatDoesNotSyncDoesNotLetTheLogGrow) {
  World world;
  world.settings.max_size = kSmallestStore;
  world.stop_and_begin();
  world.push(1, 1);
  world.wait(5s);
  world.disk.sync_fails = true;
  for (int i = 0; i < 200; ++i) {
    for (int n = 0; n < 100; ++n) world.outbox->push(world.queue, at(2000 + i * 100 + n), std::sqrt(n));
    world.wait(300s);
    ASSERT_LE(world.disk.bytes(), kSmallestStore) << "at try " << i;
  }
  world.disk.sync_fails = false;
  world.stop_and_begin();
  EXPECT_THAT(world.drain(), SizeIs(20'001));
}

/// The file knows that all before is settled; what fails is the last of several transactions in its log.
void leave_in_a_failed_commit(World& world, int from, int to) {
  world.push(1, 1);
  world.wait(5s);
  world.drain();
  world.outbox->push(world.outbox->open(kNeighbour), at(0), 0);
  world.wait(5s);
  world.disk.sync_fails = true;
  world.push(from, to);
  world.wait(5s);
  EXPECT_FALSE(world.outbox->status().durable);
}

TEST(DurableOutbox, AStopKnowsWhatACommitHasLeftInTheFileAlthoughItFailed) {
  World world;
  leave_in_a_failed_commit(world, 2, 5);
  EXPECT_EQ(world.drain(), numbers(2, 5));
  world.outbox->push(world.outbox->open(kNeighbour), at(0), 6);
  world.disk.sync_fails = false;
  world.stop_and_begin();
  EXPECT_THAT(world.drain(), IsEmpty());
  EXPECT_EQ(world.outbox->stats(world.outbox->open(kNeighbour)).waiting, 2U);
}

TEST(DurableOutbox, NorIsItSentAgainIfNothingElseIsToBeWritten) {
  World world;
  leave_in_a_failed_commit(world, 2, 5);
  EXPECT_EQ(world.drain(), numbers(2, 5));
  world.disk.sync_fails = false;
  world.stop_and_begin();
  EXPECT_THAT(world.drain(), IsEmpty());
}

TEST(DurableOutbox, WhatAFailedCommitHasLeftIsSettledOnceTheDiskWorks) {
  World world;
  leave_in_a_failed_commit(world, 2, 5);
  EXPECT_EQ(world.drain(), numbers(2, 5));
  world.disk.sync_fails = false;
  for (int i = 0; i < 3; ++i) world.wait(301s);
  EXPECT_TRUE(world.outbox->status().durable);
  world.crash_and_begin();
  EXPECT_THAT(world.drain(), IsEmpty());
}

TEST(DurableOutbox, NorDoTriesToOpenTheFile) {
  World world;
  world.settings.max_size = kSmallestStore;
  world.stop_and_begin();
  world.push(1, 1);
  world.wait(5s);
  world.disk.sync_fails = true;
  world.push(2, 2);
  for (int i = 0; i < 1000; ++i) {
    world.wait(300s);
    ASSERT_LE(world.disk.bytes(), kSmallestStore / 2) << "at try " << i;
  }
  world.disk.sync_fails = false;
  world.stop_and_begin();
  EXPECT_EQ(world.drain(), numbers(1, 2));
}

TEST(DurableOutbox, AnUrgentCompanionIsWrittenWithEveryCommit) {
  World world;
  Companion companion{.bytes = "1"};
  world.outbox->set_companion("clock", [&] { return companion; });
  world.push(1, 1);
  world.wait(5s);
  companion.bytes = "2";
  world.push(2, 2);
  world.wait(5s);
  companion = {.bytes = "3", .urgent = true};
  world.push(3, 3);
  world.wait(5s);
  world.crash_and_begin();
  EXPECT_EQ(world.outbox->get_state("clock"), "3");
}

TEST(DurableOutbox, RejectedReadingsLeaveRoomForNewOnes) {
  World world;
  world.settings.max_size = kSmallestStore;
  world.stop_and_begin();
  constexpr int kRejected = 3000;
  for (int i = 0; i < kRejected; ++i) {
    world.outbox->push(world.queue, at(i * 1000), i);
    if (i % 100 != 99) continue;
    std::vector<QueuedReading> out;
    world.outbox->peek(world.queue, 100, out);
    ASSERT_THAT(out, SizeIs(100));
    world.outbox->settle(world.queue, out.front().sequence, out.back().sequence, Verdict::rejected, std::string(300, 'x'));
    world.wait(5s);
  }
  const auto rejected = world.outbox->rejected(0, 100'000);
  ASSERT_TRUE(rejected);
  EXPECT_GT(rejected->size(), 300U);
  EXPECT_EQ(rejected->back().value, kRejected - 1.0) << "the latest stay";
  EXPECT_EQ(rejected->size() + world.outbox->status().dropped, static_cast<std::size_t>(kRejected));
  EXPECT_THAT(world.log.lines, ElementsAre(HasSubstr("were refused and set aside")));
  for (int i = 0; i < 10'000; ++i) world.outbox->push(world.queue, at((kRejected + i) * 1000), 1.0);
  world.wait(5s);
  EXPECT_EQ(world.outbox->stats(world.queue).dropped, 0U);
  EXPECT_LE(world.disk.bytes(), kSmallestStore);
  EXPECT_THAT(world.drain(), SizeIs(10'000));
}

TEST(DurableOutbox, ManyRejectionsAtOnceTakeNothingFromWhatWaits) {
  World world;
  world.settings.max_size = kSmallestStore;
  world.stop_and_begin();
  const QueueId other = world.outbox->open({"http://mw", "other"});
  for (int i = 0; i < 10'000; ++i) world.outbox->push(other, at(i * 1000), std::sqrt(i));
  world.wait(5s);
  world.disk.failing = true;
  world.push(1, 3000);
  world.wait(5s);
  world.outbox->settle(world.queue, 1, 3000, Verdict::rejected, std::string(300, 'x'));
  world.disk.failing = false;
  world.wait(400s);
  ASSERT_TRUE(world.outbox->status().durable);
  EXPECT_EQ(world.outbox->stats(other).dropped, 0U);
  EXPECT_EQ(world.outbox->stats(other).waiting, 10'000U);
  const auto rejected = world.outbox->rejected(0, 100'000);
  ASSERT_TRUE(rejected);
  ASSERT_FALSE(rejected->empty());
  EXPECT_EQ(rejected->back().value, 3000.0) << "the latest stay";
  EXPECT_EQ(rejected->size() + world.outbox->status().dropped, 3000U);
  EXPECT_LE(world.disk.bytes(), kSmallestStore);
}

TEST(DurableOutbox, WhatTheLimitTakesFromAQueueThatIsGoneIsCountedToo) {
  World world;
  world.settings.max_size = kSmallestStore;
  world.stop_and_begin();
  const QueueName gone{"http://mw", "gone"};
  const QueueId other = world.outbox->open(gone);
  for (int i = 0; i < 30'000; ++i) world.outbox->push(other, at(i * 1000), std::sqrt(i));
  world.stop_and_begin();
  for (int i = 0; i < 30'000; ++i) world.outbox->push(world.queue, at(i * 1000), std::sqrt(i));
  world.wait(5s);
  const auto orphans = world.outbox->orphans();
  ASSERT_THAT(orphans, SizeIs(1));
  const auto dropped = world.outbox->status().dropped;
  EXPECT_GT(dropped, 1000U);
  EXPECT_EQ(orphans[0].waiting + world.outbox->stats(world.queue).waiting + dropped, 60'000U);
  EXPECT_THAT(world.log.lines, ElementsAre(HasSubstr("were given up for good")));
  world.stop_and_begin();
  EXPECT_EQ(world.outbox->orphans().at(0).waiting, orphans[0].waiting);
}

TEST(DurableOutbox, OrDropsTheNewestIfToldSo) {
  World world;
  world.settings.max_size = kSmallestStore;
  world.settings.on_full = OnFull::drop_newest;
  world.stop_and_begin();
  for (int i = 0; i < 100'000; ++i) {
    world.outbox->push(world.queue, at(i * 1000), std::sqrt(i));
    if (i % 1000 == 999) world.wait(5s);
  }
  const auto dropped = world.outbox->stats(world.queue).dropped;
  EXPECT_GT(dropped, 0U);
  const auto left = world.drain();
  EXPECT_EQ(left.size() + dropped, 100'000U);
  EXPECT_EQ(left.front(), 0.0);
  EXPECT_LE(world.disk.bytes(), kSmallestStore);
}

TEST(OutboxCommands, WhatComesBackToAFullQueueDoesNotTakeThePlaceOfWhatWasGivenUp) {
  World world;
  world.settings.max_size = kSmallestStore;
  world.settings.on_full = OnFull::drop_newest;
  world.stop_and_begin();
  world.push(1, 3);
  world.outbox->settle(world.queue, 1, 3, Verdict::rejected, "no");
  int pushed = 0;
  while (world.outbox->stats(world.queue).dropped < 2000) {
    for (int i = 0; i < 1000; ++i, ++pushed) world.outbox->push(world.queue, at(10'000 + pushed), std::sqrt(pushed));
    world.wait(5s);
    ASSERT_LT(pushed, 1'000'000);
  }
  const auto waiting = world.outbox->stats(world.queue).waiting;
  ASSERT_TRUE(world.outbox->close(MonoTime::max()));
  world.outbox = std::make_unique<DurableOutbox>(world.clock, world.log, world.settings, world.disk.files());
  ASSERT_TRUE(world.outbox->start(DurableOutbox::IfMissing::fail));
  std::vector<std::int64_t> ids;
  const auto found = world.outbox->rejected(0, 10);
  for (const RejectedReading& rejected : found.value()) ids.push_back(rejected.id);
  EXPECT_EQ(*world.outbox->requeue(ids), 3U);
  ASSERT_TRUE(world.outbox->close(MonoTime::max()));
  world.begin();
  EXPECT_EQ(world.outbox->stats(world.queue).waiting, waiting + 3);
  const auto left = world.drain();
  ASSERT_THAT(left, SizeIs(waiting + 3));
  EXPECT_EQ(std::vector<double>(left.end() - 3, left.end()), numbers(1, 3));
}

TEST(DurableOutbox, ARejectedReadingIsKeptOnceWhateverTheDiskSays) {
  World world;
  world.push(1, 3);
  world.wait(5s);
  world.disk.sync_fails = true;
  world.outbox->settle(world.queue, 2, 2, Verdict::rejected, "no");
  world.wait(1s);
  world.disk.sync_fails = false;
  world.wait(301s);
  world.crash_and_begin();
  EXPECT_THAT(*world.outbox->rejected(0, 10), SizeIs(1));
  EXPECT_THAT(world.drain(), ElementsAre(1, 3));
}

TEST(DurableOutbox, ARejectedReadingDoesNotWaitAsWell) {
  World world;
  world.push(1, 3);
  world.wait(5s);
  world.outbox->settle(world.queue, 1, 1, Verdict::rejected, "no");
  world.outbox->tick();
  world.crash_and_begin();
  EXPECT_THAT(*world.outbox->rejected(0, 10), SizeIs(1));
  EXPECT_THAT(world.drain(), ElementsAre(2, 3));
}

TEST(DurableOutbox, AFileThatAppearsLaterIsLeftAlone) {
  World world;
  world.push(1, 100);
  ASSERT_TRUE(world.outbox->close(MonoTime::max()));
  ASSERT_TRUE(world.disk.rename("/state/outbox.db", "/state/away"));
  world.begin();  // without the disk that it is on
  world.push(201, 203);
  ASSERT_TRUE(world.disk.rename("/state/away", "/state/outbox.db"));
  world.wait(5s);
  EXPECT_THAT(world.log.lines, ElementsAre(HasSubstr("was not there at the start")));
  EXPECT_EQ(world.drain(), numbers(201, 203)) << "they wait in memory";
  world.outbox.reset();
  world.begin();
  EXPECT_EQ(world.drain(), numbers(1, 100));
}

TEST(DurableOutbox, AFileThatIsGoneIsMissed) {
  World world;
  world.push(1, 100);
  world.wait(5s);
  world.disk.failing = true;
  world.push(101, 103);
  world.wait(5s);
  world.disk.failing = false;
  ASSERT_TRUE(world.disk.rename("/state/outbox.db", "/state/away"));
  for (int i = 0; i < 3; ++i) world.wait(301s);
  EXPECT_THAT(world.outbox->status().trouble, HasSubstr("is gone"));
  EXPECT_EQ(world.outbox->stats(world.queue).waiting, 103U);
  ASSERT_TRUE(world.disk.rename("/state/away", "/state/outbox.db"));
  world.wait(301s);
  EXPECT_TRUE(world.outbox->status().durable);
  EXPECT_EQ(world.drain(), numbers(1, 103));
}

TEST(DurableOutbox, ADiskThatWorksAgainIsKnownWithoutANewReading) {
  World world;
  world.push(1, 3);
  world.wait(5s);
  EXPECT_EQ(world.drain(), numbers(1, 3));
  world.wait(5s);
  world.push(4, 6);
  world.disk.sync_fails = true;
  world.wait(5s);
  ASSERT_FALSE(world.outbox->status().durable);
  EXPECT_EQ(world.drain(), numbers(4, 6));
  world.disk.sync_fails = false;
  world.wait(301s);
  EXPECT_TRUE(world.outbox->status().durable) << world.outbox->status().trouble;
  EXPECT_THAT(world.log.lines, ElementsAre(HasSubstr("disk I/O error"), HasSubstr("written again")));
}

TEST(DurableOutbox, WhatTheLastCommitGivesUpIsTold) {
  World world;
  world.settings.max_size = kSmallestStore;
  world.stop_and_begin();
  for (int i = 0; i < 100'000; ++i) world.outbox->push(world.queue, at(i), std::sqrt(i));
  ASSERT_TRUE(world.outbox->close(MonoTime::max()));
  EXPECT_THAT(world.log.lines, ElementsAre(HasSubstr("outbox is full")));
}

TEST(DurableOutbox, HeldQueuesOfOtherBootsLeaveTheFileOnceTheyAreEmpty) {
  World world;
  for (const char* name : {"unstamped/a/http://mw", "unstamped/b/http://mw", "unstamped/c/http://mw"}) {
    const QueueId held = world.outbox->open({name, "uuid-1"});
    world.outbox->push(held, at(1), 1);
    world.wait(5s);
    if (name[10] != 'c') world.outbox->settle(held, 1, 1, Verdict::accepted, {});
  }
  world.stop_and_begin();
  world.outbox->forget_unstamped("unstamped/b/");
  const auto changes = world.disk.changes();
  world.wait(1h);
  EXPECT_EQ(world.disk.changes(), changes) << "not for its own sake";
  world.push(1, 1);
  world.stop_and_begin();
  world.outbox->close(MonoTime::max());
  const auto files = world.disk.files();
  const auto store = DurableStore::open({.path = "/state/outbox.db"}, *files);
  ASSERT_TRUE(store);
  std::vector<std::string> names;
  for (const StoredQueue& queue : (*store)->queues()) names.push_back(queue.name.endpoint);
  EXPECT_THAT(names, testing::UnorderedElementsAre("http://mw", "unstamped/b/http://mw", "unstamped/c/http://mw"));
}

TEST(DurableOutbox, ChannelsThatAreGoneAreReportedAndCanMove) {
  World world;
  const QueueName gone{"http://mw", "gone"};
  world.push(1, 10);
  const QueueId other = world.outbox->open(gone);
  for (int i = 0; i < 20; ++i) world.outbox->push(other, at(i), 100 + i);
  ASSERT_TRUE(world.outbox->close(MonoTime::max()));
  world.outbox.reset();
  world.begin();
  const auto orphans = world.outbox->orphans();
  ASSERT_THAT(orphans, SizeIs(1));
  EXPECT_EQ(orphans[0].name, gone);
  EXPECT_EQ(orphans[0].waiting, 20U);
  EXPECT_EQ(orphans[0].oldest, at(0));
  const auto exported = world.outbox->export_readings(gone, 0, 1000);
  ASSERT_TRUE(exported);
  ASSERT_THAT(*exported, SizeIs(20));
  EXPECT_EQ(exported->front().value, 100.0);

  world.push(11, 12);
  const auto moved = world.outbox->retarget(gone, kQueue);
  ASSERT_TRUE(moved);
  EXPECT_EQ(*moved, 20U);
  world.push(13, 13);
  EXPECT_THAT(world.outbox->orphans(), IsEmpty());
  world.stop_and_begin();
  auto expected = numbers(1, 12);
  for (int i = 0; i < 20; ++i) expected.push_back(100 + i);
  expected.push_back(13);
  EXPECT_EQ(world.drain(), expected);
}

TEST(DurableOutbox, RejectedReadingsAreKeptApartAndCanComeBack) {
  World world;
  world.push(1, 3);
  world.outbox->push(world.queue, at(9000), std::numeric_limits<double>::quiet_NaN());
  const auto readings = world.peek();
  world.outbox->settle(world.queue, readings[1].sequence, readings[1].sequence, Verdict::rejected, "out of range");
  world.outbox->settle(world.queue, readings[3].sequence, readings[3].sequence, Verdict::rejected, "no number");
  world.stop_and_begin();
  auto rejected = world.outbox->rejected(0, 10);
  ASSERT_TRUE(rejected);
  ASSERT_THAT(*rejected, SizeIs(2));
  EXPECT_EQ((*rejected)[0].value, 2.0);
  EXPECT_EQ((*rejected)[0].reason, "out of range");
  EXPECT_EQ((*rejected)[0].queue, kQueue);
  EXPECT_TRUE(std::isnan((*rejected)[1].value));
  EXPECT_EQ(world.outbox->stats(world.queue).waiting, 2U);
  const auto back = world.outbox->requeue({(*rejected)[0].id, 4711});
  ASSERT_TRUE(back);
  EXPECT_EQ(*back, 1U);
  EXPECT_THAT(*world.outbox->rejected(0, 10), SizeIs(1));
  EXPECT_THAT(world.drain(), ElementsAre(1, 3, 2));
}

/// Moves what waits in `from` to the world's queue, as readings do whose time was not known.
void move_all(World& world, QueueId from) {
  auto in_one_piece = world.outbox->moving();
  in_one_piece.from(from);
  std::vector<QueuedReading> all;
  world.outbox->peek(from, 1000, all);
  for (const QueuedReading& reading : all) world.outbox->push(world.queue, reading.stamp + 1h, reading.value);
  world.outbox->settle(from, all.front().sequence, all.back().sequence, Verdict::accepted, {});
}

TEST(DurableOutbox, WhatMovesIsInOneQueueOrTheOtherAndShownOnceItIsWritten) {
  for (const bool crash_at_once : {true, false}) {
    World world;
    const QueueName waiting{"waiting", "uuid-1"};
    QueueId from = world.outbox->open(waiting);
    const QueueId other = world.outbox->open({"http://mw", "uuid-2"});
    for (int i = 1; i <= 10; ++i) world.outbox->push(from, at(i), i);
    world.outbox->push(other, at(1), 1);
    world.wait(5s);
    world.outbox->settle(other, 1, 1, Verdict::accepted, {});  // progress that is due soon
    world.wait(4900ms);
    move_all(world, from);
    std::vector<QueuedReading> shown;
    world.outbox->peek(world.queue, 1000, shown);
    EXPECT_THAT(shown, IsEmpty()) << "a crash could still bring the old ones back";
    if (!crash_at_once) {
      world.wait(0s);
      EXPECT_THAT(world.peek(), testing::Not(IsEmpty()));
    }
    world.crash_and_begin();
    from = world.outbox->open(waiting);
    EXPECT_EQ(world.outbox->stats(world.queue).waiting + world.outbox->stats(from).waiting, 10U);
  }
}

TEST(DurableOutbox, WhatMovesBeforeItWasWrittenIsShownAtOnce) {
  World world;
  const QueueId from = world.outbox->open({"waiting", "uuid-1"});
  for (int i = 1; i <= 10; ++i) world.outbox->push(from, at(i), i);
  move_all(world, from);
  EXPECT_THAT(world.peek(), SizeIs(10));
  EXPECT_EQ(world.disk.changes(), 0U);
}

// --- what commands do ------------------------------------------------------------------------------------------------

const QueueName kGone{"http://elsewhere", "uuid-2"};

/// A world with readings from..to in a queue that is then not open any more.
void leave_behind(World& world, int from, int to) {
  const QueueId gone = world.outbox->open(kGone);
  for (int i = from; i <= to; ++i) world.outbox->push(gone, at(i * 1000), i);
  world.stop_and_begin();
}

TEST(OutboxCommands, ListingWritesNothing) {
  World world;
  world.push(1, 3);
  EXPECT_THAT(*world.outbox->rejected(0, 10), IsEmpty());
  EXPECT_THAT(*world.outbox->export_readings(kGone, 0, 10), IsEmpty());
  EXPECT_THAT(world.outbox->orphans(), IsEmpty());
  EXPECT_FALSE(world.outbox->retarget(kGone, kQueue));
  EXPECT_EQ(world.disk.changes(), 0U);
}

TEST(OutboxCommands, WhatIsOnItsWayIsNotMovedOrThrownAway) {
  World world;
  world.push(1, 3);
  world.stop_and_begin();
  const auto moved = world.outbox->retarget(kQueue, kGone);
  ASSERT_FALSE(moved);
  EXPECT_THAT(moved.error().text(), HasSubstr("is in the configuration"));
  EXPECT_FALSE(world.outbox->discard(kQueue));
  EXPECT_FALSE(world.outbox->discard(kGone)) << "there is none";
  EXPECT_EQ(world.drain(), numbers(1, 3));
}

TEST(OutboxCommands, WhatHasNoTimeIsNotSent) {
  World world;
  const QueueName untimed{"unstamped/boot/http://mw", "uuid-1"};
  world.outbox->push(world.outbox->open(untimed), at(1), 1);
  world.stop_and_begin();
  const auto moved = world.outbox->retarget(untimed, kQueue);
  ASSERT_FALSE(moved);
  EXPECT_THAT(moved.error().text(), HasSubstr("nobody knows the time"));
  EXPECT_THAT(*world.outbox->export_readings(untimed, 0, 10), SizeIs(1));
  EXPECT_TRUE(world.outbox->discard(untimed));
}

TEST(OutboxCommands, MovesManyReadingsToAQueueInUse) {
  World world;
  leave_behind(world, 1, 20'000);
  world.push(30'001, 30'005);
  const auto moved = world.outbox->retarget(kGone, kQueue);
  ASSERT_TRUE(moved) << moved.error().text();
  EXPECT_EQ(*moved, 20'000U);
  EXPECT_THAT(world.outbox->orphans(), IsEmpty());
  world.push(30'006, 30'007);
  std::vector<double> expected = numbers(30'001, 30'005);
  for (const double value : numbers(1, 20'000)) expected.push_back(value);
  expected.push_back(30'006);
  expected.push_back(30'007);
  EXPECT_EQ(world.drain(), expected);
  EXPECT_EQ(world.outbox->stats(world.queue).dropped, 0U);
}

/// Others ask in between; and the end of a queue is found in the slice that takes its last reading.
TEST(OutboxCommands, MillionsAreMovedAndThrownAwayInSlices) {
  World world;
  leave_behind(world, 1, 10'000);
  DurableOutbox::Slice slice;  // so short that each transaction is one
  std::vector<std::uint64_t> counts;
  do {
    const auto count = world.outbox->retarget(kGone, kQueue, &slice);
    ASSERT_TRUE(count) << count.error().text();
    counts.push_back(*count);
    EXPECT_EQ(world.outbox->stats(world.queue).waiting + (slice.more ? world.outbox->orphans().at(0).waiting : 0), 10'000U);
  } while (slice.more && counts.size() < 10);
  EXPECT_THAT(counts, ElementsAre(4096U, 4096U, 10'000U - 8192U));
  EXPECT_EQ(world.drain(), numbers(1, 10'000));

  World other;
  leave_behind(other, 1, 70'000);
  std::uint64_t gone = 0;
  int calls = 0;
  do {
    gone += other.outbox->discard(kGone, &slice).value();
    ++calls;
  } while (slice.more && calls < 10);
  EXPECT_EQ(calls, 2);
  EXPECT_EQ(gone, 70'000U);
  EXPECT_THAT(other.outbox->orphans(), IsEmpty());
}

TEST(OutboxCommands, MovesNoReadingThatIsSettledAlready) {
  World world;
  const QueueId gone = world.outbox->open(kGone);
  for (int i = 1; i <= 9000; ++i) world.outbox->push(gone, at(i * 1000), i);
  world.wait(5s);
  world.outbox->settle(gone, 1, 100, Verdict::accepted, {});
  world.outbox->settle(gone, 4000, 8999, Verdict::rejected, "no");
  world.stop_and_begin();
  EXPECT_EQ(world.outbox->orphans().at(0).waiting, 3900U);
  std::vector<QueuedReading> exported;
  for (std::uint64_t after = 0;;) {
    const auto some = world.outbox->export_readings(kGone, after, 1000);
    ASSERT_TRUE(some);
    if (some->empty()) break;
    exported.insert(exported.end(), some->begin(), some->end());
    after = some->back().sequence;
  }
  EXPECT_THAT(exported, SizeIs(3900));
  const auto moved = world.outbox->retarget(kGone, kQueue);
  ASSERT_TRUE(moved);
  EXPECT_EQ(*moved, 3900U);
  const auto values = world.drain();
  ASSERT_THAT(values, SizeIs(3900));
  EXPECT_EQ(values.front(), 101);
  EXPECT_EQ(values.back(), 9000);
}

TEST(OutboxCommands, ACrashAnywhereInAMoveLosesAndDoublesNothing) {
  for (std::uint64_t crash = 1; crash < 100; ++crash) {
    World world;
    leave_behind(world, 1, 6000);
    world.push(7001, 7003);
    world.outbox->flush(MonoTime::max());
    world.disk.crash_after(crash);
    const bool done = world.outbox->retarget(kGone, kQueue).has_value() && !world.disk.crashed();
    world.crash_and_begin(CrashDisk::Loss::power);
    std::ignore = world.outbox->retarget(kGone, kQueue);
    auto values = world.drain();
    ASSERT_THAT(values, SizeIs(6003)) << "crash at change " << crash;
    std::sort(values.begin(), values.end());
    ASSERT_EQ(std::unique(values.begin(), values.end()), values.end()) << "crash at change " << crash;
    ASSERT_EQ(world.outbox->stats(world.queue).dropped, 0U) << "crash at change " << crash;
    if (done) break;
  }
}

TEST(OutboxCommands, ASliceThatFailsInTheMiddleSaysWhatItDid) {
  std::set<std::uint64_t> counts;
  bool whole = false;
  for (std::uint64_t crash = 1; !whole && crash < 1000; ++crash) {
    World world;
    leave_behind(world, 1, 10'000);
    world.disk.crash_after(crash);
    DurableOutbox::Slice slice{.length = 1h};
    const auto moved = world.outbox->retarget(kGone, kQueue, &slice);
    if (!moved) continue;
    counts.insert(*moved);
    whole = !slice.more;
    EXPECT_TRUE(whole || !world.outbox->retarget(kGone, kQueue, &slice)) << "the trouble is told by the next one";
  }
  EXPECT_THAT(counts, ElementsAre(4096U, 8192U, 10'000U));
}

TEST(OutboxCommands, ADiskThatDoesNotSayWhetherItWroteLosesAndDoublesNothing) {
  World world;
  leave_behind(world, 1, 100);
  world.push(101, 103);
  world.outbox->flush(MonoTime::max());
  world.disk.sync_fails = true;
  EXPECT_FALSE(world.outbox->retarget(kGone, kQueue));
  world.push(104, 105);
  auto values = world.drain();  // before anybody can know what is in the file
  EXPECT_EQ(values, numbers(101, 105));
  world.disk.sync_fails = false;
  std::ignore = world.outbox->retarget(kGone, kQueue);
  world.wait(301s);
  for (const double value : world.drain()) values.push_back(value);
  std::sort(values.begin(), values.end());
  EXPECT_EQ(values, numbers(1, 105));
  EXPECT_EQ(world.outbox->stats(world.queue).dropped, 0U);
  EXPECT_EQ(world.outbox->stats(world.queue).waiting, 0U);
}

TEST(OutboxCommands, WhatWasExportedCanBeThrownAway) {
  World world;
  leave_behind(world, 1, 70'000);
  world.push(1, 3);
  const auto gone = world.outbox->discard(kGone);
  ASSERT_TRUE(gone);
  EXPECT_EQ(*gone, 70'000U);
  EXPECT_THAT(world.outbox->orphans(), IsEmpty());
  world.stop_and_begin();
  EXPECT_THAT(world.outbox->orphans(), IsEmpty());
  EXPECT_EQ(world.drain(), numbers(1, 3));
  EXPECT_LT(world.disk.bytes(), 400'000U);
}

TEST(OutboxCommands, RejectedReadingsOfAChannelThatIsGoneWaitForIt) {
  World world;
  const QueueId gone = world.outbox->open(kGone);
  for (int i = 1; i <= 3; ++i) world.outbox->push(gone, at(i * 1000), i);
  world.outbox->settle(gone, 1, 3, Verdict::rejected, "no");
  world.stop_and_begin();
  const auto rejected = world.outbox->rejected(0, 2);
  ASSERT_TRUE(rejected);
  ASSERT_THAT(*rejected, SizeIs(2));
  const auto id = (*rejected)[0].id;
  const auto back = world.outbox->requeue({id, id, id});
  ASSERT_TRUE(back);
  EXPECT_EQ(*back, 1U) << "each once";
  ASSERT_THAT(world.outbox->orphans(), SizeIs(1));
  EXPECT_EQ(world.outbox->orphans()[0].name, kGone);
  EXPECT_EQ(world.outbox->orphans()[0].waiting, 1U);
  const auto thrown = world.outbox->discard_rejected({(*rejected)[1].id, 4711});
  ASSERT_TRUE(thrown);
  EXPECT_EQ(*thrown, 1U);
  EXPECT_THAT(*world.outbox->rejected(0, 10), SizeIs(1));
}

TEST(OutboxCommands, ACrashAnywhereInARequeueLosesAndDoublesNothing) {
  for (std::uint64_t crash = 1; crash < 60; ++crash) {
    World world;
    world.push(1, 700);
    world.outbox->settle(world.queue, 1, 600, Verdict::rejected, "no");
    world.stop_and_begin();
    std::vector<std::int64_t> ids;
    const auto before = world.outbox->rejected(0, 1000);
    ASSERT_TRUE(before);
    for (const auto& reading : *before) ids.push_back(reading.id);
    ASSERT_THAT(ids, SizeIs(600));
    world.disk.crash_after(crash);
    const bool done = world.outbox->requeue(ids).has_value() && !world.disk.crashed();
    world.crash_and_begin(CrashDisk::Loss::power);
    const auto left = world.outbox->rejected(0, 1000);
    ASSERT_TRUE(left);
    EXPECT_EQ(left->size() + world.drain().size(), 700U) << "crash at change " << crash;
    if (done) break;
  }
}

TEST(OutboxCommands, AfterAStopTheyAreRefused) {
  World world;
  leave_behind(world, 1, 10);
  ASSERT_TRUE(world.outbox->close(MonoTime::max()));
  EXPECT_FALSE(world.outbox->retarget(kGone, kQueue));
  EXPECT_FALSE(world.outbox->rejected(0, 10));
  world.begin();
  EXPECT_EQ(world.outbox->orphans().at(0).waiting, 10U);
}

TEST(DurableOutbox, StatesAreKeptAtAStopOnly) {
  World world;
  world.outbox->put_state("window", std::string("\0bytes", 6));
  world.wait(1h);
  EXPECT_EQ(world.disk.changes(), 0U);
  world.stop_and_begin();
  EXPECT_EQ(world.outbox->get_state("window"), std::string("\0bytes", 6));
  world.outbox->put_state("window", "");
  EXPECT_EQ(world.outbox->get_state("window"), "");
  world.wait(0s);
  world.crash_and_begin();
  EXPECT_EQ(world.outbox->get_state("window"), "") << "a state that was taken never comes back";
}

TEST(DurableOutbox, AFailingDiskIsToldOnceAndTriedAgain) {
  World world;
  world.disk.failing = true;
  for (int i = 0; i < 1000; ++i) {
    world.push(i, i);
    world.wait(1s);
  }
  EXPECT_THAT(world.log.lines, ElementsAre(HasSubstr("stay in memory until it works again")));
  EXPECT_FALSE(world.outbox->status().durable);
  world.disk.failing = false;
  world.wait(301s);
  EXPECT_TRUE(world.outbox->status().durable);
  EXPECT_THAT(world.log.lines, SizeIs(2));
  world.crash_and_begin();
  EXPECT_EQ(world.drain(), numbers(0, 999));
}

TEST(DurableOutbox, MemoryIsBoundedWhileTheDiskFails) {
  World world;
  world.settings.max_ram_readings = 100;
  world.stop_and_begin();
  world.disk.failing = true;
  world.push(1, 250);
  world.wait(5s);
  EXPECT_EQ(world.outbox->stats(world.queue).waiting, 100U);
  EXPECT_EQ(world.outbox->stats(world.queue).dropped, 150U);
  EXPECT_EQ(world.drain(), numbers(151, 250));
}

TEST(DurableOutbox, AnyDamageLosesOnlyWhatItHit) {
  // Every 512 bytes of the file in turn are overwritten; the program starts, and delivers what is not in there.
  World first;
  first.settings.page_readings = 4096;
  for (int i = 0; i < 3000; ++i) first.outbox->push(first.queue, at(i * 1000), std::sqrt(i));
  ASSERT_TRUE(first.outbox->close(MonoTime::max()));
  const std::string file = *first.disk.content("/state/outbox.db");
  for (std::size_t from = 0; from < file.size(); from += 512) {
    World world;
    world.settings.page_readings = 4096;
    world.outbox.reset();
    *world.disk.open("/state/outbox.db", true) = {.current = file, .platter = file, .pending = {}, .named = true};
    std::string& content = *world.disk.content("/state/outbox.db");
    for (std::size_t i = from; i < from + 512; ++i) content[i] = static_cast<char>(content[i] ^ 0x5a);
    world.begin();
    std::vector<OrphanQueue> orphans = world.outbox->orphans();
    if (!orphans.empty()) {
      ASSERT_TRUE(world.outbox->retarget(orphans[0].name, kQueue));
    }
    const auto values = world.drain();
    for (const double value : values) {
      const double n = value * value;
      ASSERT_NEAR(n, std::round(n), 1e-6) << "altered, damage at " << from;
    }
    ASSERT_TRUE(std::is_sorted(values.begin(), values.end()));
    if (from >= 4096) {
      ASSERT_GE(values.size(), 2000U) << "damage at " << from;
    }
    if (values.size() < 3000) {
      ASSERT_THAT(world.log.lines, testing::Not(IsEmpty())) << "damage at " << from;
    }
  }
}

TEST(DurableOutbox, AFileThatIsNoDatabaseIsSetAside) {
  World world;
  world.outbox.reset();
  const std::string text(10'000, 'x');
  *world.disk.open("/state/outbox.db", true) = {.current = text, .platter = text, .pending = {}, .named = true};
  world.begin();
  EXPECT_EQ(*world.disk.content("/state/outbox.db.damaged-1"), text);
  EXPECT_THAT(world.log.lines, ElementsAre(AllOf(HasSubstr("/state/outbox.db.damaged-1"), HasSubstr("0 waiting readings"))));
  world.push(1, 3);
  world.stop_and_begin();
  EXPECT_EQ(world.drain(), numbers(1, 3));
}

TEST(DurableOutbox, ACrashDuringARecoveryLosesNothing) {
  World first;
  for (int i = 0; i < 3000; ++i) first.outbox->push(first.queue, at(i * 1000), i);
  ASSERT_TRUE(first.outbox->close(MonoTime::max()));
  std::string file = *first.disk.content("/state/outbox.db");
  for (std::size_t i = file.size() - 4096; i < file.size() - 3584; ++i) file[i] = '?';
  std::size_t recovered = 0;
  for (std::uint64_t crash = 0; crash < 80; ++crash) {
    World world;
    world.outbox.reset();
    *world.disk.open("/state/outbox.db", true) = {.current = file, .platter = file, .pending = {}, .named = true};
    if (crash > 0) {
      world.disk.crash_after(crash);
      world.outbox = std::make_unique<DurableOutbox>(world.clock, world.log, world.settings, world.disk.files());
      std::ignore = world.outbox->start();
      world.outbox.reset();
      world.disk.reboot(CrashDisk::Loss::power);
    }
    world.begin();
    const auto values = world.drain();
    if (crash == 0) recovered = values.size();
    ASSERT_EQ(values.size(), recovered) << "crash at change " << crash;
  }
  EXPECT_GE(recovered, 1500U) << "a page holds some 1100 of these";
  EXPECT_LT(recovered, 3000U);
}

/// A folder of its own in the machine's file system.
class DurableOutboxFiles : public testing::Test {
 protected:
  DurableOutboxFiles() {
    std::string pattern = (std::filesystem::temp_directory_path() / "vz-outbox-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
  }
  ~DurableOutboxFiles() override { std::filesystem::remove_all(folder_); }
  [[nodiscard]] DurableOutbox make(const std::string& name = "outbox.db") {
    return {clock_, log_, {.path = folder_ + "/" + name}, system_files()};
  }
  FakeClock clock_;
  KeptLog log_;
  std::string folder_;
};

TEST_F(DurableOutboxFiles, TwoNeverShareAFile) {
  auto first = make();
  ASSERT_TRUE(first.start());
  auto second = make();
  const auto started = second.start();
  ASSERT_FALSE(started);
  EXPECT_THAT(started.error().text(), AllOf(HasSubstr("another process"), HasSubstr("outbox.path")));
  const QueueId queue = second.open(kQueue);
  second.push(queue, at(1), 1);
  EXPECT_EQ(second.stats(queue).waiting, 1U) << "it goes on in memory";
  ASSERT_TRUE(first.close(MonoTime::max()));
  EXPECT_TRUE(second.start());
}

TEST_F(DurableOutboxFiles, APathThatCannotBeWrittenIsAnError) {
  { std::ofstream file(folder_ + "/file"); }
  auto outbox = make("file/outbox.db");
  const auto started = outbox.start();
  ASSERT_FALSE(started);
  EXPECT_THAT(started.error().text(), AllOf(HasSubstr(folder_), HasSubstr("outbox.path")));
}

TEST_F(DurableOutboxFiles, WritesNothingBeforeItHasTo) {
  auto outbox = make();
  ASSERT_TRUE(outbox.start());
  const QueueId queue = outbox.open(kQueue);
  outbox.push(queue, at(1), 1);
  outbox.settle(queue, 1, 1, Verdict::accepted, {});
  ASSERT_TRUE(outbox.close(MonoTime::max()));
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/outbox.db"));
}

TEST_F(DurableOutboxFiles, AForeignDatabaseIsLeftAlone) {
  {
    auto db = Sqlite::open(folder_ + "/outbox.db", {});
    ASSERT_TRUE(db);
    ASSERT_TRUE((*db)->exec("CREATE TABLE other(x)"));
  }
  auto outbox = make();
  const auto started = outbox.start();
  ASSERT_FALSE(started);
  EXPECT_THAT(started.error().text(), HasSubstr("not an outbox"));
}

TEST_F(DurableOutboxFiles, TheWriterCommitsInTheBackground) {
  class SteadyClock final : public Clock {
   public:
    [[nodiscard]] Instant now() const override { return {std::chrono::steady_clock::now(), at(0)}; }
  } clock;
  DurableOutbox outbox(clock, log_, {.path = folder_ + "/outbox.db", .commit_interval = 0ms, .page_readings = 64},
                       system_files());
  OutboxWriter writer(outbox, clock);
  ASSERT_TRUE(outbox.start());
  const QueueId queue = outbox.open(kQueue);
  std::mutex mutex;
  std::condition_variable changed;
  std::uint64_t calls = 0;
  outbox.on_push([&] {
    const std::scoped_lock lock(mutex);
    ++calls;
    changed.notify_all();
  });
  std::jthread thread([&](std::stop_token stop) { writer.run(stop); });
  constexpr int kCount = 3000;
  std::jthread meter([&] {
    for (int i = 0; i < kCount; ++i) {
      const auto telegram = outbox.together();
      outbox.push(queue, at(i), i);
      outbox.put_state("window", fmt::format("{}", i));
    }
  });
  std::vector<double> seen;
  std::uint64_t looked = 0;
  while (seen.size() < kCount) {
    std::vector<QueuedReading> batch;
    outbox.peek(queue, 50, batch);
    for (const QueuedReading& reading : batch) seen.push_back(reading.value);
    if (!batch.empty()) {
      outbox.settle(queue, batch.front().sequence, batch.back().sequence, Verdict::accepted, {});
      continue;
    }
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return calls != looked; });
    looked = calls;
  }
  EXPECT_EQ(seen, numbers(0, kCount - 1));
  meter.join();
  EXPECT_TRUE(outbox.flush(MonoTime::max()));
  thread.request_stop();
  thread.join();
  ASSERT_TRUE(outbox.close(MonoTime::max()));
}

TEST_F(DurableOutboxFiles, CommandsWorkOnAFileThatNoDaemonHolds) {
  {
    auto command = make();
    EXPECT_FALSE(command.start(DurableOutbox::IfMissing::fail));
    EXPECT_TRUE(std::filesystem::is_empty(folder_)) << "and leaves nothing behind";
  }
  auto daemon = make();
  ASSERT_TRUE(daemon.start());
  const QueueId queue = daemon.open(kQueue);
  for (int i = 0; i < 100; ++i) daemon.push(queue, at(i), i);
  ASSERT_TRUE(daemon.flush(MonoTime::max()));
  {
    auto command = make();
    const auto started = command.start(DurableOutbox::IfMissing::fail);
    ASSERT_FALSE(started);
    EXPECT_THAT(started.error().text(), HasSubstr("another process is using this outbox"));
  }
  ASSERT_TRUE(daemon.close(MonoTime::max()));
  auto command = make();
  ASSERT_TRUE(command.start(DurableOutbox::IfMissing::fail));
  ASSERT_THAT(command.orphans(), SizeIs(1));
  EXPECT_EQ(command.orphans()[0].waiting, 100U);
  const auto moved = command.retarget(kQueue, kGone);
  ASSERT_TRUE(moved);
  EXPECT_EQ(*moved, 100U);
  ASSERT_TRUE(command.close(MonoTime::max()));
  auto next = make();
  ASSERT_TRUE(next.start());
  EXPECT_THAT(next.orphans(), SizeIs(1));
  EXPECT_EQ(next.stats(next.open(kGone)).waiting, 100U);
}

TEST_F(DurableOutboxFiles, CommandsAndTheDaemonDoNotDisturbEachOther) {
  auto outbox = make("threads.db");
  ASSERT_TRUE(outbox.start());
  const QueueId leaving = outbox.open(kGone);
  for (int i = 0; i < 20'000; ++i) outbox.push(leaving, at(i), i);
  ASSERT_TRUE(outbox.close(MonoTime::max()));

  auto busy = make("threads.db");
  ASSERT_TRUE(busy.start());
  OutboxWriter writer(busy, clock_);
  const QueueId queue = busy.open(kQueue);
  std::jthread writing([&](std::stop_token stop) { writer.run(std::move(stop)); });
  std::jthread listing([&](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      std::ignore = busy.orphans();
      std::ignore = busy.rejected(0, 100);
      std::ignore = busy.export_readings(kGone, 0, 100);
      std::ignore = busy.export_readings(kQueue, 0, 100);
    }
  });
  std::jthread moving([&] { EXPECT_TRUE(busy.retarget(kGone, kQueue)); });
  std::set<double> arrived;
  int pushed = 0;
  while (arrived.size() < 21'000) {
    if (pushed < 1000) busy.push(queue, at(100'000 + pushed), 100'000 + pushed);
    ++pushed;
    std::vector<QueuedReading> batch;
    busy.peek(queue, 64, batch);
    if (batch.empty()) std::this_thread::yield();
    for (const auto& reading : batch) ASSERT_TRUE(arrived.insert(reading.value).second);
    if (!batch.empty())
      busy.settle(queue, batch.front().sequence, batch.back().sequence, Verdict::accepted, {});
  }
  moving.join();
  listing.request_stop();
  listing.join();
  writing.request_stop();
  writing.join();
  EXPECT_EQ(busy.stats(queue).waiting, 0U);
  ASSERT_TRUE(busy.close(MonoTime::max()));
}

/// What the watchdog asks: a thread that hangs in the disk shows, one that has nothing to do does not.
TEST_F(DurableOutboxFiles, TheWriterSaysWhetherItWorksOrWaits) {
  class SteadyClock final : public Clock {
   public:
    [[nodiscard]] Instant now() const override { return {std::chrono::steady_clock::now(), at(0)}; }
  } clock;
  DurableOutbox outbox(clock, log_, {.path = folder_ + "/outbox.db", .commit_interval = 0ms}, system_files());
  OutboxWriter writer(outbox, clock);
  ASSERT_TRUE(outbox.start());
  const QueueId queue = outbox.open(kQueue);
  const auto is_stuck_an_hour_later = [&] { return writer.heartbeat().stuck(clock.now().mono + 1h, 5min); };
  EXPECT_FALSE(is_stuck_an_hour_later());
  std::promise<bool> during;
  std::thread::id main_thread = std::this_thread::get_id();
  outbox.on_push([&, told = false]() mutable {
    if (told || std::this_thread::get_id() == main_thread) return;  // from here on: the writer, in its commit
    told = true;
    during.set_value(is_stuck_an_hour_later());
  });
  std::jthread thread([&](std::stop_token stop) { writer.run(stop); });
  outbox.push(queue, at(1), 1);
  EXPECT_TRUE(during.get_future().get());
  thread.request_stop();
  thread.join();
  EXPECT_FALSE(is_stuck_an_hour_later());
}

TEST(OutboxOptions, AreComplete) {
  for (const OptionSpec& option : outbox_options()) {
    EXPECT_FALSE(option.help.empty()) << option.name;
    EXPECT_FALSE(option.default_text.empty()) << option.name;
  }
  EXPECT_EQ(outbox_options().size(), 4U);
}

}  // namespace
}  // namespace vz
