// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace vz::local {

/// What a request asks for: the request line's second word, taken apart.
struct Target {
  std::string path;  ///< decoded, always begins with a slash
  std::vector<std::pair<std::string, std::string>> arguments;  ///< decoded, in order, at most kMaxArguments

  /// The first argument of that name; null if there is none.
  [[nodiscard]] const std::string* argument(std::string_view name) const;
};

/// A longer target is refused (414) before it is looked at.
inline constexpr std::size_t kMaxTarget = 2048;
/// Arguments after these are ignored.
inline constexpr std::size_t kMaxArguments = 16;

/// Reads origin-form and absolute-form (RFC 9112, 3.2) with percent-encoding (RFC 3986, 2.1); `+` is a blank in the
/// query alone. Nothing if it is neither form, an escape is incomplete, or a control character stands in it, encoded or
/// not. Pure.
std::optional<Target> parse_target(std::string_view text);

}  // namespace vz::local
