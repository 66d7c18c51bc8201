// SPDX-License-Identifier: GPL-3.0-or-later
#include "cli/version.hpp"

#include <ostream>

#include "vz/version.hpp"

namespace vz::cli {

BuildInfo build_info() {
  return {.version = kVersion, .git_describe = kGitDescribe, .commit_date = kCommitDate, .epoch = kBuildEpoch};
}

void print_version(std::ostream& out, const BuildInfo& build) {
  out << build.version << "\n based on git version: " << build.git_describe
      << "\n last commit date: " << build.commit_date << '\n';
}

}  // namespace vz::cli
