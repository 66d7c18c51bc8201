// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

namespace vz {

inline constexpr std::size_t kAesBlock = 16;
using AesBlock = std::array<std::byte, kAesBlock>;  ///< also a key of 128 bits, an initialisation vector, a MAC

struct FreeAesContext {
  void operator()(void* context) const;
};
using AesContext = std::unique_ptr<void, FreeAesContext>;  ///< OpenSSL's; none if it refuses

/// AES with 128 bits, as the encrypted telegrams of meters use it: the only place that knows OpenSSL's names for it. No I/O,
/// no clock; no state from one run to the next. Each class owns OpenSSL's context, made once, so that a run does not
/// allocate, and wiped at its end. Move-only; thread-compatible.

/// Reads 32 hexadecimal digits. Empty if they are not that.
[[nodiscard]] std::optional<AesBlock> parse_aes_key(std::string_view text);

/// Overwrites a key, in a way that no compiler leaves out.
void wipe(std::span<std::byte> secret);

/// Cipher block chaining (NIST SP 800-38A, 6.2), without padding.
class AesCbc final {
 public:
  enum class Direction { encrypt, decrypt };
  explicit AesCbc(Direction direction);

  /// Works on `data` in place. False (and `data` not to be used) if its size is no multiple of kAesBlock, or OpenSSL refuses.
  [[nodiscard]] bool run(const AesBlock& key, const AesBlock& iv, std::span<std::byte> data);

 private:
  Direction direction_;
  AesContext context_;
};

/// AES-CMAC (RFC 4493) of `message`. `encrypt` is an encryptor, lent for the call. False if OpenSSL refuses.
[[nodiscard]] bool aes_cmac(AesCbc& encrypt, const AesBlock& key, std::span<const std::byte> message, AesBlock& mac);

/// Galois/counter mode (NIST SP 800-38D), decryption with one key.
class AesGcm final {
 public:
  static constexpr std::size_t kNonce = 12;
  enum class Verdict {
    authentic,  ///< the tag vouches for the text
    unknown,    ///< decrypted, but the tag does not fit, or there is none: with a wrong key the text is noise
    refused,    ///< by OpenSSL; the text is not to be used
  };
  explicit AesGcm(const AesBlock& key);

  /// Decrypts `data` in place. `tag` has up to kAesBlock bytes; none: nothing is checked.
  [[nodiscard]] Verdict decrypt(std::span<const std::byte, kNonce> nonce, std::span<const std::byte> associated,
                                std::span<std::byte> data, std::span<const std::byte> tag);

 private:
  AesContext context_;
};

}  // namespace vz
