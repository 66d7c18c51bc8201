// SPDX-License-Identifier: GPL-3.0-or-later
// The d0 session in conversation with a small meter of its own, on simulated time.
#include <deque>
#include <numeric>
#include <random>

#include "protocols/d0/pause_learner.hpp"
#include "protocols/d0/telegram.hpp"
#include "support/d0_harness.hpp"

namespace vz::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

constexpr MonoTime kStart{std::chrono::seconds{5000}};
constexpr WallTime kWallStart{std::chrono::seconds{1700000000}};

/// A meter on the other end of a line, both on simulated time.
class Bench {
 public:
  struct Meter {
    std::string identification = "/ISK5\\2MT372-0002\r\n";
    std::string data = "1.8.0(00132.149*kWh)\r\n1.8.1(00000.500*kWh)\r\n!\r\n";
    milliseconds reaction{200};
    milliseconds recovery{0};
    bool echo = false;
    bool knows_nak = true;
    bool present = true;
    char mode = 'C';              ///< 'A', 'B' or 'C'
    std::vector<int> damage;      ///< readouts (from 0) whose BCC is wrong
    bool cut_short = false;       ///< of the damaged ones: ETX and BCC are missing
  };

  explicit Bench(Meter meter, d0::D0Settings settings)
      : meter_(std::move(meter)), session_(settings), line_(settings.line) {}

  void start() {
    session_.opened(now(), out_);
    act();
    begin_ = time_;
  }

  /// Runs until `cycles` cycles are done or `limit` has passed.
  void run(int cycles, std::chrono::seconds limit) {
    const MonoTime end = time_ + limit;
    cycles += cycles_;
    while (cycles_ < cycles && time_ < end) {
      MonoTime next = end;
      if (timer_) next = std::min(next, std::max(*timer_, time_));
      if (begin_) next = std::min(next, std::max(*begin_, time_));
      if (!incoming_.empty()) next = std::min(next, std::max(incoming_.front().at, quiet_));
      time_ = std::max(time_, next);
      if (time_ >= end) break;
      if (!incoming_.empty() && incoming_.front().at <= time_ && quiet_ <= time_) read();
      else if (timer_ && *timer_ <= time_) call([&] { session_.timer(now(), out_); });
      else if (begin_ && *begin_ <= time_) {
        begin_.reset();
        call([&] { session_.begin(now(), out_); });
      }
    }
  }

  std::vector<std::vector<Reading>> telegrams;
  std::vector<Fault> faults;
  std::vector<std::string> written;
  std::vector<unsigned> speeds;
  int requests = 0;
  int ignored = 0;
  int naks = 0;
  int reads = 0;
  [[nodiscard]] MonoTime time() const { return time_; }
  MonoTime request_at{};
  MonoTime stx_at{};
  MonoTime last_byte_at{};
  Meter meter_;

 private:
  struct Byte {
    MonoTime at;
    unsigned baud;
    std::byte value;
  };

