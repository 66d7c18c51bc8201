// SPDX-License-Identifier: GPL-3.0-or-later
#include "protocols/oms/records.hpp"

#include <bit>
#include <cmath>

namespace vz::oms {
namespace {

constexpr unsigned kMore = 0x80;       ///< another byte of the same field follows
constexpr unsigned kCode = 0x7F;
constexpr unsigned kMaxExtensions = 10;  ///< DIFEs, and VIFEs, of one record
constexpr std::size_t kLongestInteger = 8;

constexpr unsigned kManufacturerData = 0x0F;
constexpr unsigned kMoreFollows = 0x1F;
constexpr unsigned kFiller = 0x2F;
constexpr unsigned kGlobalReadout = 0x7F;

constexpr unsigned kSecondExtension = 0xFD;
constexpr unsigned kFirstExtension = 0xFB;

/// One of the codes that follow any VIF (table 15), except those that need another byte.
void apply_vife(unsigned code, Record& record) {
  Modifiers& modifiers = record.modifiers;
  if (code == 0x00) return;  // no error
  if (code < 0x20) {
    record.error = code;
    return;
  }
  if (code >= 0x70 && code <= 0x77) {
    record.meaning.exponent += static_cast<int>(code) - 0x76;
    return;
  }
  switch (code) {
    case 0x3A: modifiers.uncorrected = true; break;
    case 0x3B: break;  // only what flows forward
    case 0x3C: modifiers.backward = true; break;
    case 0x3E: modifiers.base_conditions = true; break;
    case 0x7D: record.meaning.exponent += 3; break;
    default: modifiers.unclear = true;
  }
}

/// Behind FC (table 16).
void apply_extended_vife(unsigned code, Modifiers& modifiers) {
  if (code >= 0x01 && code <= 0x04) {
    modifiers.phase = static_cast<std::uint8_t>(code);
  } else if (code >= 0x08 && code <= 0x0B) {
    modifiers.quadrant = static_cast<std::uint8_t>(code - 0x07);
  } else if (code == 0x0C) {
    modifiers.delta = true;
  } else if (code == 0x10) {
    modifiers.absolute = true;
  } else {
    modifiers.unclear = true;
  }
}

}  // namespace

bool RecordReader::take(unsigned& byte) {
  if (rest_.empty()) return false;
  byte = std::to_integer<unsigned>(rest_.front());
  rest_ = rest_.subspan(1);
  return true;
}

RecordReader::Step RecordReader::next(Record& record) {
  unsigned dif = kFiller;
  while (dif == kFiller || dif == kGlobalReadout) {
    if (!take(dif)) return Step::end;
  }
  if (dif == kManufacturerData || dif == kMoreFollows) {
    more_follows_ = dif == kMoreFollows;
    rest_ = {};
    return Step::end;
  }
  record = Record{};
  const std::byte* begin = rest_.data() - 1;
  record.data_field = dif & 0x0FU;
  if (record.data_field == kManufacturerData || !read_difes(dif, record) || !read_vif(record)) {
    rest_ = {};
    return Step::malformed;
  }
  record.head = {begin, rest_.data()};
  if (read_data(record.data_field, record)) return Step::record;
  rest_ = {};
  return Step::malformed;
}

bool RecordReader::read_difes(unsigned dif, Record& record) {
  record.function = static_cast<Function>(dif >> 4U & 3U);
  record.storage = dif >> 6U & 1U;
  unsigned last = dif;
  for (unsigned n = 0; (last & kMore) != 0; ++n) {
    if (n == kMaxExtensions || !take(last)) return false;
    record.storage |= static_cast<std::uint64_t>(last & 0x0FU) << (1 + 4 * n);
    record.tariff |= (last >> 4U & 3U) << (2 * n);
    record.subunit |= (last >> 6U & 1U) << n;
  }
  return true;
}

bool RecordReader::read_vif(Record& record) {
  unsigned vif = 0;
  if (!take(vif)) return false;
  if (vif == kSecondExtension || vif == kFirstExtension) {
    unsigned code = 0;
    if (!take(code)) return false;
    record.meaning = vif == kSecondExtension ? meaning_behind_fd(code & kCode) : meaning_behind_fb(code & kCode);
    return read_vifes((code & kMore) != 0, record);
  }
  record.meaning = primary_meaning(vif & kCode);
  if (record.meaning.quantity == Quantity::plain_text) {
    unsigned length = 0;
    if (!take(length) || length > rest_.size()) return false;
    record.unit_text = rest_.first(length);
    rest_ = rest_.subspan(length);
  }
  return read_vifes((vif & kMore) != 0, record);
}

bool RecordReader::read_vifes(bool extended, Record& record) {
  // what follows the manufacturer's code is the manufacturer's, too
  bool own = record.meaning.quantity == Quantity::manufacturer;
  for (unsigned n = 0; extended; ++n) {
    unsigned vife = 0;
    if (n == kMaxExtensions || !take(vife)) return false;
    extended = (vife & kMore) != 0;
    if (own) continue;
    switch (vife & kCode) {
      case 0x7F:
        own = true;
        record.modifiers.unclear = true;
        break;
      case 0x7C:
        if (!extended || !take(vife)) return false;
        ++n;
        extended = (vife & kMore) != 0;
        apply_extended_vife(vife & kCode, record.modifiers);
        break;
      default: apply_vife(vife & kCode, record);
    }
  }
  return true;
}

bool RecordReader::take_data(std::size_t count, Record& record) {
  if (count > rest_.size()) return false;
  record.data = rest_.first(count);
  rest_ = rest_.subspan(count);
  return true;
}

bool RecordReader::read_data(unsigned data_field, Record& record) {
  switch (data_field) {
    case 0x0:
    case 0x8: return true;  // nothing, or a choice for a readout
    case 0x5:
      if (!take_data(4, record)) return false;
      read_real(record);
      return true;
    case 0x6:
    case 0x7:
      if (!take_data(data_field == 0x6 ? 6 : 8, record)) return false;
      read_integer(record);
      return true;
    case 0x9:
    case 0xA:
    case 0xB:
    case 0xC:
    case 0xE:
      if (!take_data(data_field == 0xE ? 6 : data_field - 8, record)) return false;
      read_bcd(record);
      return true;
    case 0xD: return read_variable(record);
    default:  // 1 to 4
      if (!take_data(data_field, record)) return false;
      read_integer(record);
      return true;
  }
}

/// The length and the kind are in the first byte (LVAR).
bool RecordReader::read_variable(Record& record) {
  unsigned kind = 0;
  if (!take(kind)) return false;
  record.value.kind = RecordValue::Kind::bytes;
  if (kind < 0xC0) return take_data(kind, record);
  if (kind <= 0xC9 || (kind >= 0xD0 && kind <= 0xD9)) {
    if (!take_data(kind & 0x0FU, record)) return false;
    read_bcd(record);
    record.value.negative = kind >= 0xD0;
    return true;
  }
  if (kind >= 0xE0 && kind <= 0xEF) {
    if (!take_data(kind - 0xE0, record)) return false;
    if (record.data.size() <= kLongestInteger) read_integer(record);
    return true;
  }
  if (kind >= 0xF0 && kind <= 0xF4) return take_data(4 * (kind - 0xECU), record);
  if (kind == 0xF5) return take_data(48, record);
  return kind == 0xF6 && take_data(64, record);
}

/// The i-th byte of the data, the one of highest value first.
unsigned RecordReader::from_top(const Record& record, std::size_t i) const {
  const std::size_t index = order_ == ByteOrder::high_first ? i : record.data.size() - 1 - i;
  return std::to_integer<unsigned>(record.data[index]);
}

/// Type B: two's complement; the most negative number means that there is no value.
void RecordReader::read_integer(Record& record) const {
  record.value = {};
  if (record.data.empty()) return;
  const bool negative = (from_top(record, 0) & 0x80U) != 0;
  std::uint64_t number = negative ? ~std::uint64_t{0} : 0;
  for (std::size_t i = 0; i < record.data.size(); ++i) number = number << 8U | from_top(record, i);
  const std::uint64_t most = std::uint64_t{1} << (8 * record.data.size() - 1);
  const std::uint64_t magnitude = negative ? ~number + 1 : number;
  if (negative && magnitude == most) return;
  record.value.kind = RecordValue::Kind::integer;
  record.value.negative = negative;
  record.value.magnitude = magnitude;
}

/// Type H: IEEE 754 of 32 bits.
void RecordReader::read_real(Record& record) const {
  std::uint32_t bits = 0;
  for (std::size_t i = 0; i < record.data.size(); ++i) bits = bits << 8U | from_top(record, i);
  const float number = std::bit_cast<float>(bits);
  if (!std::isfinite(number)) return;
  record.value.kind = RecordValue::Kind::real;
  record.value.real = static_cast<double>(number);
}

/// Type A: two digits a byte. F as the first digit is a minus sign; any other letter says that there is no value.
void RecordReader::read_bcd(Record& record) const {
  record.value = {};
  if (record.data.empty()) return;
  std::uint64_t number = 0;
  bool negative = false;
  for (std::size_t i = 0; i < 2 * record.data.size(); ++i) {
    const unsigned digit = (i % 2 == 0 ? from_top(record, i / 2) >> 4U : from_top(record, i / 2)) & 0x0FU;
    if (i == 0 && digit == 0x0F) {
      negative = true;
    } else if (digit > 9) {
      return;
    } else {
      number = number * 10 + digit;
    }
  }
  record.value.kind = RecordValue::Kind::integer;
  record.value.negative = negative && number != 0;
  record.value.magnitude = number;
}

std::optional<ClockTime> clock_time(const Record& record) {
  if (record.meaning.quantity != Quantity::date_time || record.data_field != 0x6 || record.data.size() != 6) return std::nullopt;
  const auto byte = [&](std::size_t i) { return std::to_integer<unsigned>(record.data[i]); };
  constexpr unsigned kInvalid = 0x80;
  if ((byte(1) & kInvalid) != 0) return std::nullopt;
  ClockTime time;
  time.second = byte(0) & 0x3FU;
  time.minute = byte(1) & 0x3FU;
  time.hour = byte(2) & 0x1FU;
  time.day = byte(3) & 0x1FU;
  time.month = byte(4) & 0x0FU;
  time.year = 2000 + static_cast<int>((byte(3) & 0xE0U) >> 5U | (byte(4) & 0xF0U) >> 1U);
  if (time.second > 59 || time.minute > 59 || time.hour > 23 || time.day < 1 || time.month < 1 || time.month > 12)
    return std::nullopt;
  return time;
}

}  // namespace vz::oms
