// SPDX-License-Identifier: GPL-3.0-or-later
#include "protocols/d0/glo_cipher.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>
#include <utility>

#include "core/hex.hpp"

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
constexpr Key kLuxembourg = [] {
  Key key{};
  for (std::size_t i = 0; i < key.size(); ++i) key[i] = static_cast<std::byte>(i * 0x11);
  return key;
}();

const unsigned char* raw(std::span<const std::byte> bytes) { return reinterpret_cast<const unsigned char*>(bytes.data()); }
unsigned char* raw_for_writing(std::span<std::byte> bytes) { return reinterpret_cast<unsigned char*>(bytes.data()); }

}  // namespace

std::optional<Key> parse_key(std::string_view text) {
  Key key{};
  constexpr std::string_view kDigits = "0123456789abcdefABCDEF";
  if (text.size() != 2 * key.size() || text.find_first_not_of(kDigits) != std::string_view::npos) return std::nullopt;
  std::vector<std::byte> bytes = parse_hex(text);
  std::copy(bytes.begin(), bytes.end(), key.begin());
  OPENSSL_cleanse(bytes.data(), bytes.size());
  return key;
}

/// The cipher with its key, ready for one nonce after the other.
struct GloReader::Context {
  explicit Context(const Key& key) : cipher(EVP_CIPHER_fetch(nullptr, "AES-128-GCM", nullptr)), state(EVP_CIPHER_CTX_new()) {
    usable = cipher != nullptr && state != nullptr && EVP_DecryptInit_ex2(state, cipher, raw(key), nullptr, nullptr) == 1;
  }
  ~Context() {
    EVP_CIPHER_CTX_free(state);  // wipes the key
    EVP_CIPHER_free(cipher);
  }
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  EVP_CIPHER* cipher;
  EVP_CIPHER_CTX* state;
  bool usable = false;
};

GloReader::GloReader(const Key& key, const std::optional<Key>& authentication_key)
    : context_(std::make_unique<Context>(key)),
      authentication_key_(authentication_key.value_or(kLuxembourg)),
      own_authentication_key_(authentication_key.has_value()) {
  frame_.reserve(1024);
}

GloReader::~GloReader() { OPENSSL_cleanse(authentication_key_.data(), authentication_key_.size()); }
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
  const auto sealed = content.subspan(kSecurity, content.size() - kSecurity - (tagged ? kGcmTag : 0));
  std::array<std::byte, 1 + std::tuple_size_v<Key>> associated{content[0]};
  std::copy(authentication_key_.begin(), authentication_key_.end(), associated.begin() + 1);
  const bool authentic = decrypt(sealed, tagged ? content.last(kGcmTag) : content.last(0), associated);
  OPENSSL_cleanse(associated.data(), associated.size());
  if (!context_->usable) return damage(event, FaultKind::encryption, "this machine's OpenSSL has no AES-128-GCM");
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

/// Decrypts into text_. True if the tag vouches for it.
bool GloReader::decrypt(std::span<const std::byte> sealed, std::span<const std::byte> tag, std::span<const std::byte> associated) {
  text_.resize(sealed.size());
  if (!context_->usable) return false;
  EVP_CIPHER_CTX* state = context_->state;
  std::array<std::byte, kTitle + 4> nonce;
  std::copy_n(frame_.begin() + 2, kTitle, nonce.begin());
  std::copy_n(frame_.begin() + static_cast<std::ptrdiff_t>(head_) + 1, 4, nonce.begin() + kTitle);
  int count = 0;
  if (EVP_DecryptInit_ex2(state, nullptr, nullptr, raw(nonce), nullptr) != 1 ||
      EVP_DecryptUpdate(state, nullptr, &count, raw(associated), static_cast<int>(associated.size())) != 1 ||
      EVP_DecryptUpdate(state, raw_for_writing(text_), &count, raw(sealed), static_cast<int>(sealed.size())) != 1)
    return false;
  if (tag.empty()) return false;
  std::array<std::byte, kGcmTag> wanted;
  std::copy(tag.begin(), tag.end(), wanted.begin());
  std::array<unsigned char, 16> rest;
  return EVP_CIPHER_CTX_ctrl(state, EVP_CTRL_AEAD_SET_TAG, static_cast<int>(wanted.size()), wanted.data()) == 1 &&
         EVP_DecryptFinal_ex(state, rest.data(), &count) == 1;
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
