// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>
#include <string_view>

namespace vz::sinks::mysmartgrid {

/// HMAC-SHA1 (RFC 2104) of `text` as 40 lower-case hexadecimal digits. Pure.
std::string digest(std::string_view key, std::string_view text);

}  // namespace vz::sinks::mysmartgrid
