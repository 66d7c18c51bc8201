// SPDX-License-Identifier: GPL-3.0-or-later
#include "protocols/sml/file.hpp"

#include <array>

#include "protocols/sml/crc16.hpp"

namespace vz::sml {
namespace {

constexpr unsigned kMoreFollows = 0x80;
constexpr unsigned kTypeBits = 0x70;
constexpr unsigned kLengthBits = 0x0F;
constexpr unsigned kMaxHead = 4;        ///< bytes of a type-length field: lengths up to 65535
constexpr std::size_t kLongestNumber = 8;

using Field = Cursor::Field;
using Type = Field::Type;

/// What a field whose head is one byte means for skipping it.
struct Stride {
  std::int8_t bytes = 0;   ///< to go forward; of a list its head. 0: not told by one byte
  std::int8_t fields = 0;  ///< that are to be skipped more (a list's elements) or less (this one)
};
constexpr std::array<Stride, 256> kStrides = [] {
  std::array<Stride, 256> table{};
  for (unsigned head = 0; head < kMoreFollows; ++head) {
    const auto length = static_cast<std::int8_t>(head & kLengthBits);
    const bool list = (head & kTypeBits) == kTypeBits;
    table[head] = list ? Stride{1, static_cast<std::int8_t>(length - 1)} : Stride{length, -1};
  }
  return table;
}();

bool is_number(const Field& field) {
  return (field.type == Type::signed_number || field.type == Type::unsigned_number) && !field.data.empty() &&
         field.data.size() <= kLongestNumber;
}

bool is_unsigned(const Field& field) { return field.type == Type::unsigned_number && is_number(field); }

/// The list of a local time stamp: seconds, offset of the place, offset of summer time.
bool read_local_time(Cursor& cursor, MeterTime& time) {
  Field field;
  if (!cursor.read(field)) return false;
  if (is_unsigned(field)) time = {MeterTime::Kind::local_timestamp, unsigned_value(field.data)};
  return field.type == Type::list ? cursor.skip(field.count + 2) : cursor.skip(2);
}

/// What the choice stands in front of.
bool read_chosen_time(Cursor& cursor, MeterTime& time) {
  Field choice;
  Field field;
  if (!cursor.read(choice)) return false;
  if (choice.type == Type::list) return cursor.skip(choice.count + 1);
  if (!cursor.read(field)) return false;
  if (field.type == Type::list) return field.count == 3 ? read_local_time(cursor, time) : cursor.skip(field.count);
  if (!is_unsigned(field) || !is_unsigned(choice)) return true;
  switch (unsigned_value(choice.data)) {
    case 1: time = {MeterTime::Kind::sec_index, unsigned_value(field.data)}; break;
    case 2: time = {MeterTime::Kind::timestamp, unsigned_value(field.data)}; break;
    default: break;
  }
  return true;
}

/// A choice of two, or (meters that forget the choice) the seconds or the local form alone.
bool read_time(Cursor& cursor, MeterTime& time) {
  time = MeterTime{};
  Field field;
  if (!cursor.read(field)) return false;
  if (field.type != Type::list) {
    if (is_unsigned(field)) time = {MeterTime::Kind::sec_index, unsigned_value(field.data)};
    return true;
  }
  if (field.count == 2) return read_chosen_time(cursor, time);
  if (field.count == 3) return read_local_time(cursor, time);
  return cursor.skip(field.count);
}

bool read_status(Cursor& cursor, ListEntry& entry) {
  Field field;
  if (!cursor.read(field)) return false;
  if (field.type == Type::list) return cursor.skip(field.count);
  entry.has_status = is_unsigned(field);
  if (entry.has_status) entry.status = unsigned_value(field.data);
  return true;
}

bool read_unit(Cursor& cursor, ListEntry& entry) {
  Field field;
  if (!cursor.read(field)) return false;
  if (field.type == Type::list) return cursor.skip(field.count);
  if (!is_unsigned(field)) return true;
  if (const auto code = unsigned_value(field.data); code <= 0xFF) entry.unit = static_cast<std::uint8_t>(code);
  return true;
}

bool read_scaler(Cursor& cursor, ListEntry& entry) {
  Field field;
  if (!cursor.read(field)) return false;
  if (field.absent()) return true;
  entry.scaler_wrong = true;
  if (field.type == Type::list) return cursor.skip(field.count);
  if (!is_number(field)) return true;
  const std::int64_t scaler = field.type == Type::signed_number ? signed_value(field.data)
                                                                 : static_cast<std::int64_t>(unsigned_value(field.data));
  if (scaler < -128 || scaler > 127) return true;
  entry.scaler = static_cast<int>(scaler);
  entry.scaler_wrong = false;
  return true;
}

bool read_value(Cursor& cursor, Value& value) {
  Field field;
  if (!cursor.read(field)) return false;
  value.bytes = field.data;
  switch (field.type) {
    case Type::list: return cursor.skip(field.count);
    case Type::octets:
      if (!field.data.empty()) value.kind = Value::Kind::octets;
      break;
    case Type::boolean:
      if (field.data.size() != 1) break;
      value.kind = Value::Kind::boolean;
      value.magnitude = field.data[0] == std::byte{0} ? 0 : 1;
      break;
    case Type::unsigned_number:
      if (!is_number(field)) break;
      value.kind = Value::Kind::number;
      value.magnitude = unsigned_value(field.data);
      break;
    case Type::signed_number: {
      if (!is_number(field)) break;
      const std::int64_t number = signed_value(field.data);
      value.kind = Value::Kind::number;
      value.is_signed = true;
      value.negative = number < 0;
      value.magnitude = number < 0 ? ~static_cast<std::uint64_t>(number) + 1 : static_cast<std::uint64_t>(number);
      break;
    }
    default: break;
  }
  return true;
}

constexpr std::size_t kEntryFields = 7;  ///< objName, status, valTime, unit, scaler, value, valueSignature

bool read_entry(Cursor& cursor, ListEntry& entry) {
  Field field;
  if (!cursor.read(field)) return false;
  if (field.type != Type::list) return true;
  if (field.count != kEntryFields) return cursor.skip(field.count);
  if (!cursor.read(field)) return false;
  if (field.type == Type::list) return cursor.skip(field.count) && cursor.skip(kEntryFields - 1);
  if (field.type == Type::octets) entry.name = field.data;
  // most registers have no status, no time and no signature
  return (cursor.skip_absent() || read_status(cursor, entry)) && (cursor.skip_absent() || read_time(cursor, entry.time)) &&
         read_unit(cursor, entry) && read_scaler(cursor, entry) && read_value(cursor, entry.value) &&
         (cursor.skip_absent() || cursor.skip(1));
}

}  // namespace

std::uint64_t unsigned_value(std::span<const std::byte> bytes) {
  std::uint64_t value = 0;
  for (const std::byte byte : bytes) value = value << 8U | std::to_integer<std::uint64_t>(byte);
  return value;
}

std::int64_t signed_value(std::span<const std::byte> bytes) {
  const bool negative = !bytes.empty() && (bytes.front() & std::byte{0x80}) != std::byte{0};
  std::uint64_t value = negative ? ~std::uint64_t{0} : 0;
  for (const std::byte byte : bytes) value = value << 8U | std::to_integer<std::uint64_t>(byte);
  return static_cast<std::int64_t>(value);
}

bool Cursor::read_long(Field& field) {
  if (at_ == end_) return false;
  unsigned head = std::to_integer<unsigned>(*at_++);
  const auto type = static_cast<Type>((head & kTypeBits) >> 4U);
  std::size_t length = head & kLengthBits;
  unsigned heads = 1;
  while ((head & kMoreFollows) != 0) {
    if (at_ == end_ || heads == kMaxHead) return false;
    head = std::to_integer<unsigned>(*at_++);
    length = length << 4U | (head & kLengthBits);
    ++heads;
  }
  return take(field, type, length, heads);
}

bool Cursor::skip(std::size_t count) {
  const std::byte* at = at_;
  while (count > 0) {
    if (at == end_) return false;
    const Stride stride = kStrides[std::to_integer<std::size_t>(*at)];
    if (stride.bytes == 0) {  // a long head, or one that cannot be
      Field field;
      at_ = at;
      if (!read_long(field)) return false;
      at = at_;
      count += field.count - 1;
      continue;
    }
    if (stride.bytes > end_ - at) return false;
    at += stride.bytes;
    count += static_cast<std::size_t>(stride.fields);  // -1 wraps round
  }
  at_ = at;
  return true;
}

bool Cursor::skip_end_mark() {
  if (at_ == end_ || *at_ != std::byte{0}) return false;
  ++at_;
  return true;
}

MessageReader::Step MessageReader::next() {
  while (cursor_.skip_end_mark()) {  // fill bytes
  }
  if (cursor_.left() == 0) return Step::end;
  const std::byte* begin = cursor_.at();
  Field field;
  if (!cursor_.read(field) || field.type != Type::list || field.count != 6) return Step::malformed;
  if (!cursor_.skip(3)) return Step::malformed;  // transactionId, groupNo, abortOnError
  if (!cursor_.read(field) || field.type != Type::list || field.count != 2) return Step::malformed;
  if (!cursor_.read(field) || !is_unsigned(field)) return Step::malformed;
  tag_ = field.data.size() <= sizeof tag_ ? static_cast<std::uint32_t>(unsigned_value(field.data)) : 0;
  const std::byte* choice = cursor_.at();
  if (!cursor_.skip(1)) return Step::malformed;
  const std::byte* end = cursor_.at();
  body_ = Cursor{{choice, end}};
  if (!cursor_.read(field) || !is_unsigned(field) || field.data.size() > 2) return Step::malformed;
  cursor_.skip_end_mark();  // missing in some meters' telegrams
  const auto received = static_cast<std::uint16_t>(unsigned_value(field.data));
  const std::span<const std::byte> covered{begin, end};
  const std::uint16_t wanted = swap_bytes(crc_x25(covered));
  if (received == wanted || received == crc_kermit(covered)) return Step::message;
  wanted_ = wanted;
  received_ = received;
  return Step::wrong_check;
}

ListReader::ListReader(Cursor body) : cursor_(body) {
  Field field;
  malformed_ = true;
  // clientId, serverId, listName, actSensorTime, valList, listSignature, actGatewayTime
  if (!cursor_.read(field) || field.type != Type::list || field.count < 5) return;
  if (!cursor_.skip(1) || !cursor_.read(field)) return;
  if (field.type == Type::octets) server_id_ = field.data;
  if (field.type == Type::list && !cursor_.skip(field.count)) return;
  if (!cursor_.skip(1) || !read_time(cursor_, sensor_time_)) return;
  if (!cursor_.read(field)) return;
  malformed_ = false;
  if (field.type == Type::list) left_ = field.count;
}

bool ListReader::next(ListEntry& entry) {
  if (left_ == 0) return false;
  --left_;
  entry = ListEntry{};
  if (read_entry(cursor_, entry)) return true;
  malformed_ = true;
  left_ = 0;
  return false;
}

}  // namespace vz::sml
