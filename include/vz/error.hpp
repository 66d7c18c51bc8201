// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>
#include <tl/expected.hpp>

namespace vz {

/// A failure of the environment (device, network, disk) in words for the user: what failed, where, and what to do.
/// Passed by value; never thrown.
struct Error {
  std::string what;    ///< what failed and why, e.g. "cannot open: No such file or directory"
  std::string where;   ///< device path, host:port or URL without secrets
  std::string remedy;  ///< what the user can do; may be empty
  int code = 0;        ///< errno where there is one, else 0
  bool passing = false;  ///< sure to be no mistake of the configuration: a name that does not resolve just now

  /// "where: what (remedy)", the form for a log line.
  [[nodiscard]] std::string text() const {
    std::string line = where.empty() ? what : where + ": " + what;
    if (!remedy.empty()) line += " (" + remedy + ")";
    return line;
  }
};

template <typename T>
using Expected = tl::expected<T, Error>;

}  // namespace vz
