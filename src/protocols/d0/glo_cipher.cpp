// SPDX-License-Identifier: GPL-3.0-or-later
#include "protocols/d0/glo_cipher.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace vz::d0 {
namespace {

constexpr std::byte kTag{0xDB};          // general-glo-ciphering
constexpr std::byte kTitleLength{0x08};
constexpr std::size_t kTitle = 8;
constexpr std::size_t kLengthAt = 2 + kTitle;
constexpr std::size_t kSecurity = 5;     // security control and invocation counter
constexpr std::size_t kGcmTag = 12;
constexpr std::byte kAuthenticated{0x10};
constexpr std::byte kEncrypted{0x20};
constexpr std::byte kBroadcast{0x40};

/// Published in the specification of Luxembourg's P1 port.
constexpr AesBlock kLuxembourg = [] {
  AesBlock key{};
  for (std::size_t i = 0; i < key.size(); ++i) key[i] = static_cast<std::byte>(i * 0x11);
  return key;
}();

}  // namespace

GloReader::GloReader(const AesBlock& key, const std::optional<AesBlock>& authentication_key)
    : cipher_(key),
      authentication_key_(authentication_key.value_or(kLuxembourg)),
      own_authentication_key_(authentication_key.has_value()) {
  frame_.reserve(1024);
}

GloReader::~GloReader() { wipe(authentication_key_); }
GloReader::GloReader(GloReader&&) noexcept = default;

void GloReader::reset() {
  frame_.clear();
  length_ = 0;
  done_ = false;
  replay_.clear();
  replay_at_ = 0;
}

void GloReader::drop_done() {
  if (!std::exchange(done_, false)) return;
  frame_.clear();
}

void GloReader::refuse() {
  if (std::exchange(done_, false)) look_again();
}

std::size_t GloReader::feed(std::span<const std::byte> bytes, GloEvent& event) {
  event = GloEvent{};
  drop_done();
  while (replay_at_ < replay_.size()) {
    const std::byte next = replay_[replay_at_];
    if (frame_.empty()) offset_ = replay_offset_ + replay_at_;
    ++replay_at_;
    push(next, event);
    if (event.kind != GloEvent::Kind::none) return 0;
  }
  std::size_t used = 0;
  while (used < bytes.size() && event.kind == GloEvent::Kind::none) {
    if (frame_.empty()) offset_ = fed_;
    if (length_ > frame_.size() + 1) {  // the bulk of a frame at once
      const std::size_t count = std::min(bytes.size() - used, length_ - frame_.size() - 1);
      frame_.insert(frame_.end(), bytes.begin() + static_cast<std::ptrdiff_t>(used), bytes.begin() + static_cast<std::ptrdiff_t>(used + count));
      used += count;
      fed_ += count;
      continue;
    }
    ++fed_;
    push(bytes[used++], event);
  }
  return used;
}

void GloReader::push(std::byte byte, GloEvent& event) {
  frame_.push_back(byte);
  if (length_ == 0) {
    // what turns out to be no head may have a head in it
    while (!plausible() && !frame_.empty()) {
      const auto next = std::find(frame_.begin() + 1, frame_.end(), kTag);
      offset_ += static_cast<std::uint64_t>(next - frame_.begin());
      frame_.erase(frame_.begin(), next);
    }
    return;
  }
  if (frame_.size() == length_) finish(event);
}

