// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/aes.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>
#include <vector>

#include "core/ascii.hpp"
#include "core/hex.hpp"

namespace vz {
namespace {

EVP_CIPHER_CTX* cipher(void* context) { return static_cast<EVP_CIPHER_CTX*>(context); }
const unsigned char* octets(const std::byte* bytes) { return reinterpret_cast<const unsigned char*>(bytes); }  // NOLINT(*-reinterpret-cast)
unsigned char* octets(std::byte* bytes) { return reinterpret_cast<unsigned char*>(bytes); }                    // NOLINT(*-reinterpret-cast)

/// Times x in the field of RFC 4493, chapter 2.3.
void double_block(AesBlock& block) {
  const bool carry = (block[0] & std::byte{0x80}) != std::byte{0};
  for (std::size_t i = 0; i < kAesBlock; ++i) {
    const std::byte next = i + 1 < kAesBlock ? block[i + 1] >> 7U : std::byte{0};
    block[i] = (block[i] << 1U) | next;
  }
  if (carry) block[kAesBlock - 1] ^= std::byte{0x87};
}

}  // namespace

std::optional<AesBlock> parse_aes_key(std::string_view text) {
  if (text.size() != 2 * kAesBlock || !all_hex_digits(text)) return std::nullopt;
  std::vector<std::byte> bytes = parse_hex(text);
  AesBlock key{};
  std::copy_n(bytes.begin(), kAesBlock, key.begin());
  wipe(bytes);
  return key;
}

void wipe(std::span<std::byte> secret) { OPENSSL_cleanse(secret.data(), secret.size()); }

void FreeAesContext::operator()(void* context) const { EVP_CIPHER_CTX_free(cipher(context)); }  // wipes the key

AesCbc::AesCbc(Direction direction) : direction_(direction), context_(EVP_CIPHER_CTX_new()) {
  const int encrypt = direction == Direction::encrypt ? 1 : 0;
  if (context_ == nullptr || EVP_CipherInit_ex(cipher(context_.get()), EVP_aes_128_cbc(), nullptr, nullptr, nullptr, encrypt) != 1)
    context_.reset();
}

bool AesCbc::run(const AesBlock& key, const AesBlock& iv, std::span<std::byte> data) {
  if (context_ == nullptr || data.size() % kAesBlock != 0) return false;
  if (data.empty()) return true;
  EVP_CIPHER_CTX* context = cipher(context_.get());
  const int encrypt = direction_ == Direction::encrypt ? 1 : 0;
  if (EVP_CipherInit_ex(context, nullptr, nullptr, octets(key.data()), octets(iv.data()), encrypt) != 1) return false;
  EVP_CIPHER_CTX_set_padding(context, 0);
  int done = 0;
  const bool good = EVP_CipherUpdate(context, octets(data.data()), &done, octets(data.data()), static_cast<int>(data.size())) == 1;
  return good && static_cast<std::size_t>(done) == data.size();
}

bool aes_cmac(AesCbc& encrypt, const AesBlock& key, std::span<const std::byte> message, AesBlock& mac) {
  constexpr AesBlock kZero{};
  AesBlock subkey{};
  if (!encrypt.run(key, kZero, subkey)) return false;
  double_block(subkey);
  mac = kZero;
  AesBlock block{};
  while (message.size() > kAesBlock) {
    std::copy_n(message.begin(), kAesBlock, block.begin());
    if (!encrypt.run(key, mac, block)) return false;
    mac = block;
    message = message.subspan(kAesBlock);
  }
  block = kZero;
  std::copy(message.begin(), message.end(), block.begin());
  if (message.size() < kAesBlock) {
    double_block(subkey);
    block[message.size()] = std::byte{0x80};
  }
  for (std::size_t i = 0; i < kAesBlock; ++i) block[i] ^= subkey[i];
  if (!encrypt.run(key, mac, block)) return false;
  mac = block;
  return true;
}

AesGcm::AesGcm(const AesBlock& key) : context_(EVP_CIPHER_CTX_new()) {
  if (context_ == nullptr || EVP_DecryptInit_ex(cipher(context_.get()), EVP_aes_128_gcm(), nullptr, octets(key.data()), nullptr) != 1)
    context_.reset();
}

AesGcm::Verdict AesGcm::decrypt(std::span<const std::byte, kNonce> nonce, std::span<const std::byte> associated,
                                std::span<std::byte> data, std::span<const std::byte> tag) {
  if (context_ == nullptr || tag.size() > kAesBlock) return Verdict::refused;
  EVP_CIPHER_CTX* context = cipher(context_.get());
  int count = 0;
  if (EVP_DecryptInit_ex(context, nullptr, nullptr, nullptr, octets(nonce.data())) != 1 ||
      EVP_DecryptUpdate(context, nullptr, &count, octets(associated.data()), static_cast<int>(associated.size())) != 1 ||
      EVP_DecryptUpdate(context, octets(data.data()), &count, octets(data.data()), static_cast<int>(data.size())) != 1)
    return Verdict::refused;
  if (tag.empty()) return Verdict::unknown;
  AesBlock wanted{};  // OpenSSL takes no constant
  std::copy(tag.begin(), tag.end(), wanted.begin());
  std::array<unsigned char, kAesBlock> rest;
  const bool good = EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, static_cast<int>(tag.size()), wanted.data()) == 1 &&
                    EVP_DecryptFinal_ex(context, rest.data(), &count) == 1;
  return good ? Verdict::authentic : Verdict::unknown;
}

}  // namespace vz
