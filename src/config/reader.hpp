// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <vector>

#include "config/problems.hpp"

namespace vz::config {

/// Members keep the order of the file: it numbers meters and channels.
using Value = nlohmann::ordered_json;

inline constexpr std::size_t kMaxFile = std::size_t{1024} * 1024;  ///< bytes of a configuration file
inline constexpr unsigned kMaxDepth = 32;             ///< objects and arrays inside each other

/// A place in the file, from 1; the column in bytes.
struct Place {
  unsigned line = 0;
  unsigned column = 0;
};

/// Where a value and its key stand; the side table of a Value, with the same shape: child i belongs to element or
/// member i.
struct Mark {
  Place key;  ///< of the member's name; for anything else that of the value
  Place value;
  bool damaged = false;  ///< could not be read, was reported, and says nothing about the user's intent
  std::vector<Mark> children;
};

/// A configuration file, read.
struct Document {
  Value value;
  Mark mark;
  bool readable = false;  ///< false: reading had to be given up, `value` is incomplete
};

/// Reads the JSON dialect of configuration files: comments `//` and `/* */`, one trailing comma, single quotes,
/// literals in any letter case, NaN and Infinity, leading zeros, `5.` and `1e5` as real numbers, raw control characters
/// in strings. Bytes that are not UTF-8 stay as they are: whoever dumps them as JSON has to replace them. Of a key that
/// stands twice the last value counts, at the first one's place. Numbers without point and exponent are 64-bit integers
/// and saturate. A value after which the line goes on with anything else is accepted with a warning.
///
/// Goes on after an error where the meaning is beyond doubt (missing comma, quotes forgotten, `#` comments), so that
/// most mistakes of a file are told at once. Pure. Never throws on input; bounded by kMaxFile and kMaxDepth, time is
/// linear.
Document read(std::string_view text, Problems& problems);

/// The mark of the value at a path as in Position::path (`meters[0].channels[1].uuid`, empty for the whole document);
/// null if there is none.
const Mark* find(const Document& document, std::string_view path);

}  // namespace vz::config