/// Whether what there is can be the beginning of a frame. Sets the lengths once they are known.
bool GloReader::plausible() {
  if (frame_.empty()) return true;
  if (frame_[0] != kTag || (frame_.size() > 1 && frame_[1] != kTitleLength)) return false;
  if (frame_.size() <= kLengthAt) return true;
  // BER: up to 127 in one byte, else the number of bytes that follow
  const auto first = std::to_integer<std::size_t>(frame_[kLengthAt]);
  const std::size_t more = first < 0x80 ? 0 : first - 0x80;
  if (first >= 0x80 && (more == 0 || more > 2)) return false;
  const std::size_t head = kLengthAt + 1 + more;
  if (frame_.size() < head) return true;
  std::size_t content = first;
  if (more > 0) {
    content = 0;
    for (std::size_t i = kLengthAt + 1; i < head; ++i) content = content << 8 | std::to_integer<std::size_t>(frame_[i]);
  }
  if (content <= kSecurity + kGcmTag || head + content > kMaxFrame) return false;
  if (frame_.size() == head) return true;
  const std::byte security = frame_[head];
  constexpr std::byte kKnown = kAuthenticated | kEncrypted | kBroadcast | std::byte{0x01};
  if ((security & kEncrypted) == std::byte{0} || (security & ~kKnown) != std::byte{0}) return false;
  head_ = head;
  length_ = head + content;
  return true;
}

void GloReader::finish(GloEvent& event) {
  const std::span<const std::byte> frame{frame_};
  const auto content = frame.subspan(head_);
  const bool tagged = (content[0] & kAuthenticated) != std::byte{0};
  const AesGcm::Verdict verdict = decrypt(tagged);
  if (verdict == AesGcm::Verdict::refused) return damage(event, FaultKind::encryption, "this machine's OpenSSL has no AES-128-GCM");
  const bool authentic = verdict == AesGcm::Verdict::authentic;
  const bool readable = !text_.empty() && text_[0] == std::byte{'/'};
  if (!authentic && own_authentication_key_)
    return damage(event, FaultKind::encryption,
                  !tagged    ? "the telegram has no authentication tag, although auth_key is given"
                  : readable ? "the authentication tag is wrong: auth_key is not this meter's, or bytes were damaged on the line"
                             : "key is not this meter's, or bytes were damaged on the line");
  if (!authentic && !readable)
    return damage(event, FaultKind::encryption, "key is not this meter's, or bytes were damaged on the line");
  event.kind = GloEvent::Kind::telegram;
  event.text = text_;
  event.authentic = authentic;
  event.offset = offset_;
  length_ = 0;
  done_ = true;
}

/// Decrypts into text_.
AesGcm::Verdict GloReader::decrypt(bool tagged) {
  const auto content = std::span<const std::byte>{frame_}.subspan(head_);
  const auto sealed = content.subspan(kSecurity, content.size() - kSecurity - (tagged ? kGcmTag : 0));
  std::array<std::byte, AesGcm::kNonce> nonce;
  std::copy_n(frame_.begin() + 2, kTitle, nonce.begin());
  std::copy_n(content.begin() + 1, kSecurity - 1, nonce.begin() + kTitle);
  std::array<std::byte, 1 + kAesBlock> associated{content[0]};
  std::copy(authentication_key_.begin(), authentication_key_.end(), associated.begin() + 1);
  text_.assign(sealed.begin(), sealed.end());
  const auto verdict = cipher_.decrypt(nonce, associated, text_, content.last(tagged ? kGcmTag : 0));
  wipe(associated);
  return verdict;
}

void GloReader::damage(GloEvent& event, FaultKind fault, const char* reason) {
  event.kind = GloEvent::Kind::damaged;
  event.fault = fault;
  event.reason = reason;
  event.offset = offset_;
  look_again();
}

/// Another frame may begin in what this one took for its own.
void GloReader::look_again() {
  const auto next = std::find(frame_.begin() + 1, frame_.end(), kTag);
  if (replay_at_ < replay_.size()) {
    replay_at_ -= static_cast<std::size_t>(frame_.end() - next);  // all of a frame that ends inside the replay came from there
  } else {
    replay_offset_ = offset_ + static_cast<std::uint64_t>(next - frame_.begin());
    replay_.assign(next, frame_.end());
    replay_at_ = 0;
  }
  frame_.clear();
  length_ = 0;
}

GloEvent GloReader::idle() {
  GloEvent event;
  drop_done();
  if (replay_at_ < replay_.size() || !in_frame()) {
    if (!in_frame()) frame_.clear();
    return event;
  }
  damage(event, FaultKind::truncated, "the line fell silent inside an encrypted telegram");
  return event;
}

}  // namespace vz::d0
