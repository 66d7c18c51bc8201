// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace vz::sml {

/// Reads type-length fields (SML 1.03, chapter 6): views into the telegram, no copies. What has been read was inside
/// the given bytes; nesting costs neither recursion nor memory. Pure; never throws.
class Cursor {
 public:
  struct Field {
    /// The three bits of the type-length byte; 1 to 3 are not assigned.
    enum class Type : std::uint8_t { octets = 0, boolean = 4, signed_number = 5, unsigned_number = 6, list = 7 } type = Type::octets;
    std::size_t count = 0;            ///< of list: elements
    std::span<const std::byte> data;  ///< of all others
    [[nodiscard]] bool absent() const { return type == Type::octets && data.empty(); }
  };

  Cursor() = default;
  explicit Cursor(std::span<const std::byte> bytes) : at_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  /// Reads one field, of a list only its head. False if the bytes end in it or its length cannot be.
  bool read(Field& field) {
    if (at_ == end_ || (*at_ & std::byte{0x80}) != std::byte{0}) return read_long(field);
    const auto head = std::to_integer<unsigned>(*at_++);
    return take(field, static_cast<Field::Type>(head >> 4U), head & 0x0FU, 1);
  }
  /// Skips `count` fields, lists with all that is in them.
  bool skip(std::size_t count);
  /// Skips an optional field that is not there, if that is next.
  bool skip_absent() {
    if (at_ == end_ || *at_ != std::byte{0x01}) return false;
    ++at_;
    return true;
  }
  /// Skips the byte 00 if it is next.
  bool skip_end_mark();

  [[nodiscard]] const std::byte* at() const { return at_; }
  [[nodiscard]] std::size_t left() const { return static_cast<std::size_t>(end_ - at_); }

 private:
  bool read_long(Field& field);
  /// A head of `heads` bytes has been read and says `length`.
  bool take(Field& field, Field::Type type, std::size_t length, std::size_t heads) {
    field.type = type;
    if (type == Field::Type::list) {
      field.count = length;
      field.data = {};
      return length <= left();  // an element has a byte at least
    }
    field.count = 0;
    if (length < heads || length - heads > left()) return false;
    field.data = {at_, length - heads};
    at_ += length - heads;
    return true;
  }

  const std::byte* at_ = nullptr;
  const std::byte* end_ = nullptr;
};

inline constexpr std::uint32_t kGetListResponse = 0x0701;

/// Goes through the messages of a telegram and verifies their CRCs. A message of any kind, known or not, is passed by
/// its length, so that the ones behind it are not lost. Views only. Pure; never throws.
class MessageReader {
 public:
  enum class Step : std::uint8_t {
    message,      ///< tag() and body() are those of a good message
    wrong_check,  ///< its CRC is wrong; the next one may be good
    malformed,    ///< what follows is no message; the rest cannot be read
    end,
  };

  explicit MessageReader(std::span<const std::byte> content) : cursor_(content) {}

  Step next();
  [[nodiscard]] std::uint32_t tag() const { return tag_; }
  [[nodiscard]] Cursor body() const { return body_; }
  [[nodiscard]] unsigned wanted() const { return wanted_; }      ///< of wrong_check: the computed CRC, as the field would have it
  [[nodiscard]] unsigned received() const { return received_; }  ///< of wrong_check: the one in the message

 private:
  Cursor cursor_;
  Cursor body_;
  std::uint32_t tag_ = 0;
  unsigned wanted_ = 0;
  unsigned received_ = 0;
};

/// A meter's time, in one of the forms that are met.
struct MeterTime {
  enum class Kind : std::uint8_t {
    none,
    sec_index,        ///< seconds since some start of the meter
    timestamp,        ///< seconds since 1970, UTC
    local_timestamp,  ///< the same, with the offsets of the place, which are not needed
  } kind = Kind::none;
  std::uint64_t seconds = 0;
};

/// The value of a list entry.
struct Value {
  enum class Kind : std::uint8_t {
    none,     ///< absent, a list, or an integer without or with more than eight bytes
    octets,
    boolean,  ///< magnitude is 0 or 1
    number,
  } kind = Kind::none;
  bool is_signed = false;
  bool negative = false;
  std::uint64_t magnitude = 0;
  std::span<const std::byte> bytes;  ///< as it stands in the telegram
};

/// One register of a GetList response.
struct ListEntry {
  std::span<const std::byte> name;  ///< OBIS code, six bytes if it is one
  bool has_status = false;
  std::uint64_t status = 0;
  MeterTime time;
  std::uint8_t unit = 0;            ///< DLMS code; 0: none
  int scaler = 0;                   ///< power of ten; the standard means 0 by a missing one
  bool scaler_wrong = false;        ///< there is one, but it is no number from -128 to 127
  Value value;
};

/// Goes through the registers of a GetList response. An entry with oddly typed parts is read as far as it makes sense.
/// Views only. Pure; never throws.
class ListReader {
 public:
  /// `body` as MessageReader gave it for kGetListResponse.
  explicit ListReader(Cursor body);

  bool next(ListEntry& entry);
  /// The list ended because its structure is broken.
  [[nodiscard]] bool malformed() const { return malformed_; }
  [[nodiscard]] std::span<const std::byte> server_id() const { return server_id_; }
  /// The meter's time of this telegram (actSensorTime).
  [[nodiscard]] MeterTime sensor_time() const { return sensor_time_; }

 private:
  Cursor cursor_;
  std::size_t left_ = 0;  ///< entries
  bool malformed_ = false;
  std::span<const std::byte> server_id_;
  MeterTime sensor_time_;
};

/// Big-endian, at most eight bytes.
std::uint64_t unsigned_value(std::span<const std::byte> bytes);
/// The same in two's complement.
std::int64_t signed_value(std::span<const std::byte> bytes);

}  // namespace vz::sml
