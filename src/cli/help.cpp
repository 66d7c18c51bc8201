// SPDX-License-Identifier: GPL-3.0-or-later
#include "cli/help.hpp"

#include <algorithm>
#include <cmath>
#include <ostream>

#include "cli/arguments.hpp"
#include "cli/version.hpp"

namespace vz::cli {
namespace {

std::string_view type_text(OptionType type) {
  switch (type) {
    case OptionType::boolean: return "boolean";
    case OptionType::integer: return "integer";
    case OptionType::real: return "number";
    case OptionType::string: return "text";
  }
  return "?";
}

/// "1 to 65535", "at least 0", "off | end", or nothing.
std::string allowed_text(const OptionSpec& option) {
  if (!option.choices.empty()) {
    std::string text(option.choices);
    for (auto at = text.find('|'); at != std::string::npos; at = text.find('|', at + 2)) text.replace(at, 1, " | ");
    return text;
  }
  const bool low = std::isfinite(option.min);
  const bool high = std::isfinite(option.max);
  if (low && high) return fmt::format("{} to {}", option.min, option.max);
  if (low) return fmt::format("at least {}", option.min);
  if (high) return fmt::format("at most {}", option.max);
  return {};
}

void print_option(std::ostream& out, const OptionSpec& option) {
  std::string facts(type_text(option.type));
  if (!option.unit.empty()) facts += fmt::format(", {}", option.unit);
  if (const std::string allowed = allowed_text(option); !allowed.empty()) facts += fmt::format(", {}", allowed);
  if (option.required) facts += ", required";
  if (!option.default_text.empty()) facts += fmt::format(", default {}", option.default_text);
  out << fmt::format("\t{:<24}{}\n\t{:<24}({})\n", option.name, option.help, "", facts);
  if (!option.aliases.empty()) out << fmt::format("\t{:<24}old names: {}\n", "", option.aliases);
}

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return result;
}

}  // namespace

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

void print_protocol_help(std::ostream& out, const Protocol& protocol) {
  out << protocol.name << " - " << protocol.summary << "\n\n  options of the meter:\n";
  for (const OptionSpec& option : protocol.options) print_option(out, option);
}

const Protocol* find_protocol(std::span<const Protocol* const> protocols, std::string_view name) {
  const std::string wanted = lower(name);
  const auto found = std::find_if(protocols.begin(), protocols.end(),
                                  [&](const Protocol* protocol) { return lower(protocol->name) == wanted; });
  return found == protocols.end() ? nullptr : *found;
}

}  // namespace vz::cli
