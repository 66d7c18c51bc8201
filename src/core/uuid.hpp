// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace vz {

/// The uuid of a channel: 36 characters, hexadecimal digits with dashes as 8-4-4-4-12. It is a write key. Pure.

inline constexpr std::size_t kUuidLength = 36;
inline constexpr std::size_t kUuidShown = 6;  ///< of its end, to people

constexpr bool is_uuid_dash(std::size_t place) { return place == 8 || place == 13 || place == 18 || place == 23; }

/// Whether the first kUuidLength characters have a uuid's shape.
bool begins_with_uuid(std::string_view text);
inline bool is_uuid(std::string_view text) { return text.size() == kUuidLength && begins_with_uuid(text); }

/// A uuid as people may see it: `...` and its last six characters. What is shorter is no key and is shown; what is not
/// printable ASCII, as a mistake may have it, becomes `?`.
std::string uuid_tail(std::string_view uuid);

/// Of each stretch of hexadecimal digits and dashes in `text` that has a uuid in it, with or without its dashes, only the
/// tail: uuids may overlap.
std::string without_uuids(std::string_view text);

}  // namespace vz
