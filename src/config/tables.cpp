// SPDX-License-Identifier: GPL-3.0-or-later
#include "config/tables.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "config/reader.hpp"
#include "config/text.hpp"
#include "core/unit_conversion.hpp"

namespace vz::config {
namespace {

std::string check_keepalive(const OptionValue& value) {
  const auto seconds = std::get<std::int64_t>(value);
  return seconds > 0 && seconds < 5 ? "too short; allowed is 0 (off) or at least 5" : std::string{};
}

std::string check_cors(const OptionValue& value) {
  const auto& text = std::get<std::string>(value);
  if (text.empty() || text == "*") return {};
  const bool plain = std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c <= '~' && c != ','; });
  const auto scheme = text.find("://");
  if (plain && scheme != std::string::npos && scheme > 0 && text.find('/', scheme + 3) == std::string::npos) return {};
  return "give * for every page, or one origin without a path, such as http://nas.local:8123";
}

std::string check_unit(const OptionValue& value) {
  const auto& text = std::get<std::string>(value);
  if (text.empty() || is_known_unit(text)) return {};
  return fmt::format("there is no such unit here; known are {}", known_units());
}

constexpr OptionSpec kGeneral[] = {
    {.name = "verbosity",
     .type = OptionType::integer,
     .help = "how much is logged: 0 alerts, 1 errors, 3 warnings, 5 information, 10 debugging, 15 everything"},
    {.name = "log", .type = OptionType::string, .default_text = "\"\"", .help = "log file; empty: none"},
    {.name = "retry",
     .type = OptionType::integer,
     .unit = "s",
     .default_text = "15",
     .help = "first pause after a failed request; it grows while requests keep failing"},
    {.name = "daemon",
     .type = OptionType::boolean,
     .help = "without effect, for old files; only true is allowed (the opposite is the switch -f)"},
    {.name = "i_have_a_time_machine",
     .type = OptionType::boolean,
     .default_text = "false",
     .help = "accept readings with time stamps before 1990"},
};

constexpr OptionSpec kLocal[] = {
    {.name = "enabled", .type = OptionType::boolean, .default_text = "false", .help = "serve readings over HTTP"},
    {.name = "port", .type = OptionType::integer, .default_text = "8080", .help = "TCP port", .min = 0, .max = 65535},
    {.name = "index", .type = OptionType::boolean, .default_text = "false", .help = "list all channels at /"},
    {.name = "timeout",
     .type = OptionType::integer,
     .unit = "s",
     .default_text = "30",
     .help = "longest wait of a request that asks for new readings (mode=comet)"},
    {.name = "buffer",
     .type = OptionType::integer,
     .default_text = "-1",
     .help = "readings kept for each channel: n > 0 those of the last n seconds, n < 0 the last -n readings"},
    {.name = "address",
     .type = OptionType::string,
     .default_text = "\"\"",
     .help = "address of this machine to listen on, e.g. 127.0.0.1 for this machine alone; empty: all, IPv6 and IPv4"},
    {.name = "cors",
     .type = OptionType::string,
     .default_text = "\"\"",
     .help = "origin of the web pages that may read this interface from a browser, or * for all; empty: none",
     .check = check_cors},
    {.name = "connections",
     .type = OptionType::integer,
     .default_text = "640",
     .help = "connections at once; seven eighths of them may wait with mode=comet",
     .min = 8,
     .max = 10000},
};

constexpr OptionSpec kPush[] = {
    {.name = "url", .type = OptionType::string, .help = "where readings are sent as they come", .required = true},
};

