// SPDX-License-Identifier: GPL-3.0-or-later
#include <sysexits.h>

#include <algorithm>
#include <array>
#include <ostream>
#include <vector>

#include "cli/command.hpp"
#include "config/text.hpp"
#include "core/ascii.hpp"

namespace vz::cli {
namespace commands {
extern const Command probe_command;
extern const Command read_command;
extern const Command check_command;
extern const Command channel_command;
extern const Command status_command;
extern const Command queue_command;
extern const Command pause_command;
extern const Command resume_command;
extern const Command schema_command;
extern const Command help_command;
}  // namespace commands

std::span<const Command* const> all_commands() {
  static constexpr std::array kTable{
      &commands::probe_command,
      &commands::read_command,
      &commands::check_command,
      &commands::channel_command,
      &commands::status_command,
      &commands::queue_command,
      &commands::pause_command,
      &commands::resume_command,
      &commands::schema_command,
      &commands::help_command,
  };
  return kTable;
}

namespace {

/// The command whose name differs by a slip of the fingers; empty if there is none.
std::string_view meant_command(std::string_view word) {
  std::vector<std::string_view> names;
  for (const Command* command : all_commands()) names.push_back(command->name);
  return std::all_of(word.begin(), word.end(), is_letter) ? config::closest(word, names) : std::string_view{};  // no path
}

}  // namespace

const Command* find_command(std::span<const Command* const> commands, std::string_view name) {
  const auto found = std::find_if(commands.begin(), commands.end(), [&](const Command* c) { return c->name == name; });
  return found == commands.end() ? nullptr : *found;
}

std::optional<int> run_command(int argc, const char* const* argv, std::istream& in, std::ostream& out, std::ostream& err) {
  if (argc < 2) return std::nullopt;
  const Command* command = find_command(all_commands(), argv[1]);
  if (command == nullptr) {
    const std::string_view meant = meant_command(argv[1]);
    if (meant.empty()) return std::nullopt;
    // the old daemon ignored words, and started; nobody who types this wants that
    err << fmt::format("vzlogger: there is no command {}; did you mean {}? All of them: vzlogger help\n", config::shown(argv[1]), meant);
    return EX_USAGE;
  }
  return command->run({{argv + 2, static_cast<std::size_t>(argc - 2)}, in, out, err});
}

}  // namespace vz::cli
