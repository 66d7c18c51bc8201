// SPDX-License-Identifier: GPL-3.0-or-later
// The meter worker with a scripted line on a fake clock: what it does when the line comes and goes.
#include <deque>
#include <functional>
#include <numeric>

#include "outbox/ram_outbox.hpp"
#include "protocols/d0/session.hpp"
#include "protocols/d0/telegram.hpp"
#include "protocols/s0/session.hpp"
#include "runtime/meter_worker.hpp"
#include "support/pch.hpp"

namespace vz {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class FakeClock final : public Clock {
 public:
  Instant now() const override { return {MonoTime{seconds{100}} + passed, WallTime{seconds{1'700'000'000}} + wrong + std::chrono::duration_cast<milliseconds>(passed)}; }
  bool trusted() const override { return now().wall >= WallTime{seconds{1'700'000'000}}; }
  MonoDuration passed{};
  seconds wrong{};  ///< how far the wall clock is off
};

class MemoryLog final : public Log {
 public:
  bool enabled(Level level) const override { return level <= Level::info; }
  void write(Level level, std::string_view section, std::string_view text) override {
    lines.push_back(fmt::format("{}[{}]{}", static_cast<int>(level), section, text));
  }
  [[nodiscard]] int count(std::string_view part) const {
    return static_cast<int>(std::count_if(lines.begin(), lines.end(), [&](const auto& l) { return l.find(part) != std::string::npos; }));
  }
  std::vector<std::string> lines;
};

/// What happens on the line, one entry a read.
struct Scene {
  enum class What { bytes, closed, stop, clock_set, quiet, hold } what;
  std::string bytes;
};

struct Script {
  FakeClock* clock;
  std::stop_source* stop;
  std::deque<Scene> scenes;
  std::deque<bool> opens;  ///< whether the next open works; then always
  std::deque<int> codes;   ///< why it does not; then ENOENT
  std::deque<MonoDuration> returns;  ///< when something tells that the device is back
  int watches = 0;
  int waits = 0;           ///< on a watch
  std::vector<MonoDuration> tried;   ///< when
  int opened = 0;
  int refused = 0;
  MonoDuration waited{};   ///< between a failed open and the next
  int stop_after_refusals = 0;
  int open_lines = 0;
  std::function<void()> on_hold;  ///< somebody wants the line
  std::function<void()> on_idle;  ///< while there is no line; then the wait is woken
};

class FakeTransport final : public Transport {
 public:
  FakeTransport(Script& script, bool idle) : script_(script), idle_(idle) { script_.open_lines += idle_ ? 0 : 1; }
  ~FakeTransport() override { script_.open_lines -= idle_ ? 0 : 1; }
  ReadResult read(std::span<std::byte> buffer, MonoTime, MonoTime deadline, Wake&) override {
    if (idle_ && script_.on_idle) {
      script_.on_idle();
      return {ReadResult::Kind::woken, 0, {}};
    }
    if (idle_ || script_.scenes.empty()) {
      if (!idle_) script_.stop->request_stop();
      script_.clock->passed = std::max(script_.clock->passed, deadline - MonoTime{seconds{100}});
      return {};
    }
    const Scene scene = script_.scenes.front();
    script_.scenes.pop_front();
    script_.clock->passed += milliseconds{300};
    if (scene.what == Scene::What::stop) {
      script_.stop->request_stop();
      return {ReadResult::Kind::woken, 0, {}};
    }
    if (scene.what == Scene::What::hold) {
      script_.on_hold();
      return {ReadResult::Kind::woken, 0, {}};
    }
    if (scene.what == Scene::What::quiet) {
      script_.clock->passed = std::max(script_.clock->passed, deadline - MonoTime{seconds{100}});
      return {};
    }
    if (scene.what == Scene::What::clock_set) {
      script_.clock->wrong = seconds{0};
      return {};
    }
    if (scene.what == Scene::What::closed)
      return {ReadResult::Kind::closed, 0, Error{.what = "hung up", .where = "/dev/ttyUSB0", .remedy = {}}};
    std::transform(scene.bytes.begin(), scene.bytes.end(), buffer.begin(), [](char c) { return static_cast<std::byte>(c); });
    return {ReadResult::Kind::bytes, scene.bytes.size(), {}};
  }
  Expected<void> write(std::span<const std::byte>, MonoTime, Wake&) override { return {}; }
  Expected<void> set_line(LineSettings) override { return {}; }
  void discard_input() override {}

 private:
  Script& script_;
  bool idle_;
};

class FakeWatch final : public ReturnWatch {
 public:
  explicit FakeWatch(Script& script) : script_(script) {}
  End wait(MonoTime deadline, Wake&) override {
    ++script_.waits;
    const auto end = deadline - MonoTime{seconds{100}};
    if (!script_.returns.empty() && script_.returns.front() <= end) {
      script_.clock->passed = std::max(script_.clock->passed, script_.returns.front());
      script_.returns.pop_front();
      return End::returned;
    }
    script_.clock->passed = std::max(script_.clock->passed, end);
    return End::timeout;
  }

 private:
  Script& script_;
};

class FakeFactory final : public TransportFactory {
 public:
  explicit FakeFactory(Script& script) : script_(script) {}
  Expected<std::unique_ptr<Transport>> open(const Endpoint& endpoint, LineSettings, MonoTime, Wake&) override {
    if (std::holds_alternative<NoTransport>(endpoint)) return std::make_unique<FakeTransport>(script_, true);
    script_.tried.push_back(script_.clock->passed);
    const bool works = script_.opens.empty() || script_.opens.front();
    if (!script_.opens.empty()) script_.opens.pop_front();
    if (!works) {
      if (++script_.refused == script_.stop_after_refusals) script_.stop->request_stop();
      int code = ENOENT;
      if (!script_.codes.empty()) {
        code = script_.codes.front();
        script_.codes.pop_front();
      }
      return tl::unexpected(Error{.what = fmt::format("cannot open: {}", std::generic_category().message(code)),
                                  .where = "/dev/ttyUSB0", .remedy = {}, .code = code});
    }
    ++script_.opened;
    return std::make_unique<FakeTransport>(script_, false);
  }
  std::unique_ptr<ReturnWatch> watch(const Endpoint& endpoint) override {
    if (!std::holds_alternative<SerialPort>(endpoint) || !watches) return nullptr;
    ++script_.watches;
    return std::make_unique<FakeWatch>(script_);
  }
  bool watches = false;

 private:
  Script& script_;
};

std::string telegram(int n) {
  std::string block = fmt::format("1.8.0({:09.3f}*kWh)\r\n!\r\n\x03", 100 + n * 0.001);
  return "/ISK5\\2MT372-0002\r\n\x02" + block + static_cast<char>(d0::block_check(std::as_bytes(std::span(block))));
}

/// A meter that is asked and whose cycles end at once, wanting no pause.
class HastySession final : public Session {
 public:
  explicit HastySession(int& begins, bool answers) : begins_(begins), answers_(answers) {}
  LineSettings initial_line() const override { return {}; }
  bool pulls() const override { return true; }
  void opened(Instant, SessionOut&) override {}
  void begin(Instant now, SessionOut& out) override {
    ++begins_;
    out.cycle_done = true;
    if (!answers_) return;
    out.readings.push_back({Identifier{*Obis::parse("1.8.0")}, 1.0, Unit{}, now.wall});
    out.telegrams = 1;
  }
  std::size_t received(std::span<const std::byte> bytes, Instant, MonoTime, SessionOut&) override { return bytes.size(); }
  void timer(Instant, SessionOut&) override {}
  void lost(Instant, SessionOut&) override {}

 private:
  int& begins_;
  const bool answers_;
};

class MeterWorkerTest : public testing::Test {
 protected:
  MeterWorkerTest() {
    static const Protocol protocol{.name = "d0", .summary = {}, .options = {}};
    meter_.protocol = &protocol;
    meter_.channels.push_back({.uuid = "u", .identifier_text = "1.8.0", .identifier = Identifier{*Obis::parse("1.8.0")}, .api_text = {}, .mqtt_topic = {}, .options = {}});
    queue_ = outbox_.open({"http://m", "u"});
    outbox_.on_push([] {});
    script_.clock = &clock_;
    script_.stop = &stop_;
  }

  void run() {
    d0::D0Settings settings;
    settings.paced_line = false;
    run(std::make_unique<d0::D0Session>(settings));
  }
  void run(std::unique_ptr<Session> session) {
    MeterSource source{endpoint_, std::move(session), {}};
    MeterPipeline pipeline(meter_, false, {queue_}, outbox_, log_, {}, clock_);
    MeterWorker worker(meter_, std::move(source), std::move(pipeline), {factory_, clock_, log_, 1});
    worker.on_released([this] { ++released_; });
    worker_ = &worker;
    worker.run(stop_.get_token());
    status_ = worker.status();
  }
  std::vector<QueuedReading> queued() {
    std::vector<QueuedReading> out;
    outbox_.peek(queue_, 100, out);
    return out;
  }

  FakeClock clock_;
  MemoryLog log_;
  std::stop_source stop_;
  Script script_{};
  FakeFactory factory_{script_};
  Endpoint endpoint_{SerialPort{"/dev/ttyUSB0"}};
  RamOutbox outbox_{10'000};
  QueueId queue_{};
  MeterSettings meter_;
  MeterStatus status_;
  MeterWorker* worker_ = nullptr;
  int released_ = 0;  ///< how often that was told
};

TEST_F(MeterWorkerTest, ALineThatIsLentIsClosedUntilItIsBack) {
  // half a telegram is under way when somebody wants the line
  script_.scenes = {{Scene::What::bytes, telegram(1)},
                    {Scene::What::bytes, telegram(2).substr(0, 30)},
                    {Scene::What::hold, {}},
                    {Scene::What::bytes, telegram(3)},
                    {Scene::What::stop, {}}};
  script_.on_hold = [&] {
    EXPECT_EQ(script_.open_lines, 1);
    EXPECT_FALSE(worker_->released());
    worker_->hold(Hold::lent);
  };
  int idle = 0;
  script_.on_idle = [&] {
    EXPECT_EQ(script_.open_lines, 0);
    EXPECT_TRUE(worker_->released());
    EXPECT_EQ(released_, 1);
    EXPECT_EQ(worker_->status().state, MeterReport::State::lent);
    if (++idle == 3) worker_->hold(Hold::none);
  };
  run();
  EXPECT_EQ(idle, 3);
  EXPECT_EQ(script_.opened, 2);
  const auto got = queued();
  ASSERT_EQ(got.size(), 2U);
  EXPECT_EQ(got[1].value, 100.003);
  EXPECT_EQ(status_.state, MeterReport::State::connected);
  EXPECT_EQ(std::accumulate(status_.faults.begin(), status_.faults.end(), 0U), 0U) << "what we cut short is no fault";
  EXPECT_EQ(log_.count("Trying again"), 0);
}

TEST_F(MeterWorkerTest, ALineThatIsAwayIsNotTriedWhileItIsPaused) {
  script_.opens = {false, false, true};
  script_.scenes = {{Scene::What::bytes, telegram(1)}, {Scene::What::stop, {}}};
  int idle = 0;
  script_.on_idle = [&] {
    clock_.passed += seconds{3600};
    ++idle;
    if (idle == 1) worker_->hold(Hold::paused);
    if (idle == 2) {
      EXPECT_EQ(worker_->status().state, MeterReport::State::paused);
      EXPECT_EQ(worker_->status().last_trouble, "");
      worker_->hold(Hold::lent);
    }
    if (idle == 3) {
      EXPECT_EQ(worker_->status().state, MeterReport::State::lent);
      EXPECT_EQ(script_.refused, 1) << "nobody tried meanwhile";
      worker_->hold(Hold::none);
    }
  };
  run();
  EXPECT_EQ(released_, 2);
  EXPECT_EQ(script_.refused, 2);
  EXPECT_EQ(queued().size(), 1U);
}

TEST_F(MeterWorkerTest, AStopEndsAHold) {
  script_.scenes = {{Scene::What::hold, {}}};
  script_.on_hold = [&] { worker_->hold(Hold::paused); };
  script_.on_idle = [&] { stop_.request_stop(); };
  run();
  EXPECT_EQ(script_.opened, 1);
}

TEST_F(MeterWorkerTest, DeliversWhatArrives) {
  script_.scenes = {{Scene::What::bytes, telegram(1) + telegram(2)}, {Scene::What::bytes, telegram(3)}, {Scene::What::stop, {}}};
  run();
  const auto got = queued();
  ASSERT_EQ(got.size(), 3U);
  EXPECT_EQ(got[0].value, 100.001);
  EXPECT_LT(got[0].stamp, got[1].stamp);
  EXPECT_EQ(status_.telegrams, 3U);
  EXPECT_EQ(log_.count("Adding reading to queue (value=100.00 ts="), 3);
}

TEST_F(MeterWorkerTest, CyclesThatBringNothingBeginOnceASecondAtMost) {
  for (const int interval : {-1, 0}) {
    meter_.interval = interval;
    script_.scenes.assign(61, {Scene::What::quiet, {}});  // each waits as long as it is told to
    script_.scenes.push_back({Scene::What::stop, {}});
    stop_ = {};
    const MonoDuration before = clock_.passed;
    int begins = 0;
    run(std::make_unique<HastySession>(begins, false));
    EXPECT_LE(begins, 61);
    EXPECT_GE(clock_.passed - before, seconds{60}) << "interval " << interval << ": " << begins << " cycles";
  }
}

TEST_F(MeterWorkerTest, CyclesThatAreAnsweredAtOnceDoNotSpinEither) {
  script_.scenes.assign(101, {Scene::What::quiet, {}});
  script_.scenes.push_back({Scene::What::stop, {}});
  int begins = 0;
  run(std::make_unique<HastySession>(begins, true));
  EXPECT_GE(begins, 60);
  EXPECT_GE(clock_.passed, seconds{10}) << begins << " cycles";
}

TEST_F(MeterWorkerTest, PulsesThatWereCountedAreNotForgottenWhenTheLineGoesOrAtAStop) {
  meter_.channels[0].identifier = Identifier{std::string{"Impulse"}};
  script_.scenes = {{Scene::What::bytes, "x"}, {Scene::What::bytes, "x"}, {Scene::What::closed, {}},
                    {Scene::What::bytes, "x"}, {Scene::What::stop, {}}};
  run(std::make_unique<s0::S0Session>(s0::S0Settings{.input = s0::S0Settings::Input::bytes}));
  const auto got = queued();
  ASSERT_EQ(got.size(), 2U);
  EXPECT_EQ(got[0].value, 2);
  EXPECT_EQ(got[1].value, 1);
}

TEST_F(MeterWorkerTest, OpensALostLineAgainAndTellsItOnce) {
  script_.scenes = {{Scene::What::bytes, telegram(1)}, {Scene::What::closed, {}}, {Scene::What::bytes, telegram(2)}, {Scene::What::stop, {}}};
  script_.opens = {true, false, false, false, false, true};
  run();
  EXPECT_EQ(queued().size(), 2U);
  EXPECT_EQ(script_.opened, 2);
  EXPECT_EQ(script_.refused, 4);
  EXPECT_EQ(log_.count("hung up"), 1);
  EXPECT_EQ(log_.count("No such file"), 0);
  EXPECT_EQ(log_.count("established again"), 1);
  EXPECT_TRUE(status_.last_trouble.empty());
}

TEST_F(MeterWorkerTest, TheStatusHasTheLastValueAndWhenItCame) {
  script_.scenes = {{Scene::What::bytes, telegram(1)}, {Scene::What::bytes, telegram(2)}, {Scene::What::stop, {}}};
  run();
  EXPECT_EQ(status_.state, MeterReport::State::connected);
  ASSERT_EQ(status_.latest.size(), 1U);
  EXPECT_EQ(status_.latest[0].value, 100.002);
  EXPECT_EQ(status_.latest[0].at, MonoTime{seconds{100}} + milliseconds{600});
  EXPECT_EQ(status_.last_reading, status_.latest[0].at);
  EXPECT_FALSE(status_.trouble_since);
}

TEST_F(MeterWorkerTest, TheStatusKnowsSinceWhenALineIsAway) {
  script_.scenes = {{Scene::What::bytes, telegram(1)}, {Scene::What::closed, {}}};
  script_.opens = {true, false, false, false, false};
  script_.stop_after_refusals = 4;
  run();
  EXPECT_EQ(status_.state, MeterReport::State::away);
  EXPECT_NE(status_.last_trouble.find("No such file"), std::string::npos);
  EXPECT_EQ(status_.trouble_since, MonoTime{seconds{100}} + milliseconds{600});  // the hang-up, not the latest try
}

TEST_F(MeterWorkerTest, TroubleEndsWithAGoodTelegram) {
  std::string bad = telegram(7);
  bad[bad.size() - 8] = '9';
  script_.scenes = {{Scene::What::bytes, bad}, {Scene::What::bytes, bad}, {Scene::What::stop, {}}};
  run();
  EXPECT_EQ(status_.state, MeterReport::State::connected);
  EXPECT_FALSE(status_.last_trouble.empty());
  EXPECT_EQ(status_.trouble_since, MonoTime{seconds{100}} + milliseconds{300});
}

TEST_F(MeterWorkerTest, ALineThatComesAndGoesDoesNotFillTheLog) {
  for (int i = 1; i <= 12; ++i) {
    script_.scenes.push_back({Scene::What::bytes, telegram(i)});
    script_.scenes.push_back({Scene::What::closed, {}});
  }
  script_.scenes.push_back({Scene::What::stop, {}});
  run();
  EXPECT_EQ(queued().size(), 12U);
  const auto told = [&](std::string_view level, std::string_view part) {
    return std::count_if(log_.lines.begin(), log_.lines.end(), [&](const std::string& line) {
      return line.starts_with(level) && line.find(part) != std::string::npos;
    });
  };
  EXPECT_EQ(told("0", "Trying again"), 5);
  EXPECT_EQ(told("0", "established again"), 5);
  EXPECT_EQ(log_.count("Trying again"), 5);  // not even at level 5: a meter that flaps for a month must not fill a disk
}

TEST_F(MeterWorkerTest, FlapsThatWereNotToldAreCountedWithTheNextThatIs) {
  for (int i = 1; i <= 2000; ++i) {
    script_.scenes.push_back({Scene::What::bytes, telegram(i)});
    script_.scenes.push_back({Scene::What::closed, {}});
  }
  script_.scenes.push_back({Scene::What::stop, {}});
  run();
  EXPECT_EQ(queued().size(), 100U);
  EXPECT_EQ(log_.count("Trying again"), 5 + static_cast<int>(clock_.passed / std::chrono::minutes{12}));
  EXPECT_GE(log_.count("more times since the last such line"), 1);
}

TEST_F(MeterWorkerTest, ALineThatIsLostAgainBeforeItBroughtAnythingIsTheSameTrouble) {
  script_.scenes.push_back({Scene::What::bytes, telegram(1)});
  for (int i = 0; i < 300; ++i) script_.scenes.push_back({Scene::What::closed, {}});  // accepts and hangs up, for hours
  script_.scenes.push_back({Scene::What::bytes, telegram(2)});
  script_.scenes.push_back({Scene::What::stop, {}});
  run();
  EXPECT_GT(clock_.passed, std::chrono::hours{4});
  EXPECT_EQ(log_.count("Trying again"), 1);
  EXPECT_EQ(log_.count("established again"), 1);
  EXPECT_EQ(log_.count("still no connection"), static_cast<int>(clock_.passed / std::chrono::hours{1}));
  EXPECT_LE(log_.lines.size(), 12U);
}

TEST_F(MeterWorkerTest, ARefusedPeerIsToldOnceAndSummedUpHourly) {
  endpoint_ = TcpPeer{"meter", "7000"};
  factory_.watches = true;
  for (int i = 0; i < 300; ++i) {
    script_.opens.push_back(false);
    script_.codes.push_back(i % 3 == 0 ? ETIMEDOUT : ECONNREFUSED);
  }
  script_.scenes = {{Scene::What::bytes, telegram(1)}, {Scene::What::stop, {}}};
  run();
  EXPECT_EQ(script_.watches, 0);
  EXPECT_EQ(log_.count("Trying again"), 1);
  EXPECT_EQ(log_.count("still no connection"), static_cast<int>(clock_.passed / std::chrono::hours{1}));
  EXPECT_GT(script_.tried[4] - script_.tried[3], seconds{6});  // 8 s, give or take a fifth
}

TEST_F(MeterWorkerTest, ASilentMeterIsToldOnceAndSummedUpHourly) {
  script_.scenes.push_back({Scene::What::bytes, telegram(1)});
  for (int i = 0; i < 2000; ++i) script_.scenes.push_back({Scene::What::quiet, {}});
  script_.scenes.push_back({Scene::What::bytes, telegram(2)});
  script_.scenes.push_back({Scene::What::stop, {}});
  run();
  EXPECT_GT(clock_.passed, std::chrono::hours{2});
  EXPECT_EQ(log_.count("Asking on"), 1);
  EXPECT_EQ(log_.count("answers again"), 1);
  const auto hours = static_cast<int>(clock_.passed / std::chrono::hours{1});
  EXPECT_GE(log_.count("still silent"), hours - 1);
  EXPECT_LE(log_.count("still silent"), hours);
}

TEST_F(MeterWorkerTest, FaultsAreToldOnceAndSummedUpHourly) {
  std::string bad = telegram(7);
  bad[bad.size() - 8] = '9';
  for (int i = 0; i < 3000; ++i) script_.scenes.push_back({Scene::What::bytes, bad});  // a quarter of an hour
  for (int i = 0; i < 2000; ++i) script_.scenes.push_back({Scene::What::quiet, {}});   // then nothing, for hours
  script_.scenes.push_back({Scene::What::stop, {}});
  run();
  EXPECT_EQ(log_.count("No value was taken from it"), 1);
  EXPECT_EQ(log_.count("2999 more since the last such line"), 1);  // although none comes any more
}

TEST_F(MeterWorkerTest, AReturnedDeviceIsOpenedAtOnce) {
  factory_.watches = true;
  script_.scenes = {{Scene::What::bytes, telegram(1)}, {Scene::What::closed, {}}, {Scene::What::bytes, telegram(2)}, {Scene::What::stop, {}}};
  script_.opens = {true, false, false, false, false, false, false, false, true};  // gone for some 130 s
  script_.returns = {seconds{170}};
  run();
  EXPECT_EQ(queued().size(), 2U);
  EXPECT_EQ(script_.tried.back(), seconds{170});
  EXPECT_EQ(script_.watches, 1) << "watched all the time, so that nothing is missed between two tries";
  EXPECT_EQ(script_.waits, static_cast<int>(script_.tried.size()) - 1) << "one wait a try, and no more";
}

TEST_F(MeterWorkerTest, ADeviceThatIsBackButNotReadyIsTriedQuickly) {
  factory_.watches = true;
  script_.scenes = {{Scene::What::bytes, telegram(1)}, {Scene::What::closed, {}}, {Scene::What::bytes, telegram(2)}, {Scene::What::stop, {}}};
  script_.opens = {true, false, false, false, false, false, false, false, false, true};
  script_.codes = {ENOENT, ENOENT, ENOENT, ENOENT, EACCES, EACCES, EBUSY, EBUSY};
  script_.returns = {seconds{20}};
  run();
  EXPECT_EQ(queued().size(), 2U);
  EXPECT_LE(script_.tried.back(), seconds{21});
  EXPECT_EQ(log_.count("Permission denied"), 0);
  EXPECT_EQ(log_.count("Trying again"), 1);
}

TEST_F(MeterWorkerTest, ADeviceThatStaysRefusedIsToldOnceWithTheReason) {
  factory_.watches = true;
  script_.scenes = {{Scene::What::bytes, telegram(1)}, {Scene::What::closed, {}}, {Scene::What::bytes, telegram(2)}, {Scene::What::stop, {}}};
  script_.opens = {true, false, false, false, false};
  script_.codes = {ENOENT, ENOENT, ENOENT, ENOENT};
  for (int i = 0; i < 60; ++i) {
    script_.opens.push_back(false);
    script_.codes.push_back(EACCES);
  }
  script_.returns = {seconds{20}};
  run();
  EXPECT_EQ(queued().size(), 2U);
  EXPECT_EQ(log_.count("Permission denied. Trying again"), 1);
  EXPECT_GT(clock_.passed, std::chrono::minutes{15}) << "after some seconds the pauses grow as ever";
}

TEST_F(MeterWorkerTest, AMissingDeviceIsWaitedForWithGrowingPauses) {
  script_.opens = {false, false, false, false, false, false, true};
  script_.scenes = {{Scene::What::bytes, telegram(1)}, {Scene::What::stop, {}}};
  run();
  EXPECT_EQ(queued().size(), 1U);
  EXPECT_EQ(log_.count("No such file"), 1);
  EXPECT_GT(clock_.passed, seconds{20});  // 1 + 2 + 4 + 8 + 16 + 32 s, give or take a fifth
  EXPECT_LT(clock_.passed, seconds{90});
}

TEST_F(MeterWorkerTest, DamageIsCountedAndToldOnce) {
  std::string bad = telegram(7);
  bad[bad.size() - 8] = '9';
  script_.scenes = {{Scene::What::bytes, bad}, {Scene::What::bytes, bad}, {Scene::What::bytes, telegram(8)}, {Scene::What::stop, {}}};
  run();
  EXPECT_EQ(queued().size(), 1U);
  EXPECT_EQ(status_.faults[static_cast<std::size_t>(FaultKind::check_value)] +
                status_.faults[static_cast<std::size_t>(FaultKind::grammar)], 2U);
  EXPECT_EQ(log_.count("No value was taken from it"), 1);
}

TEST_F(MeterWorkerTest, AWindowIsAggregatedOnceAndClosesWithTheFirstReadAfterItsEnd) {
  meter_.aggtime = 1;
  meter_.channels[0].aggmode = AggMode::max;
  for (int i = 1; i <= 8; ++i) script_.scenes.push_back({Scene::What::bytes, telegram(i)});  // 0.3 s each
  script_.scenes.push_back({Scene::What::stop, {}});
  run();
  const auto got = queued();
  ASSERT_EQ(got.size(), 2U);
  EXPECT_EQ(got[0].value, 100.004);  // reads at 0.3 0.6 0.9 1.2
  EXPECT_EQ(got[1].value, 100.007);
}

TEST_F(MeterWorkerTest, ReadingsBeforeTheClockIsSetAreStampedWhenItIs) {
  clock_.wrong = -seconds{1'700'000'000};  // 1970
  script_.scenes = {{Scene::What::bytes, telegram(1)}, {Scene::What::bytes, telegram(2)}, {Scene::What::clock_set, {}},
                    {Scene::What::bytes, telegram(3)}, {Scene::What::stop, {}}};
  run();
  const auto got = queued();
  ASSERT_EQ(got.size(), 3U);
  const WallTime start{seconds{1'700'000'000}};
  EXPECT_EQ(got[0].stamp, start + milliseconds{300});
  EXPECT_EQ(got[1].stamp, start + milliseconds{600});
  EXPECT_EQ(got[2].stamp, start + milliseconds{1200});
  EXPECT_EQ(log_.count("clock of this machine is not set"), 1);
  EXPECT_EQ(log_.count("2 readings that waited"), 1);
}

}  // namespace
}  // namespace vz