constexpr OptionSpec kMqtt[] = {
    {.name = "enabled", .type = OptionType::boolean, .default_text = "false", .help = "publish readings with MQTT"},
    {.name = "host", .type = OptionType::string, .default_text = "\"\"", .help = "name or address of the broker"},
    {.name = "port",
     .type = OptionType::integer,
     .help = "TCP port of the broker, usually 1883, with TLS 8883; without it MQTT stays off",
     .min = 0,
     .max = 65535},
    {.name = "keepalive",
     .type = OptionType::integer,
     .unit = "s",
     .default_text = "10",
     .help = "longest silence before the connection is probed; 0: never",
     .min = 0,
     .max = 65535,
     .check = check_keepalive},
    {.name = "user", .type = OptionType::string, .default_text = "\"\"", .help = "user name at the broker"},
    {.name = "pass",
     .type = OptionType::string,
     .default_text = "\"\"",
     .help = "password at the broker",
     .secret = true},
    {.name = "cafile",
     .type = OptionType::string,
     .default_text = "\"\"",
     .help = "file with the CA certificates that vouch for the broker; turns TLS on"},
    {.name = "capath",
     .type = OptionType::string,
     .default_text = "\"\"",
     .help = "folder with such certificates; turns TLS on"},
    {.name = "certfile",
     .type = OptionType::string,
     .default_text = "\"\"",
     .help = "our own certificate; needs keyfile"},
    {.name = "keyfile", .type = OptionType::string, .default_text = "\"\"", .help = "the key of certfile"},
    {.name = "keypass",
     .type = OptionType::string,
     .default_text = "\"\"",
     .help = "password of keyfile",
     .secret = true},
    {.name = "topic", .type = OptionType::string, .default_text = "\"vzlogger\"", .help = "what all topics begin with"},
    {.name = "id",
     .type = OptionType::string,
     .default_text = "\"\"",
     .help = "client name at the broker; empty: vzlogger_ and the process number"},
    {.name = "retain",
     .type = OptionType::boolean,
     .default_text = "false",
     .help = "ask the broker to keep the last message of each topic"},
    {.name = "rawAndAgg",
     .type = OptionType::boolean,
     .default_text = "false",
     .help = "publish raw readings of channels with an aggmode, too"},
    {.name = "qos",
     .type = OptionType::integer,
     .default_text = "0",
     .help = "quality of service of all messages",
     .min = 0,
     .max = 2},
    {.name = "timestamp",
     .type = OptionType::boolean,
     .default_text = "false",
     .help = "publish JSON with time stamp and value instead of the bare value"},
    {.name = "discovery",
     .type = OptionType::boolean,
     .default_text = "false",
     .help = "tell Home Assistant about meters and channels, and whether they work"},
    {.name = "discoveryPrefix",
     .type = OptionType::string,
     .default_text = "\"homeassistant\"",
     .help = "where Home Assistant looks for that; its own option discovery_prefix"},
};

constexpr OptionSpec kMeter[] = {
    {.name = "protocol",
     .type = OptionType::string,
     .help = "how the meter speaks; in any letter case",
     .required = true},
    {.name = "enabled", .type = OptionType::boolean, .default_text = "false", .help = "read this meter"},
    {.name = "allowskip",
     .type = OptionType::boolean,
     .default_text = "false",
     .help = "run without this meter when it cannot be opened at the start"},
    {.name = "interval",
     .type = OptionType::integer,
     .unit = "s",
     .default_text = "-1",
     .help = "pause before each read but the first; 0 or less: none. Only for protocols that ask the meter"},
    {.name = "aggtime",
     .type = OptionType::integer,
     .unit = "s",
     .default_text = "-1",
     .help = "length of the windows that aggmode sums up; 0 or less: each read by itself"},
    {.name = "aggfixedinterval",
     .type = OptionType::boolean,
     .default_text = "false",
     .help = "round the time stamps of aggregated readings down to multiples of aggtime"},
};

constexpr OptionSpec kChannel[] = {
    {.name = "uuid",
     .type = OptionType::string,
     .help = "the channel at the middleware, as shown behind the (i) next to it in the frontend",
     .required = true,
     .secret = true},
    {.name = "identifier",
     .type = OptionType::string,
     .help = "which readings of the meter: an OBIS code such as 1-0:1.8.0, or what the protocol says"},
    {.name = "api", .type = OptionType::string, .default_text = "\"volkszaehler\"", .help = "where readings go"},
    {.name = "aggmode",
     .type = OptionType::string,
     .default_text = "\"none\"",
     .help = "what becomes of the readings of a window: the largest, the sum, the mean, or all of them",
     .choices = "none|max|sum|avg"},
    {.name = "duplicates",
     .type = OptionType::integer,
     .unit = "s",
     .default_text = "0",
     .help = "leave out a reading that equals the one before, unless that is this old; 0: never",
     .min = 0},
    {.name = "unit",
     .type = OptionType::string,
     .default_text = "\"\"",
     .help = "convert the readings to this unit, kWh to Wh for example; empty: the number that the meter shows",
     .check = check_unit},
    {.name = "mqtt_topic",
     .type = OptionType::string,
     .default_text = "\"\"",
     .help = "the channel's part of its MQTT topics; empty: chn and its number"},
};

