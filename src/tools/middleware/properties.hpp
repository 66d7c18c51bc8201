// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tools/middleware/failure.hpp"
#include "tools/middleware/json_out.hpp"

namespace vz::middleware {

// The properties that entities can have, and what their values may be. Pure; static data.

/// Property names and values, both as text.
using Properties = std::vector<std::pair<std::string, std::string>>;

/// Checks name and value of one property on its own: "Unknown property: 'x'", "Invalid property value: 'x'".
Result<void> check_property(std::string_view name, std::string_view value);

/// The value with the type of its property: true, 1, 0.3 or text.
Json typed_value(std::string_view name, const std::string& value);

/// What PHP's FILTER_VALIDATE_BOOLEAN takes for true.
bool is_true(std::string_view value);

/// Reads a number as PHP and MySQL do: blanks around it and a leading `+` are fine, anything else after it is not.
std::optional<double> php_numeric(std::string_view text);

/// The list `capabilities.definitions.properties`.
Json property_definitions();

}  // namespace vz::middleware
