// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include "protocols/oms/session.hpp"
#include "support/decoding.hpp"

namespace vz::test::oms {

using test::Bytes;
using test::hex;
using vz::oms::OmsSession;
using vz::oms::OmsSettings;

inline std::string text_of(std::span<const std::byte> bytes) {
  std::string text;
  for (const std::byte byte : bytes) text += fmt::format("{:02X}", std::to_integer<unsigned>(byte));
  return text;
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

/// Feeds a listening session the stream in pieces that `next_size` chooses, and lets it time out at the end.
template <typename NextSize>
Decoded decode(std::span<const std::byte> stream, const OmsSettings& settings, NextSize next_size) {
  OmsSession session{settings};
  return test::decode(session, stream, next_size);
}

}  // namespace vz::test::oms
