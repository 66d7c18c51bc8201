// SPDX-License-Identifier: GPL-3.0-or-later
#include "cli/help.hpp"

#include <algorithm>
#include <ostream>

#include "cli/arguments.hpp"
#include "cli/version.hpp"
#include "core/ascii.hpp"

namespace vz::cli {

// The widths are those of the old daemon's usage text, trailing blanks included: scripts cut columns out of it.
void print_help(std::ostream& out, std::string_view argv0, std::span<const Protocol* const> protocols,
                std::span<const ObisAlias> aliases, std::span<const SinkType* const> sinks) {
  out << "Usage: " << argv0 << " [options]\n\n  following options are available:\n";
  for (const ArgumentSpec& spec : argument_specs()) {
    if (spec.help.empty()) continue;
    const std::string letter = spec.letter != 0 ? fmt::format("-{},", spec.letter) : "   ";
    out << fmt::format("\t{} --{:<12}\t{}\n", letter, spec.name, spec.help);
  }
  out << "\n  following protocol types are supported:\n";
  for (const Protocol* protocol : protocols) out << fmt::format("\t{:<12}\t{}\n", protocol->name, protocol->summary);
  out << "\n  following OBIS aliases are available:\n";
  for (const ObisAlias& alias : aliases)
    out << fmt::format("\t{:<17}{:<31}{:<22}\n", alias.name, alias.description, alias.code.text());
  out << "\n  following APIs are supported:\n";
  for (const SinkType* sink : sinks) out << fmt::format("\t{}-api\n", sink->name);
  out << "\nvzlogger " << build_info().version
      << " - volkszaehler.org logging utility\nfree software under the GPL, version 3 or later; no warranty\n"
         "manual: man vzlogger, man vzlogger.conf; commands besides the daemon: vzlogger help\n";
}

const Protocol* find_protocol(std::span<const Protocol* const> protocols, std::string_view name) {
  const auto found = std::find_if(protocols.begin(), protocols.end(),
                                  [&](const Protocol* protocol) { return equal_ignoring_case(protocol->name, name); });
  return found == protocols.end() ? nullptr : *found;
}

}  // namespace vz::cli
