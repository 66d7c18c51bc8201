// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>
#include <string_view>

namespace vz::sinks::web {

/// At most this much of a server's own words goes into a message.
inline constexpr std::size_t kMaxWords = 200;

/// A server's words made fit for one line of a log: control characters and runs of blanks become one blank, broken
/// UTF-8 becomes `?`, at most kMaxWords bytes. Full uuids (`uuid`, the channel's own, and whatever has a uuid's shape)
/// are shortened to `...abcdef`: they are write keys. Pure.
std::string clean_words(std::string_view text, std::string_view uuid);

/// What a page for people says: its title, or else its first line of text without markup. Not yet cleaned. Pure.
std::string page_words(std::string_view page);

/// True if the text begins like a web page.
bool is_page(std::string_view text);

/// Where `needle` (in lower case) stands in `text` in any letter case, from `from` on.
std::size_t find_any_case(std::string_view text, std::string_view needle, std::size_t from = 0);

}  // namespace vz::sinks::web
