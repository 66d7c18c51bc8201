// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <string>

namespace vz {

/// Appends the JSON text of a number: the shortest one that reads back to the same double, with `.0` where it would
/// look like an integer (`132.15`, `1.0`, `-0.0`). Scientific where C's `%.17g` is: decimal exponent below -4 or from
/// 17
/// (`1e-05`, `1e+17`). At most 25 characters. Pure, locale-free, no allocation but the growth of `out`.
/// Precondition: `value` is finite; JSON has no text for anything else.
void append_number(std::string& out, double value);

/// Appends a decimal integer.
void append_number(std::string& out, std::int64_t value);

}  // namespace vz
