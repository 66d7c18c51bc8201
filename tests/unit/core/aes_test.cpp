// SPDX-License-Identifier: GPL-3.0-or-later
// The examples of NIST SP 800-38A (F.2.1, F.2.2) RFC 4493 (chapter 4), and test cases 3 and 4 of the paper that proposed GCM.
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

// Test cases 3 and 4 of "The Galois/Counter Mode of Operation" (McGrew, Viega), appendix B.
const AesBlock kGcmKey = block("feffe9928665731c6d6a8f9467308308");
constexpr const char* kGcmNonce = "cafebabefacedbaddecaf888";
constexpr const char* kGcmPlain =
    "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255";
constexpr const char* kGcmSealed =
    "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091473f5985";

struct Opened {
  AesGcm::Verdict verdict;
  std::vector<std::byte> text;
};

Opened opened(AesGcm& cipher, std::size_t length, std::string_view associated, std::string_view tag) {
  const auto nonce = parse_hex(kGcmNonce);
  auto data = parse_hex(kGcmSealed);
  data.resize(length);
  const auto verdict =
      cipher.decrypt(std::span(nonce).first<AesGcm::kNonce>(), parse_hex(associated), data, parse_hex(tag));
  return {verdict, data};
}

TEST(AesGcm, AgreesWithThePapersExamples) {
  constexpr const char* kAssociated = "feedfacedeadbeeffeedfacedeadbeefabaddad2";
  AesGcm cipher{kGcmKey};
  const auto plain = parse_hex(kGcmPlain);
  for (int again = 0; again < 2; ++again) {
    const auto whole = opened(cipher, 64, "", "4d5c2af327cd64a62cf35abd2ba6fab4");
    EXPECT_EQ(whole.verdict, AesGcm::Verdict::authentic);
    EXPECT_EQ(whole.text, plain);
    const auto part = opened(cipher, 60, kAssociated, "5bc94fbc3221a5db94fae95a");  // the tag's first 12 bytes, as meters have it
    EXPECT_EQ(part.verdict, AesGcm::Verdict::authentic);
    EXPECT_TRUE(std::equal(part.text.begin(), part.text.end(), plain.begin()));
    const auto foreign = opened(cipher, 60, "00", "5bc94fbc3221a5db94fae95a");
    EXPECT_EQ(foreign.verdict, AesGcm::Verdict::unknown);
    EXPECT_EQ(opened(cipher, 60, kAssociated, "").verdict, AesGcm::Verdict::unknown);
    EXPECT_EQ(opened(cipher, 60, kAssociated, "").text, part.text);
    EXPECT_EQ(opened(cipher, 60, kAssociated, std::string(34, '0')).verdict, AesGcm::Verdict::refused);
  }
}

TEST(AesKey, ThirtyTwoDigitsAndNothingElse) {
  EXPECT_TRUE(parse_aes_key("0123456789ABCDEF0123456789abcdef"));
  EXPECT_EQ(parse_aes_key("D0D1D2D3D4D5D6D7D8D9DADBDCDDDEDF").value()[15], std::byte{0xDF});
  for (const auto* bad : {"", "0123", "0123456789ABCDEF0123456789abcdeg", "0123456789ABCDEF0123456789abcdef0", " 123456789ABCDEF0123456789abcdef"})
    EXPECT_FALSE(parse_aes_key(bad)) << bad;
}

}  // namespace
}  // namespace vz
