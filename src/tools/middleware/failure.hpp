// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace vz::middleware {

/// What the original would throw. It becomes HTTP 400 with {"version","exception":{"message","type","code"}}, or a page
/// of the web server where PHP itself would have died.
struct Failure {
  std::string message;
  std::string type = "Exception";  ///< the last part of the PHP class name
  int status = 400;                ///< 400, or the status of an HTML page
};

template <typename T>
using Result = tl::expected<T, Failure>;

inline tl::unexpected<Failure> fail(std::string message, std::string type = "Exception") {
  return tl::unexpected(Failure{std::move(message), std::move(type)});
}

}  // namespace vz::middleware
