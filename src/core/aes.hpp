// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <span>

namespace vz {

inline constexpr std::size_t kAesBlock = 16;
using AesBlock = std::array<std::byte, kAesBlock>;  ///< also a key of 128 bits, an initialisation vector, a MAC

/// AES with 128 bits in cipher block chaining (NIST SP 800-38A, 6.2), without padding: the only place that knows
/// OpenSSL's names for it. No I/O, no clock; no state from one run to the next. Owns OpenSSL's context, made once, so that
/// a run does not allocate. Move-only; thread-compatible.
class AesCbc final {
 public:
  enum class Direction { encrypt, decrypt };
  explicit AesCbc(Direction direction);

  /// Works on `data` in place. False (and `data` not to be used) if its size is no multiple of kAesBlock, or OpenSSL refuses.
  [[nodiscard]] bool run(const AesBlock& key, const AesBlock& iv, std::span<std::byte> data);

 private:
  struct Free {
    void operator()(void* context) const;
  };
  Direction direction_;
  std::unique_ptr<void, Free> context_;
};

/// AES-CMAC (RFC 4493) of `message`. `encrypt` is an encryptor, lent for the call. False if OpenSSL refuses.
[[nodiscard]] bool aes_cmac(AesCbc& encrypt, const AesBlock& key, std::span<const std::byte> message, AesBlock& mac);

}  // namespace vz
