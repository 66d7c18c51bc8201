// SPDX-License-Identifier: GPL-3.0-or-later
// The examples of NIST SP 800-38A (F.2.1, F.2.2) and RFC 4493 (chapter 4).
#include "core/aes.hpp"

#include <algorithm>

#include "core/hex.hpp"

namespace vz {
namespace {

AesBlock block(std::string_view hex) {
  AesBlock out{};
  const auto bytes = parse_hex(hex);
  std::copy_n(bytes.begin(), kAesBlock, out.begin());
  return out;
}

const AesBlock kKey = block("2b7e151628aed2a6abf7158809cf4f3c");
constexpr const char* kPlain =
    "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710";

TEST(AesCbc, AgreesWithTheStandardsExample) {
  const AesBlock iv = block("000102030405060708090a0b0c0d0e0f");
  auto data = parse_hex(kPlain);
  AesCbc encrypt{AesCbc::Direction::encrypt};
  AesCbc decrypt{AesCbc::Direction::decrypt};
  for (int again = 0; again < 2; ++again) {
    ASSERT_TRUE(encrypt.run(kKey, iv, data));
    EXPECT_EQ(data, parse_hex("7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b273bed6b8e3c1743b7116e69e222295163ff1caa16"
                              "81fac09120eca307586e1a7"));
    ASSERT_TRUE(decrypt.run(kKey, iv, data));
    EXPECT_EQ(data, parse_hex(kPlain));
  }
}

TEST(AesCbc, TakesWholeBlocksOnly) {
  AesCbc decrypt{AesCbc::Direction::decrypt};
  std::vector<std::byte> data(17);
  EXPECT_FALSE(decrypt.run(kKey, AesBlock{}, data));
  EXPECT_TRUE(decrypt.run(kKey, AesBlock{}, std::span<std::byte>{}));
}

TEST(AesCmac, AgreesWithTheStandardsExamples) {
  AesCbc encrypt{AesCbc::Direction::encrypt};
  const auto plain = parse_hex(kPlain);
  const auto mac = [&](std::size_t length) {
    AesBlock out{};
    EXPECT_TRUE(aes_cmac(encrypt, kKey, std::span(plain).first(length), out));
    return out;
  };
  EXPECT_EQ(mac(0), block("bb1d6929e95937287fa37d129b756746"));
  EXPECT_EQ(mac(16), block("070a16b46b4d4144f79bdd9dd04a287c"));
  EXPECT_EQ(mac(40), block("dfa66747de9ae63030ca32611497c827"));
  EXPECT_EQ(mac(64), block("51f0bebf7e3b9d92fc49741779363cfe"));
}

}  // namespace
}  // namespace vz
