// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vz::config {

/// Small helpers for messages about text that came from outside. Pure; never throw on content.

/// `text` in double quotes, fit for one line of a log: control characters and invalid UTF-8 replaced, cut after `limit`
/// bytes (never inside a character).
std::string shown(std::string_view text, std::size_t limit = 60);

/// As shown(), without the quotes.
std::string printable(std::string_view text, std::size_t limit = 60);

/// True for the name of an option whose value does not belong into a message: a password, a key, a token, a uuid.
bool names_secret(std::string_view name);

/// `http://user:password@host` without user and password, whatever characters the password has.
std::string without_credentials(std::string text);

/// The parts of `text` between `separator`; none for an empty text.
std::vector<std::string_view> split(std::string_view text, char separator);
/// The inverse, with `last` before the last part: "a, b or c".
std::string join(std::span<const std::string_view> parts, std::string_view separator, std::string_view last);

/// The candidate that was most likely meant (few letters changed, left out, added or swapped, or one is part of the
/// other; letter case does not count), empty if none is near. Bounded: texts longer than 40 bytes are like nothing.
std::string_view closest(std::string_view typed, std::span<const std::string_view> candidates);

}  // namespace vz::config
