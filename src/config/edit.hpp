// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>
#include <string_view>

#include "config/reader.hpp"
#include "vz/error.hpp"

namespace vz::config {

/// Changes to the text of a configuration that leave everything else as the user wrote it: comments, layout, order. Each
/// reads its result again, and fails rather than give a text that does not mean exactly what was asked for. Paths as in
/// Position::path. Pure; bounded like read().

/// `text` with the scalar at `path` replaced by `value`.
Expected<std::string> with_value(std::string_view text, std::string_view path, const Value& value);

/// `text` with a member added at the end of the object at `path`, which must not have one of that name.
Expected<std::string> with_member(std::string_view text, std::string_view path, const std::string& name, const Value& value);

/// `text` with `element` added at the end of the array at `path`, indented as its neighbours are.
Expected<std::string> with_element(std::string_view text, std::string_view path, const Value& element);

/// The same for an element that is given as text, comments and indentation included.
Expected<std::string> with_written_element(std::string_view text, std::string_view path, std::string_view element);

}  // namespace vz::config
