// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>
#include <string_view>

namespace vz {

/// The parts of an address. Views into the text it was made from.
struct UrlParts {
  std::string_view scheme;       ///< without `://`; empty if the text has none (curl then takes http)
  std::string_view credentials;  ///< what stands before the `@`
  std::string_view host;         ///< with the port
  std::string_view path;         ///< from the first `/`, without query and fragment
  std::string_view rest;         ///< query and fragment, from the `?` or `#`
};

/// Pure; never fails: what cannot be told apart is empty.
UrlParts split_url(std::string_view text);

/// Why no request can ever go there, and what would be right (`example`, quoted); empty if one can. Shows no part of the
/// text.
std::string url_error(std::string_view text, std::string_view example);

/// The address as a lasting name without secrets: no credentials, query or fragment, `http://` where there is no
/// scheme, scheme and host in lower case, no slash at the end.
std::string endpoint_name(std::string_view text);

/// For a value in a query: all but letters, digits and `-._~` as `%XX` (RFC 3986).
std::string percent_encoded(std::string_view text);

/// RFC 4648, with padding.
std::string base64(std::string_view text);

}  // namespace vz
