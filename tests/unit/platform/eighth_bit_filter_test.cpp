// SPDX-License-Identifier: GPL-3.0-or-later
#include "platform/eighth_bit_filter.hpp"

#include <string>

#include "core/eighth_bit.hpp"

namespace vz::platform {
namespace {

std::vector<std::byte> line(std::string_view text, bool even) {
  std::vector<std::byte> out;
  for (const char c : text) {
    auto byte = static_cast<std::byte>(c);
    if (even_ones(byte) != even) byte |= std::byte{0x80};
    out.push_back(byte);
  }
  return out;
}

std::string text(std::span<const std::byte> bytes) {
  std::string out;
  for (const std::byte byte : bytes) out += static_cast<char>(byte);
  return out;
}

constexpr std::string_view kText = "/ISK5\\2MT372-0002\r\n";

TEST(EighthBitFilter, TakesTheParityAway) {
  EighthBitFilter filter;
  filter.set_format(CharacterFormat::e7);
  auto bytes = line(kText, true);
  filter.received(bytes);
  EXPECT_EQ(text(bytes), kText);
  EXPECT_TRUE(filter.carries_parity());
}

TEST(EighthBitFilter, OddToo) {
  EighthBitFilter filter;
  filter.set_format(CharacterFormat::o7);
  auto bytes = line(kText, false);
  filter.received(bytes);
  EXPECT_EQ(text(bytes), kText);
}

TEST(EighthBitFilter, MarksWrongParityOnceTheLineIsKnown) {
  EighthBitFilter filter;
  filter.set_format(CharacterFormat::e7);
  auto bytes = line(kText, true);
  bytes.back() ^= std::byte{0x01};  // LF (even) becomes VT without its parity bit
  filter.received(bytes);
  EXPECT_EQ(bytes.back(), std::byte{0x8B});
}

TEST(EighthBitFilter, SevenBitsPassUnchanged) {
  EighthBitFilter filter;
  filter.set_format(CharacterFormat::e7);
  auto bytes = line(kText, true);
  for (std::byte& byte : bytes) byte &= std::byte{0x7F};
  filter.received(bytes);
  EXPECT_EQ(text(bytes), kText);
  EXPECT_FALSE(filter.carries_parity());
}

TEST(EighthBitFilter, EightDataBitsAreNotTouched) {
  EighthBitFilter filter;
  auto bytes = line(kText, true);
  const auto before = bytes;
  filter.received(bytes);
  EXPECT_EQ(bytes, before);
}

TEST(EighthBitFilter, AnswersTheWayItIsSpokenTo) {
  EighthBitFilter filter;
  filter.set_format(CharacterFormat::e7);
  std::vector<std::byte> room;
  std::vector<std::byte> ack;
  for (const char c : {'\x06', '0', '5', '0', '\r', '\n'}) ack.push_back(static_cast<std::byte>(c));
  EXPECT_EQ(text(filter.to_send(ack, room)), "\x06" "050\r\n") << "nothing is known yet";
  auto bytes = line(kText, true);
  filter.received(bytes);
  EXPECT_EQ(text(filter.to_send(ack, room)), text(line("\x06" "050\r\n", true)));
}

TEST(EighthBitFilter, ForgetsParityThatIsNotThere) {
  EighthBitFilter filter;
  filter.set_format(CharacterFormat::e7);
  auto noise = line("111", true);  // three characters whose parity bit is set
  filter.received(noise);
  ASSERT_TRUE(filter.carries_parity());
  std::vector<std::byte> clear(20, std::byte{'1'});
  filter.received(clear);
  EXPECT_FALSE(filter.carries_parity());
  EXPECT_EQ(clear.back(), std::byte{'1'});
}

}  // namespace
}  // namespace vz::platform
