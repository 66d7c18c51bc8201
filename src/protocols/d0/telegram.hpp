// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "vz/obis.hpp"
#include "vz/time.hpp"

// The text layer of IEC 62056-21 and DSMR P1: data blocks, data sets, numbers, check values.
// All pure and without allocation; views point into the argument.

namespace vz::d0 {

/// Block check character: XOR of the seven low bits of every byte (ISO 1155; IEC 62056-21 clause 6.5). The caller
/// passes what follows STX, up to and including ETX.
std::uint8_t block_check(std::span<const std::byte> bytes);

/// CRC16 of DSMR P1 version 4 and later (reflected polynomial 0xA001, start 0), from `/` to `!`, both included.
std::uint16_t p1_crc(std::span<const std::byte> bytes);

/// One data set, address and the value that counts (clause 6.6).
struct DataSet {
  std::string_view address;
  std::string_view value;  ///< of the bracket that holds the register's value
  std::string_view unit;   ///< behind `*`, or set apart by a blank; empty if there is none
  std::string_view stamp;  ///< the bracket before the value, where that is a time (DSMR, demand); else empty
  std::optional<Obis> code;      ///< of the address, if it is an OBIS code
};

/// What a data block may hold without being damaged: a block that a check value vouches for may have stray control
/// characters inside its values (defective serial numbers) and lines of text without brackets; one without may not.
enum class Grammar { lenient, strict };

/// Cuts a data block into data sets, one a call. Handles several brackets for one address, nested brackets
/// (`0.2.0((ER11))`), several sets in a line, a value alone on the line after its address (DSMR 2), `/`, `!` and `?`
/// inside brackets.
class DataBlockReader {
 public:
  /// `block` is everything between STX (or the first address) and ETX (or the final `!`); a final `!` may be in it.
  DataBlockReader(std::string_view block, Grammar grammar);

  /// Reads the next data set. False at the end, or at a violation of the grammar.
  bool next(DataSet& set);

  /// Offset-free description of the violation that ended reading; null if there was none.
  [[nodiscard]] const char* violation() const { return violation_; }
  /// True if the block was closed by `!`.
  [[nodiscard]] bool closed() const { return closed_; }

 private:
  bool read_address(DataSet& set);
  bool read_brackets(DataSet& set);
  bool read_bracket(std::string_view& field, std::size_t& star);
  bool value_on_next_line();
  bool fail(const char* what);

  std::string_view rest_;
  const char* last_close_;  ///< the block's last `)`; null if it has none
  Grammar grammar_;
  const char* violation_ = nullptr;
  bool closed_ = false;
};

/// The number in a value field, if the whole field is one: sign, digits, decimal point (or the comma that some meters
/// send). Hexadecimal words, dates, times and error texts (`ER11`) are no numbers.
std::optional<double> number(std::string_view field);

/// The time that a DSMR P1 meter writes as `YYMMDDhhmmssS` in summer and `...W` in winter: Central European time, the letter
/// says which. Empty for anything else; a time without letter is not to be trusted in the hour that comes twice.
std::optional<WallTime> p1_time(std::string_view field);
inline constexpr std::size_t kP1TimeLength = 13;

}  // namespace vz::d0
