// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/aes.hpp"
#include "vz/session.hpp"

namespace vz::d0 {

/// What the reader found. Views live until the next call.
struct GloEvent {
  enum class Kind : std::uint8_t {
    none,
    telegram,  ///< one that was decrypted
    damaged,   ///< one that was not
  } kind = Kind::none;
  std::span<const std::byte> text;  ///< of telegram: what was encrypted
  bool authentic = false;           ///< of telegram: its authentication tag is right. If not, nothing vouches for the text
  std::uint64_t offset = 0;         ///< stream position of the frame's first byte
  FaultKind fault{};                ///< of damaged
  const char* reason = "";          ///< of damaged
};

/// Finds frames of general-glo-ciphering in a byte stream and decrypts them: DLMS/COSEM (IEC 62056-5-3, clause 5), security suite 0, as
/// the P1 ports of Luxembourg and Austria send their telegrams:
///
///     DB 08 <system title, 8> <length> <security control> <invocation counter, 4> <ciphertext> <tag, 12>
///
/// AES-128-GCM; the nonce is system title and counter, what is authenticated besides the text is the security control
/// byte and the authentication key. Without an authentication key that of Luxembourg's meters, which is no secret, is tried; a
/// tag that does not fit it leaves the text unauthenticated. With one, a wrong tag makes the frame damaged.
///
/// Pure: no I/O, no clock, no logging. Input may be split anywhere. Holds one frame of at most kMaxFrame bytes; a frame that
/// damage has cut or lengthened costs itself: what it swallowed is looked at again. Does not allocate once it has seen its
/// longest frame. Never throws on input. The keys are wiped by the destructor.
class GloReader final {
 public:
  static constexpr std::size_t kMaxFrame = 16 * 1024;

  GloReader(const AesBlock& key, const std::optional<AesBlock>& authentication_key);
  ~GloReader();
  GloReader(GloReader&&) noexcept;
  GloReader& operator=(GloReader&&) = delete;

  /// Consumes bytes up to the end of the first event and returns how many; `event` is of kind none if all were consumed
  /// without one. Call again with the rest (also with none) until the kind is none and nothing is left.
  std::size_t feed(std::span<const std::byte> bytes, GloEvent& event);
  /// The text of the telegram that feed() has just returned is none, and nothing vouches for it: what its frame may have
  /// swallowed is looked at again.
  void refuse();
  /// The line has been silent: a frame that was begun is damaged. Call feed() with no bytes afterwards.
  GloEvent idle();
  /// Forgets the frame that was begun.
  void reset();

  /// Inside a frame.
  [[nodiscard]] bool in_frame() const { return !done_ && frame_.size() >= kStart; }
  /// Stream position of the current frame's first byte; only while in_frame().
  [[nodiscard]] std::uint64_t offset() const { return offset_; }
  /// Stream position of the next byte to be fed.
  [[nodiscard]] std::uint64_t position() const { return fed_; }
  /// Bytes until the end of the frame; 0 if that is not known yet.
  [[nodiscard]] std::size_t missing() const { return length_ > frame_.size() ? length_ - frame_.size() : 0; }

 private:
  static constexpr std::size_t kStart = 2;

  void push(std::byte byte, GloEvent& event);
  void drop_done();
  void look_again();
  bool plausible();
  void finish(GloEvent& event);
  AesGcm::Verdict decrypt(bool tagged);
  void damage(GloEvent& event, FaultKind fault, const char* reason);

  AesGcm cipher_;
  AesBlock authentication_key_;
  bool own_authentication_key_;      ///< the configuration gave it
  std::vector<std::byte> frame_;
  std::size_t head_ = 0;             ///< length of the frame's head, once it is known
  std::size_t length_ = 0;           ///< of the whole frame, once it is known
  bool done_ = false;                ///< the frame was handed out and waits for refuse() or the next feed()
  std::uint64_t offset_ = 0;
  std::uint64_t fed_ = 0;
  std::vector<std::byte> replay_;    ///< what a damaged frame may have swallowed
  std::size_t replay_at_ = 0;
  std::uint64_t replay_offset_ = 0;
  std::vector<std::byte> text_;
};

}  // namespace vz::d0
