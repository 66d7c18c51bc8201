// SPDX-License-Identifier: GPL-3.0-or-later
#include "tools/metersim/faults.hpp"

#include <fmt/format.h>

#include <array>
#include <bit>

namespace vz::metersim {
namespace {

struct Name {
  LineFault fault;
  std::string_view name;
};
constexpr std::array kNames{
    Name{LineFault::flip, "flip"},       Name{LineFault::flip2, "flip2"},       Name{LineFault::digit, "digit"},
    Name{LineFault::lost, "lost"},       Name{LineFault::truncate, "truncate"}, Name{LineFault::badbcc, "badbcc"},
    Name{LineFault::silence, "silence"}, Name{LineFault::slow, "slow"},         Name{LineFault::hangup, "hangup"},
};

unsigned hex(char c) { return static_cast<unsigned char>(c); }

/// The message on its way through the fault: one member function for each kind.
class Damager {
 public:
  Damager(const DataMessage& message, ByteForm form, Random& random)
      : message_(message), form_(form), random_(random), bytes_(encoded(message.bytes, form)) {}

  Damage run(LineFault fault) {
    switch (fault) {
      case LineFault::flip: flip(1); break;
      case LineFault::flip2: flip(2); break;
      case LineFault::digit: digit(); break;
      case LineFault::lost: lost(); break;
      case LineFault::truncate: cut(); break;
      case LineFault::badbcc: bad_check(); break;
      case LineFault::slow: gap(); break;
      case LineFault::hangup:
        cut();
        damage_.hang_up = true;
        damage_.detail += ", then the line hangs up";
        break;
      case LineFault::silence: damage_.damaged = false; break;
    }
    damage_.check_holds = holds();
    damage_.bytes = std::move(bytes_);
    return std::move(damage_);
  }

 private:
  /// A place in the part that the check value protects, itself included (everything if there is none).
  std::size_t anywhere(std::size_t skip = 0) {
    const std::size_t first = message_.checked_from + skip;
    const std::size_t line_end = message_.check == Check::crc16 ? 2 : 0;
    return first + random_.below(bytes_.size() - line_end - first);
  }

  void flip(int count) {
    const unsigned bits = form_ == ByteForm::seven ? 7 : 8;
    std::size_t first_at = 0;
    unsigned first_bit = 0;
    for (int i = 0; i < count; ++i) {
      std::size_t at = anywhere();
      auto bit = static_cast<unsigned>(random_.below(bits));
      // the same bit twice would be no damage at all
      if (i > 0 && at == first_at && bit == first_bit) bit = (bit + 1) % bits;
      const char before = bytes_[at];
      bytes_[at] = static_cast<char>(hex(before) ^ (1U << bit));
      damage_.detail +=
          fmt::format("{}byte {}: 0x{:02x} became 0x{:02x}", i > 0 ? ", " : "", at, hex(before), hex(bytes_[at]));
      if (i == 0) damage_.position = first_at = at, first_bit = bit;
    }
  }

  void digit() {
    std::vector<std::size_t> places;
    int depth = 0;
    for (std::size_t i = message_.block_begin; i < message_.block_end; ++i) {
      const char c = message_.bytes[i];
      if (c == '(') ++depth;
      if (c == ')') --depth;
      if (depth > 0 && c >= '0' && c <= '9') places.push_back(i);
    }
    if (places.empty()) return flip(1);
    const std::size_t at = places[random_.below(places.size())];
    const char before = message_.bytes[at];
    const char after = static_cast<char>('0' + (static_cast<unsigned>(before - '0') + 1 + random_.below(9)) % 10);
    bytes_[at] = encoded({&after, 1}, form_).front();
    damage_.position = at;
    damage_.detail = fmt::format("byte {}: digit {} became {}", at, before, after);
  }

  void lost() {
    const std::size_t at = anywhere();
    damage_.detail = fmt::format("byte {} (0x{:02x}) is missing", at, hex(bytes_[at]));
    bytes_.erase(at, 1);
    damage_.position = at;
  }

  void cut() {
    const std::size_t whole = bytes_.size();
    bytes_.resize(anywhere(1));
    damage_.position = bytes_.size();
    damage_.detail = fmt::format("stops after {} of {} bytes", bytes_.size(), whole);
  }

