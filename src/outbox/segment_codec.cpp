// SPDX-License-Identifier: GPL-3.0-or-later
#include "outbox/segment_codec.hpp"

#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <optional>

namespace vz {
namespace {

// Each reading: one tag byte; the difference of the stamp's difference unless kSteady; the value.
constexpr unsigned kSteady = 0x10;  ///< the stamp is as far from the one before as that one was
constexpr unsigned kRaw = 0x0f;     ///< the value's 8 bytes follow; else the tag's low bits are its decimal places
constexpr std::array<double, 10> kPowers{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9};
constexpr std::size_t kCrcBytes = 4;

constexpr std::array<std::uint32_t, 256> make_crc_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t c = i;
    for (int bit = 0; bit < 8; ++bit) c = (c & 1U) != 0 ? 0xedb88320U ^ (c >> 1U) : c >> 1U;
    table[i] = c;
  }
  return table;
}
constexpr auto kCrcTable = make_crc_table();

std::uint32_t crc32(std::uint64_t identity, std::string_view bytes) {
  std::uint32_t c = 0xffffffffU;
  const auto feed = [&c](std::uint32_t byte) { c = kCrcTable[(c ^ byte) & 0xffU] ^ (c >> 8U); };
  for (unsigned i = 0; i < 8; ++i) feed(static_cast<std::uint32_t>(identity >> (8 * i)) & 0xffU);
  for (const char byte : bytes) feed(static_cast<unsigned char>(byte));
  return c ^ 0xffffffffU;
}

std::uint64_t zigzag(std::int64_t n) {
  return (static_cast<std::uint64_t>(n) << 1U) ^ (n < 0 ? ~std::uint64_t{0} : std::uint64_t{0});
}
std::int64_t unzigzag(std::uint64_t n) {
  return static_cast<std::int64_t>((n >> 1U) ^ ((n & 1U) != 0 ? ~std::uint64_t{0} : std::uint64_t{0}));
}

void put_varint(std::string& out, std::uint64_t n) {
  for (; n >= 0x80; n >>= 7U) out += static_cast<char>((n & 0x7fU) | 0x80U);
  out += static_cast<char>(n);
}

/// Differences wrap around, so that no stamp is out of range.
std::int64_t minus(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) - static_cast<std::uint64_t>(b));
}
std::int64_t plus(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}

/// The integer n with n / 10^places == value, to the last bit.
std::optional<std::int64_t> as_decimal(double value, unsigned places) {
  const double scaled = value * kPowers[places];
  if (!(std::fabs(scaled) < 9e15)) return std::nullopt;
  const auto n = static_cast<std::int64_t>(std::llround(scaled));
  const double back = static_cast<double>(n) / kPowers[places];
  if (std::bit_cast<std::uint64_t>(back) != std::bit_cast<std::uint64_t>(value)) return std::nullopt;
  return n;
}

/// What a reading is told from: the one before.
struct Context {
  std::int64_t stamp = 0;
  std::int64_t step = 0;
  std::int64_t number = 0;
  unsigned places = 0;
};

class Reader {
 public:
  explicit Reader(std::string_view bytes) : left_(bytes) {}
  [[nodiscard]] bool done() const { return left_.empty(); }
  [[nodiscard]] bool good() const { return good_; }
  unsigned byte() {
    if (left_.empty()) {
      good_ = false;
      return 0;
    }
    const auto value = static_cast<unsigned char>(left_.front());
    left_.remove_prefix(1);
    return value;
  }
  std::uint64_t varint() {
    std::uint64_t n = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const unsigned b = byte();
      n |= static_cast<std::uint64_t>(b & 0x7fU) << shift;
      if ((b & 0x80U) == 0) return n;
    }
    good_ = false;
    return 0;
  }
  double raw() {
    std::uint64_t bits = 0;
    for (unsigned i = 0; i < 8; ++i) bits |= static_cast<std::uint64_t>(byte()) << (8 * i);
    return std::bit_cast<double>(bits);
  }

 private:
  std::string_view left_;
  bool good_ = true;
};

void put_value(std::string& out, unsigned steady, std::int64_t step_change, double value, Context& context) {
  std::optional<std::int64_t> number = as_decimal(value, context.places);
  unsigned places = context.places;
  for (unsigned i = 0; !number && i < kPowers.size(); ++i) {
    number = as_decimal(value, i);
    places = i;
  }
  out += static_cast<char>(steady | (number ? places : kRaw));
  if (steady == 0) put_varint(out, zigzag(step_change));
  if (!number) {
    const auto bits = std::bit_cast<std::uint64_t>(value);
    for (unsigned i = 0; i < 8; ++i) out += static_cast<char>((bits >> (8 * i)) & 0xffU);
    return;
  }
  put_varint(out, zigzag(minus(*number, places == context.places ? context.number : 0)));
  context.number = *number;
  context.places = places;
}

bool read_one(Reader& reader, Context& context, StoredReading& out) {
  const unsigned tag = reader.byte();
  const unsigned kind = tag & 0x0fU;
  if ((tag & ~(kSteady | 0x0fU)) != 0 || (kind != kRaw && kind >= kPowers.size())) return false;
  if ((tag & kSteady) == 0) context.step = plus(context.step, unzigzag(reader.varint()));
  context.stamp = plus(context.stamp, context.step);
  out.stamp = WallTime{std::chrono::milliseconds{context.stamp}};
  if (kind == kRaw) {
    out.value = reader.raw();
  } else {
    context.number = plus(unzigzag(reader.varint()), kind == context.places ? context.number : 0);
    context.places = kind;
    out.value = static_cast<double>(context.number) / kPowers[kind];
  }
  return reader.good();
}

}  // namespace

std::string encode_segment(std::span<const StoredReading> readings, std::uint64_t identity) {
  std::string out(kCrcBytes, '\0');
  out.reserve(kCrcBytes + readings.size() * 6);
  Context context;
  for (const StoredReading& reading : readings) {
    const std::int64_t stamp = reading.stamp.time_since_epoch().count();
    const std::int64_t step = minus(stamp, context.stamp);
    put_value(out, step == context.step ? kSteady : 0, minus(step, context.step), reading.value, context);
    context.stamp = stamp;
    context.step = step;
  }
  const std::uint32_t crc = crc32(identity, std::string_view{out}.substr(kCrcBytes));
  for (unsigned i = 0; i < kCrcBytes; ++i) out[i] = static_cast<char>((crc >> (8 * i)) & 0xffU);
  return out;
}

bool decode_segment(std::string_view bytes, std::uint64_t identity, std::vector<StoredReading>& out) {
  if (bytes.size() < kCrcBytes) return false;
  std::uint32_t wanted = 0;
  for (unsigned i = 0; i < kCrcBytes; ++i)
    wanted |= static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[i])) << (8 * i);
  if (crc32(identity, bytes.substr(kCrcBytes)) != wanted) return false;
  const std::size_t before = out.size();
  Reader reader(bytes.substr(kCrcBytes));
  Context context;
  while (!reader.done()) {
    StoredReading reading;
    if (!read_one(reader, context, reading)) {
      out.resize(before);
      return false;
    }
    out.push_back(reading);
  }
  return true;
}

}  // namespace vz
