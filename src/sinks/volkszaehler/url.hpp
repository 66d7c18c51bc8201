// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>
#include <string_view>

namespace vz::sinks::volkszaehler {

/// The parts of the option `middleware`. Views into the text it was made from.
struct UrlParts {
  std::string_view scheme;       ///< without `://`; empty if the text has none (curl then takes http)
  std::string_view credentials;  ///< what stands before the `@`
  std::string_view host;         ///< with the port
  std::string_view path;         ///< from the first `/`, without query and fragment
  std::string_view rest;         ///< query and fragment, from the `?` or `#`
};

/// Pure; never fails: what cannot be told apart is empty.
UrlParts split_url(std::string_view text);

/// Why no request can ever go there, and what would be right; empty if one can. Shows no part of the text.
std::string url_error(std::string_view text);

/// What is allowed but hardly meant; empty if all is well. Shows no part of the text.
std::string url_doubt(std::string_view text);

/// The address as a lasting name without secrets: no credentials, query or fragment, `http://` where there is no
/// scheme, scheme and host in lower case, no slash at the end.
std::string endpoint_name(std::string_view text);

}  // namespace vz::sinks::volkszaehler
