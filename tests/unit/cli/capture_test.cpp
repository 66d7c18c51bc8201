// SPDX-License-Identifier: GPL-3.0-or-later
#include "cli/capture.hpp"

#include "core/eighth_bit.hpp"
#include "core/traffic_dump.hpp"

namespace vz::cli {
namespace {

using ::testing::HasSubstr;

std::vector<std::byte> bytes(std::string_view text) {
  std::vector<std::byte> out;
  for (const char c : text) out.push_back(static_cast<std::byte>(c));
  return out;
}

constexpr std::string_view kTelegram = "/ISK5MT\r\n1.8.0(00132.149*kWh)\r\n!\r\n";

TEST(Capture, TakesRawBytesAsTheyAre) { EXPECT_EQ(capture_bytes(kTelegram), bytes(kTelegram)); }

TEST(Capture, TakesHexadecimalTextInManyForms) {
  const auto wanted = bytes("/?!\r\n");
  EXPECT_EQ(capture_bytes("2F3F210D0A"), wanted);
  EXPECT_EQ(capture_bytes("2f 3f 21\n0d 0a\n"), wanted);
  EXPECT_EQ(capture_bytes("0x2F, 0x3F, 0x21, 0x0D, 0x0A"), wanted);
  EXPECT_EQ(capture_bytes("2F:3F:21:0D:0A"), wanted);
}

TEST(Capture, OfADumpFileOnlyWhatWasReceivedCounts) {
  TrafficDump dump;
  std::string text;
  const MonoTime now = MonoTime{} + std::chrono::seconds{5};
  dump.note("opened", now, text);
  dump.sent(bytes("/?!\r\n"), now, text);
  dump.received(bytes(kTelegram.substr(0, 10)), now, text);
  dump.received(bytes(kTelegram.substr(10)), now, text);
  dump.note("closed\n", now, text);
  EXPECT_EQ(capture_bytes(text), bytes(kTelegram));
}

TEST(Capture, HexOnTheCommandLineIsChecked) {
  EXPECT_THAT(hex_bytes("2f 3").error().what, HasSubstr("one digit"));
  EXPECT_THAT(hex_bytes("2f zz").error().what, HasSubstr("character 4"));
  EXPECT_FALSE(hex_bytes(" "));
}

TEST(Capture, KnowsSmlByItsBeginning) {
  auto sml = *hex_bytes("00 1b1b1b1b 01010101 7605");
  EXPECT_EQ(prepare_capture(sml).protocol, "sml");
  auto d0 = bytes(kTelegram);
  EXPECT_EQ(prepare_capture(d0).protocol, "d0");
  EXPECT_EQ(prepare_capture(d0).parity, "7e1");
}

TEST(Capture, TakesParityAway) {
  auto even = bytes(kTelegram);
  for (std::byte& byte : even)
    if (!even_ones(byte)) byte |= std::byte{0x80};
  auto damaged = even;
  damaged[12] ^= std::byte{0x01};
  EXPECT_EQ(prepare_capture(even).parity, "7e1");
  EXPECT_EQ(even, bytes(kTelegram));
  prepare_capture(damaged);
  EXPECT_NE(damaged[12] & std::byte{0x80}, std::byte{0}) << "wrong parity is marked";
}

TEST(Replay, WaitingTakesNoTime) {
  const auto all = bytes(kTelegram);
  ReplayClock clock(Instant{MonoTime{} + std::chrono::hours{1}, WallTime{std::chrono::hours{1000}}});
  ReplayTransport transport(all, clock);
  Wake wake;
  std::vector<std::byte> buffer(10);
  EXPECT_EQ(transport.read(buffer, {}, clock.now().mono, wake).count, 10u);
  buffer.resize(1000);
  EXPECT_EQ(transport.read(buffer, {}, clock.now().mono, wake).count, all.size() - 10);
  EXPECT_TRUE(transport.at_end());
  const Instant before = clock.now();
  EXPECT_EQ(transport.read(buffer, {}, before.mono + std::chrono::seconds{7}, wake).kind, ReadResult::Kind::timeout);
  EXPECT_EQ(clock.now().wall - before.wall, std::chrono::seconds{7});
}

}  // namespace
}  // namespace vz::cli
