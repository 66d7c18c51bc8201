// SPDX-License-Identifier: GPL-3.0-or-later
#include "cli/meter_choice.hpp"

#include <fmt/format.h>
#include <sysexits.h>

#include <algorithm>
#include <charconv>

#include "cli/help.hpp"
#include "config/config.hpp"
#include "config/tables.hpp"
#include "config/text.hpp"
#include "core/ascii.hpp"

namespace vz::cli {
namespace {

using Json = nlohmann::ordered_json;

config::Registry registry() { return {all_protocols(), all_sinks()}; }

tl::unexpected<NoMeter> no_meter(int status, std::string line) { return tl::unexpected(NoMeter{{std::move(line)}, status}); }

MeterChoice made(MeterSettings settings, int status) {
  std::vector<Problem> problems;
  ProblemSink sink(settings.options, problems);
  auto source = settings.protocol->make(settings.options, sink);
  if (source) return ChosenMeter{std::move(settings), std::move(source)};
  NoMeter none{{}, status};
  for (const Problem& problem : problems)
    if (problem.severity == Problem::Severity::error) none.lines.push_back(problem.text);
  if (none.lines.empty()) none.lines.emplace_back("these options make no meter");
  return tl::unexpected(std::move(none));
}

template <typename Number>
bool whole_number(const std::string& text, Number& value) {
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  return error == std::errc{} && stop == end;
}

/// The text as a value of the option's type; what does not fit stays a text, and is told as a wrong type.
Json typed(const OptionSpec& spec, const std::string& text) {
  std::int64_t integer = 0;
  double real = 0;
  switch (spec.type) {
    case OptionType::boolean:
      if (text == "true") return true;
      if (text == "false") return false;
      return text;
    case OptionType::integer:
      if (whole_number(text, integer)) return integer;
      return text;
    case OptionType::real:
      if (whole_number(text, real)) return real;
      return text;
    case OptionType::string: return text;
  }
  return text;
}

}  // namespace

MeterChoice meter_from_section(const Json& section) {
  Json enabled = section;
  enabled["enabled"] = true;
  const Json all{{"meters", Json::array({std::move(enabled)})}};
  auto result = config::load(all.dump(-1, ' ', false, Json::error_handler_t::replace), registry());
  if (result.settings && !result.settings->meters.empty()) return made(std::move(result.settings->meters.front()), EX_USAGE);
  NoMeter none{{}, EX_USAGE};
  for (const Problem& problem : result.problems)
    if (problem.severity == Problem::Severity::error) none.lines.push_back(problem.text);
  return tl::unexpected(std::move(none));
}

tl::expected<Json, NoMeter> section_from_options(const std::string& protocol, const std::vector<std::string>& options) {
  const Protocol* known = find_protocol(all_protocols(), protocol);
  if (known == nullptr) {
    std::vector<std::string_view> names;
    for (const Protocol* one : all_protocols()) names.push_back(one->name);
    const auto meant = config::closest(protocol, names);
    return no_meter(EX_USAGE, fmt::format("this program has no protocol {}; known are {}{}", config::shown(protocol),
                                          config::join(names, ", ", " and "),
                                          meant.empty() ? "" : fmt::format(". Did you mean {}?", meant)));
  }
  Json section{{"protocol", known->name}};
  for (const std::string& option : options) {
    const auto equals = option.find('=');
    if (equals == std::string::npos || equals == 0)
      return no_meter(EX_USAGE, fmt::format("--option {}: expected KEY=VALUE, e.g. baudrate=300", config::printable(option)));
    const std::string key = option.substr(0, equals);
    const OptionSpec* spec = config::find_option(known->options, key);
    if (spec == nullptr) spec = config::find_option(config::meter_options(), key);
    if (spec == nullptr) {
      std::vector<std::string_view> names;
      for (const OptionSpec& one : known->options) names.push_back(one.name);
      const auto meant = config::closest(key, names);
      return no_meter(EX_USAGE, fmt::format("protocol {} has no option {}{}; they are listed by vzlogger --help-protocol {}",
                                            known->name, config::shown(key),
                                            meant.empty() ? "" : fmt::format(", did you mean {}?", meant), known->name));
    }
    section[key] = typed(*spec, option.substr(equals + 1));
  }
  return section;
}

MeterChoice meter_from_options(const std::string& protocol, const std::vector<std::string>& options) {
  auto section = section_from_options(protocol, options);
  if (!section) return tl::unexpected(section.error());
  return meter_from_section(*section);
}

MeterChoice meter_from_file(const std::string& path, const std::string& name) {
  const auto text = config::read_file(path);
  if (!text) return no_meter(EX_CONFIG, text.error().text());
  auto result = config::load(*text, registry());
  if (!result.settings) {
    NoMeter none{{}, EX_CONFIG};
    for (const Problem& problem : result.problems)
      if (problem.severity == Problem::Severity::error) none.lines.push_back(config::format(problem, path));
    return tl::unexpected(std::move(none));
  }
  auto& meters = result.settings->meters;
  std::string known;
  std::size_t enabled = 0;
  MeterSettings* chosen = nullptr;
  for (MeterSettings& meter : meters) {
    const std::string own = fmt::format("mtr{}", meter.number);
    known += fmt::format("{}{} ({}{})", known.empty() ? "" : ", ", own, meter.protocol->name, meter.enabled ? "" : ", disabled");
    if (meter.enabled) ++enabled;
    const bool meant = name.empty() ? meter.enabled : equal_ignoring_case(own, name) || own == "mtr" + name;
    if (meant && chosen == nullptr) chosen = &meter;
  }
  if (name.empty() && enabled > 1) return no_meter(EX_USAGE, fmt::format("{} has several meters, say which: {}", path, known));
  if (chosen == nullptr) {
    return no_meter(EX_USAGE, fmt::format("{} has no {}; its meters: {}", path,
                                          name.empty() ? "enabled meter" : "meter " + config::shown(name),
                                          known.empty() ? "none" : known));
  }
  return made(std::move(*chosen), EX_CONFIG);
}

}  // namespace vz::cli
