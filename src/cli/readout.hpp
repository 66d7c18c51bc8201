// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vz/reading.hpp"
#include "vz/session.hpp"

namespace vz::cli {

/// One register as it is shown.
struct ShownRegister {
  std::string code;              ///< as the meter writes it
  std::optional<Obis> obis;      ///< of the code, if it is one
  std::string value;             ///< the meter's own text: leading zeros, dates, error texts and all
  std::optional<double> number;  ///< what a channel would get; none if it would get nothing
  std::string unit;
  std::string meaning;           ///< in plain words; empty if not known
};

/// One telegram as it is shown.
struct Readout {
  WallTime at{};
  std::string identification;
  std::vector<ShownRegister> registers;
};

/// From what a session said: the meter's own words where the protocol has them, else the readings. Pure.
Readout make_readout(WallTime at, std::span<const Reading> readings, const TelegramText& text);

/// "Iskraemeco, MT372-0002" out of `/ISK5\2MT372-0002` or the server id of an SML meter (and its maker's register); empty if
/// nothing of it is known. Pure.
std::string meter_name(const Readout& readout);

/// Register, value, unit, meaning in aligned columns, a line each, with heading. Pure.
std::string table(const Readout& readout);

/// One line of JSON without line end. Pure.
std::string json_line(const Readout& readout);

/// `2019-06-12 17:51:02`, local time.
std::string local_time_text(WallTime at);

/// A column that was asked for: the register's code as typed, or `time`, and its heading.
struct CsvColumn {
  std::string code;
  std::string name;
};

/// `CODE[=NAME]`, parts between commas; a comma or equals sign in a name cannot be. Pure.
std::vector<CsvColumn> parse_columns(std::string_view text);

/// Readouts as rows of CSV (RFC 4180): chosen registers as columns, units in the heading. Columns that were not chosen
/// are those of the first readout. Pure but for what it remembers of the row before.
class CsvWriter {
 public:
  enum class Rows { all, changed };
  CsvWriter(std::vector<CsvColumn> columns, char separator, Rows rows)
      : columns_(std::move(columns)), separator_(separator), rows_(rows) {}

  /// The lines for this readout, the heading before the first. Empty if nothing but the time has changed and only changes
  /// are wanted. A register that the readout does not have is an empty field; of several with one code the last counts.
  std::string add(const Readout& readout);

 private:
  void heading(const Readout& readout, std::string& out);
  void field(std::string_view text, bool first, std::string& out) const;

  std::vector<CsvColumn> columns_;
  char separator_;
  Rows rows_;
  bool begun_ = false;
  std::optional<std::vector<std::string>> last_;
};

}  // namespace vz::cli
