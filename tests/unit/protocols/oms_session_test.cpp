// SPDX-License-Identifier: GPL-3.0-or-later
// The conversation: who acknowledges what, requests and their repetitions, times.
#include "support/counting_new.hpp"
#include "support/oms_harness.hpp"

namespace vz::test::oms {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// A session, what it wrote last, and a clock.
class Talk {
 public:
  explicit Talk(const OmsSettings& settings, int verbosity = 0) : session(settings) {
    out.verbosity = verbosity;
    session.opened(now, out);
    last_timer_ = out.timer;
    out.clear();
  }
  std::string begin() {
    out.clear();
    session.begin(now, out);
    return written();
  }
  /// All of it, however the session cuts it; `out` is what the last call made.
  std::string hear(const Bytes& bytes) {
    std::string all;
    for (std::span<const std::byte> rest = bytes; !rest.empty();) {
      out.clear();
      rest = rest.subspan(session.received(rest, now, now.mono, out));
      all += written();
      if (out.cycle_done) break;
    }
    return all;
  }
  std::string wait(MonoDuration time) {
    now.mono += time;
    now.wall += std::chrono::duration_cast<milliseconds>(time);
    out.clear();
    if (!last_timer_ || *last_timer_ > now.mono) return {};
    session.timer(now, out);
    return written();
  }
  /// To the moment the session asked for.
  std::string wait_for_timer() {
    const auto until = last_timer_;
    return until ? wait(std::max(*until - now.mono, MonoDuration{})) : std::string{};
  }
  [[nodiscard]] std::vector<std::string> readings() const {
    std::vector<std::string> lines;
    for (const auto& r : out.readings) lines.push_back(fmt::format("{}={}", r.identifier.text(), r.value));
    return lines;
  }
  [[nodiscard]] std::string fault() const { return out.faults.empty() ? "" : out.faults.front().detail; }

  OmsSession session;
  SessionOut out;
  Instant now = kNow;

