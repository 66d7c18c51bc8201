// SPDX-License-Identifier: GPL-3.0-or-later
// Readings and the clock: held, stamped later, kept over a stop, set apart; and what steps do to stamps.
#include "runtime/stamp_gate.hpp"

#include <cstdlib>
#include <filesystem>
#include <random>
#include <set>

#include "core/stamp_clock.hpp"
#include "outbox/ram_outbox.hpp"
#include "runtime/pipeline.hpp"
#include "support/pch.hpp"

namespace vz {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;
namespace fs = std::filesystem;

constexpr WallTime kStart{std::chrono::seconds{1'700'000'000}};
constexpr milliseconds kWrong{-1'700'000'000'000};  // 1970

/// A machine whose clock can be set.
class Machine final : public Clock {
 public:
  Instant now() const override { return {MonoTime{} + passed, kStart + off + std::chrono::duration_cast<milliseconds>(passed)}; }
  bool trusted() const override { return now().wall >= kStart; }
  MonoDuration passed = 100s;
  milliseconds off{0};
};

class KeptLog final : public Log {
 public:
  bool enabled(Level level) const override { return level <= Level::info; }
  void write(Level, std::string_view, std::string_view text) override { lines.emplace_back(text); }
  [[nodiscard]] long count(std::string_view part) const {
    return std::count_if(lines.begin(), lines.end(), [&](const std::string& l) { return l.find(part) != std::string::npos; });
  }
  std::vector<std::string> lines;
};

class StampGateTest : public testing::Test {
 protected:
  StampGateTest() {
    std::string name = (fs::temp_directory_path() / "vz-gate-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder");
    dir_ = name;
  }
  ~StampGateTest() override {
    gate_.reset();
    outbox_.reset();
    fs::remove_all(dir_);
  }
  /// A process begins.
  void begin(const std::string& boot, milliseconds commit = 5s) {
    outbox_ = std::make_unique<DurableOutbox>(clock_, log_, DurableSettings{.path = dir_ / "outbox.db", .commit_interval = commit, .page_readings = 10'000},
                                              system_files());
    ASSERT_TRUE(outbox_->start());
    queue_ = outbox_->open(kName);
    gate_ = std::make_unique<StampGate>(*outbox_, clock_, log_, boot);
    gate_->know(queue_, kName);
    gate_->resume(*outbox_);
  }
  void stop() {
    gate_.reset();
    ASSERT_TRUE(outbox_->close(MonoTime::max()));
    outbox_.reset();
  }
  void read(double value) {
    const auto stamp = gate_->look() ? StampGate::Stamp::right : StampGate::Stamp::wrong;
    gate_->push(queue_, {value, clock_.now().wall}, clock_.now(), stamp);
  }
  std::vector<std::pair<milliseconds, double>> queued() {
    for (int i = 0; i < 10 && gate_->held() > 0 && clock_.trusted(); ++i) {
      outbox_->tick();
      gate_->look();
    }
    outbox_->tick();
    std::vector<QueuedReading> out;
    outbox_->peek(queue_, 10'000, out);
    std::vector<std::pair<milliseconds, double>> result;
    for (const auto& reading : out) result.emplace_back(reading.stamp - kStart, reading.value);
    return result;
  }
  using Points = std::vector<std::pair<milliseconds, double>>;

  const QueueName kName{"http://m", "uuid-123456"};
  fs::path dir_;
  Machine clock_;
  KeptLog log_;
  std::unique_ptr<DurableOutbox> outbox_;
  std::unique_ptr<StampGate> gate_;
  QueueId queue_{};
};

TEST_F(StampGateTest, HeldReadingsGetTheirTimeByTheirDistance) {
  begin("b");
  clock_.off = kWrong;
  read(1);
  clock_.passed += 3600s;
  read(2);
  EXPECT_TRUE(queued().empty());
  EXPECT_EQ(gate_->held(), 2U);
  EXPECT_TRUE(gate_->next_look(clock_.now().mono).has_value());
  clock_.passed += 1s;
  clock_.off = 0ms;
  read(3);
  EXPECT_EQ(queued(), (Points{{100s, 1}, {3700s, 2}, {3701s, 3}}));
  EXPECT_EQ(gate_->held(), 0U);
  EXPECT_FALSE(gate_->next_look(clock_.now().mono).has_value());
  EXPECT_EQ(log_.count("is not set yet"), 1);
  EXPECT_EQ(log_.count("2 readings that waited"), 1);
}

TEST_F(StampGateTest, ReleasedWithoutANewReading) {
  begin("b");
  clock_.off = kWrong;
  read(1);
  clock_.off = 0ms;
  EXPECT_TRUE(gate_->look());
  EXPECT_EQ(queued(), (Points{{100s, 1}}));
}

/// The disk had them all: nothing may be dropped because they come into memory faster than they are written.
TEST_F(StampGateTest, ADayOfHeldReadingsIsMovedNoFasterThanItIsWritten) {
  begin("b");
  clock_.off = kWrong;
  constexpr int kMany = 50'000;
  for (int i = 0; i < kMany; ++i, clock_.passed += 1s) {
    read(i);
    if (i % 10'000 == 0) outbox_->tick();
  }
  stop();
  clock_.passed += 60s;
  begin("b");
  clock_.off = 0ms;
  std::uint64_t most = 0;
  for (int i = 0; i < 1'000 && gate_->held() > 0; ++i) {
    gate_->look();
    const QueueProgress moved = outbox_->progress(queue_);
    most = std::max(most, moved.last - std::max(moved.stored_to, moved.settled_to));
    if (i % 10 == 9) clock_.passed += 1s;  // the pages that were read come sooner than what is moved is due
    outbox_->tick();
  }
  EXPECT_EQ(gate_->held(), 0U);
  EXPECT_EQ(outbox_->stats(queue_).waiting, static_cast<std::uint64_t>(kMany));
  EXPECT_EQ(outbox_->stats(queue_).dropped, 0U);
  EXPECT_LT(most, 25'000U);
}

TEST_F(StampGateTest, HeldOverAStopInTheSameBoot) {
  begin("b");
  clock_.off = kWrong;
  for (int i = 0; i < 5000; ++i, clock_.passed += 1s) read(i);
  stop();
  clock_.passed += 60s;
  begin("b");
  EXPECT_EQ(gate_->held(), 5000U);
  EXPECT_TRUE(outbox_->orphans().empty());
  read(5000);  // still wrong
  clock_.passed += 1s;
  clock_.off = 0ms;
  read(5001);  // must not overtake
  const Points got = queued();
  ASSERT_EQ(got.size(), 5002U);
  for (int i = 0; i < 5000; ++i) EXPECT_EQ(got[static_cast<std::size_t>(i)], (std::pair<milliseconds, double>{100s + i * 1s, i}));
  EXPECT_EQ(got[5000], (std::pair<milliseconds, double>{5160s, 5000}));
  EXPECT_EQ(got[5001], (std::pair<milliseconds, double>{5161s, 5001}));
  // and once only: a later process finds nothing of it
  stop();
  begin("b");
  EXPECT_EQ(gate_->held(), 0U);
  EXPECT_EQ(outbox_->stats(queue_).waiting, 5002U);
}

TEST_F(StampGateTest, TheClockMayBeSetWhileNoProcessRuns) {
  begin("b");
  clock_.off = kWrong;
  read(1);
  stop();
  clock_.passed += 60s;
  clock_.off = 0ms;
  begin("b");
  read(2);
  EXPECT_EQ(queued(), (Points{{100s, 1}, {160s, 2}}));
}

TEST_F(StampGateTest, SetApartWhenTheBootNeverKnewTheTime) {
  begin("b");
  clock_.off = kWrong;
  read(1);
  clock_.passed += 2s;
  read(2);
  stop();
  clock_.off = 0ms;
  clock_.passed = 50s;  // another boot
  begin("c");
  read(3);
  EXPECT_EQ(queued(), (Points{{50s, 3}}));
  EXPECT_EQ(gate_->held(), 0U);
  const auto orphans = outbox_->orphans();
  ASSERT_EQ(orphans.size(), 1U);
  EXPECT_EQ(orphans[0].waiting, 2U);
  EXPECT_EQ(StampGate::held_endpoint(orphans[0].name), "http://m");
  EXPECT_EQ(orphans[0].name.channel, kName.channel);
  EXPECT_FALSE(StampGate::held_endpoint(kName));
  const auto exported = outbox_->export_readings(orphans[0].name, 0, 10);
  ASSERT_TRUE(exported);
  ASSERT_EQ(exported->size(), 2U);
  EXPECT_EQ((*exported)[0].stamp, WallTime{100s});  // since boot
  EXPECT_EQ((*exported)[1].stamp, WallTime{102s});
  EXPECT_EQ((*exported)[1].value, 2);
}

TEST_F(StampGateTest, WithEveryReadingCommittedACrashLosesNoHeldOne) {
  begin("b", 0ms);
  clock_.off = kWrong;
  read(1);
  outbox_->tick();
  gate_.reset();
  outbox_.reset();  // no stop
  begin("b", 0ms);
  EXPECT_EQ(gate_->held(), 1U);
  clock_.off = 0ms;
  EXPECT_TRUE(gate_->look());
  EXPECT_EQ(queued(), (Points{{100s, 1}}));
}

TEST_F(StampGateTest, ChannelsOfOneQueueShareNoMillisecond) {
  begin("b");
  for (int i = 0; i < 10; ++i) read(i);
  const Points got = queued();
  ASSERT_EQ(got.size(), 10U);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(got[static_cast<std::size_t>(i)].first, 100s + milliseconds{i});
}

TEST_F(StampGateTest, TwoMetersOfOneChannelShareNoMillisecond) {
  begin("b");
  std::vector<std::unique_ptr<MeterSettings>> settings;
  std::vector<MeterPipeline> pipelines;
  for (int m = 0; m < 2; ++m) {
    settings.push_back(std::make_unique<MeterSettings>());
    settings.back()->number = m;
    settings.back()->channels.push_back({.number = m, .uuid = kName.channel, .identifier_text = {}, .identifier = Identifier{"r"}, .api_text = {}, .mqtt_topic = {}, .options = {}});
    pipelines.emplace_back(*settings.back(), false, std::vector<std::optional<QueueId>>{queue_}, *gate_, log_,
                           std::span<ReadingTap* const>{}, clock_);
  }
  for (int i = 0; i < 20; ++i) {
    const Reading reading{.identifier = Identifier{"r"}, .value = static_cast<double>(i), .unit = {}, .stamp = clock_.now().wall};
    pipelines[static_cast<std::size_t>(i % 2)].deliver(std::span{&reading, 1}, clock_.now());
  }
  std::set<milliseconds> stamps;
  for (const auto& [stamp, value] : queued()) stamps.insert(stamp);
  EXPECT_EQ(stamps.size(), 20U);
}

/// A window that is resumed has readings of before the process; stamps of its time are taken if they were ahead.
TEST_F(StampGateTest, WhatIsOlderThanTheProcessComesBehindStampsThatWereAhead) {
  outbox_ = std::make_unique<DurableOutbox>(clock_, log_, DurableSettings{.path = dir_ / "outbox.db"}, system_files());
  ASSERT_TRUE(outbox_->start());
  queue_ = outbox_->open(kName);
  gate_ = std::make_unique<StampGate>(*outbox_, clock_, log_, "b");
  gate_->know(queue_, kName);
  gate_->go_on_from(kStart + 99s);
  gate_->resume(*outbox_);
  gate_->push(queue_, {1, kStart + 80s}, clock_.now(), StampGate::Stamp::right);
  gate_->push(queue_, {2, kStart + 100s}, clock_.now(), StampGate::Stamp::right);
  const auto points = queued();
  ASSERT_EQ(points.size(), 2U);
  EXPECT_GT(points[0].first, 99s);
  EXPECT_GT(points[1].first, points[0].first);
}

/// The state "clock" is written with readings, at a stop if there is a file, and never alone.
TEST_F(StampGateTest, ACompanionMakesNoFile) {
  begin("b");
  outbox_->set_companion("clock", [] { return Companion{.bytes = "b 1"}; });
  clock_.passed += 3600s;
  outbox_->tick();
  stop();
  EXPECT_FALSE(fs::exists(dir_ / "outbox.db"));
  begin("b");
  outbox_->set_companion("clock", [] { return Companion{.bytes = "b 2"}; });
  read(1);
  clock_.passed += 6s;
  outbox_->tick();
  gate_.reset();
  outbox_.reset();  // a crash
  begin("b");
  EXPECT_EQ(outbox_->get_state("clock"), "b 2");
  outbox_->set_companion("clock", [] { return Companion{.bytes = "b 3"}; });
  stop();
  begin("b");
  EXPECT_EQ(outbox_->get_state("clock"), "b 3");
}

TEST_F(StampGateTest, CyclesWithoutATimeDoNotPostponeTheNextWindow) {
  begin("b", 0ms);
  MeterSettings meter;
  meter.aggtime = 60;
  meter.channels.push_back({.uuid = "u", .identifier_text = {}, .identifier = Identifier{"r"}, .api_text = {}, .aggmode = AggMode::sum, .mqtt_topic = {}, .options = {}});
  MeterPipeline pipeline(meter, false, {queue_}, *gate_, log_, {}, clock_);
  pipeline.resume_windows(*outbox_, MeterPipeline::KeepWindows::always);
  const auto read_for = [&](int seconds) {
    for (int i = 0; i < seconds; ++i) {
      clock_.passed += 1s;
      const Reading reading{.identifier = Identifier{"r"}, .value = 1, .unit = {}, .stamp = clock_.now().wall};
      pipeline.deliver(std::span{&reading, 1}, clock_.now());
      pipeline.end_cycle(clock_.now());
    }
  };
  clock_.off = kWrong;
  read_for(100);
  clock_.off = 0ms;
  read_for(130);
  const auto sums = queued();
  ASSERT_EQ(sums.size(), 102U) << "each cycle without a time by itself, then by the minute";
  EXPECT_EQ(sums.back().second, 60);
}

// A fault the simulation found: a clock that was ahead, was lost, and came back right.
TEST_F(StampGateTest, WhatWasHeldIsNotSqueezedBehindAStampThatWasAhead) {
  begin("b");
  clock_.off = 60s;
  read(1);
  clock_.off = kWrong;
  for (int i = 2; i <= 50; ++i) {
    clock_.passed += 1s;
    read(i);
  }
  clock_.off = 0ms;
  const auto got = queued();
  ASSERT_EQ(got.size(), 50U);
  for (std::size_t i = 1; i < got.size(); ++i) EXPECT_EQ(got[i].first - got[i - 1].first, 500ms) << i;
}

// ---- steps, through everything from the telegram to the outbox

/// A meter that is read once a second, on a machine whose clock somebody plays with.
struct Household {
  explicit Household(AggMode mode, int aggtime = -1, bool fixed = false) {
    meter.aggtime = aggtime;
    meter.aggfixedinterval = fixed;
    meter.channels.push_back({.uuid = "u", .identifier_text = {}, .identifier = Identifier{"r"}, .api_text = {}, .aggmode = mode, .mqtt_topic = {}, .options = {}});
    pipeline.emplace(meter, false, std::vector<std::optional<QueueId>>{outbox.open({"http://m", "u"})}, outbox, log,
                     std::span<ReadingTap* const>{}, clock);
  }
  void read(double value, milliseconds distance = 1s) {
    machine.passed += distance;
    const Instant now = clock.now();
    const Reading reading{.identifier = Identifier{"r"}, .value = value, .unit = {}, .stamp = now.wall};
    pipeline->deliver(std::span{&reading, 1}, now);
    pipeline->end_cycle(now);
  }
  std::vector<QueuedReading> queued() const {
    std::vector<QueuedReading> out;
    outbox.peek(QueueId{0}, 1'000'000, out);
    return out;
  }
  Machine machine;
  KeptLog log;
  StampClock clock{machine, kStart};
  RamOutbox outbox{1'000'000};
  MeterSettings meter;
  std::optional<MeterPipeline> pipeline;
};

TEST(ClockSteps, NothingIsLostDoubledOrSqueezed) {
  for (unsigned seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random{seed};
    const auto below = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
    Household house{AggMode::none};
    house.machine.passed += 100h;  // no step goes behind the build
    if (below(3) == 0) house.machine.off = kWrong;
    for (int i = 0; i < 600; ++i) {
      if (below(40) == 0) {
        const int what = below(4);
        if (what == 0) house.machine.off = 0ms;
        if (what == 1) house.machine.off -= milliseconds{below(300'000)};
        if (what == 2) house.machine.off -= milliseconds{300'000 + below(7'200'000)};
        if (what == 3) house.machine.off += milliseconds{below(7'200'000)};
      }
      if (i == 599) house.machine.off = std::max(house.machine.off, milliseconds{0});
      house.read(i, milliseconds{below(3) == 0 ? 10'000 : 1000});
    }
    for (int i = 0; i < 20; ++i) house.pipeline->tick(house.clock.now());
    const auto got = house.queued();
    ASSERT_EQ(got.size(), 600U);
    std::set<WallTime> stamps;
    for (std::size_t i = 0; i < got.size(); ++i) {
      EXPECT_EQ(got[i].value, static_cast<double>(i)) << "the order of the readings";
      EXPECT_TRUE(stamps.insert(got[i].stamp).second) << "the same millisecond twice, reading " << i;
      if (i == 0) continue;
      // at least at half speed, but for a large step back and the milliseconds of half a telegram
      const auto spacing = got[i].stamp - got[i - 1].stamp;
      EXPECT_TRUE(spacing >= 490ms || spacing < -294s) << "squeezed: " << spacing.count() << " ms before reading " << i;
    }
  }
}

TEST(ClockSteps, TimesThatComeAgainAreMovedByAMillisecond) {
  Household house{AggMode::max, 60, true};
  for (int i = 0; i < 3600; ++i) house.read(i);
  const std::size_t before = house.queued().size();
  house.machine.off -= 1h;
  for (int i = 0; i < 3600; ++i) house.read(i);
  const auto got = house.queued();
  EXPECT_EQ(got.size(), 2 * before);
  std::set<WallTime> stamps;
  for (const auto& reading : got) stamps.insert(reading.stamp);
  EXPECT_EQ(stamps.size(), got.size());
}

TEST(ClockSteps, AnAverageIsWeighedByRealTime) {
  for (const milliseconds step : {milliseconds{3'600'000}, milliseconds{-3'600'000}}) {
    Household house{AggMode::avg, 60};
    house.machine.passed += 10h;  // the clock must not get behind the build
    for (int i = 0; i < 70; ++i) house.read(i % 2 == 0 ? 10 : 20);
    house.machine.off += step;
    for (int i = 0; i < 70; ++i) house.read(i % 2 == 0 ? 10 : 20);
    const auto got = house.queued();
    ASSERT_EQ(got.size(), 3U);
    EXPECT_NEAR(got[2].value, 15, 0.3) << step.count();  // the step was in the middle of it
  }
}

TEST(ClockSteps, ASumOfAWindowThatBeganInThePastIsWhole) {
  Household house{AggMode::sum, 60};
  house.machine.off = kWrong;
  for (int i = 0; i < 50; ++i) house.read(1);
  house.machine.off = 0ms;
  for (int i = 0; i < 20; ++i) house.read(1);
  const auto got = house.queued();
  ASSERT_EQ(got.size(), 1U);
  EXPECT_NEAR(got[0].value, 60, 1);
  EXPECT_NEAR(static_cast<double>((got[0].stamp - kStart).count()), 160'000, 1000);
}

TEST(ClockSteps, AWindowLeftWithoutATimeIsHeldAsItsResult) {
  Household house{AggMode::sum, 60};
  house.machine.off = kWrong;
  for (int i = 0; i < 10; ++i) house.read(1);
  house.pipeline->leave_windows();
  house.machine.off = 0ms;
  house.pipeline->tick(house.clock.now());
  const auto got = house.queued();
  ASSERT_EQ(got.size(), 1U);
  EXPECT_EQ(got[0].value, 10);
  EXPECT_EQ(got[0].stamp, kStart + 110s);
}

}  // namespace
}  // namespace vz
