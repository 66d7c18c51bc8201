// SPDX-License-Identifier: GPL-3.0-or-later
#include "cli/probe/hearing.hpp"

#include "support/sml_builder.hpp"

namespace vz::cli {
namespace {

using namespace std::chrono_literals;
using Json = nlohmann::ordered_json;

constexpr std::string_view kPush = "/ESY5Q3D\r\n\r\n1-0:0.0.0*255(1234)\r\n1-0:1.8.0*255(00132.149*kWh)\r\n!\r\n";

std::vector<std::byte> line(std::string_view text, EighthBit bit) {
  std::vector<std::byte> out;
  for (const char c : text) {
    auto byte = static_cast<std::byte>(c);
    if (bit != EighthBit::clear && even_ones(byte) != (bit == EighthBit::even)) byte |= std::byte{0x80};
    out.push_back(byte);
  }
  return out;
}

std::optional<HeardTelegram> hear(const std::vector<std::byte>& bytes) {
  Instant now{MonoTime{} + 1h, WallTime{std::chrono::hours{400'000}}};
  Hearing hearing(Json{{"device", "/dev/null"}}, 9600, now);
  auto telegram = hearing.received(bytes, now, now.mono);
  for (int i = 0; i < 20 && !telegram; ++i) {  // one without check value ends with a silence
    now.mono += 50ms;
    now.wall += 50ms;
    telegram = hearing.tick(now);
  }
  return telegram;
}

TEST(ProbeHearing, TellsTheParityOfAMeterThatPushes) {
  for (const auto& [bit, parity] : {std::pair{EighthBit::even, "7e1"}, {EighthBit::odd, "7o1"}, {EighthBit::clear, "8n1"}}) {
    const auto telegram = hear(line(kPush, bit));
    ASSERT_TRUE(telegram) << parity;
    EXPECT_EQ(telegram->section["protocol"], "d0");
    EXPECT_EQ(telegram->section["parity"], parity);
    EXPECT_EQ(telegram->section["baudrate"], 9600);
    EXPECT_EQ(telegram->text.identification, "/ESY5Q3D");
    ASSERT_EQ(telegram->text.registers.size(), 2u);
    EXPECT_EQ(telegram->text.registers[1].value, "00132.149");
  }
}

TEST(ProbeHearing, KnowsSml) {
  const auto frame = test::sml::telegram({test::sml::entry({.name = "0100010800ff", .unit = test::sml::u(30, 1),
                                                            .scaler = test::sml::i(-1, 1), .value = test::sml::u(12345, 4)})});
  const auto telegram = hear(frame);
  ASSERT_TRUE(telegram);
  EXPECT_EQ(telegram->section["protocol"], "sml");
  EXPECT_EQ(telegram->text.identification, "0a0154535400010203");
  ASSERT_EQ(telegram->text.registers.size(), 1u);
  EXPECT_EQ(telegram->text.registers[0].value, "1234.5");
}

TEST(ProbeHearing, NoiseIsNoTelegram) {
  std::vector<std::byte> noise;
  for (unsigned i = 0; i < 2000; ++i) noise.push_back(static_cast<std::byte>(i * 73 + i / 7));
  EXPECT_FALSE(hear(noise));
  EXPECT_FALSE(hear(line(kPush.substr(0, 40), EighthBit::even))) << "half a telegram";
}

TEST(ProbeJudge, TextSmlAndNonsense) {
  EXPECT_EQ(judge(line(kPush, EighthBit::even), 100ms, false), Sense::text);
  EXPECT_EQ(judge(line(kPush, EighthBit::clear), 100ms, false), Sense::text);
  EXPECT_EQ(judge(test::sml::hex("0000 1b1b1b1b 01010101"), 1ms, false), Sense::sml);
  EXPECT_EQ(judge(test::sml::hex("62 77070100 010800ff"), 1ms, false), Sense::sml) << "joined in the middle";
  std::vector<std::byte> noise;
  for (unsigned i = 0; i < 100; ++i) noise.push_back(static_cast<std::byte>(i * 37));
  EXPECT_EQ(judge(noise, 100ms, false), Sense::nonsense);
}

TEST(ProbeJudge, AFewBytesSayNothingYet) {
  const auto flash = test::sml::hex("00 80 00");
  EXPECT_EQ(judge(flash, 10s, true), Sense::nothing) << "a flash of light";
  const auto some = test::sml::hex("00 80 f0 00 80");
  EXPECT_EQ(judge(some, 100ms, false), Sense::nothing);
  EXPECT_EQ(judge(some, 300ms, true), Sense::nonsense) << "and then silence";
}

TEST(ProbeJudge, SlowTextIsGivenTheTime) {
  const auto text = line(kPush, EighthBit::even);
  auto bytes = test::sml::hex("00 f0 8f");
  for (std::size_t i = 0; bytes.size() < 60; ++i) {
    EXPECT_NE(judge(bytes, 33ms * bytes.size(), false), Sense::nonsense) << bytes.size();
    bytes.push_back(text[i]);
  }
  EXPECT_EQ(judge(bytes, 2s, false), Sense::text);
}

TEST(ProbeJudge, TheSpeedShowsInTheNoise) {
  EXPECT_EQ(slower_by(test::sml::hex("00 80 00 00 00 80 f0 00 00 00")), 8u) << "one in ten may be noise";
  EXPECT_EQ(slower_by(test::sml::hex("0c 3c fc 30 cc 0c 3c c0")), 3u) << "start bits of three";
  EXPECT_EQ(slower_by(test::sml::hex("00 00 00 00")), 9u);
  EXPECT_EQ(slower_by(test::sml::hex("31 c3 5a 77 01")), 1u);
  EXPECT_EQ(slower_by({}), 1u);
}

TEST(ProbeJudge, TextBehindNonsenseIsText) {
  auto bytes = test::sml::hex("00 80 f0 00 80 ff ff 00 80 f8 c3 99 81 a0 00 f0");
  const auto text = line(kPush, EighthBit::even);
  bytes.insert(bytes.end(), text.begin(), text.end());
  EXPECT_EQ(judge(bytes, 100ms, false), Sense::text) << "the speed was changed while it spoke";
}

}  // namespace
}  // namespace vz::cli
