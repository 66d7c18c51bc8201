// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "core/hex.hpp"
#include "protocols/oms/session.hpp"

namespace vz::test::oms {

using Bytes = std::vector<std::byte>;
using vz::oms::OmsSession;
using vz::oms::OmsSettings;

inline constexpr Instant kNow{MonoTime{std::chrono::seconds{1000}}, WallTime{std::chrono::seconds{1'700'000'000}}};

inline Bytes operator+(Bytes a, const Bytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

/// Blanks do not count.
inline Bytes hex(std::string text) {
  std::erase(text, ' ');
  return parse_hex(text);
}

inline std::string text_of(std::span<const std::byte> bytes) {
  std::string text;
  for (const std::byte byte : bytes) text += fmt::format("{:02X}", std::to_integer<unsigned>(byte));
  return text;
}

inline Bytes read_bytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  Bytes out;
  for (std::istreambuf_iterator<char> at(file), end; at != end; ++at) out.push_back(static_cast<std::byte>(*at));
  return out;
}

inline std::byte sum_of(std::span<const std::byte> bytes) {
  unsigned sum = 0;
  for (const std::byte byte : bytes) sum += std::to_integer<unsigned>(byte);
  return static_cast<std::byte>(sum & 0xFFU);
}

inline Bytes short_frame(unsigned control, unsigned address) {
  Bytes out = {std::byte{0x10}, static_cast<std::byte>(control), static_cast<std::byte>(address)};
  out.push_back(sum_of(std::span(out).subspan(1)));
  out.push_back(std::byte{0x16});
  return out;
}

inline Bytes long_frame(unsigned control, unsigned address, const Bytes& user_data) {
  const Bytes body = Bytes{static_cast<std::byte>(control), static_cast<std::byte>(address)} + user_data;
  const auto length = static_cast<std::byte>(body.size());
  return Bytes{std::byte{0x68}, length, length, std::byte{0x68}} + body + Bytes{sum_of(body), std::byte{0x16}};
}

inline AesBlock block(const Bytes& bytes) {
  AesBlock out{};
  std::copy_n(bytes.begin(), std::min(bytes.size(), out.size()), out.begin());
  return out;
}

inline AesBlock key() { return block(hex("000102030405060708090A0B0C0D0E0F")); }

/// Fills up with 2F to whole blocks, 2F 2F in front.
inline Bytes padded(const Bytes& records) {
  Bytes out = hex("2F2F") + records;
  while (out.size() % kAesBlock != 0) out.push_back(std::byte{0x2F});
  return out;
}

/// CI and long header of a meter 12345678, manufacturer ABC, version 1, device type electricity unless said otherwise.
struct Header {
  std::string ci = "5B";
  std::string meter = "78563412 4304 01 02";
  unsigned access = 0x2A;
  unsigned configuration = 0;
};
inline Bytes header(const Header& h) {
  return hex(h.ci + h.meter) + Bytes{static_cast<std::byte>(h.access), std::byte{0}, static_cast<std::byte>(h.configuration & 0xFFU),
                                     static_cast<std::byte>(h.configuration >> 8U)};
}

/// User data in mode 0.
inline Bytes plain(const Bytes& records, Header h = {}) { return header(h) + records; }

/// User data in mode 5.
inline Bytes mode5(const Bytes& records, Header h = {}) {
  Bytes data = padded(records);
  h.configuration = 0x0500U | static_cast<unsigned>(data.size() / kAesBlock) << 4U;
  const Bytes head = header(h);
  AesBlock iv{};
  std::copy_n(head.begin() + 5, 2, iv.begin());
  std::copy_n(head.begin() + 1, 4, iv.begin() + 2);
  std::copy_n(head.begin() + 7, 2, iv.begin() + 6);
  std::fill(iv.begin() + 8, iv.end(), static_cast<std::byte>(h.access));
  AesCbc encrypt{AesCbc::Direction::encrypt};
  if (!encrypt.run(key(), iv, data)) std::abort();
  return head + data;
}

inline AesBlock derived(unsigned purpose, const Bytes& counter, const Bytes& number) {
  const Bytes input = Bytes{static_cast<std::byte>(purpose)} + counter + number + Bytes(7, std::byte{7});
  AesCbc encrypt{AesCbc::Direction::encrypt};
  AesBlock out{};
  if (!aes_cmac(encrypt, key(), input, out)) std::abort();
  return out;
}

/// User data in mode 7 with authentication: AFL with message control, counter and a MAC of eight bytes.
inline Bytes mode7(const Bytes& records, const Bytes& counter, Header h = {}) {
  Bytes data = padded(records);
  h.configuration = 0x0700U | static_cast<unsigned>(data.size() / kAesBlock) << 4U;
  const Bytes head = header(h) + hex("10");
  const Bytes number(head.begin() + 1, head.begin() + 5);
  AesCbc encrypt{AesCbc::Direction::encrypt};
  if (!encrypt.run(derived(0, counter, number), AesBlock{}, data)) std::abort();
  AesBlock mac{};
  if (!aes_cmac(encrypt, derived(1, counter, number), hex("25") + counter + head + data, mac)) std::abort();
  return hex("90 0F 002C 25") + counter + Bytes(mac.begin(), mac.begin() + 8) + head + data;
}

inline OmsSettings listening() {
  OmsSettings settings;
  settings.paced_line = false;
  settings.telegram.key = key();
  return settings;
}

inline OmsSettings asking(unsigned address) {
  OmsSettings settings = listening();
  settings.address = static_cast<std::uint8_t>(address);
  settings.read_timeout = std::chrono::seconds{3};
  return settings;
}

/// What a session made of a stream.
struct Decoded {
  std::vector<std::vector<Reading>> telegrams;
  std::vector<std::string> faults;  ///< silence left out
  std::string written;              ///< hexadecimal
  [[nodiscard]] std::vector<std::string> lines() const {
    std::vector<std::string> out;
    for (const auto& telegram : telegrams) {
      out.push_back(fmt::format("telegram of {}", telegram.size()));
      for (const auto& r : telegram)
        out.push_back(fmt::format("{} {} {} {}", r.identifier.text(), r.value, r.unit.text(), r.stamp.time_since_epoch().count()));
    }
    for (const auto& fault : faults) out.push_back(fault);
    out.push_back(written);
    return out;
  }
};

/// Feeds a listening session the stream in pieces that `next_size` chooses, and lets it time out at the end.
template <typename NextSize>
Decoded decode(std::span<const std::byte> stream, const OmsSettings& settings, NextSize next_size) {
  OmsSession session{settings};
  SessionOut out;
  Decoded result;
  Instant now = kNow;
  const auto collect = [&] {
    if (out.telegrams > 0) result.telegrams.push_back(out.readings);
    for (const auto& fault : out.faults)
      if (fault.kind != FaultKind::silence) result.faults.emplace_back(vz::text(fault.kind));
    for (const auto& action : out.actions)
      if (const auto* bytes = std::get_if<WriteBytes>(&action)) result.written += text_of(bytes->bytes);
  };
  session.opened(now, out);
  out.clear();
  session.begin(now, out);
  for (std::size_t at = 0; at < stream.size();) {
    auto piece = stream.subspan(at, std::min<std::size_t>(stream.size() - at, std::max<std::size_t>(1, next_size())));
    at += piece.size();
    while (!piece.empty()) {
      out.clear();
      const auto used = session.received(piece, now, now.mono, out);
      collect();
      piece = piece.subspan(used);
    }
  }
  for (int i = 0; i < 4; ++i) {
    now.mono += std::chrono::seconds{100};
    out.clear();
    session.timer(now, out);
    collect();
  }
  return result;
}

inline constexpr auto all_at_once = [] { return std::size_t{1} << 20U; };

}  // namespace vz::test::oms
