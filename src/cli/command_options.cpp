// SPDX-License-Identifier: GPL-3.0-or-later
#include "cli/command_options.hpp"

#include <sysexits.h>

#include <algorithm>
#include <string>
#include <vector>

namespace vz::cli {

std::optional<int> read_options(CLI::App& app, const CommandLine& line) {
  std::vector<std::string> words(line.arguments.begin(), line.arguments.end());
  std::reverse(words.begin(), words.end());  // CLI11 takes them from the end
  try {
    app.parse(words);
  } catch (const CLI::ParseError& error) {
    return app.exit(error, line.out, line.err) == 0 ? EX_OK : EX_USAGE;
  }
  return std::nullopt;
}

}  // namespace vz::cli
