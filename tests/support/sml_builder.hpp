// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/bytes.hpp"

namespace vz::test::sml {

using test::Bytes;
using test::hex;

/// A type-length field, in as many bytes as it takes, or in at least `heads`.
inline Bytes head(unsigned type, std::size_t length, bool counts_itself, unsigned heads = 1) {
  while ((length + (counts_itself ? heads : 0)) >> (4U * heads) != 0) ++heads;
  const std::size_t value = length + (counts_itself ? heads : 0);
  Bytes out;
  for (unsigned i = 0; i < heads; ++i) {
    const bool last = i + 1 == heads;
    out.push_back(static_cast<std::byte>((last ? 0U : 0x80U) | (i == 0 ? type << 4U : 0U) | ((value >> (4U * (heads - 1 - i))) & 0xFU)));
  }
  return out;
}

inline Bytes octets(const Bytes& data) { return head(0, data.size(), true) + data; }
inline Bytes text(std::string_view data) {
  Bytes bytes;
  for (const char c : data) bytes.push_back(static_cast<std::byte>(c));
  return octets(bytes);
}
inline Bytes absent() { return {std::byte{0x01}}; }
inline Bytes big_endian(std::uint64_t value, unsigned size) {
  Bytes out;
  for (unsigned i = size; i-- > 0;) out.push_back(static_cast<std::byte>(i < 8 ? value >> (8U * i) : 0));
  return out;
}
inline Bytes u(std::uint64_t value, unsigned size) { return head(6, size, true) + big_endian(value, size); }
inline Bytes i(std::int64_t value, unsigned size) { return head(5, size, true) + big_endian(static_cast<std::uint64_t>(value), size); }
inline Bytes boolean(bool value) { return {std::byte{0x42}, std::byte{value ? std::uint8_t{1} : std::uint8_t{0}}}; }
inline Bytes list(const std::vector<Bytes>& elements) {
  Bytes out = head(7, elements.size(), false);
  for (const auto& element : elements) out = out + element;
  return out;
}

/// Bit by bit, so that it shares nothing with the decoder's.
inline std::uint16_t crc(const Bytes& bytes, unsigned start, unsigned last) {
  unsigned value = start;
  for (const std::byte byte : bytes) {
    value ^= std::to_integer<unsigned>(byte);
    for (int bit = 0; bit < 8; ++bit) value = (value & 1U) != 0 ? (value >> 1U) ^ 0x8408U : value >> 1U;
  }
  return static_cast<std::uint16_t>(value ^ last);
}
enum class Crc { x25, kermit };

inline Bytes message(std::uint32_t tag, const Bytes& choice, Crc kind = Crc::x25) {
  static constexpr std::array<unsigned, 4> kId = {0x0a, 0x0b, 0x0c, 0x0d};
  Bytes id;
  for (const unsigned value : kId) id.push_back(static_cast<std::byte>(value));
  const Bytes covered = head(7, 6, false) + octets(id) + u(0, 1) + u(0, 1) + list({u(tag, 2), choice});
  const std::uint16_t value = kind == Crc::x25 ? crc(covered, 0xFFFF, 0xFFFF) : crc(covered, 0, 0);
  const auto sent = kind == Crc::x25 ? static_cast<std::uint16_t>(value >> 8U | value << 8U) : value;
  return covered + u(sent, 2) + Bytes{std::byte{0}};
}

inline Bytes open_response() {
  return message(0x0101, list({absent(), absent(), octets(hex("00112233")), octets(hex("0a0154535400010203")), absent(), absent()}));
}
inline Bytes close_response() { return message(0x0201, list({absent()})); }

struct Entry {
  std::string name;  ///< hexadecimal
  Bytes status = absent();
  Bytes time = absent();
  Bytes unit = absent();
  Bytes scaler = absent();
  Bytes value = absent();
};
inline Bytes entry(const Entry& e) {
  return list({octets(hex(e.name)), e.status, e.time, e.unit, e.scaler, e.value, absent()});
}
inline Bytes sec_index(std::uint32_t seconds) { return list({u(1, 1), u(seconds, 4)}); }
inline Bytes timestamp(std::uint32_t seconds) { return list({u(2, 1), u(seconds, 4)}); }
inline Bytes local_time(std::uint32_t seconds) { return list({u(seconds, 4), i(60, 2), i(0, 2)}); }

inline Bytes get_list_response(const std::vector<Bytes>& entries, Bytes sensor_time = sec_index(1000), Crc kind = Crc::x25) {
  return message(0x0701, list({absent(), octets(hex("0a0154535400010203")), octets(hex("0100620affff")), std::move(sensor_time),
                               list(entries), absent(), absent()}), kind);
}

/// The transport frame around messages: escapes doubled, filled up, with its CRC.
inline Bytes frame(const Bytes& messages, Crc kind = Crc::x25) {
  Bytes out = hex("1b1b1b1b01010101");
  std::size_t run = 0;
  for (const std::byte byte : messages) {
    out.push_back(byte);
    run = byte == std::byte{0x1B} ? run + 1 : 0;
    if (run == 4) {
      out = out + hex("1b1b1b1b");
      run = 0;
    }
  }
  unsigned fill = 0;
  for (; out.size() % 4 != 0; ++fill) out.push_back(std::byte{0});
  out = out + hex("1b1b1b1b1a");
  out.push_back(static_cast<std::byte>(fill));
  const std::uint16_t value = kind == Crc::x25 ? crc(out, 0xFFFF, 0xFFFF) : crc(out, 0, 0);
  out.push_back(static_cast<std::byte>(value & 0xFFU));
  out.push_back(static_cast<std::byte>(value >> 8U));
  return out;
}

inline Bytes telegram(const std::vector<Bytes>& entries) {
  return frame(open_response() + get_list_response(entries) + close_response());
}

}  // namespace vz::test::sml
