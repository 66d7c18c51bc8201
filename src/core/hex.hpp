// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace vz {

/// The bytes of a hexadecimal option text, read as the old daemon read it: two characters a byte, a single last digit is
/// a byte of its own, what is no digit counts as the end of its pair's number. Pure.
std::vector<std::byte> parse_hex(std::string_view text);

/// What is odd about a hexadecimal text, empty if nothing is. A text that the old daemon took is never an error.
std::string hex_problem(std::string_view text);

}  // namespace vz