 private:
  std::string written() {
    last_timer_ = out.timer;
    std::string text;
    for (const auto& action : out.actions)
      if (const auto* bytes = std::get_if<WriteBytes>(&action)) text += text_of(bytes->bytes);
    return text;
  }
  std::optional<MonoTime> last_timer_;
};

const Bytes kE5 = {std::byte{0xE5}};
Bytes answer(const char* records, unsigned address = 1) { return long_frame(0x08, address, plain(hex(records), {.ci = "72"})); }

TEST(OmsPush, AcknowledgesResetAndData) {
  Talk talk{listening()};
  EXPECT_FALSE(talk.session.pulls());
  EXPECT_EQ(talk.begin(), "");
  EXPECT_EQ(talk.hear(short_frame(0x40, 0xF0)), "E5");
  EXPECT_FALSE(talk.out.cycle_done);
  EXPECT_EQ(talk.hear(long_frame(0x73, 0xF0, mode5(hex("04 03 2A000000")))), "E5");
  EXPECT_TRUE(talk.out.cycle_done);
  EXPECT_EQ(talk.out.telegrams, 1U);
  EXPECT_EQ(talk.readings(), std::vector<std::string>{"255-255:1.8.0*255=42"});
}

TEST(OmsPush, ARepeatedFrameIsAcknowledgedAgainButNotReadTwice) {
  Talk talk{listening()};
  const Bytes frame = long_frame(0x73, 0xF0, mode5(hex("04 03 2A000000")));
  EXPECT_EQ(talk.hear(frame), "E5");
  talk.wait(milliseconds{300});
  EXPECT_EQ(talk.hear(frame), "E5");
  EXPECT_EQ(talk.out.telegrams, 0U);
  EXPECT_TRUE(talk.out.readings.empty());
  // the count bit toggled, or much later: a new one, whose values happen to be the same
  EXPECT_EQ(talk.hear(long_frame(0x53, 0xF0, mode5(hex("04 03 2A000000")))), "E5");
  EXPECT_EQ(talk.out.telegrams, 1U);
  talk.wait(seconds{10});
  EXPECT_EQ(talk.hear(long_frame(0x53, 0xF0, mode5(hex("04 03 2A000000")))), "E5");
  EXPECT_EQ(talk.out.telegrams, 1U);
}

TEST(OmsPush, WhatIsNotUnderstoodIsNotAcknowledged) {
  OmsSettings settings = listening();
  settings.telegram.key.reset();
  Talk talk{settings};
  EXPECT_EQ(talk.hear(long_frame(0x73, 0xF0, mode5(hex("04 03 2A000000")))), "");
  EXPECT_EQ(talk.fault(), "the frame is encrypted (mode 5), and there is no key in the configuration (\"key\")");
  EXPECT_EQ(talk.hear(long_frame(0x73, 0xF0, mode7(hex("04 03 2A000000"), hex("01000000")))), "");
  EXPECT_EQ(talk.fault(), "the frame is protected, and there is no key in the configuration (\"key\")");
  EXPECT_EQ(talk.hear(long_frame(0x73, 0xF0, hex("BD 00 01 02"))), "");
  EXPECT_EQ(talk.fault(), "frames with control information BD are not known");
  EXPECT_TRUE(talk.out.readings.empty());
}

TEST(OmsPush, SaysWhyAFrameCannotBeDecrypted) {
  OmsSettings settings = listening();
  settings.telegram.key = AesBlock{};
  Talk talk{settings};
  talk.hear(long_frame(0x73, 0xF0, mode5(hex("04 03 2A000000"))));
  EXPECT_EQ(talk.fault(), "the frame cannot be decrypted: is it the right key? (the check bytes 2F 2F are missing)");
  EXPECT_EQ(talk.out.faults.front().kind, FaultKind::encryption);
  talk.hear(long_frame(0x73, 0xF0, mode7(hex("04 03 2A000000"), hex("01000000"))));
  EXPECT_EQ(talk.fault(), "the authentication code (MAC) is wrong; is it the right key?");
}

TEST(OmsPush, AnEncryptedFrameThatDoesNotNameItsMeter) {
  Bytes data = mode5(hex("04 03 2A000000"));
  data.erase(data.begin() + 1, data.begin() + 9);
  data[0] = std::byte{0x7A};
  Talk talk{listening()};
  EXPECT_EQ(talk.hear(long_frame(0x73, 0xF0, data)), "");
  EXPECT_EQ(talk.fault(), "the frame is encrypted, but does not name its meter, which decryption needs");
  // once the meter has been named, it is read
  talk.hear(long_frame(0x53, 0xF0, mode5(hex("04 03 2A000000"))));
  EXPECT_EQ(talk.hear(long_frame(0x73, 0xF0, data)), "E5");
  EXPECT_EQ(talk.readings(), std::vector<std::string>{"255-255:1.8.0*255=42"});
}

TEST(OmsPush, AWrongStopByteCostsTheFrame) {
  Talk talk{listening()};
  Bytes frame = long_frame(0x73, 0xF0, mode5(hex("04 03 2A000000")));
  frame.back() = std::byte{0x17};
  EXPECT_EQ(talk.hear(frame), "");
  EXPECT_EQ(talk.fault(), "the frame does not end with the stop byte 16");
  EXPECT_EQ(talk.hear(long_frame(0x53, 0xF0, mode5(hex("04 03 2B000000")))), "E5");
}

TEST(OmsPush, SaysWhenItStops) {
  OmsSettings settings = listening();
  settings.read_timeout = seconds{60};
  Talk talk{settings};
  talk.begin();
  talk.wait(seconds{59});
  EXPECT_EQ(talk.fault(), "");
  talk.wait(seconds{2});
  EXPECT_EQ(talk.fault(), "nothing received for more than 60 seconds");
  talk.hear(hex("0102030405"));
  talk.wait(seconds{70});
  EXPECT_EQ(talk.fault(), "5 bytes received that are no M-Bus frame; are the speed and the protocol right?");
}

TEST(OmsPush, AFrameThatStopsIsAFaultAndCostsNoOther) {
  Talk talk{listening()};
  Bytes frame = long_frame(0x73, 0xF0, mode5(hex("04 03 2A000000")));
  frame.resize(20);
  talk.hear(frame);
  talk.wait(seconds{1});
  ASSERT_EQ(talk.out.faults.size(), 1U);
  EXPECT_EQ(talk.out.faults[0].kind, FaultKind::truncated);
  EXPECT_EQ(talk.hear(short_frame(0x40, 0xF0)), "E5");
}

TEST(OmsPush, ShowsRecordsWhenAsked) {
  OmsSettings settings = listening();
  settings.telegram.show_records = true;
  Talk talk{settings, static_cast<int>(Level::info)};
  talk.hear(long_frame(0x73, 0xF0, plain(hex("06 6D 0F 0D 17 EE 2B 00 04 03 2A000000 04 7C 03 687756 05000000 0D FD 0C 03 434241 02 FF 01 0100"))));
  std::vector<std::string> notes;
  for (const auto& note : talk.out.notes) notes.push_back(note.text);
  EXPECT_EQ(notes, (std::vector<std::string>{
                       "record 066D: date and time 2023-11-14 23:13:15, storage 0, tariff 0, subunit 0: no register",
                       "record 0403: energy 42 Wh, storage 0, tariff 0, subunit 0: 255-255:1.8.0*255",
                       "record 047C03687756: value with a unit in plain text 5 Vwh, storage 0, tariff 0, subunit 0: no register",
                       "record 0DFD0C: model or version \"ABC\", storage 0, tariff 0, subunit 0: no register",
                       "record 02FF01: manufacturer's own 1, storage 0, tariff 0, subunit 0: no register"}));
}

TEST(OmsPull, ResetsOnceAndTogglesTheFrameCountBit) {
  Talk talk{asking(1)};
  EXPECT_TRUE(talk.session.pulls());
  EXPECT_EQ(talk.begin(), "1040014116");
  EXPECT_EQ(talk.hear(kE5), "107B017C16");
  EXPECT_EQ(talk.hear(answer("04 03 2A000000")), "");
  EXPECT_TRUE(talk.out.cycle_done);
  EXPECT_EQ(talk.readings(), std::vector<std::string>{"255-255:1.8.0*255=42"});
  EXPECT_EQ(talk.begin(), "105B015C16");
  talk.hear(answer("04 03 2B000000"));
  EXPECT_EQ(talk.begin(), "107B017C16");
}

TEST(OmsPull, AnAnswerInSeveralFramesIsOneTelegram) {
  Talk talk{asking(1)};
  talk.begin();
  talk.hear(kE5);
  EXPECT_EQ(talk.hear(answer("04 03 2A000000 1F")), "105B015C16");
  EXPECT_FALSE(talk.out.cycle_done);
  EXPECT_EQ(talk.hear(answer("04 2B 01000000 1F")), "107B017C16");
  EXPECT_EQ(talk.hear(answer("04 AB 3C 02000000")), "");
  EXPECT_TRUE(talk.out.cycle_done);
  EXPECT_EQ(talk.out.telegrams, 1U);
  EXPECT_EQ(talk.readings(),
            (std::vector<std::string>{"255-255:1.8.0*255=42", "255-255:1.7.0*255=1", "255-255:2.7.0*255=2"}));
}

TEST(OmsPull, AMeterThatAlwaysHasMoreIsEndedAtSomeTime) {
  Talk talk{asking(1)};
  talk.begin();
  talk.hear(kE5);
  for (unsigned n = 1; n < OmsSession::kMostFrames; ++n) {
    talk.hear(answer("04 03 2A000000 1F"));
    ASSERT_FALSE(talk.out.cycle_done) << n;
  }
  talk.hear(answer("04 03 2A000000 1F"));
  EXPECT_TRUE(talk.out.cycle_done);
  EXPECT_EQ(talk.out.readings.size(), OmsSession::kMostFrames);
}

TEST(OmsPull, ADamagedAnswerIsAskedForAgainWithTheSameBit) {
  Talk talk{asking(1)};
  talk.begin();
  talk.hear(kE5);
  Bytes damaged = answer("04 03 2A000000");
  damaged[20] ^= std::byte{1};
  EXPECT_EQ(talk.hear(damaged), "");
  EXPECT_EQ(talk.out.faults.at(0).kind, FaultKind::check_value);
  EXPECT_EQ(talk.wait_for_timer(), "107B017C16");
  talk.hear(answer("04 03 2A000000"));
  EXPECT_EQ(talk.out.telegrams, 1U);
}

TEST(OmsPull, NoAnswerIsAFaultAndThenBeginsWithAReset) {
  Talk talk{asking(1)};
  talk.begin();
  talk.hear(kE5);
  for (unsigned n = 0; n < OmsSession::kMaxRepeats; ++n) EXPECT_EQ(talk.wait_for_timer(), "107B017C16");
  EXPECT_EQ(talk.wait_for_timer(), "");
  EXPECT_TRUE(talk.out.cycle_done);
  EXPECT_EQ(talk.fault(), "no answer from address 1 within 3 s");
  EXPECT_EQ(talk.begin(), "1040014116");
}

TEST(OmsPull, AMeterThatDoesNotAnswerToTheResetIsAskedAllTheSame) {
  Talk talk{asking(1)};
  EXPECT_EQ(talk.begin(), "1040014116");
  EXPECT_EQ(talk.wait_for_timer(), "1040014116");
  EXPECT_EQ(talk.wait_for_timer(), "1040014116");
  EXPECT_EQ(talk.wait_for_timer(), "107B017C16");
  talk.hear(answer("04 03 2A000000"));
  EXPECT_EQ(talk.out.telegrams, 1U);
}

TEST(OmsPull, SelectsByTheSecondaryAddress) {
  OmsSettings settings = asking(1);
  settings.address.reset();
  settings.secondary = vz::oms::SecondaryAddress{std::byte{0x78}, std::byte{0x56}, std::byte{0x34}, std::byte{0x12},
                                                 std::byte{0xFF}, std::byte{0xFF}, std::byte{0xFF}, std::byte{0xFF}};
  Talk talk{settings};
  EXPECT_EQ(talk.begin(), "1040FD3D16");
  EXPECT_EQ(talk.wait_for_timer(), "680B0B6853FD5278563412FFFFFFFFB216");  // nobody is selected yet
  EXPECT_EQ(talk.hear(kE5), "107BFD7816");
  talk.hear(answer("04 03 2A000000", 17));
  EXPECT_EQ(talk.out.telegrams, 1U);
  EXPECT_EQ(talk.begin(), "105BFD5816");
}

TEST(OmsPull, TheEchoOfARequestIsNoAnswer) {
  Talk talk{asking(1)};
  talk.begin();
  EXPECT_EQ(talk.hear(short_frame(0x40, 1)), "");
  EXPECT_EQ(talk.hear(kE5), "107B017C16");
  EXPECT_EQ(talk.hear(short_frame(0x7B, 1)), "");
  EXPECT_FALSE(talk.out.cycle_done);
  talk.hear(answer("04 03 2A000000"));
  EXPECT_EQ(talk.out.telegrams, 1U);
}

TEST(OmsPull, AnotherMetersAnswerIsNotTaken) {
  Talk talk{asking(1)};
  talk.begin();
  talk.hear(kE5);
  talk.hear(answer("04 03 2A000000", 2));
  EXPECT_EQ(talk.out.telegrams, 0U);
  EXPECT_EQ(talk.fault(), "address 2 answers instead of 1");
}

TEST(OmsPull, NoDataAndErrorsAreTold) {
  Talk talk{asking(1)};
  talk.begin();
  talk.hear(kE5);
  talk.hear(kE5);
  EXPECT_EQ(talk.fault(), "the meter answers that it has no data");
  talk.begin();
  talk.hear(long_frame(0x08, 1, hex("70 03")));
  EXPECT_EQ(talk.fault(), "the meter answers with an error of its own (7003)");
}

TEST(OmsPull, WhatWasReadIsHandedOverWhenTheLineGoes) {
  Talk talk{asking(1)};
  talk.begin();
  talk.hear(kE5);
  talk.hear(answer("04 03 2A000000 1F"));
  talk.out.clear();
  talk.session.lost(talk.now, talk.out);
  EXPECT_EQ(talk.out.telegrams, 1U);
  EXPECT_EQ(talk.readings(), std::vector<std::string>{"255-255:1.8.0*255=42"});
}

TEST(OmsPull, ALongAnswerOnASlowLineIsWaitedFor) {
  OmsSettings settings = asking(1);
  settings.paced_line = true;
  settings.line.baud = 300;
  Talk talk{settings};
  talk.begin();
  talk.hear(kE5);
  const Bytes frame = answer("04 03 2A000000 2F2F2F2F2F2F2F2F2F2F2F2F2F2F2F2F2F2F2F2F2F2F2F2F2F2F2F2F2F2F2F2F2F2F2F2F2F2F2F2F2F2F2F2F2F2F2F2F2F2F"
                             "2F2F2F2F2F2F2F2F2F2F2F2F2F2F2F2F2F2F2F2F2F2F2F2F2F2F2F2F2F2F2F2F2F2F2F2F2F2F2F2F2F2F2F2F2F2F2F2F2F2F");
  for (const std::byte byte : frame) {
    ASSERT_EQ(talk.wait(settings.line.duration(1)), "");
    talk.hear({byte});
  }
  EXPECT_EQ(talk.out.telegrams, 1U);
  const auto begun = talk.now.wall - talk.out.readings.at(0).stamp;
  EXPECT_NEAR(static_cast<double>(begun.count()), static_cast<double>(std::chrono::duration_cast<milliseconds>(settings.line.duration(frame.size() - 1)).count()), 2.0);
}

TEST(OmsTime, HoursAreTheTimeZonesAndMinutesAreNot) {
  using vz::oms::ClockTime;
  const WallTime now{std::chrono::seconds{1'700'000'000}};  // 2023-11-14 22:13:20
  EXPECT_EQ(vz::oms::plausible_time(ClockTime{2023, 11, 14, 22, 13, 20}, now), now);
  EXPECT_EQ(vz::oms::plausible_time(ClockTime{2023, 11, 14, 23, 12, 20}, now), now - seconds{60});
  EXPECT_EQ(vz::oms::plausible_time(ClockTime{2023, 11, 15, 0, 14, 20}, now), now + seconds{60});
  EXPECT_EQ(vz::oms::plausible_time(ClockTime{2023, 11, 14, 22, 2, 0}, now), std::nullopt);
  EXPECT_EQ(vz::oms::plausible_time(ClockTime{2023, 11, 13, 22, 13, 20}, now), std::nullopt);
  EXPECT_EQ(vz::oms::plausible_time(ClockTime{2023, 2, 30, 22, 13, 20}, now), std::nullopt);
}

void expect_no_allocation(const OmsSettings& settings, const Bytes& input, bool pull) {
  if (!AllocationCounter::counting()) GTEST_SKIP() << "allocations are not counted under a sanitizer";
  OmsSession session{settings};
  SessionOut out;
  Instant now = kNow;
  session.opened(now, out);
  if (pull) {  // the link reset of the beginning
    session.begin(now, out);
    session.received(kE5, now, now.mono, out);
    session.received(input, now, now.mono, out);
  }
  unsigned telegrams = 0;
  const auto round = [&] {
    now.mono += seconds{10};
    now.wall += seconds{10};
    out.clear();
    if (pull) session.begin(now, out);
    for (std::span<const std::byte> rest = input; !rest.empty();) {
      out.clear();
      rest = rest.subspan(session.received(rest.first(std::min<std::size_t>(rest.size(), 16)), now, now.mono, out));
      telegrams += out.telegrams;
    }
  };
  for (int n = 0; n < 3; ++n) round();
  telegrams = 0;
  AllocationCounter::start();
  for (int n = 0; n < 1000; ++n) round();
  EXPECT_EQ(AllocationCounter::stop(), 0U);
  EXPECT_EQ(telegrams, 1000U);
}

TEST(OmsSession, DoesNotAllocateInTheSteadyState) {
  const Bytes records = hex("06 6D 0F 0D 17 EE 2B 00  04 03 4BAA0D00  04 83 3C 07000000  84 10 FB 82 73 EB2B0000  04 2B B3010000");
  expect_no_allocation(listening(), short_frame(0x40, 0xF0) + long_frame(0x73, 0xF0, mode5(records)), false);
  expect_no_allocation(listening(), long_frame(0x73, 0xF0, mode7(records, hex("01000000"))), false);
  OmsSettings settings = asking(1);
  expect_no_allocation(settings, answer("04 03 2A000000 04 2B 01000000 1F") + answer("04 AB 3C 02000000"), true);
}

}  // namespace
}  // namespace vz::test::oms
