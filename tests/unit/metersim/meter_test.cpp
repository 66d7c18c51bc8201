// SPDX-License-Identifier: GPL-3.0-or-later
#include "tools/metersim/meter.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

namespace vz::metersim {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;

const MonoTime kStart{1000s};
constexpr char kRequest[] = "/?!\r\n";
constexpr char kAck050[] =
    "\x06"
    "050\r\n";
const std::string kBreak =
    "\x01"
    "B0\x03q";

std::tm utc(WallTime) { return std::tm{}; }

MeterSettings mt372_settings() {
  MeterSettings settings;
  settings.telegram = mt372();
  settings.counters = {{"1.8.0", 0.001, Counter::Per::readout}};
  settings.clock = Registers::Clock::stands;
  settings.address = "58231541";
  settings.no_ack = NoAck::silent;
  settings.local_time = utc;
  return settings;
}

MeterSettings with_identification(std::string identification, Mode mode) {
  MeterSettings settings = mt372_settings();
  settings.telegram.identification = std::move(identification);
  settings.mode = mode;
  return settings;
}

/// What the meter said, and when.
struct Said {
  std::string bytes;
  MonoTime start;
  MonoTime end;
  unsigned baud;
};

/// A reader on fake time. Characters and transmissions take their line time; time passes only in run_until().
class Bench {
 public:
  explicit Bench(MeterSettings settings, bool listener = true) : meter_(make(std::move(settings))) {
    if (!listener) meter_.set_listener(false, at(now_));
    meter_.start(at(now_), out_);
    take();
  }

