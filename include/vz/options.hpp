// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace vz {

enum class OptionType { boolean, integer, real, string };

/// The value of an option: nothing, or one of the four types. There is no conversion between them.
using OptionValue = std::variant<std::monostate, bool, std::int64_t, double, std::string>;

/// One option of a section, protocol or sink. From a table of these come parsing, validation, the JSON schema, the
/// manual's option tables and `--help-protocol`. Tables are constant and live for the whole process.
struct OptionSpec {
  std::string_view name;
  OptionType type = OptionType::string;
  std::string_view unit = {};              ///< "s", "ms", "Bd"; empty if none
  std::string_view default_text = {};      ///< as it would stand in the file (`9600`, `"7e1"`, `false`); empty: none
  std::string_view help = {};              ///< one line
  bool required = false;
  double min = -std::numeric_limits<double>::infinity();  ///< for numbers, inclusive
  double max = std::numeric_limits<double>::infinity();
  std::string_view choices = {};           ///< "off|end": the only texts allowed, in any letter case; empty: any
  std::string_view aliases = {};           ///< deprecated names that mean the same, "a|b"
  bool secret = false;                     ///< never shown above debug level
  /// Further check of a value of the right type and range: empty, or what is wrong with it and what would be right, as
  /// it goes on after "NAME is VALUE: ".
  std::string (*check)(const OptionValue&) = nullptr;
};

/// Where something stands in the configuration file. Line and column count from 1, the column in bytes.
struct Position {
  unsigned line = 0;
  unsigned column = 0;
  std::string path;  ///< JSON path: `meters[0].channels[1].uuid`
};

/// One thing that is wrong with (or odd in) the configuration.
struct Problem {
  enum class Severity { error, warning };
  Severity severity = Severity::error;
  Position position;
  std::string text;  ///< what is wrong, what was expected, and the likely right spelling
};

/// The validated options of one meter or channel: every value has its table's type and range, defaults filled in.
/// A name that the table does not have is a bug of the caller and terminates.
class Options {
 public:
  /// Sets a value and where it stood; without position: a default.
  void set(std::string_view name, OptionValue value, std::optional<Position> position = std::nullopt);

  /// True if the file (not the default) gave a value.
  [[nodiscard]] bool given(std::string_view name) const;
  [[nodiscard]] bool has(std::string_view name) const;
  [[nodiscard]] bool boolean(std::string_view name) const;
  [[nodiscard]] std::int64_t integer(std::string_view name) const;
  [[nodiscard]] double real(std::string_view name) const;
  /// Empty string if there is no value.
  [[nodiscard]] const std::string& string(std::string_view name) const;
  /// Where the option stands, or, if it was not given, where its section begins.
  [[nodiscard]] Position position(std::string_view name) const;
  void set_section(Position position) { section_ = std::move(position); }
  [[nodiscard]] const Position& section() const { return section_; }

 private:
  struct Entry {
    OptionValue value;
    std::optional<Position> position;
  };
  std::map<std::string, Entry, std::less<>> entries_;
  Position section_;
};

/// Collects problems for one section; handed to the make functions of protocols and sinks.
class ProblemSink {
 public:
  ProblemSink(const Options& options, std::vector<Problem>& out) : options_(options), out_(out) {}
  void error(std::string_view option, std::string text) {
    out_.push_back({Problem::Severity::error, options_.position(option), std::move(text)});
  }
  void warning(std::string_view option, std::string text) {
    out_.push_back({Problem::Severity::warning, options_.position(option), std::move(text)});
  }

 private:
  const Options& options_;
  std::vector<Problem>& out_;
};

}  // namespace vz
