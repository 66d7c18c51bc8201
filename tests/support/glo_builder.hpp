// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <openssl/evp.h>

#include <array>
#include <cstdlib>
#include <string>

#include "protocols/d0/glo_cipher.hpp"
#include "protocols/d0/telegram.hpp"
#include "support/d0_harness.hpp"

// Encrypted telegrams as a meter makes them, sealed by the same library's other half.

namespace vz::test {

inline constexpr std::string_view kKeyText = "0123456789ABCDEF0123456789abcdef";
inline constexpr std::string_view kLuxembourgText = "00112233445566778899AABBCCDDEEFF";
inline constexpr std::string_view kAuthText = "D0D1D2D3D4D5D6D7D8D9DADBDCDDDEDF";
inline AesBlock key_of(std::string_view text) { return parse_aes_key(text).value(); }

struct Seal {
  std::string_view key = kKeyText;
  std::string_view authentication_key = kLuxembourgText;
  std::byte security{0x30};
  std::uint32_t counter = 1;
  int length_bytes = 2;  ///< of the length field behind its first byte; 0: the short form
};

/// A frame around `text`.
inline Bytes sealed(std::string_view text, const Seal& seal = {}) {
  const auto raw = [](auto& bytes) { return reinterpret_cast<unsigned char*>(bytes.data()); };
  const auto check = [](int result) {
    if (result != 1) std::abort();
  };
  Bytes title = bytes_of("SAG\x01\x02\x03\x04\x05");
  Bytes counter;
  for (int shift = 24; shift >= 0; shift -= 8) counter.push_back(static_cast<std::byte>(seal.counter >> shift));
  Bytes nonce = title;
  nonce.insert(nonce.end(), counter.begin(), counter.end());
  Bytes associated{seal.security};
  const auto authentication = key_of(seal.authentication_key);
  associated.insert(associated.end(), authentication.begin(), authentication.end());
  auto key = key_of(seal.key);
  Bytes plain = bytes_of(text);
  Bytes cipher(plain.size());
  std::array<unsigned char, 16> tag{};
  int count = 0;
  EVP_CIPHER_CTX* state = EVP_CIPHER_CTX_new();
  check(EVP_EncryptInit_ex(state, EVP_aes_128_gcm(), nullptr, raw(key), raw(nonce)));
  check(EVP_EncryptUpdate(state, nullptr, &count, raw(associated), static_cast<int>(associated.size())));
  check(EVP_EncryptUpdate(state, raw(cipher), &count, raw(plain), static_cast<int>(plain.size())));
  check(EVP_EncryptFinal_ex(state, tag.data(), &count));
  check(EVP_CIPHER_CTX_ctrl(state, EVP_CTRL_AEAD_GET_TAG, 12, tag.data()));
  EVP_CIPHER_CTX_free(state);

  const bool tagged = (seal.security & std::byte{0x10}) != std::byte{0};
  const std::size_t content = 5 + cipher.size() + (tagged ? 12 : 0);
  Bytes frame{std::byte{0xDB}, std::byte{8}};
  frame.insert(frame.end(), title.begin(), title.end());
  if (seal.length_bytes > 0) frame.push_back(static_cast<std::byte>(0x80 + seal.length_bytes));
  for (int i = std::max(seal.length_bytes, 1) - 1; i >= 0; --i) frame.push_back(static_cast<std::byte>(content >> (8 * i)));
  frame.push_back(seal.security);
  frame.insert(frame.end(), counter.begin(), counter.end());
  frame.insert(frame.end(), cipher.begin(), cipher.end());
  if (tagged)
    for (int i = 0; i < 12; ++i) frame.push_back(static_cast<std::byte>(tag[static_cast<std::size_t>(i)]));
  return frame;
}

/// A P1 telegram with its CRC around some lines.
inline std::string p1_telegram(std::string_view lines) {
  std::string text = "/EST5\\253710000_A\r\n\r\n" + std::string{lines} + "!";
  return text + fmt::format("{:04X}\r\n", d0::p1_crc(std::as_bytes(std::span(text))));
}

}  // namespace vz::test
