// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "local/reading_board.hpp"

namespace vz::local {

/// The old daemon's reply, character for character: one line, blanks inside brackets, members in its order, `tuples` left
/// out where there are none, `exception` where there is one. Pure.
std::string channels_json(std::string_view version, std::span<const ChannelView> channels,
                          std::string_view exception = {});

/// Appends `text` as a JSON string. Bytes above 0x7f go through unchanged.
void append_json_string(std::string& out, std::string_view text);

}  // namespace vz::local