  void bad_check() {
    if (message_.check == Check::none || message_.check == Check::sml) return flip(1);
    // the BCC is the last byte; the CRC four digits before CR LF
    const std::size_t at = message_.check == Check::bcc ? bytes_.size() - 1 : bytes_.size() - 6 + random_.below(4);
    const char before = message_.bytes[at];
    char after = before;
    if (message_.check == Check::bcc) {
      after = static_cast<char>(hex(before) ^ (1 + random_.below(0x7F)));
    } else {
      constexpr std::string_view kDigits = "0123456789ABCDEF";
      after = kDigits[(kDigits.find(before) + 1 + random_.below(15)) % 16];
    }
    bytes_[at] = encoded({&after, 1}, form_).front();
    damage_.position = at;
    damage_.detail = fmt::format("check value: 0x{:02x} became 0x{:02x}", hex(before), hex(after));
  }

  void gap() {
    damage_.gap_at = anywhere(1);
    damage_.position = *damage_.gap_at;
    damage_.damaged = false;
    damage_.detail = fmt::format("a gap of {} ms before byte {}", kSlow.count(), *damage_.gap_at);
  }

  [[nodiscard]] bool holds() const {
    std::string seen = bytes_.substr(std::min(message_.checked_from, bytes_.size()));
    if (shows_parity(form_)) {
      for (char& c : seen) {
        if (!right_parity(c, form_)) return false;
        c = static_cast<char>(hex(c) & 0x7FU);
      }
    }
    return check_holds(seen, message_.check);
  }

  const DataMessage& message_;
  ByteForm form_;
  Random& random_;
  std::string bytes_;
  Damage damage_;
};

}  // namespace

std::string_view text(LineFault fault) {
  for (const Name& name : kNames) {
    if (name.fault == fault) return name.name;
  }
  return "?";
}

std::optional<LineFault> parse_fault(std::string_view name) {
  for (const Name& known : kNames) {
    if (known.name == name) return known.fault;
  }
  return std::nullopt;
}

std::string fault_names() {
  std::string all;
  for (const Name& name : kNames) all += (all.empty() ? "" : ", ") + std::string{name.name};
  return all;
}

std::uint64_t Random::next() {
  std::uint64_t z = (state_ += 0x9E3779B97F4A7C15ULL);
  z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ (z >> 27U)) * 0x94D049BB133111EBULL;
  return z ^ (z >> 31U);
}

std::uint64_t Random::below(std::uint64_t bound) { return next() % bound; }

double Random::fraction() { return static_cast<double>(next() >> 11U) * 0x1.0p-53; }

Random FaultPlan::random(std::uint64_t number) const {
  // through the generator once, so that neighbouring seeds and numbers have nothing in common
  return Random{Random{seed}.next() ^ Random{~number}.next()};
}

std::optional<LineFault> FaultPlan::pick(Random& random) const {
  const double dice = random.fraction();
  if (kinds.empty() || dice >= rate) return std::nullopt;
  return kinds[random.below(kinds.size())];
}

char with_even_parity(char c) {
  const auto data = static_cast<unsigned>(static_cast<unsigned char>(c)) & 0x7FU;
  return static_cast<char>(data | (static_cast<unsigned>(std::popcount(data)) % 2U) << 7U);
}

std::string with_even_parity(std::string_view characters) {
  std::string bytes{characters};
  for (char& c : bytes) c = with_even_parity(c);
  return bytes;
}

std::string encoded(std::string_view characters, ByteForm form) {
  std::string bytes{characters};
  if (!shows_parity(form)) return bytes;
  for (char& c : bytes) {
    c = with_even_parity(c);
    if (form == ByteForm::odd) c = static_cast<char>(static_cast<unsigned char>(c) ^ 0x80U);
  }
  return bytes;
}

bool right_parity(char byte, ByteForm form) { return !shows_parity(form) || encoded({&byte, 1}, form).front() == byte; }

Damage damage(LineFault fault, const DataMessage& message, ByteForm form, Random& random) {
  return Damager(message, form, random).run(fault);
}

}  // namespace vz::metersim
