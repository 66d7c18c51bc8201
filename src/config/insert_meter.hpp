// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>
#include <string_view>

#include "vz/error.hpp"

namespace vz::config {

/// The text of a configuration with one more meter at the end of `meters`: `section` is the text of an object. Everything
/// else stays as it is, comments and layout included. Pure. Errors: the text cannot be read, or has no array `meters`.
Expected<std::string> insert_meter(std::string_view text, std::string_view section);

}  // namespace vz::config
