// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstddef>
#include <string_view>

namespace vz {

/// Length of the well-formed UTF-8 character (RFC 3629, chapter 4) at the beginning of `text`, 0 if there is none. Pure.
std::size_t utf8_length(std::string_view text);
bool is_utf8(std::string_view text);

}  // namespace vz