  /// Sends from `start` on, at the speed at which the meter listens then.
  void send(std::string_view bytes, MonoTime start) {
    run_until(start);
    const MonoDuration character = std::chrono::nanoseconds{10'000'000'000LL / meter_.baud()};
    MonoTime begin = start;
    for (const char byte : bytes) {
      const MonoTime end = begin + character;
      run_until(end);
      meter_.received({.byte = byte, .start = begin, .end = end, .baud = meter_.baud()}, at(end), out_);
      take();
      begin = end;
    }
  }
  void send(std::string_view bytes) { send(bytes, now_); }

  void run_until(MonoTime time) {
    for (;;) {
      MonoTime next = time;
      const MonoTime timer = meter_.timer().value_or(MonoTime::max());
      const MonoTime ends = sending_ ? sending_->end : MonoTime::max();
      next = std::min({timer, ends});
      if (next > time) break;
      now_ = std::max(now_, next);
      if (ends <= timer) {
        sending_.reset();
        meter_.transmission_ended(at(now_), out_);
      } else {
        meter_.timer_expired(at(now_), out_);
      }
      take();
    }
    now_ = std::max(now_, time);
  }
  void wait(MonoDuration time) { run_until(now_ + time); }

  /// Request, acknowledgement after 250 ms, and the readout to its end.
  void read_out() {
    send(kRequest);
    wait(2s);
    send(kAck050);
    wait(1s);
  }

  Meter& meter() { return meter_; }
  [[nodiscard]] MonoTime now() const { return now_; }
  [[nodiscard]] Instant instant() const { return at(now_); }
  [[nodiscard]] const std::vector<Said>& said() const { return said_; }
  [[nodiscard]] const std::vector<Event>& events() const { return events_; }
  [[nodiscard]] std::size_t count(std::string_view name) const {
    return static_cast<std::size_t>(
        std::count_if(events_.begin(), events_.end(), [&](const Event& e) { return e.name == name; }));
  }
  [[nodiscard]] const Event& last(std::string_view name) const {
    const auto it = std::find_if(events_.rbegin(), events_.rend(), [&](const Event& e) { return e.name == name; });
    if (it != events_.rend()) return *it;
    ADD_FAILURE() << "no event " << name;
    static const Event none{};
    return none;
  }
  [[nodiscard]] std::string last_reason() const { return last("ignored_request").fields.value("reason", ""); }
  std::optional<MonoDuration> hung_up;

 private:
  static Meter make(MeterSettings settings) {
    auto meter = Meter::make(std::move(settings));
    EXPECT_TRUE(meter) << meter.error().text();
    return std::move(*meter);
  }
  static Instant at(MonoTime time) {
    return {time, WallTime{} + std::chrono::duration_cast<std::chrono::milliseconds>(time - kStart)};
  }

  void take() {
    events_.insert(events_.end(), out_.events.begin(), out_.events.end());
    if (out_.hang_up) hung_up = out_.hang_up;
    if (out_.send) {
      EXPECT_FALSE(sending_) << "two transmissions at once";
      EXPECT_FALSE(out_.send->bytes.empty());
      EXPECT_GE(out_.send->start, now_);
      const MonoDuration time = std::chrono::nanoseconds{static_cast<std::int64_t>(out_.send->bytes.size()) *
                                                         10'000'000'000LL / out_.send->baud};
      const MonoDuration gap = out_.send->gap_at ? out_.send->gap : 0s;
      sending_ = Said{out_.send->bytes, out_.send->start, out_.send->start + time + gap, out_.send->baud};
      said_.push_back(*sending_);
    }
    out_ = {};
  }

  MonoTime now_ = kStart;
  Meter meter_;
  MeterOut out_;
  std::optional<Said> sending_;
  std::vector<Said> said_;
  std::vector<Event> events_;
};

const std::string kIdentification = "/ISK5\\2MT372-0002\r\n";
std::string page() { return frame(mt372(), mt372().block).bytes; }

TEST(ModeC, ReadoutWithSpeedChange) {
  Bench bench(mt372_settings());
  bench.send(kRequest);
  const MonoTime heard = bench.now();
  bench.wait(1s);
  ASSERT_EQ(bench.said().size(), 1U);
  EXPECT_EQ(bench.said()[0].bytes, kIdentification);
  EXPECT_EQ(bench.said()[0].start, heard + 200ms);
  EXPECT_EQ(bench.said()[0].baud, 300U);
  bench.send(kAck050);
  EXPECT_EQ(bench.meter().baud(), 9600U);
  const MonoTime acknowledged = bench.now();
  bench.wait(1s);
  ASSERT_EQ(bench.said().size(), 2U);
  EXPECT_EQ(bench.said()[1].bytes, page());
  EXPECT_EQ(bench.said()[1].start, acknowledged + 200ms);
  EXPECT_EQ(bench.said()[1].baud, 9600U);
  bench.wait(Meter::kEndWait);
  EXPECT_EQ(bench.meter().baud(), 300U);

  const Event& readout = bench.last("readout");
  EXPECT_EQ(readout.fields["n"], 1);
  EXPECT_EQ(readout.fields["values"]["1.8.0"], "00132.149");
  EXPECT_EQ(readout.fields["damaged"], false);
  EXPECT_EQ(bench.last("ack_complete").fields["z"], "5");
}

TEST(ModeC, CountersRiseWithEveryReadout) {
  Bench bench(mt372_settings());
  for (int i = 0; i < 3; ++i) {
    bench.read_out();
    bench.wait(5s);
  }
  EXPECT_EQ(bench.last("readout").fields["values"]["1.8.0"], "00132.151");
  EXPECT_EQ(bench.last("readout").fields["n"], 3);
}

TEST(ModeC, ZeroStaysAtTheFirstSpeed) {
  Bench bench(mt372_settings());
  bench.send(kRequest);
  bench.wait(1s);
  bench.send(
      "\x06"
      "000\r\n");
  bench.wait(10s);
  ASSERT_EQ(bench.said().size(), 2U);
  EXPECT_EQ(bench.said()[1].baud, 300U);
}

TEST(ModeC, WrongAcknowledgementsAreRefused) {
  for (const auto* const ack : {"\x06"
                                "040\r\n",
                                "\x06"
                                "051\r\n",
                                "\x06"
                                "252\r\n",
                                "\x06"
                                "05\r\n",
                                "\x06"
                                "0500\r\n"}) {
    SCOPED_TRACE(ack);
    Bench bench(mt372_settings());
    bench.send(kRequest);
    bench.wait(1s);
    bench.send(ack);
    bench.wait(5s);
    EXPECT_EQ(bench.said().size(), 1U);
    EXPECT_EQ(bench.last("ack_complete").fields["valid"], false);
    EXPECT_FALSE(bench.last("ack_complete").fields["reason"].get<std::string>().empty());
    bench.read_out();  // idle again
    EXPECT_EQ(bench.count("readout"), 1U);
  }
}

TEST(ModeC, WithoutAcknowledgementItGoesOnAt300) {
  MeterSettings settings = mt372_settings();
  settings.no_ack = NoAck::go_on;
  Bench bench(settings);
  bench.send(kRequest);
  bench.wait(1s);
  bench.send(
      "\x06"
      "040\r\n");
  bench.wait(20s);
  ASSERT_EQ(bench.said().size(), 2U);
  EXPECT_EQ(bench.said()[1].baud, 300U);
  EXPECT_EQ(bench.said()[1].start, bench.said()[0].end + Meter::kAckWait);
  EXPECT_EQ(bench.count("readout"), 1U);
}

TEST(ModeC, AnAcknowledgementThatIsTooLateIsNotHeard) {
  Bench bench(mt372_settings());
  bench.send(kRequest);
  bench.wait(1s);
  bench.wait(Meter::kAckWait);
  bench.send(kAck050);
  bench.wait(5s);
  EXPECT_EQ(bench.said().size(), 1U);
  EXPECT_EQ(bench.count("no_ack"), 1U);
}

TEST(ModeC, AskedTwiceItIdentifiesTwice) {
  Bench bench(mt372_settings());
  bench.send(kRequest);
  bench.wait(1s);
  bench.read_out();
  ASSERT_EQ(bench.said().size(), 3U);
  EXPECT_EQ(bench.said()[0].bytes, bench.said()[1].bytes);
}

// The page on the MT372: request, NULs and acknowledgement in one go; it takes six NULs, the reaction time.
TEST(ModeC, NulsBeforeTheAcknowledgementReplaceThePause) {
  for (std::size_t nuls = 0; nuls <= 12; ++nuls) {
    SCOPED_TRACE(nuls);
    Bench bench(mt372_settings());
    bench.send(kRequest + std::string(nuls, '\0') +
               "\x06"
               "000\r\n");
    bench.wait(15s);
    EXPECT_EQ(bench.count("readout"), nuls >= 6 ? 1U : 0U);
    if (nuls >= 6) {
      EXPECT_GE(bench.said()[1].start, bench.said()[0].end);
    }
  }
}

TEST(ModeA, SendsAtOnceAtTheFirstSpeed) {
  Bench bench(with_identification("/EMH METER", Mode::a));
  bench.send(kRequest);
  bench.wait(15s);
  ASSERT_EQ(bench.said().size(), 2U);
  EXPECT_EQ(bench.said()[1].baud, 300U);
  EXPECT_EQ(bench.said()[1].start, bench.said()[0].end + 200ms);
}

TEST(ModeB, ChangesSpeedByItself) {
  Bench bench(with_identification("/LUGCUH50", Mode::b));
  bench.send(kRequest);
  bench.wait(5s);
  ASSERT_EQ(bench.said().size(), 2U);
  EXPECT_EQ(bench.said()[1].baud, 2400U);
}

TEST(BaudCharacters, OfAllModes) {
  EXPECT_EQ(baud_of('0', Mode::c), 300U);
  EXPECT_EQ(baud_of('6', Mode::e), 19200U);
  EXPECT_EQ(baud_of('7', Mode::c), 0U);
  EXPECT_EQ(baud_of('A', Mode::b), 600U);
  EXPECT_EQ(baud_of('F', Mode::b), 19200U);
  EXPECT_EQ(baud_of('G', Mode::b), 0U);
  EXPECT_EQ(mode_of("/ISK5MT"), Mode::c);
  EXPECT_EQ(mode_of("/LUGCUH50"), Mode::b);
  EXPECT_EQ(mode_of("/EMH METER"), Mode::a);
}

TEST(Requests, AddressesAreCompared) {
  struct Case {
    const char* request;
    const char* address;
    bool answers;
  };
  const Case cases[] = {
      {"/?!\r\n", "58231541", true},
      {"/?58231541!\r\n", "58231541", true},
      {"/?0058231541!\r\n", "58231541", true},
      {"/?58231541!\r\n", "0058231541", true},
      {"/?58231542!\r\n", "58231541", false},
      {"/?00!\r\n", "000000", true},
      {"/?00!\r\n", "58231541", false},
      {"/?abc!\r\n", "ABC", false},
      {"/?12!\r\n", "", false},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(std::string{one.request} + " at " + one.address);
    MeterSettings settings = mt372_settings();
    settings.address = one.address;
    Bench bench(settings);
    bench.send(one.request);
    bench.wait(2s);
    EXPECT_EQ(bench.said().size(), one.answers ? 1U : 0U);
    if (!one.answers) {
      EXPECT_EQ(bench.last_reason(), "other address");
    }
  }
}

TEST(Requests, RubbishIsIgnored) {
  for (const std::string& rubbish : {"/!\r\n"s, "/?\r\n"s, "/?!\n"s, "hello\r\n"s, "/2!\r\n"s,
                                     "/?" + std::string(33, '1') + "!\r\n", "/?" + std::string(500, '1') + "!\r\n"}) {
    Bench bench(mt372_settings());
    bench.send(rubbish);
    bench.wait(3s);
    EXPECT_TRUE(bench.said().empty()) << rubbish;
    bench.read_out();
    EXPECT_EQ(bench.count("readout"), 1U) << rubbish;
  }
}

TEST(Requests, NoiseBeforeAndWithinDoesNotHarm) {
  Bench bench(mt372_settings());
  bench.send("\x7F\x7F\0\0?!/x/?!\r\n"s);
  bench.wait(2s);
  EXPECT_EQ(bench.said().size(), 1U);
}

TEST(Requests, APauseOf1500MsEndsTheMessage) {
  Bench bench(mt372_settings());
  bench.send("/?");
  bench.wait(1600ms);
  bench.send("!\r\n");
  bench.wait(2s);
  EXPECT_TRUE(bench.said().empty());
}

TEST(Requests, WhileItSpeaksItHearsNone) {
  Bench bench(mt372_settings());
  bench.send(kRequest);
  bench.send(kRequest);
  bench.wait(2s);
  EXPECT_EQ(bench.said().size(), 1U);
  EXPECT_EQ(bench.last_reason(), "busy");
}

TEST(Requests, TimesInTheLogAreThoseOfTheLine) {
  Bench bench(mt372_settings());
  bench.send(kRequest, kStart + 1s);
  EXPECT_EQ(bench.last("request_first_byte").at.mono, kStart + 1s);
  EXPECT_EQ(bench.last("request_complete").at.mono, bench.now());
}

TEST(Recovery, RequestsAreIgnoredForAWhile) {
  MeterSettings settings = mt372_settings();
  settings.recovery = 3s;
  Bench bench(settings);
  bench.read_out();
  const MonoTime done = bench.last("block_last_byte").at.mono;
  bench.send(kRequest, done + 2900ms);
  EXPECT_EQ(bench.last_reason(), "recovering");
  bench.wait(1s);
  EXPECT_EQ(bench.said().size(), 2U);
  bench.read_out();
  EXPECT_EQ(bench.count("readout"), 2U);
}

TEST(AfterReadout, NakRepeatsThreeTimes) {
  Bench bench(mt372_settings());
  bench.read_out();
  for (unsigned i = 1; i <= Meter::kMaxRepeats; ++i) {
    bench.send("\x15");
    bench.wait(1s);
    ASSERT_EQ(bench.count("readout"), 1U + i);
    EXPECT_EQ(bench.last("readout").fields["repeat"], i);
    EXPECT_EQ(bench.last("readout").fields["n"], 1);
    EXPECT_EQ(bench.said().back().bytes, page());
    EXPECT_EQ(bench.said().back().baud, 9600U);
  }
  bench.send("\x15");
  bench.wait(1s);
  EXPECT_EQ(bench.count("readout"), 1U + Meter::kMaxRepeats);
}

TEST(AfterReadout, NakIsIgnoredIfAskedFor) {
  MeterSettings settings = mt372_settings();
  settings.on_nak = OnNak::ignore;
  Bench bench(settings);
  bench.read_out();
  bench.send("\x15");
  bench.wait(1s);
  EXPECT_EQ(bench.count("readout"), 1U);
}

TEST(AfterReadout, ADamagedReadoutIsRepeatedWhole) {
  MeterSettings settings = mt372_settings();
  settings.faults = {.kinds = {LineFault::flip}, .rate = 1, .seed = 3};
  Bench bench(settings);
  bench.read_out();
  EXPECT_EQ(bench.last("readout").fields["damaged"], true);
  EXPECT_NE(bench.said().back().bytes, page());
  bench.send("\x15");
  bench.wait(1s);
  EXPECT_EQ(bench.last("readout").fields["damaged"], false);
  EXPECT_EQ(bench.said().back().bytes, page());
}

TEST(AfterReadout, AckEndsAtOnce) {
  Bench bench(mt372_settings());
  bench.read_out();
  bench.send("\x06");
  EXPECT_EQ(bench.meter().baud(), 300U);
  EXPECT_EQ(bench.count("readout_confirmed"), 1U);
}

TEST(Break, EndsTheSession) {
  Bench waiting(mt372_settings());
  waiting.send(kRequest);
  waiting.wait(1s);
  waiting.send(kBreak);
  waiting.send(kAck050);
  waiting.wait(3s);
  EXPECT_EQ(waiting.count("break"), 1U);
  EXPECT_EQ(waiting.said().size(), 1U);

  Bench identifying(with_identification("/EMH METER", Mode::a));
  identifying.send(kRequest);
  identifying.wait(250ms);
  identifying.send(kBreak);
  identifying.wait(20s);
  EXPECT_EQ(identifying.count("readout"), 0U);
  identifying.send(kRequest);
  identifying.wait(20s);
  EXPECT_EQ(identifying.count("readout"), 1U);

  Bench wrong(mt372_settings());
  wrong.send(kRequest);
  wrong.wait(1s);
  wrong.send(
      "\x01"
      "B0\x03r");
  wrong.send(kAck050);
  wrong.wait(3s);
  EXPECT_EQ(wrong.count("readout"), 1U);
}

TEST(WakeUp, NeedsNulsAndAPause) {
  struct Case {
    std::size_t nuls;
    MonoDuration pause;
    bool answers;
  };
  for (const Case& one : {Case{66, 1600ms, true}, Case{0, 0s, false}, Case{50, 1600ms, false}, Case{66, 300ms, false},
                          Case{66, 7s, false}}) {
    SCOPED_TRACE(one.nuls);
    MeterSettings settings = mt372_settings();
    settings.wake_up = WakeUp::needed;
    Bench bench(settings);
    bench.send(std::string(one.nuls, '\0'));
    bench.wait(one.pause);
    bench.send(kRequest);
    bench.wait(1s);
    EXPECT_EQ(bench.said().size(), one.answers ? 1U : 0U);
    if (!one.answers) {
      EXPECT_EQ(bench.last_reason(), "asleep");
    }
  }
}

TEST(WakeUp, NulsWithPausesDoNotAddUp) {
  MeterSettings settings = mt372_settings();
  settings.wake_up = WakeUp::needed;
  Bench bench(settings);
  bench.send(std::string(40, '\0'));
  bench.wait(500ms);
  bench.send(std::string(40, '\0'));
  bench.wait(1600ms);
  bench.send(kRequest);
  bench.wait(1s);
  EXPECT_TRUE(bench.said().empty());
}

MeterSettings push_settings() {
  MeterSettings settings = mt372_settings();
  settings.mode = Mode::push;
  settings.initial_baud = 9600;
  settings.period = 2s;
  return settings;
}

TEST(Push, KeepsItsGrid) {
  Bench bench(push_settings());
  bench.run_until(kStart + 4500ms);
  ASSERT_EQ(bench.said().size(), 3U);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(bench.said()[static_cast<std::size_t>(i)].start, kStart + i * 2s);
  EXPECT_EQ(bench.said()[0].bytes, kIdentification + page());
  EXPECT_EQ(bench.said()[0].baud, 9600U);
}

TEST(Push, ListensToNobody) {
  Bench bench(push_settings());
  bench.wait(1s);
  bench.send(kRequest);
  EXPECT_EQ(bench.last_reason(), "this meter only sends");
  EXPECT_EQ(bench.said().size(), 1U);
}

TEST(Push, WaitsForAListener) {
  Bench bench(push_settings(), false);
  bench.wait(7s);
  EXPECT_TRUE(bench.said().empty());
  bench.meter().set_listener(true, bench.instant());
  bench.wait(3s);
  ASSERT_EQ(bench.said().size(), 2U);
  EXPECT_EQ(bench.said()[0].start, kStart + 7s);
  EXPECT_EQ(bench.said()[1].start, kStart + 9s);
  bench.meter().set_listener(false, bench.instant());
  bench.wait(10s);
  EXPECT_EQ(bench.said().size(), 2U);
}

TEST(Push, P1SendsTheIdentificationOnce) {
  MeterSettings settings = push_settings();
  settings.telegram.check = Check::crc16;
  Bench bench(settings);
  const std::string& bytes = bench.said().at(0).bytes;
  EXPECT_TRUE(bytes.starts_with("/ISK5"));
  EXPECT_EQ(bytes.find("/ISK5", 1), std::string::npos);
  EXPECT_TRUE(check_holds(bytes, Check::crc16));
}

TEST(Faults, SilenceSaysNothing) {
  MeterSettings settings = mt372_settings();
  settings.faults = {.kinds = {LineFault::silence}, .rate = 1, .seed = 1};
  Bench bench(settings);
  bench.send(kRequest);
  bench.wait(5s);
  EXPECT_TRUE(bench.said().empty());
  EXPECT_EQ(bench.last("fault").fields["kind"], "silence");
  EXPECT_EQ(bench.meter().readouts(), 0U);
}

TEST(Faults, HangupTakesTheLineAway) {
  MeterSettings settings = mt372_settings();
  settings.faults = {.kinds = {LineFault::hangup}, .rate = 1, .seed = 1};
  settings.hangup_time = 5s;
  Bench bench(settings);
  bench.read_out();
  EXPECT_EQ(bench.hung_up, MonoDuration{5s});
  EXPECT_LT(bench.said().back().bytes.size(), page().size());
  EXPECT_EQ(bench.last("readout").fields["damaged"], true);
}

TEST(Faults, SlowStaysWithinTheStandard) {
  bool late = false;
  bool gap = false;
  for (std::uint64_t seed = 1; seed < 20; ++seed) {
    MeterSettings settings = mt372_settings();
    settings.faults = {.kinds = {LineFault::slow}, .rate = 1, .seed = seed};
    Bench bench(settings);
    bench.send(kRequest);
    const MonoTime heard = bench.now();
    bench.wait(2200ms);
    bench.send(kAck050);
    bench.wait(5s);
    const bool this_late = bench.said()[0].start == heard + kSlow;
    const auto whole = std::chrono::nanoseconds{static_cast<std::int64_t>(page().size()) * 10'000'000'000LL / 9600};
    const bool this_gap = bench.said()[1].end - bench.said()[1].start == whole + kSlow;
    EXPECT_NE(this_late, this_gap);  // exactly one
    EXPECT_EQ(bench.count("fault"), 1U);
    EXPECT_EQ(bench.last("readout").fields["damaged"], false);
    late |= this_late;
    gap |= this_gap;
  }
  EXPECT_TRUE(late);
  EXPECT_TRUE(gap);
}

TEST(Faults, AreTheSameInEveryRun) {
  MeterSettings settings = mt372_settings();
  settings.faults = {
      .kinds = {LineFault::flip, LineFault::lost, LineFault::truncate, LineFault::silence}, .rate = 0.5, .seed = 9};
  const auto run = [&] {
    Bench bench(settings);
    std::vector<std::string> all;
    for (int i = 0; i < 50; ++i) {
      bench.read_out();
      bench.wait(5s);
    }
    for (const Said& said : bench.said()) all.push_back(said.bytes);
    return all;
  };
  const auto first = run();
  EXPECT_EQ(first, run());
  settings.faults.seed = 10;
  EXPECT_NE(first, run());
}

TEST(Finish, AfterTheLastReadoutAndItsAftermath) {
  MeterSettings settings = mt372_settings();
  settings.readouts = 2;
  Bench bench(settings);
  bench.read_out();
  bench.send("\x06");
  EXPECT_FALSE(bench.meter().finished());
  bench.read_out();
  EXPECT_FALSE(bench.meter().finished());
  bench.wait(Meter::kEndWait);
  EXPECT_TRUE(bench.meter().finished());
}

TEST(ParityBit, OddToo) {
  MeterSettings settings = mt372_settings();
  settings.form = ByteForm::odd;
  Bench bench(settings);
  bench.send(encoded(kRequest, ByteForm::odd));
  bench.wait(1s);
  ASSERT_EQ(bench.said().size(), 1U);
  for (const char c : bench.said()[0].bytes) EXPECT_TRUE(right_parity(c, ByteForm::odd));
  EXPECT_EQ(bench.last("request_complete").fields["parity_errors"], 0);
}

TEST(ParityBit, SpeaksWithItAndForgivesReadersWithout) {
  MeterSettings settings = mt372_settings();
  settings.form = ByteForm::parity;
  Bench bench(settings);
  bench.send(with_even_parity(kRequest));
  bench.wait(1s);
  ASSERT_EQ(bench.said().size(), 1U);
  EXPECT_EQ(bench.said()[0].bytes, with_even_parity(kIdentification));
  EXPECT_EQ(bench.last("request_complete").fields["parity_errors"], 0);
  bench.wait(5s);
  bench.send(kRequest);
  EXPECT_EQ(bench.last("request_complete").fields["parity_errors"], 2);
}

TEST(Sml, AnswersARequestWithItsFrame) {
  MeterSettings settings;
  settings.telegram = ehz();
  settings.mode = Mode::a;
  settings.form = ByteForm::eight;
  settings.initial_baud = 9600;
  settings.local_time = utc;
  Bench bench(settings);
  bench.send("/?!\r\n");
  bench.wait(3s);
  EXPECT_TRUE(bench.said().empty()) << "that is another protocol";
  bench.send("\x1B\x1B\x1B\x1B\x01\x01\x01\x01\x76\x05\x1B\x1B\x1B\x1B\x1A\x02\x04\x29"s);
  bench.wait(3s);
  ASSERT_EQ(bench.said().size(), 1U);
  EXPECT_EQ(bench.said()[0].bytes, ehz().block);
  EXPECT_TRUE(check_holds(bench.said()[0].bytes, Check::sml));
}

TEST(Sml, PushesItsFrame) {
  MeterSettings settings;
  settings.telegram = ehz();
  settings.mode = Mode::push;
  settings.form = ByteForm::eight;
  settings.initial_baud = 9600;
  settings.period = 1s;
  settings.local_time = utc;
  Bench bench(settings);
  bench.wait(2500ms);
  ASSERT_GE(bench.said().size(), 2U);
  EXPECT_EQ(bench.said()[1].bytes, ehz().block);
}

TEST(Settings, ThatDoNotFitAreRefused) {
  const auto refused = [](MeterSettings settings) {
    const auto meter = Meter::make(std::move(settings));
    EXPECT_FALSE(meter);
    if (!meter) {
      EXPECT_FALSE(meter.error().remedy.empty());
    }
  };
  refused(with_identification("", Mode::c));
  refused(with_identification("/AB", Mode::c));
  refused(with_identification("/LUGCUH50", Mode::c));
  refused(with_identification("/ISK5MT", Mode::b));
  refused(with_identification("/ISK9MT", Mode::c));
  MeterSettings settings = mt372_settings();
  settings.telegram.check = Check::crc16;
  refused(settings);
  settings = mt372_settings();
  settings.telegram.check = Check::none;
  settings.faults.kinds = {LineFault::badbcc};
  refused(settings);
  settings = mt372_settings();
  settings.counters = {{"9.9.9", 1, Counter::Per::hour}};
  const auto meter = Meter::make(settings);
  EXPECT_FALSE(meter);
}

}  // namespace
}  // namespace vz::metersim
