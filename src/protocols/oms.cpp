// SPDX-License-Identifier: GPL-3.0-or-later
// Protocol oms: wired M-Bus, with the encryption of the Open Metering System.
#include <fmt/format.h>

#include <algorithm>

#include "core/ascii.hpp"
#include "core/endpoint_options.hpp"
#include "core/hex.hpp"
#include "protocols/oms/session.hpp"
#include "vz/protocol.hpp"

namespace vz::protocols {
namespace {

constexpr std::size_t kKeyDigits = 32;
constexpr std::int64_t kPushTimeout = 60;
constexpr std::int64_t kPullTimeout = 3;

std::string check_secondary(const OptionValue& value) {
  const auto& text = std::get<std::string>(value);
  if ((text.size() == 8 || text.size() == 16) && all_hex_digits(text)) return {};
  return "not a secondary address; expected the meter's 8 digits, or 16 hexadecimal digits with manufacturer, version and medium";
}

std::string check_bus_baud(const OptionValue& value) {
  constexpr std::int64_t kSpeeds[] = {300, 600, 1200, 2400, 4800, 9600, 19200, 38400};
  const auto baud = std::get<std::int64_t>(value);
  if (std::find(std::begin(kSpeeds), std::end(kSpeeds), baud) != std::end(kSpeeds)) return {};
  return fmt::format("{} is not a speed of an M-Bus; expected one of {}", baud, fmt::join(kSpeeds, ", "));
}

constexpr OptionSpec kOptions[] = {
    {.name = "device", .help = "serial port of the M-Bus converter, best by its stable name below /dev/serial/by-id"},
    {.name = "host", .help = "instead of device: TCP peer that forwards the bus, name:port or [IPv6]:port"},
    {.name = "key", .help = "key of the meter, 32 hexadecimal digits; without it only frames that are not encrypted can be read",
     .secret = true},
    {.name = "baudrate", .type = OptionType::integer, .unit = "Bd", .default_text = "9600", .help = "speed of the bus, 8E1",
     .check = check_bus_baud},
    {.name = "address", .type = OptionType::integer,
     .help = "primary address of a meter that has to be asked (254: whoever there is); without it the meter sends by itself",
     .min = 0, .max = 254},
    {.name = "secondary_address", .help = "ask the meter with this number (8 digits; or 16 with manufacturer, version, medium)",
     .check = check_secondary},
    {.name = "read_timeout", .type = OptionType::integer, .unit = "s",
     .help = "silence after which a readout has failed; default 60, or 3 for a meter that is asked", .min = 1, .max = 86400},
    {.name = "use_local_time", .type = OptionType::boolean, .default_text = "false",
     .help = "true: never the meter's time; false: the meter's where it differs from the computer's by ten minutes at most"},
    {.name = "mbus_debug", .type = OptionType::boolean, .default_text = "false",
     .help = "true: each record of a telegram into the log, with the register that it becomes"},
    {.name = "dump_file", .help = "append everything received and sent to this file, in hexadecimal and text"},
};

bool is_pulled(const Options& options) { return options.has("address") || !options.string("secondary_address").empty(); }

bool interval_allowed(const Options& options) { return is_pulled(options); }

/// Nothing, and a problem, if it is no key. A digit that is none counts as the old daemon counted it.
std::optional<AesBlock> key_option(const Options& options, ProblemSink& problems) {
  const std::string& text = options.string("key");
  if (text.empty()) return std::nullopt;
  if (text.size() != kKeyDigits) {
    problems.error("key", fmt::format("Key length needs to be 32! key has {} characters; expected 32 hexadecimal digits", text.size()));
    return std::nullopt;
  }
  if (!all_hex_digits(text))
    problems.warning("key", "key has characters that are no hexadecimal digits, so that nothing can be decrypted with it");
  const auto bytes = parse_hex(text);
  AesBlock key{};
  std::copy_n(bytes.begin(), std::min(bytes.size(), key.size()), key.begin());
  return key;
}

/// The number is sent low byte first; what is not given matches any meter.
std::optional<oms::SecondaryAddress> secondary_option(const std::string& text) {
  if (text.empty()) return std::nullopt;
  oms::SecondaryAddress address;
  address.fill(std::byte{0xFF});
  const auto bytes = parse_hex(text);
  std::copy(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(std::min(bytes.size(), address.size())), address.begin());
  std::reverse(address.begin(), address.begin() + 4);
  return address;
}

std::unique_ptr<MeterSource> make(const Options& options, ProblemSink& problems) {
  auto endpoint = endpoint_option(options, problems);
  oms::OmsSettings settings;
  settings.telegram.key = key_option(options, problems);
  const bool bad_key = !settings.telegram.key && !options.string("key").empty();
  settings.telegram.use_local_time = options.boolean("use_local_time");
  settings.telegram.show_records = options.boolean("mbus_debug");
  settings.line.baud = static_cast<unsigned>(options.integer("baudrate"));
  settings.secondary = secondary_option(options.string("secondary_address"));
  if (options.has("address")) settings.address = static_cast<std::uint8_t>(options.integer("address"));
  if (settings.address && settings.secondary)
    problems.warning("address", "address is not used, because secondary_address is given as well");
  const std::int64_t usual = is_pulled(options) ? kPullTimeout : kPushTimeout;
  settings.read_timeout = std::chrono::seconds{options.has("read_timeout") ? options.integer("read_timeout") : usual};
  if (!endpoint || bad_key) return nullptr;
  settings.paced_line = std::holds_alternative<SerialPort>(*endpoint);
  auto source = std::make_unique<MeterSource>();
  source->endpoint = std::move(*endpoint);
  source->dump_file = options.string("dump_file");
  source->session = std::make_unique<oms::OmsSession>(settings);
  return source;
}

}  // namespace

extern const Protocol oms_protocol;
const Protocol oms_protocol{
    .name = "oms",
    .summary = "OMS (M-BUS) protocol based devices",
    .identifiers = IdentifierKind::obis,
    .options = kOptions,
    .interval_allowed = interval_allowed,
    .make = make,
};

}  // namespace vz::protocols
