// SPDX-License-Identifier: GPL-3.0-or-later
#include "tools/metersim/wire.hpp"

#include <gtest/gtest.h>

namespace vz::metersim {
namespace {

using namespace std::chrono_literals;

const MonoTime kStart{1000s};

MonoDuration characters(unsigned baud, std::int64_t count) {
  return std::chrono::nanoseconds{count * 10'000'000'000LL / baud};
}

TEST(ReceiverTest, OnePieceTakesItsLineTime) {
  Receiver receiver(Pace::real);
  EXPECT_FALSE(receiver.next());
  receiver.arrive("/?!\r\n", kStart);
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(receiver.next(), kStart + characters(300, i));
    receiver.begin_character(300);
    ASSERT_TRUE(receiver.within_character());
    EXPECT_EQ(receiver.next(), kStart + characters(300, i + 1));
    const Character character = receiver.end_character();
    EXPECT_EQ(character.byte, "/?!\r\n"[i]);
    EXPECT_EQ(character.start, kStart + characters(300, i));
    EXPECT_EQ(character.end, kStart + characters(300, i + 1));
  }
  EXPECT_FALSE(receiver.next());
}

TEST(ReceiverTest, LateBytesStartWhenTheyCome) {
  Receiver receiver(Pace::real);
  receiver.arrive("ab", kStart);
  receiver.begin_character(300);
  receiver.end_character();
  receiver.begin_character(300);
  receiver.end_character();
  receiver.arrive("c", kStart + 1s);
  EXPECT_EQ(receiver.next(), kStart + 1s);
  receiver.arrive("d", kStart + 1s + 1ms);
  receiver.begin_character(9600);
  EXPECT_EQ(receiver.end_character().end, kStart + 1s + characters(9600, 1));
  EXPECT_EQ(receiver.next(), kStart + 1s + characters(9600, 1));
}

TEST(ReceiverTest, UnlimitedTakesNoTime) {
  Receiver receiver(Pace::unlimited);
  receiver.arrive("ab", kStart);
  for (int i = 0; i < 2; ++i) {
    receiver.begin_character(300);
    EXPECT_EQ(receiver.next(), kStart);
    EXPECT_EQ(receiver.end_character().end, kStart);
  }
}

TEST(SenderTest, ABlockTakesExactlyItsCharacterTimes) {
  Sender sender(Pace::real);
  sender.begin({.bytes = std::string(215, 'x'), .start = kStart, .baud = 9600, .gap_at = {}, .gap = {}});
  EXPECT_EQ(sender.end_of(214), kStart + characters(9600, 215));
  EXPECT_EQ(sender.due(kStart).size(), 0U);
  EXPECT_EQ(sender.due(kStart + characters(9600, 1)).size(), 1U);
  EXPECT_EQ(sender.due(kStart + characters(9600, 100) + 1us).size(), 100U);
  sender.sent(100);
  EXPECT_EQ(sender.due(kStart + characters(9600, 100) + 1us).size(), 0U);
  EXPECT_EQ(sender.due(kStart + characters(9600, 215)).size(), 115U);
  sender.sent(115);
  EXPECT_FALSE(sender.busy());
  EXPECT_FALSE(sender.next(kStart));
}

TEST(SenderTest, FirstAndLastByteAreNeverPutOff) {
  Sender sender(Pace::real);
  sender.begin({.bytes = "abcd", .start = kStart, .baud = 115200, .gap_at = {}, .gap = {}});
  EXPECT_EQ(sender.next(kStart), kStart + characters(115200, 1));
  sender.sent(1);
  EXPECT_EQ(sender.next(kStart + characters(115200, 1)), kStart + characters(115200, 4));
  sender.begin({.bytes = std::string(1000, 'x'), .start = kStart, .baud = 115200, .gap_at = {}, .gap = {}});
  sender.sent(1);
  EXPECT_EQ(sender.next(kStart), kStart + 1ms);
}

TEST(SenderTest, AGapComesBeforeItsByte) {
  for (const Pace pace : {Pace::real, Pace::unlimited}) {
    Sender sender(pace);
    sender.begin({.bytes = "abcd", .start = kStart, .baud = 300, .gap_at = 2, .gap = 1400ms});
    EXPECT_EQ(sender.due(kStart + 1s).size(), 2U);
    sender.sent(2);
    EXPECT_EQ(sender.due(kStart + 1300ms).size(), 0U);
    EXPECT_EQ(sender.due(kStart + 1400ms + characters(300, 4)).size(), 2U);
  }
}

TEST(ResamplerTest, TheSameSpeedChangesNothing) {
  Resampler seven(7);
  Resampler eight(8);
  std::string a;
  std::string b;
  for (int c = 0; c < 128; ++c) seven.feed(static_cast<char>(c), 300, 300, a);
  for (int c = 0; c < 256; ++c) eight.feed(static_cast<char>(c), 300, 300, b);
  seven.idle(300, a);
  eight.idle(300, b);
  ASSERT_EQ(a.size(), 128U);
  ASSERT_EQ(b.size(), 256U);
  for (int c = 0; c < 128; ++c) EXPECT_EQ(a[static_cast<std::size_t>(c)], static_cast<char>(c));
  for (int c = 0; c < 256; ++c) EXPECT_EQ(b[static_cast<std::size_t>(c)], static_cast<char>(c));
}

TEST(ResamplerTest, AFastReceiverSeesABreakForEveryLowPhase) {
  Resampler resampler(7);
  std::string out;
  resampler.feed('U', 300, 9600, out);  // start 0, then 1010101, parity 0, stop 1: falls five times
  resampler.idle(9600, out);
  EXPECT_EQ(out, std::string(5, '\0'));
}

TEST(ResamplerTest, ASlowReceiverSeesFewerOtherCharacters) {
  const std::string sent = "1.8.0(00132.149*kWh)\r\n1.8.1(00132.149*kWh)\r\n1.8.2(00000.000*kWh)\r\n";
  for (const unsigned slow : {300U, 1200U, 4800U}) {
    Resampler resampler(7);
    std::string out;
    for (const char c : sent) resampler.feed(c, 9600, slow, out);
    resampler.idle(slow, out);
    EXPECT_FALSE(out.empty()) << slow;
    EXPECT_LE(out.size(), sent.size() * slow / 9600 + 1) << slow;
    EXPECT_EQ(sent.find(out), std::string::npos) << slow;
  }
}

TEST(ResamplerTest, ACharacterShorterThanAStartBitIsNotSeen) {
  Resampler resampler(7);
  std::string out;
  resampler.feed('x', 9600, 300, out);
  resampler.idle(300, out);
  EXPECT_EQ(out, "");
}

TEST(ResamplerTest, RecoversWhenTheSpeedsAgreeAgain) {
  Resampler resampler(7);
  std::string out;
  for (int i = 0; i < 50; ++i) resampler.feed('x', 9600, 300, out);
  resampler.idle(300, out);
  out.clear();
  resampler.feed('y', 300, 300, out);
  resampler.idle(300, out);
  EXPECT_EQ(out, "y");
}

}  // namespace
}  // namespace vz::metersim
