// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "config/problems.hpp"
#include "config/reader.hpp"
#include "vz/options.hpp"

namespace vz::config {

/// A value of the document together with its place. Borrows from the document.
struct Node {
  const Value* value = nullptr;
  const Mark* mark = nullptr;
  std::string path;

  [[nodiscard]] Position position() const { return {mark->value.line, mark->value.column, path}; }
  [[nodiscard]] Position key_position() const { return {mark->key.line, mark->key.column, path}; }
  [[nodiscard]] std::size_t size() const { return mark->children.size(); }
  /// Element i of an array or member i of an object.
  [[nodiscard]] Node child(std::size_t i) const;
  /// The name of member i of an object.
  [[nodiscard]] const std::string& key(std::size_t i) const;
  /// The member of that name of an object.
  [[nodiscard]] std::optional<Node> find(std::string_view key) const;
};

/// What a defect of an option means for the whole.
enum class OnDefect {
  ignore,  ///< general section: warn, use the default
  refuse,  ///< meters and channels: an error
  warn,    ///< protocol and API of a disabled meter: warn, nothing uses the value
};

/// A table and how to read it.
struct TableUse {
  std::span<const OptionSpec> table;
  OnDefect on_defect = OnDefect::refuse;
  std::string_view owner;                       ///< who wants the options: "protocol d0"
  std::span<const std::string_view> skip = {};  ///< options that the caller reads himself
};

/// Reads the options of a table from an object into `out`, defaults for those that are not there; each defect becomes a
/// problem. False if there was a defect: then `out` may lack required values. A null is a defect without a message,
/// except for OnDefect::ignore: report_nulls() has the message.
bool read_options(const Node& section, const TableUse& use, Options& out, Problems& problems);

/// A table's defaults.
Options defaults(std::span<const OptionSpec> table);

/// In meters and channels no value may be null.
void report_nulls(const Node& section, Problems& problems);

/// Calls `unknown` for each member whose name is neither in `tables` (names and aliases) nor in `sections`, leaving out
/// names that are meant as comments (`_...`, `//...`, `#...`, `comment`) or for an editor (`$schema`).
void for_unknown(const Node& section, std::span<const std::span<const OptionSpec>> tables,
                 std::span<const std::string_view> sections,
                 const std::function<void(const Node&, std::string_view)>& unknown);

/// A problem of the given severity class: an error, or a warning that says why it is only one.
void report(OnDefect on_defect, Position position, std::string text, Problems& problems);

/// `Ignoring invalid field or type: NAME=VALUE (TYPE)`, the words users know, without secrets.
std::string ignoring(const Node& node, std::string_view name);

/// "the text "1"", "the number 5.0", "an object", ...
std::string described(const Value& value);

}  // namespace vz::config
