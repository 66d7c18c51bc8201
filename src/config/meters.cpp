// SPDX-License-Identifier: GPL-3.0-or-later
#include "config/meters.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "config/tables.hpp"
#include "config/text.hpp"
#include "config/vocabulary.hpp"
#include "core/ascii.hpp"
#include "core/utf8.hpp"
#include "core/uuid.hpp"
#include "vz/obis.hpp"

namespace vz::config {
namespace {

constexpr std::string_view kNilIdentifier = "NilIdentifier";
constexpr std::string_view kDefaultApi = "volkszaehler";
constexpr std::string_view kWhereUuidsAre =
    "put the uuid of your channel here; the frontend shows it when you click the (i) next to the channel";

template <typename T>
const T* by_name(std::span<const T* const> entries, std::string_view name) {
  const auto found = std::find_if(entries.begin(), entries.end(),
                                  [&](const T* entry) { return equal_ignoring_case(entry->name, name); });
  return found == entries.end() ? nullptr : *found;
}

template <typename T>
std::vector<std::string_view> names(std::span<const T* const> entries) {
  std::vector<std::string_view> out;
  for (const T* entry : entries) out.push_back(entry->name);
  return out;
}

/// "; did you mean "sml"? Known are d0, sml and s0", or only the second half.
std::string advice(std::string_view typed, std::span<const std::string_view> known) {
  const std::string_view meant = closest(typed, known);
  const std::string list = join(known, ", ", " and ");
  return meant.empty() ? fmt::format("; known are {}", list)
                       : fmt::format("; did you mean {}? Known are {}", shown(meant), list);
}

/// What keeps a text from being (the beginning of) a uuid; empty if nothing does. `uuid_tail` keeps the write key secret.
std::string uuid_defect(const std::string& uuid) {
  const auto strange = std::count_if(uuid.begin(), uuid.end(), [](char c) { return !is_hex_digit(c) && c != '-'; });
  const bool blank_around = !uuid.empty() && (uuid.front() == ' ' || uuid.back() == ' ');
  const std::string tail = uuid_tail(uuid);
  if (blank_around && strange <= 2)
    return fmt::format("Invalid UUID: {} has a blank before or after it; remove that", tail);
  if (strange > 2 || uuid.find(' ') != std::string::npos)
    return fmt::format("Invalid UUID: {} is no uuid; {}", shown(uuid, 120), kWhereUuidsAre);
  for (std::size_t i = 0; i < uuid.size(); ++i) {
    if (is_uuid_dash(i) ? uuid[i] == '-' : is_hex_digit(uuid[i])) continue;
    const std::size_t length = std::max<std::size_t>(1, utf8_length(std::string_view{uuid}.substr(i)));
    return fmt::format(
        "Invalid UUID: {} has {} as character {}, where {} belongs (a uuid looks like "
        "01234567-89ab-cdef-0123-456789abcdef); {}",
        tail, shown(uuid.substr(i, length)), i + 1, is_uuid_dash(i) ? "a dash" : "a digit or one of a to f",
        kWhereUuidsAre);
  }
  return {};
}

/// How the identifiers of a protocol look, for those that cannot be read.
std::string identifier_form(IdentifierKind kind, std::string_view typed) {
  if (kind == IdentifierKind::flukso) return "expected sensor<number>/power or sensor<number>/consumption";
  std::vector<std::string_view> aliases;
  for (const auto& alias : obis_aliases()) aliases.push_back(alias.name);
  const std::string_view meant = closest(typed, aliases);
  std::string text = "expected an OBIS code such as \"1-0:1.8.0\" or \"1.8.0\", or an alias such as \"counter\"";
  if (!meant.empty()) text += fmt::format("; did you mean {}?", shown(meant));
  return text;
}

std::vector<Problem> as_warnings(std::vector<Problem> problems) {
  for (auto& problem : problems) {
    if (problem.severity == Problem::Severity::warning) continue;
    problem.severity = Problem::Severity::warning;
    problem.text += " (only a warning, because the meter is disabled)";
  }
  return problems;
}

}  // namespace

void MeterReader::read(const Node& meters, std::vector<MeterSettings>& out) {
  for (std::size_t i = 0; i < meters.size(); ++i) meter(meters.child(i), out);
}

void MeterReader::meter(const Node& node, std::vector<MeterSettings>& out) {
  MeterSettings meter;
  meter.number = next_meter_++;
  if (node.mark->damaged || problems_.full_of_errors()) return;
  if (!node.value->is_object()) {
    problems_.error(
        node.position(),
        fmt::format("found {} where a meter was expected: an object {{ \"protocol\": ... }}", described(*node.value)));
    return;
  }
  report_nulls(node, problems_);
  constexpr std::string_view kReadHere[] = {"protocol"};
  Options common;
  read_options(node, {meter_options(), OnDefect::refuse, "a meter", kReadHere}, common, problems_);
  const auto number = [&](std::string_view name) { return static_cast<int>(common.integer(name)); };
  meter.enabled = common.boolean("enabled");
  meter.allowskip = common.boolean("allowskip");
  meter.interval = number("interval");
  meter.aggtime = number("aggtime");
  meter.aggfixedinterval = common.boolean("aggfixedinterval");
  meter.protocol = protocol(node, meter.enabled);
  if (meter.protocol != nullptr) protocol_options(node, meter);
  const int first_channel = next_channel_;
  channels(node, meter, meter.protocol != nullptr);
  if (meter.enabled && next_channel_ == first_channel && meter.protocol != nullptr)
    problems_.warning(node.position(), "this meter has no channels: nothing is done with its readings");
  if (meter.protocol != nullptr) out.push_back(std::move(meter));
}

/// Null after a problem was reported.
const Protocol* MeterReader::protocol(const Node& node, bool enabled) {
  const auto given = node.find("protocol");
  const auto known = names(registry_.protocols);
  constexpr std::string_view kMissing = "Missing protocol or invalid type";
  if (!given) {
    problems_.error(node.position(),
                    fmt::format("{}: a meter needs \"protocol\"; known are {}", kMissing, join(known, ", ", " and ")));
    return nullptr;
  }
  if (given->mark->damaged || given->value->is_null()) return nullptr;
  if (!given->value->is_string()) {
    problems_.error(given->position(),
                    fmt::format("{}: found {}, expected the name of a protocol in quotes; known are {}", kMissing,
                                described(*given->value), join(known, ", ", " and ")));
    return nullptr;
  }
  const auto& name = given->value->get_ref<const std::string&>();
  const Protocol* found = by_name(registry_.protocols, name);
  if (found == nullptr) {
    std::string text = fmt::format("{} (Protocol not found.): this program has no protocol {}{}", kMissing, shown(name),
                                   advice(name, known));
    report(enabled ? OnDefect::refuse : OnDefect::warn, given->position(), std::move(text), problems_);
  }
  return found;
}

void MeterReader::protocol_options(const Node& node, MeterSettings& meter) {
  const Protocol& protocol = *meter.protocol;
  const std::string owner = fmt::format("protocol {}", protocol.name);
  const OnDefect on_defect = meter.enabled ? OnDefect::refuse : OnDefect::warn;
  const bool good = read_options(node, {protocol.options, on_defect, owner}, meter.options, problems_);

  const std::span<const OptionSpec> tables[] = {meter_options(), protocol.options};
  for_unknown(node, tables, meter_sections(), [&](const Node& member, std::string_view name) {
    if (member.value->is_null() || !problems_.room_for_warning()) return;
    problems_.warning(member.key_position(), unknown_name(name, {Level::meter, protocol.options}, registry_));
  });

  if (!good) return;
  if (meter.interval > 0 && protocol.interval_allowed != nullptr && !protocol.interval_allowed(meter.options)) {
    const auto given = node.find("interval");
    problems_.warning(
        given ? given->position() : node.position(),
        fmt::format("Interval set but not allowed for this meter! Ignoring (setting to 0). With these options the "
                    "program does not ask a {} meter, it waits for what comes; for fewer values use "
                    "\"aggtime\" and \"aggmode\"",
                    protocol.name));
    meter.interval = 0;
  }
  std::vector<Problem> found;
  ProblemSink sink{meter.options, found};
  protocol.make(meter.options, sink);
  for (auto& problem : meter.enabled ? std::move(found) : as_warnings(std::move(found)))
    problems_.add(std::move(problem));
}

/// Without a known protocol the channels are only counted.
void MeterReader::channels(const Node& node, MeterSettings& meter, bool known) {
  const auto take = [&](const Node& one) {
    if (known)
      channel(one, meter);
    else
      ++next_channel_;
  };
  for (std::size_t i = 0; i < node.size(); ++i) {
    const std::string& name = node.key(i);
    const bool several = name == "channels";
    if (!several && name != "channel") continue;
    const Node list = node.child(i);
    if (list.mark->damaged || list.value->is_null()) continue;
    if (several && list.value->is_array()) {
      for (std::size_t k = 0; k < list.size(); ++k) take(list.child(k));
    } else if (!several && list.value->is_object()) {
      take(list);
    } else {
      const bool swapped = list.value->is_array() || list.value->is_object();
      problems_.warning(list.position(),
                        fmt::format("Ignoring {}, which is {}; expected {}{}", shown(name), described(*list.value),
                                    several ? "an array [ { ... } ]" : "an object { ... }",
                                    !swapped  ? ""
                                    : several ? ", or the name \"channel\""
                                              : ", or the name \"channels\""));
    }
  }
}

void MeterReader::channel(const Node& node, MeterSettings& meter) {
  ChannelSettings channel;
  channel.number = next_channel_++;
  if (node.mark->damaged || problems_.full_of_errors()) return;
  if (!node.value->is_object()) {
    problems_.error(node.position(), fmt::format("found {} where a channel was expected: an object {{ \"uuid\": ... }}",
                                                 described(*node.value)));
    return;
  }
  report_nulls(node, problems_);
  constexpr std::string_view kReadHere[] = {"uuid", "identifier", "api"};
  Options common;
  read_options(node, {channel_options(), OnDefect::refuse, "a channel", kReadHere}, common, problems_);
  constexpr std::pair<std::string_view, AggMode> kModes[] = {
      {"none", AggMode::none}, {"max", AggMode::max}, {"sum", AggMode::sum}, {"avg", AggMode::avg}};
  for (const auto& [text, mode] : kModes)
    if (common.string("aggmode") == text) channel.aggmode = mode;
  channel.duplicates = static_cast<int>(common.integer("duplicates"));
  if (!common.string("unit").empty()) channel.unit = Unit{common.string("unit")};
  channel.mqtt_topic = common.string("mqtt_topic");
  channel.uuid = uuid(node);
  identifier(node, *meter.protocol, channel);
  channel.sink = sink(node, channel.api_text);
  if (channel.sink != nullptr) {
    sink_options(node, meter.enabled ? OnDefect::refuse : OnDefect::warn, channel);
    note_twin(node, meter, channel);
  }
  meter.channels.push_back(std::move(channel));
}

std::string MeterReader::uuid(const Node& node) {
  const auto given = node.find("uuid");
  if (!given) {
    problems_.error(node.position(), fmt::format("Missing UUID: a channel needs \"uuid\"; {}", kWhereUuidsAre));
    return {};
  }
  if (given->mark->damaged || given->value->is_null()) return {};
  if (!given->value->is_string()) {
    problems_.error(given->position(), "Missing UUID: found another type, expected a text in quotes");
    return {};
  }
  const auto& uuid = given->value->get_ref<const std::string&>();
  const std::string defect = uuid_defect(uuid);
  if (!defect.empty()) {
    problems_.error(given->position(), defect);
  } else if (uuid.size() != kUuidLength) {
    const std::string what =
        uuid.empty() ? "the uuid is empty" : fmt::format("the uuid {} has {}", uuid_tail(uuid), uuid.size());
    problems_.warning(
        given->position(),
        fmt::format("{}, a real one has {} characters: a middleware does not know it and will refuse the readings; it "
                    "does no harm where nothing is sent (api null)",
                    what, kUuidLength));
  }
  return uuid;
}

void MeterReader::identifier(const Node& node, const Protocol& protocol, ChannelSettings& channel) {
  const auto given = node.find("identifier");
  if (given && (given->mark->damaged || given->value->is_null())) return;
  const bool usable = given && given->value->is_string();
  channel.identifier_text = usable ? given->value->get<std::string>() : std::string{kNilIdentifier};
  const Position place = given ? given->position() : node.position();
  const std::string type_note =
      given && !usable ? fmt::format(" (found {}, expected a text in quotes)", described(*given->value)) : "";
  auto parsed = Identifier::parse(protocol.identifiers, channel.identifier_text);
  if (!parsed) {
    problems_.error(place, usable ? fmt::format("Invalid id: {} is no identifier of protocol {}; {}",
                                                shown(channel.identifier_text), protocol.name,
                                                identifier_form(protocol.identifiers, channel.identifier_text))
                                  : fmt::format("Identifier is not set{}, but protocol {} needs one; {}", type_note,
                                                protocol.name, identifier_form(protocol.identifiers, {})));
    return;
  }
  if (!usable && protocol.identifiers == IdentifierKind::string)
    problems_.warning(place,
                      fmt::format("Identifier is not set{}. Using default value 'NilIdentifier', which no reading of "
                                  "protocol {} has; for readings without a name write \"identifier\": \"\"",
                                  type_note, protocol.name));
  channel.identifier = std::move(*parsed);
}

/// Null only if the registry has no volkszaehler.
const SinkType* MeterReader::sink(const Node& node, std::string& api) {
  const auto given = node.find("api");
  api = kDefaultApi;
  const SinkType* fallback = by_name(registry_.sinks, kDefaultApi);
  if (!given || given->mark->damaged || given->value->is_null()) return fallback;
  if (!given->value->is_string() || given->value->get_ref<const std::string&>().empty()) {
    problems_.warning(given->position(), fmt::format("api is {}; using {}; known are {}",
                                                     given->value->is_string() ? "empty" : described(*given->value),
                                                     kDefaultApi, join(names(registry_.sinks), ", ", " and ")));
    return fallback;
  }
  api = given->value->get<std::string>();
  if (const SinkType* found = by_name(registry_.sinks, api)) return found;
  problems_.warning(given->position(), fmt::format("Wrong config! api: {} is unknown! Using {}{}", shown(api),
                                                   kDefaultApi, advice(api, names(registry_.sinks))));
  return fallback;
}

void MeterReader::sink_options(const Node& node, OnDefect on_defect, ChannelSettings& channel) {
  const SinkType& sink = *channel.sink;
  const std::string owner = fmt::format("api {}", sink.name);
  const bool good = read_options(node, {sink.options, on_defect, owner}, channel.options, problems_);

  const std::span<const OptionSpec> tables[] = {channel_options(), sink.options};
  for_unknown(node, tables, {}, [&](const Node& member, std::string_view name) {
    if (member.value->is_null() || !problems_.room_for_warning()) return;
    problems_.warning(member.key_position(), unknown_name(name, {Level::channel, sink.options}, registry_));
  });

  if (!good) return;
  std::vector<Problem> found;
  ProblemSink problem_sink{channel.options, found};
  sink.make(channel.options, {.user_agent = {}, .uuid = channel.uuid, .duplicates = channel.duplicates}, problem_sink);
  for (auto& problem : on_defect == OnDefect::warn ? as_warnings(std::move(found)) : std::move(found))
    problems_.add(std::move(problem));
}

/// Two channels that write to one: nothing forbids it, and it is nearly always a copy that was not finished.
void MeterReader::note_twin(const Node& node, const MeterSettings& meter, const ChannelSettings& channel) {
  if (!meter.enabled || channel.uuid.empty() || channel.sink->name == "null") return;
  const auto [earlier, is_new] =
      seen_.try_emplace(fmt::format("{} {}", channel.sink->name, lower(channel.uuid)), node.path);
  const auto given = node.find("uuid");
  if (is_new || !given) return;
  problems_.warning(given->position(),
                    fmt::format("the same uuid as {}: the readings of both go into the same channel", earlier->second));
}

}  // namespace vz::config
