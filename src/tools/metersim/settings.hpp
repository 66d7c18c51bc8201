// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "tools/metersim/bus_meter.hpp"
#include "tools/metersim/journal.hpp"
#include "tools/metersim/meter.hpp"
#include "tools/metersim/simulator.hpp"
#include "vz/error.hpp"

namespace vz::metersim {

/// What the command line asks for.
struct RunSettings {
  MeterSettings meter;
  std::optional<BusSettings> bus;  ///< a meter on an M-Bus instead
  LineSetup line;
  std::string pty_link;  ///< one of pty_link and tcp_port is set
  std::string tcp_address;
  std::string tcp_port;
  std::string log;  ///< empty: none
  Journal::Progress progress = Journal::Progress::shown;
};

/// Nothing to simulate: help or version was asked for, or the command line is wrong. `text` is for the user.
struct CommandEnd {
  int exit_code = 0;
  std::string text;
};

/// Reads the command line (without the program's name) and the telegram file that it names.
std::variant<RunSettings, CommandEnd> parse_command_line(std::vector<std::string> arguments);

}  // namespace vz::metersim
