// SPDX-License-Identifier: GPL-3.0-or-later
#include "config/vocabulary.hpp"

#include <fmt/format.h>

#include "config/tables.hpp"
#include "core/ascii.hpp"
#include "core/outbox_options.hpp"
#include "config/text.hpp"

namespace vz::config {
namespace {

constexpr std::size_t kMaxHomes = 2;

struct Section {
  Level level;
  std::string_view place;
  std::span<const OptionSpec> table;
  std::span<const std::string_view> sections;
};

/// Nearest first, as seen from meters and channels.
std::vector<Section> sections() {
  return {{Level::channel, "a channel", channel_options(), {}},
          {Level::meter, "a meter", meter_options(), meter_sections()},
          {Level::general, "the top level of the file", general_options(), general_sections()},
          {Level::local, "the section \"local\"", local_options(), {}},
          {Level::mqtt, "the section \"mqtt\"", mqtt_options(), {}},
          {Level::outbox, "the section \"outbox\"", outbox_options(), {}},
          {Level::push, "an entry of \"push\"", push_options(), {}}};
}

bool knows(const Section& section, std::string_view name) {
  return find_option(section.table, name) != nullptr ||
         std::find(section.sections.begin(), section.sections.end(), name) != section.sections.end();
}

bool is_fixed(Level level) { return level != Level::meter && level != Level::channel; }

/// "protocol d0 or sml" for all entries of a registry that know the name; empty if none does.
template <typename T>
std::string owners(std::string_view kind, std::span<const T* const> entries, std::string_view name) {
  std::vector<std::string_view> names;
  for (const T* entry : entries)
    if (find_option(entry->options, name) != nullptr) names.push_back(entry->name);
  return names.empty() ? std::string{} : fmt::format("{} {}", kind, join(names, ", ", " or "));
}

std::vector<std::string_view> own_names(const Where& where) {
  std::vector<std::string_view> names;
  for (const auto& section : sections()) {
    if (section.level != where.level) continue;
    for (const auto& spec : section.table) names.push_back(spec.name);
    names.insert(names.end(), section.sections.begin(), section.sections.end());
  }
  for (const auto& spec : where.special) names.push_back(spec.name);
  return names;
}

/// Where else the name means something, nearest first.
std::vector<std::string> homes(std::string_view name, Level level, const Registry& registry) {
  std::vector<std::string> found;
  const std::string protocols = owners("protocol", registry.protocols, name);
  const std::string apis = owners("api", registry.sinks, name);
  if (level == Level::meter && !protocols.empty()) found.push_back(protocols);
  if (level == Level::channel && !apis.empty()) found.push_back(apis);
  for (const auto& section : sections())
    if (section.level != level && knows(section, name)) found.emplace_back(section.place);
  if (level == Level::general || level == Level::channel)
    if (!protocols.empty()) found.push_back("a meter with " + protocols);
  if (level == Level::general || level == Level::meter)
    if (!apis.empty()) found.push_back("a channel with " + apis);
  found.resize(std::min(found.size(), kMaxHomes));
  return found;
}

}  // namespace

std::string unknown_name(std::string_view name, const Where& where, const Registry& registry) {
  const auto names = own_names(where);
  const std::string_view meant = closest(name, names);
  if (!meant.empty() && equal_ignoring_case(meant, name))
    return fmt::format("unknown option {}; did you mean {}? Capital and small letters differ", shown(name),
                       shown(meant));

  const auto elsewhere = homes(name, where.level, registry);
  if (!elsewhere.empty()) {
    const std::vector<std::string_view> views{elsewhere.begin(), elsewhere.end()};
    std::string text =
        fmt::format("option {} has no effect here; it belongs to {}", shown(name), join(views, ", ", " or to "));
    if (!meant.empty()) text += fmt::format("; or did you mean {}?", shown(meant));
    return text;
  }
  if (!meant.empty()) return fmt::format("unknown option {}; did you mean {}?", shown(name), shown(meant));
  std::string text = fmt::format("unknown option {}; it has no effect", shown(name));
  if (is_fixed(where.level)) text += fmt::format("; known here: {}", join(names, ", ", ", "));
  return text;
}

}  // namespace vz::config
