// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "protocols/oms/vif.hpp"

namespace vz::oms {

/// Which end of a number of several bytes comes first (CI 72: low, 76: high).
enum class ByteOrder : std::uint8_t { low_first, high_first };

/// What a record's number is the value of.
enum class Function : std::uint8_t { instantaneous, maximum, minimum, during_error };

/// What the fields behind the VIF add to it, as far as registers differ by it.
struct Modifiers {
  bool backward = false;         ///< 3C: what flows back
  bool base_conditions = false;  ///< 3E
  bool uncorrected = false;      ///< 3A
  bool delta = false;            ///< FC 0C: import less export
  bool absolute = false;         ///< FC 10: import and export together
  std::uint8_t phase = 0;        ///< 1 to 3; 4 is the neutral conductor; 0: all, or not said
  std::uint8_t quadrant = 0;     ///< 1 to 4; 0: not said
  bool unclear = false;          ///< there is one that makes it another quantity, or that only the manufacturer knows
};

/// The value of a record.
struct RecordValue {
  enum class Kind : std::uint8_t {
    none,     ///< there is no data, or it says that it is invalid
    integer,  ///< sign and magnitude, to be scaled
    real,     ///< finite, to be scaled
    bytes,    ///< text, or a number of more than eight bytes
  } kind = Kind::none;
  bool negative = false;
  std::uint64_t magnitude = 0;
  double real = 0.0;
};

/// A data record: EN 13757-3:2018, chapter 6. The views are into the telegram.
struct Record {
  std::span<const std::byte> head;  ///< DIF, DIFEs, VIF, VIFEs as they came
  std::span<const std::byte> data;
  unsigned data_field = 0;          ///< the low four bits of the DIF
  Function function{};
  std::uint64_t storage = 0;
  std::uint32_t tariff = 0;
  std::uint32_t subunit = 0;
  Meaning meaning;
  std::span<const std::byte> unit_text;  ///< of Quantity::plain_text: last letter first
  Modifiers modifiers;
  unsigned error = 0;               ///< the meter says that the value is none: VIFE 01 to 1F
  RecordValue value;
};

/// A moment in the meter's own time zone, of a record of six bytes (type I); seconds are known.
struct ClockTime {
  int year = 0;
  unsigned month = 0;
  unsigned day = 0;
  unsigned hour = 0;
  unsigned minute = 0;
  unsigned second = 0;
};
/// Nothing if the record is no such time, or says that it is invalid, or is no moment of the calendar.
std::optional<ClockTime> clock_time(const Record& record);

/// Goes through the records of a telegram. Views only; no recursion, no memory. Pure; never throws.
class RecordReader {
 public:
  enum class Step : std::uint8_t {
    record,
    end,        ///< also where the manufacturer's own data begin
    malformed,  ///< the data ends within a record; what was read before stands
  };

  RecordReader(std::span<const std::byte> data, ByteOrder order) : rest_(data), order_(order) {}

  Step next(Record& record);
  /// The meter has more in its next telegram (DIF 1F).
  [[nodiscard]] bool more_follows() const { return more_follows_; }

 private:
  bool take(unsigned& byte);
  bool read_difes(unsigned dif, Record& record);
  bool read_vif(Record& record);
  bool read_vifes(bool extended, Record& record);
  bool read_extended_vife(bool extended, Record& record);
  bool read_data(unsigned data_field, Record& record);
  bool read_variable(Record& record);
  bool take_data(std::size_t count, Record& record);
  void read_integer(Record& record) const;
  void read_real(Record& record) const;
  void read_bcd(Record& record) const;
  [[nodiscard]] unsigned from_top(const Record& record, std::size_t i) const;

  std::span<const std::byte> rest_;
  ByteOrder order_;
  bool more_follows_ = false;
};

}  // namespace vz::oms
