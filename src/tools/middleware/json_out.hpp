// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace vz::middleware {

/// Keeps the order of its members, as PHP's arrays do.
using Json = nlohmann::ordered_json;

// Text as PHP 8 writes it, so that a client sees the same bytes as from the original. All pure.

/// json_encode(): no blanks, `/` as `\/`, everything beyond ASCII as \uXXXX (what is not UTF-8 as \ufffd).
std::string php_json(const Json& value);

/// A float in json_encode(): the shortest text that reads back to the same double, `500` for 500.0, `1.0e+25`.
/// NaN and the infinities, for which PHP fails, become `null`.
std::string php_number(double value);

/// A float in string context (`precision` = 14): `123456789.12346`, `1.0E+25`.
std::string php_text(double value);

/// round($value, 3): half away from zero, seen in decimal (1.0005 gives 1.001).
double round3(double value);

/// The double that is left of `value` after PHP has passed it to the database as text with 14 digits.
double php_precision(double value);

}  // namespace vz::middleware
