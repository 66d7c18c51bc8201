// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vz/time.hpp"

namespace vz::file {

/// What a line says.
struct LineValue {
  double value = 0.0;
  std::string identifier;
  std::optional<WallTime> stamp;  ///< none: the line says nothing of time
};

/// The number at the beginning of a text, as C's strtod finds it: blanks, sign, decimal or hexadecimal, exponent; what
/// follows is ignored. Removes it from `text`. Nothing if there is none, or it is not finite.
std::optional<double> take_number(std::string_view& text);

/// Seconds since 1970 with fraction; 1e11 and more are milliseconds, 1e14 micro-, 1e17 nanoseconds. Milliseconds are cut,
/// not rounded. Nothing for negative times and those beyond the year 9999.
std::optional<WallTime> epoch_time(double number);

/// The option `format`: `$v` stands for the value, `$i` for an identifier, `$t` for a time. A blank matches any white
/// space, none as well; any other character itself. `$i` is a word up to the next blank; if the line does not fit like
/// that, it ends before a character that the format has next, the last one that makes the line fit. What comes behind
/// the last `$` of the format need not match. A line is good if `$v` has a number. Pure, no recursion; value type.
///
/// Without format (empty text) a line is good if it begins with a number; the identifier is empty then. With a format in
/// which `$i` is missing, or stands behind what does not match, it is `<null>`.
class LineFormat {
 public:
  LineFormat() = default;
  explicit LineFormat(std::string_view format);

  [[nodiscard]] std::optional<LineValue> match(std::string_view line) const;
  [[nodiscard]] bool has_value() const;
  [[nodiscard]] bool has_time() const;
  /// What is odd about a format, for the configuration; empty if nothing.
  static std::string oddity(std::string_view format);

 private:
  enum class Kind { blank, literal, value, identifier, time };
  struct Part {
    Kind kind;
    char literal = 0;
  };
  struct Found {
    std::optional<double> value;
    std::optional<double> time;
    std::optional<std::string_view> identifier;
    std::size_t parts = 0;  ///< how many parts matched
  };
  [[nodiscard]] bool has(Kind kind) const;
  void add(Kind kind);
  [[nodiscard]] std::size_t run(std::size_t part, std::string_view& line, Found& found) const;
  [[nodiscard]] Found best(std::string_view line) const;

  bool plain_ = true;  ///< no format: the line is a number
  std::vector<Part> parts_;
};

}  // namespace vz::file
