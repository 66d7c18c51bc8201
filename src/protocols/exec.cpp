// SPDX-License-Identifier: GPL-3.0-or-later
// Protocol exec: what a program prints.
#include "protocols/exec/session.hpp"
#include "vz/protocol.hpp"

namespace vz::protocols {
namespace {

constexpr OptionSpec kOptions[] = {
    {.name = "command",
     .help = "shell command whose output is read; run anew after interval, or a second after its end. Never as root",
     .required = true},
    {.name = "format",
     .help = "what a line looks like: $v value, $i identifier, $t seconds (or ms) since 1970; without it the line is a number"},
    {.name = "time_limit", .type = OptionType::integer, .unit = "s", .default_text = "300",
     .help = "a run that takes longer is ended, with all processes that it has started", .min = 1, .max = 86400},
};

bool interval_allowed(const Options&) { return true; }

std::unique_ptr<MeterSource> make(const Options& options, ProblemSink& problems) {
  const std::string& command = options.string("command");
  if (command.find_first_not_of(" \t\n") == std::string::npos) {
    problems.error("command", "Missing command: it is empty; expected a shell command that prints a number");
    return nullptr;
  }
  if (auto odd = file::LineFormat::oddity(options.string("format")); !odd.empty()) problems.warning("format", std::move(odd));
  auto source = std::make_unique<MeterSource>();
  source->endpoint = CommandSource{command, std::chrono::seconds{options.integer("time_limit")}};
  source->session = std::make_unique<exec::ExecSession>(file::LineFormat{options.string("format")});
  return source;
}

}  // namespace

extern const Protocol exec_protocol;
const Protocol exec_protocol{
    .name = "exec",
    .summary = "Parse program output",
    .identifiers = IdentifierKind::string,
    .options = kOptions,
    .interval_allowed = interval_allowed,
    .make = make,
};

}  // namespace vz::protocols