constexpr std::string_view kGeneralSections[] = {"local", "push", "mqtt", "outbox", "meters", "sensors"};
constexpr std::string_view kMeterSections[] = {"channels", "channel"};

bool in_choices(const OptionSpec& spec, const OptionValue& value) {
  if (spec.choices.empty()) return true;
  const auto* text = std::get_if<std::string>(&value);
  const auto* whole = std::get_if<std::int64_t>(&value);
  const auto choices = split(spec.choices, '|');
  return std::any_of(choices.begin(), choices.end(), [&](std::string_view choice) {
    return (text != nullptr && *text == choice) || (whole != nullptr && fmt::format("{}", *whole) == choice);
  });
}

bool in_range(const OptionSpec& spec, const OptionValue& value) {
  if (const auto* whole = std::get_if<std::int64_t>(&value))
    return static_cast<double>(*whole) >= spec.min && static_cast<double>(*whole) <= spec.max;
  if (const auto* real = std::get_if<double>(&value)) return *real >= spec.min && *real <= spec.max;
  return true;
}

}  // namespace

std::span<const OptionSpec> general_options() { return kGeneral; }
std::span<const OptionSpec> local_options() { return kLocal; }
std::span<const OptionSpec> push_options() { return kPush; }
std::span<const OptionSpec> mqtt_options() { return kMqtt; }
std::span<const OptionSpec> meter_options() { return kMeter; }
std::span<const OptionSpec> channel_options() { return kChannel; }
std::span<const std::string_view> general_sections() { return kGeneralSections; }
std::span<const std::string_view> meter_sections() { return kMeterSections; }

const OptionSpec* find_option(std::span<const OptionSpec> table, std::string_view name) {
  const auto found =
      std::find_if(table.begin(), table.end(), [&](const OptionSpec& spec) { return spec.name == name; });
  return found == table.end() ? nullptr : &*found;
}

OptionValue default_value(const OptionSpec& spec) {
  if (spec.default_text.empty()) return {};
  Problems problems;
  const Document document = read(spec.default_text, problems);
  if (problems.has_errors()) return {};
  const Value& value = document.value;
  switch (spec.type) {
    case OptionType::boolean:
      if (value.is_boolean()) return value.get<bool>();
      break;
    case OptionType::integer:
      if (value.is_number_integer()) return value.get<std::int64_t>();
      break;
    case OptionType::real:
      if (value.is_number()) return value.get<double>();
      break;
    case OptionType::string:
      if (value.is_string()) return value.get<std::string>();
      break;
  }
  return {};
}

std::vector<std::string> table_defects(std::span<const OptionSpec> table) {
  std::vector<std::string> defects;
  std::vector<std::string_view> names;
  for (const auto& spec : table) {
    const auto defect = [&](std::string_view what) { defects.push_back(fmt::format("{}: {}", spec.name, what)); };
    names.push_back(spec.name);
    const auto aliases = split(spec.aliases, '|');
    names.insert(names.end(), aliases.begin(), aliases.end());
    if (spec.help.empty()) defect("has no help");
    if (spec.min > spec.max) defect("its range is empty");
    if (spec.required && !spec.default_text.empty()) defect("is required and has a default");
    if (spec.default_text.empty()) continue;
    const OptionValue value = default_value(spec);
    if (std::holds_alternative<std::monostate>(value))
      defect("its default is no value of its type");
    else if (!in_choices(spec, value) || !in_range(spec, value))
      defect("its default is not allowed");
    else if (spec.check != nullptr && !spec.check(value).empty())
      defect("its default does not pass its check");
  }
  std::sort(names.begin(), names.end());
  for (auto twice = std::adjacent_find(names.begin(), names.end()); twice != names.end();
       twice = std::adjacent_find(twice + 1, names.end()))
    defects.push_back(fmt::format("{}: stands twice", *twice));
  return defects;
}

}  // namespace vz::config
