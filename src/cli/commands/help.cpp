// SPDX-License-Identifier: GPL-3.0-or-later
#include <sysexits.h>

#include <ostream>
#include <string>

#include "cli/command.hpp"

namespace vz::cli::commands {
namespace {

void list(std::ostream& out) {
  out << "Usage: vzlogger COMMAND [options]\n\nWithout a command vzlogger is the daemon; its options: vzlogger -h\n\n";
  for (const Command* command : all_commands()) out << fmt::format("  {:<10}{}\n", command->name, command->summary);
  out << "\nMore about one of them: vzlogger help COMMAND\n";
}

int run(const CommandLine& line) {
  if (line.arguments.empty()) {
    list(line.out);
    return EX_OK;
  }
  const std::string_view name = line.arguments.front();
  const Command* command = find_command(all_commands(), name);
  if (command == nullptr) {
    list(line.err);
    line.err << "vzlogger has no command '" << name << "'\n";
    return EX_USAGE;
  }
  if (!command->keywords.empty()) line.out << command->name << " - " << command->summary << "\n(" << command->keywords << ")\n\n";
  if (command->run == run) {
    list(line.out);
    return EX_OK;
  }
  constexpr const char* kHelp[] = {"--help"};
  return command->run({kHelp, line.in, line.out, line.err});
}

}  // namespace

extern const Command help_command;
const Command help_command{"help", "lists the commands, or tells about one", "Hilfe, Befehle", run};

}  // namespace vz::cli::commands
