// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <iosfwd>
#include <optional>
#include <span>
#include <string_view>

namespace vz::cli {

/// What a sub-command works on. Everything is borrowed for the length of the call.
struct CommandLine {
  std::span<const char* const> arguments;  ///< after the sub-command's name, as in argv
  std::istream& in;
  std::ostream& out;
  std::ostream& err;
};

/// A sub-command of `vzlogger`: one file in cli/commands that defines one of these, and one line in commands.cpp.
/// Without a sub-command the program is the daemon. Statuses: 0 good; 1 it ran, and what it found or did is not good; 64
/// the command line is wrong; 69 a device, a server or the daemon is not there; 78 the configuration cannot be used.
struct Command {
  std::string_view name;
  std::string_view summary;   ///< one line, English
  std::string_view keywords;  ///< what people search for, German included; shown by `vzlogger help NAME`
  int (*run)(const CommandLine& line);
};

std::span<const Command* const> all_commands();

/// The command of that name, exactly; null if there is none.
const Command* find_command(std::span<const Command* const> commands, std::string_view name);

/// Runs the sub-command that the command line begins with; nothing if it begins with none, and is the daemon's.
std::optional<int> run_command(int argc, const char* const* argv, std::istream& in, std::ostream& out, std::ostream& err);

}  // namespace vz::cli
