// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/eighth_bit.hpp"

#include <string>
#include <vector>

namespace vz {
namespace {

constexpr std::string_view kText = "/ISK5\\2MT372-0002\r\n1.8.0(00132.149*kWh)\r\n!\r\n";

std::vector<std::byte> bytes(std::string_view text) {
  std::vector<std::byte> out;
  for (const char c : text) out.push_back(static_cast<std::byte>(c));
  return out;
}

std::vector<std::byte> with_parity(std::string_view text, bool even) {
  auto out = bytes(text);
  for (std::byte& byte : out)
    if (even_ones(byte) != even) byte |= std::byte{0x80};
  return out;
}

EighthBit verdict(const std::vector<std::byte>& bytes) {
  EighthBitStatistics statistics;
  statistics.add(bytes);
  return statistics.verdict();
}

TEST(EighthBit, IsEvenOddOrClear) {
  EXPECT_EQ(verdict(with_parity(kText, true)), EighthBit::even);
  EXPECT_EQ(verdict(with_parity(kText, false)), EighthBit::odd);
  EXPECT_EQ(verdict(bytes(kText)), EighthBit::clear);
}

TEST(EighthBit, NeedsSomeCharacters) {
  EXPECT_EQ(verdict({}), EighthBit::unknown);
  EXPECT_EQ(verdict(with_parity("1.8.0(0013", true)), EighthBit::unknown);
  EXPECT_EQ(verdict(std::vector<std::byte>(100)), EighthBit::unknown) << "NULs say nothing";
}

TEST(EighthBit, OneDamagedCharacterInTenDoesNotMatter) {
  auto noisy = with_parity(kText, true);
  for (std::size_t i = 5; i < noisy.size(); i += 12) noisy[i] ^= std::byte{0x10};
  EXPECT_EQ(verdict(noisy), EighthBit::even);
}

TEST(EighthBit, BinaryIsData) {
  std::vector<std::byte> binary;
  for (unsigned i = 0; i < 200; ++i) binary.push_back(static_cast<std::byte>(i * 37 % 256));
  EXPECT_EQ(verdict(binary), EighthBit::data);
}

TEST(EighthBit, DoesNotDependOnHowTheBytesAreCut) {
  const auto all = with_parity(kText, true);
  EighthBitStatistics statistics;
  for (const std::byte& byte : all) statistics.add({&byte, 1});
  EXPECT_EQ(statistics.verdict(), EighthBit::even);
  EXPECT_TRUE(statistics.text());
}

}  // namespace
}  // namespace vz
