// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <iosfwd>
#include <string_view>

namespace vz::cli {

/// What was built. The generated vz/version.hpp is included by version.cpp alone, so that a new commit compiles one
/// file.
struct BuildInfo {
  std::string_view version;       ///< "0.9.0"
  std::string_view git_describe;  ///< "v0.9.0-3-g1234567", or "v<version>" outside of a git checkout
  std::string_view commit_date;   ///< RFC 2822, or "unknown"
  long long epoch = 0;            ///< seconds since the epoch of the commit, 0 if unknown
};
BuildInfo build_info();

/// The three lines of `vzlogger -V`: the bare version first, as scripts read it.
void print_version(std::ostream& out, const BuildInfo& build);

}  // namespace vz::cli