  [[nodiscard]] Instant now() const {
    return {time_, kWallStart + std::chrono::duration_cast<milliseconds>(time_ - kStart)};
  }
  static nanoseconds character(unsigned baud) { return nanoseconds{10'000'000'000LL / baud}; }

  template <typename F>
  void call(F&& f) {
    out_.clear();
    f();
    act();
  }

  void read() {
    ++reads;
    Bytes bytes;
    while (!incoming_.empty() && incoming_.front().at <= time_) {
      const Byte b = incoming_.front();
      incoming_.pop_front();
      bytes.push_back(b.baud == line_.baud ? b.value : std::byte{0x80});
    }
    std::span<const std::byte> rest = bytes;
    while (!rest.empty()) {
      std::size_t used = 0;
      call([&] { used = session_.received(rest, now(), last_read_, out_); });
      rest = rest.subspan(used);
    }
    last_read_ = time_;
  }

  void act() {
    timer_ = out_.timer;
    quiet_ = out_.quiet_until;
    for (const auto& action : out_.actions) {
      if (const auto* write = std::get_if<WriteBytes>(&action)) transmit(write->bytes);
      if (const auto* set = std::get_if<SetLine>(&action)) {
        line_ = set->line;
        speeds.push_back(line_.baud);
      }
      if (std::holds_alternative<DiscardInput>(action))
        while (!incoming_.empty() && incoming_.front().at <= time_) incoming_.pop_front();
    }
    for (const auto& fault : out_.faults) faults.push_back(fault);
    if (!out_.readings.empty()) telegrams.push_back(out_.readings);
    if (out_.cycle_done) {
      ++cycles_;
      if (session_.pulls()) begin_ = out_.not_before;
    }
  }

  void send(std::string_view text, MonoTime from, unsigned baud) {
    for (const char c : text) {
      from += character(baud);
      incoming_.push_back({from, baud, static_cast<std::byte>(c)});
    }
    last_byte_at = from;
  }

  void transmit(std::span<const std::byte> bytes) {
    const std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    written.push_back(text);
    const MonoTime complete = time_ + character(line_.baud) * static_cast<int>(text.size());
    if (meter_.echo) send(text, time_, line_.baud);
    if (!meter_.present) return;
    const MonoTime answer = complete + meter_.reaction;
    if (text.starts_with('/')) {
      request_at = time_;
      ++requests;
      if (readout_end_ != MonoTime{} && time_ < readout_end_ + meter_.recovery) {
        ++ignored;
        return;
      }
      send(meter_.identification, answer, 300);
      if (meter_.mode == 'A') send_block(last_byte_at + meter_.reaction, 300);
      if (meter_.mode == 'B') send_block(last_byte_at + meter_.reaction, 2400);
    } else if (text.starts_with('\x06')) {
      send_block(answer, text[2] == '5' ? 9600 : 300);
    } else if (text == "\x15") {
      ++naks;
      if (meter_.knows_nak) send_block(answer, line_.baud);
    }
  }

  void send_block(MonoTime at, unsigned baud) {
    std::string block = meter_.data + '\x03';
    auto check = d0::block_check(std::as_bytes(std::span(block)));
    const bool bad = std::find(meter_.damage.begin(), meter_.damage.end(), readouts_) != meter_.damage.end();
    if (bad) check ^= 1;
    std::string message = '\x02' + block + static_cast<char>(check);
    if (bad && meter_.cut_short) message.resize(message.size() - 2);
    stx_at = at + character(baud);
    send(message, at, baud);
    readout_end_ = last_byte_at;
    ++readouts_;
  }

  d0::D0Session session_;
  SessionOut out_;
  LineSettings line_;
  std::deque<Byte> incoming_;
  MonoTime time_ = kStart;
  MonoTime last_read_ = kStart;
  MonoTime quiet_{};
  MonoTime readout_end_{};
  std::optional<MonoTime> timer_;
  std::optional<MonoTime> begin_;
  int cycles_ = 0;
  int readouts_ = 0;
};

d0::D0Settings mt372() {
  d0::D0Settings settings;
  settings.pull_sequence = bytes_of("/?!\r\n");
  settings.acknowledge = d0::D0Settings::Acknowledge::fixed;
  settings.ack_sequence = bytes_of("\x06" "050\r\n");
  settings.line = {300, CharacterFormat::e7};
  settings.baud_read = 9600;
  return settings;
}

double ms(MonoDuration d) { return std::chrono::duration<double, std::milli>(d).count(); }

TEST(D0Session, ReadsTheMt372InTheTimeThatTheStandardNeeds) {
  Bench bench{{}, mt372()};
  bench.start();
  bench.run(1, std::chrono::seconds{10});
  ASSERT_EQ(bench.telegrams.size(), 1U);
  EXPECT_EQ(bench.telegrams[0][0].value, 132.149);
  EXPECT_EQ(bench.telegrams[0][0].unit.text(), "kWh");
  EXPECT_EQ(bench.written, (std::vector<std::string>{"/?!\r\n", "\x06" "050\r\n"}));
  EXPECT_EQ(bench.speeds, (std::vector<unsigned>{9600}));
  // the first byte of the data block was sent at stx_at
  const auto stamp = kWallStart + std::chrono::duration_cast<milliseconds>(bench.stx_at - kStart);
  EXPECT_LE(std::chrono::abs(bench.telegrams[0][0].stamp - stamp), milliseconds{2});
  EXPECT_EQ(bench.telegrams[0][0].stamp, bench.telegrams[0][1].stamp);
  const std::size_t block = bench.meter_.data.size() + 3;
  const double wanted = (5 + 19 + 6) * 10000.0 / 300 + 3 * 200 + static_cast<double>(block) * 10000.0 / 9600;
  bench.run(3, std::chrono::seconds{20});  // by now the length of the telegram is known
  EXPECT_LE(ms(bench.time() - bench.request_at), wanted * 1.01);
  EXPECT_EQ(bench.faults.size(), 0U);
}

TEST(D0Session, GathersTheBlockInFewReads) {
  Bench bench{{}, mt372()};
  bench.meter_.data = std::string(300, ' ').replace(0, 3, "0.0") + "(1)\r\n!\r\n";
  bench.meter_.data = "0.0.0(" + std::string(230, '1') + ")\r\n1.8.0(00001.0*kWh)\r\n!\r\n";
  bench.start();
  bench.run(2, std::chrono::seconds{10});
  const int before = bench.reads;
  bench.run(1, std::chrono::seconds{10});
  // 19 characters of the identification one by one, then the block
  EXPECT_LE(bench.reads - before, 19 + 4);
  EXPECT_EQ(bench.telegrams.size(), 3U);
}

/// How long reads are put off once the first character of a pushed telegram is there, after one of `size` data characters.
MonoDuration put_off_after(std::size_t size) {
  d0::D0Settings settings;
  settings.line = {9600, CharacterFormat::e7};
  d0::D0Session session{settings};
  SessionOut out;
  Instant now{MonoTime{std::chrono::seconds{1000}}, WallTime{std::chrono::seconds{1700000000}}};
  session.opened(now, out);
  std::string telegram = "/ESY5Q3D\r\n\r\n";
  while (telegram.size() < size) telegram += "1-0:1.8.0*255(00000001.0000000*kWh)\r\n";
  telegram += "!\r\n";
  for (const std::string& part : {telegram, std::string{"/"}}) {
    now.mono += std::chrono::seconds{20};
    out.clear();
    session.received(test::bytes_of(part), now, now.mono, out);
    if (part.size() == 1) break;
    now.mono += std::chrono::seconds{1};
    session.timer(now, out);
  }
  return out.quiet_until - now.mono;
}

TEST(D0Session, GathersAPushedTelegramFromItsFirstCharacterOn) {
  EXPECT_NEAR(ms(put_off_after(400)), 400 * 10 / 9.6, 50);
  EXPECT_LE(ms(put_off_after(10000)), 2000 * 10 / 9.6) << "more than a tty holds";
}

TEST(D0Session, AutomaticAcknowledgeFollowsTheIdentification) {
  auto settings = mt372();
  settings.acknowledge = d0::D0Settings::Acknowledge::automatic;
  settings.baud_read.reset();
  Bench bench{{}, settings};
  bench.start();
  bench.run(1, std::chrono::seconds{10});
  EXPECT_EQ(bench.telegrams.size(), 1U);
  EXPECT_EQ(bench.written.back(), "\x06" "050\r\n");
  EXPECT_EQ(bench.speeds, (std::vector<unsigned>{9600}));
  // a meter with a speed character that nobody knows is read at the speed of the beginning
  Bench slow{{.identification = "/ABC8TEST\r\n", .damage = {}}, settings};
  slow.start();
  slow.run(1, std::chrono::seconds{20});
  EXPECT_EQ(slow.telegrams.size(), 1U);
  EXPECT_EQ(slow.written.back(), "\x06" "000\r\n");
}

TEST(D0Session, ModeBChangesSpeedWithoutAcknowledge) {
  auto settings = mt372();
  settings.acknowledge = d0::D0Settings::Acknowledge::automatic;
  settings.baud_read.reset();
  Bench bench{{.identification = "/LUGCUH50\r\n", .mode = 'B', .damage = {}}, settings};
  bench.start();
  bench.run(1, std::chrono::seconds{10});
  EXPECT_EQ(bench.telegrams.size(), 1U);
  EXPECT_EQ(bench.written.size(), 1U);
  EXPECT_EQ(bench.speeds, (std::vector<unsigned>{2400}));
}

TEST(D0Session, TheWakeUpOfTheStandardIsFollowedByItsPause) {
  auto settings = mt372();
  const Bytes request = settings.pull_sequence;
  settings.pull_sequence.assign(65, std::byte{0});
  settings.pull_sequence.insert(settings.pull_sequence.end(), request.begin(), request.end());
  Bench bench{{.echo = true, .damage = {}}, settings};
  bench.start();
  const MonoTime begin = kStart;
  bench.run(1, std::chrono::seconds{20});
  EXPECT_EQ(bench.telegrams.size(), 1U);
  ASSERT_GE(bench.written.size(), 2U);
  EXPECT_EQ(bench.written[0], std::string(65, '\0'));
  EXPECT_EQ(bench.written[1], "/?!\r\n");
  const MonoTime nuls_out = begin + 65 * nanoseconds{10'000'000'000LL / 300};
  EXPECT_GE(bench.request_at, nuls_out + milliseconds{1500});
  EXPECT_LE(bench.request_at, nuls_out + milliseconds{1700});
}

TEST(D0Session, AShortWakeUpIsSentAsItIs) {
  auto settings = mt372();
  settings.pull_sequence.insert(settings.pull_sequence.begin(), 40, std::byte{0});
  Bench bench{{.damage = {}}, settings};
  bench.start();
  bench.run(1, std::chrono::seconds{5});
  ASSERT_FALSE(bench.written.empty());
  std::string wanted(40, '\0');
  wanted.append("/?!\r\n");
  EXPECT_EQ(bench.written[0], wanted);
}

TEST(D0Session, TellsTheMetersOwnWordsToWhoeverWantsThem) {
  d0::D0Session session{listening("7e1")};
  SessionOut out;
  TelegramText text;
  Instant now{kStart, kWallStart};
  session.opened(now, out);
  out.clear();
  out.text = &text;
  const Bytes telegram = bytes_of("/ISK5\\2MT372-0002\r\n\r\n0.0.0(58231541)\r\n1.8.0(00132.149*kWh)\r\n0.2.0((ER11))\r\n!\r\n");
  session.received(telegram, now, now.mono, out);
  now.mono += std::chrono::seconds{1};
  if (out.telegrams == 0) session.timer(now, out);
  ASSERT_EQ(out.telegrams, 1U);
  EXPECT_EQ(text.identification, "/ISK5\\2MT372-0002");
  ASSERT_EQ(text.registers.size(), 3U);
  EXPECT_EQ(text.registers[1].address, "1.8.0");
  EXPECT_EQ(text.registers[1].value, "00132.149");
  EXPECT_EQ(text.registers[1].unit, "kWh");
  EXPECT_EQ(text.registers[2].value, "(ER11)");
}

TEST(D0Session, ModeAStaysAtItsSpeed) {
  auto settings = mt372();
  settings.acknowledge = d0::D0Settings::Acknowledge::none;
  Bench bench{{.identification = "/ABC TEST\r\n", .mode = 'A', .damage = {}}, settings};
  bench.start();
  bench.run(2, std::chrono::seconds{30});
  EXPECT_EQ(bench.telegrams.size(), 2U);
  EXPECT_TRUE(bench.speeds.empty());
}

TEST(D0Session, EchoesCostNoDataSet) {
  Bench bench{{.echo = true, .damage = {}}, mt372()};
  bench.start();
  bench.run(3, std::chrono::seconds{20});
  ASSERT_EQ(bench.telegrams.size(), 3U);
  for (const auto& telegram : bench.telegrams) EXPECT_EQ(telegram.size(), 2U);
  EXPECT_TRUE(bench.faults.empty());
}

TEST(D0Session, ASingleLineEndBehindTheIdentificationIsEnough) {
  Bench bench{{.identification = "/ISK5\\2MT372-0002\r", .damage = {}}, mt372()};
  bench.start();
  bench.run(1, std::chrono::seconds{10});
  EXPECT_EQ(bench.telegrams.size(), 1U);
}

TEST(D0Session, AWrongBccIsAskedAgainByNak) {
  Bench bench{{.damage = {1}}, mt372()};
  bench.start();
  bench.run(2, std::chrono::seconds{20});
  EXPECT_EQ(bench.telegrams.size(), 2U);
  EXPECT_EQ(bench.naks, 1);
  EXPECT_EQ(bench.requests, 2);
  ASSERT_EQ(bench.faults.size(), 1U);
  EXPECT_EQ(bench.faults[0].kind, FaultKind::check_value);
}

TEST(D0Session, AMeterThatDoesNotKnowNakIsAskedFromTheStartAndRemembered) {
  Bench bench{{.knows_nak = false, .damage = {1, 3}}, mt372()};
  bench.start();
  bench.run(4, std::chrono::seconds{60});
  EXPECT_EQ(bench.telegrams.size(), 4U);
  EXPECT_EQ(bench.naks, 1);
  EXPECT_EQ(bench.requests, 6);
}

TEST(D0Session, ARepetitionIsTriedTwiceAtMost) {
  Bench bench{{.damage = {0, 1, 2}}, mt372()};
  bench.start();
  bench.run(1, std::chrono::seconds{60});
  EXPECT_TRUE(bench.telegrams.empty());
  EXPECT_EQ(bench.faults.size(), 3U);
  bench.run(1, std::chrono::seconds{60});
  EXPECT_EQ(bench.telegrams.size(), 1U);
}

TEST(D0Session, ABatteryPoweredMeterIsAskedAgainOnlyOnce) {
  auto settings = mt372();
  settings.pull_sequence = Bytes(40, std::byte{0});
  const auto request = bytes_of("/?!\r\n");
  settings.pull_sequence.insert(settings.pull_sequence.end(), request.begin(), request.end());
  Bench bench{{.present = false, .damage = {}}, settings};
  bench.start();
  bench.run(1, std::chrono::seconds{60});
  EXPECT_EQ(bench.written.size(), 1U);  // silence is no damage: the cycle ends
}

TEST(D0Session, AMissingEtxIsDamage) {
  Bench bench{{.damage = {1}, .cut_short = true}, mt372()};
  bench.start();
  bench.run(2, std::chrono::seconds{60});
  EXPECT_EQ(bench.telegrams.size(), 2U);
  ASSERT_EQ(bench.faults.size(), 1U);
  EXPECT_EQ(bench.faults[0].kind, FaultKind::truncated);
}

TEST(D0Session, LearnsHowLongTheMeterWantsToBeLeftAlone) {
  Bench bench{{.recovery = milliseconds{3000}, .damage = {}}, mt372()};
  bench.start();
  while (bench.telegrams.size() < 10) bench.run(1, std::chrono::seconds{60});
  const int ignored = bench.ignored;
  const MonoTime from = bench.time();
  while (bench.telegrams.size() < 110) bench.run(1, std::chrono::seconds{60});
  EXPECT_LE(bench.ignored - ignored, 1);
  const double line = (5 + 19 + 6) * 10000.0 / 300 + 600 + static_cast<double>(bench.meter_.data.size() + 3) * 10000.0 / 9600;
  EXPECT_LE(ms(bench.time() - from) / 100, line + 3376);
  EXPECT_TRUE(bench.faults.empty());
}

TEST(D0Session, AnAbsentMeterIsAFaultOfSilenceAfterTheReadTimeout) {
  Bench bench{{.present = false, .damage = {}}, mt372()};
  bench.start();
  const MonoTime from = bench.time();
  bench.run(1, std::chrono::seconds{60});
  ASSERT_EQ(bench.faults.size(), 1U);
  EXPECT_EQ(bench.faults[0].kind, FaultKind::silence);
  EXPECT_NEAR(ms(bench.time() - from), 10000 + 167, 20);
}

TEST(PauseLearner, SettlesAboveThePauseThatTheMeterWants) {
  for (const int wanted : {300, 1000, 2500, 3000, 5000, 12000}) {
    d0::PauseLearner learner;
    int ignored_late = 0;
    int answers = 0;
    milliseconds since{0};
    for (int i = 0; i < 200; ++i) {
      since = std::max(since, milliseconds{learner.pause()});
      if (since.count() >= wanted) {
        learner.answered(since);
        since = milliseconds{0};
        ++answers;
      } else {
        if (answers > 10) ++ignored_late;
        EXPECT_TRUE(learner.ignored(since));
        since += milliseconds{2400};
      }
    }
    EXPECT_EQ(ignored_late, 0) << wanted;
    EXPECT_LE(learner.pause().count(), wanted + 300) << wanted;
  }
}

TEST(PauseLearner, OneUnansweredRequestIsNotTakenForImpatience) {
  d0::PauseLearner learner;
  learner.answered(milliseconds{5});
  EXPECT_FALSE(learner.ignored(milliseconds{5}));
  EXPECT_EQ(learner.pause().count(), 0);
}

/// Asks a meter that wants `wanted` after each readout and is silent whenever `silent` says so; returns the pauses.
template <typename Silent>
std::vector<milliseconds> ask(d0::PauseLearner& learner, int readouts, milliseconds wanted, Silent silent) {
  std::vector<milliseconds> pauses;
  for (int i = 0; i < readouts; ++i) {
    milliseconds since = learner.pause();
    while (since < wanted || silent(i)) {
      learner.ignored(since);
      since = std::max(since + milliseconds{2400}, learner.pause());
    }
    learner.answered(since);
    pauses.push_back(learner.pause());
  }
  return pauses;
}

TEST(PauseLearner, AnAbsentMeterTeachesNothing) {
  for (const int wanted : {0, 3000}) {
    d0::PauseLearner learner;
    const auto usual = ask(learner, 50, milliseconds{wanted}, [](int) { return false; }).back();
    milliseconds since = learner.pause();
    for (; since < std::chrono::minutes{5}; since = std::max(since + milliseconds{2400}, learner.pause())) learner.ignored(since);
    learner.answered(since);
    EXPECT_EQ(learner.pause(), usual) << wanted;
  }
}

TEST(PauseLearner, ABadLineDoesNotMakeTheMeterSlowForGood) {
  for (const int wanted : {0, 3000}) {
    d0::PauseLearner learner;
    std::mt19937 random{1};
    const auto pauses = ask(learner, 20'000, milliseconds{wanted}, [&](int i) { return i < 15'000 && random() % 16 == 0; });
    const auto sum = std::accumulate(pauses.begin(), pauses.end(), milliseconds{0});
    EXPECT_LE(sum / pauses.size(), milliseconds{wanted + 1000}) << wanted;
    EXPECT_LE(pauses.back(), milliseconds{wanted + 500}) << wanted;
  }
}

TEST(PauseLearner, AMeterThatWantsMoreThanItDidGetsIt) {
  d0::PauseLearner learner;
  ask(learner, 20, milliseconds{500}, [](int) { return false; });
  EXPECT_GE(ask(learner, 20, milliseconds{3000}, [](int) { return false; }).back(), milliseconds{3000});
}

TEST(PauseLearner, AMeterThatWantsLessThanItDidIsAskedSoonerInTheEnd) {
  d0::PauseLearner learner;
  ask(learner, 20, milliseconds{9000}, [](int) { return false; });
  EXPECT_LE(ask(learner, 10'000, milliseconds{1000}, [](int) { return false; }).back(), milliseconds{1300});
}

TEST(CounterGate, HoldsWhatRunsBackwardsOrLeapsUntilItIsConfirmed) {
  d0::CounterGate gate;
  const auto telegram = [&](double value, int second) {
    std::vector<Reading> readings{{Identifier{*Obis::parse("1-0:1.8.0")}, value, Unit{"kWh"}, kWallStart + std::chrono::seconds{second}},
                                  {Identifier{*Obis::parse("1-0:16.7.0")}, value, Unit{"W"}, kWallStart}};
    gate.filter(readings);
    std::vector<double> counters;
    for (const auto& r : readings)
      if (r.identifier.obis()->is_counter()) counters.push_back(r.value);
    return counters;
  };
  EXPECT_EQ(telegram(100.0, 0), std::vector<double>{100.0});
  EXPECT_EQ(telegram(100.1, 10), std::vector<double>{100.1});
  EXPECT_EQ(telegram(900.1, 20), std::vector<double>{});               // a damaged digit
  EXPECT_EQ(telegram(100.2, 30), std::vector<double>{100.2});
  EXPECT_EQ(telegram(5.0, 40), std::vector<double>{});                 // a new meter
  EXPECT_EQ(telegram(5.1, 50), (std::vector<double>{5.0, 5.1}));       // both, the held one first
}

TEST(Number, TakesNumbersAndNothingElse) {
  EXPECT_EQ(d0::number("00132.149"), 132.149);
  EXPECT_EQ(d0::number("-000073.69"), -73.69);
  EXPECT_EQ(d0::number("+00026"), 26);
  EXPECT_EQ(d0::number("000007,4"), 7.4);
  EXPECT_EQ(d0::number(" 20000 "), 20000);
  EXPECT_EQ(d0::number("00000000000000000000000012345678901234567890"), 12345678901234567890.0);
  EXPECT_EQ(d0::number("0.1234567890123456789012"), 0.1234567890123456789012);
  for (const char* text : {"", "-", ".", "07D0", "ABC", "0x1F", "inf", "NaN", "12E3", "1.2.3", "12-01-01", "(ER11", "1 2"})
    EXPECT_EQ(d0::number(text), std::nullopt) << text;
}

TEST(BlockCheck, OfTheMt372Page) {
  EXPECT_EQ(d0::block_check(std::as_bytes(std::span("1.8.0(00132.149*kWh)\x03", 21))), 0x67);
  EXPECT_EQ(d0::p1_crc(std::as_bytes(std::span("123456789", 9))), 0xBB3D);
}

}  // namespace
}  // namespace vz::test
