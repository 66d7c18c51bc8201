// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/aes.hpp"

#include <openssl/evp.h>

#include <algorithm>

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

void AesCbc::Free::operator()(void* context) const { EVP_CIPHER_CTX_free(cipher(context)); }

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

}  // namespace vz
