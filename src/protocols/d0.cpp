// SPDX-License-Identifier: GPL-3.0-or-later
// Protocol d0: IEC 62056-21 (plain text, modes A to D) and DSMR P1.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "core/ascii.hpp"
#include "core/endpoint_options.hpp"
#include "core/hex.hpp"
#include "protocols/d0/session.hpp"
#include "vz/protocol.hpp"

namespace vz::protocols {
namespace {

/// The old daemon took any text as hexadecimal; so does this one, but it says what is odd.
void check_hex_option(const char* name, const Options& options, ProblemSink& problems) {
  if (auto odd = hex_problem(options.string(name)); !odd.empty()) problems.warning(name, fmt::format("{} {}", name, odd));
}

std::string check_key(const OptionValue& value) {
  const auto& text = std::get<std::string>(value);
  if (text.empty() || parse_aes_key(text)) return {};
  return fmt::format("is no key: expected 32 hexadecimal digits, and nothing else; found {} characters", text.size());
}

/// Some write it with the security control byte in front, as the whole of the additional authenticated data.
std::string_view authentication_key_digits(std::string_view text) {
  constexpr std::string_view kSecurityControl = "30";
  constexpr std::size_t kDigits = 32;
  return text.size() == kSecurityControl.size() + kDigits && text.starts_with(kSecurityControl) ? text.substr(kSecurityControl.size()) : text;
}

std::string check_authentication_key(const OptionValue& value) {
  return check_key(std::string{authentication_key_digits(std::get<std::string>(value))});
}

constexpr OptionSpec kOptions[] = {
    {.name = "device", .help = "serial port of the reading head, best by its stable name below /dev/serial/by-id"},
    {.name = "host", .help = "instead of device: TCP peer that forwards the meter, name:port or [IPv6]:port"},
    {.name = "dump_file", .help = "append everything received and sent to this file, in hexadecimal and text"},
    {.name = "pullseq", .help = "bytes that ask the meter for a readout, in hexadecimal; without it the meter sends by itself"},
    {.name = "ackseq", .help = "bytes that acknowledge the identification, in hexadecimal, or auto: what the meter offers"},
    {.name = "baudrate", .type = OptionType::integer, .unit = "Bd", .default_text = "9600",
     .help = "speed at which the conversation starts", .check = check_baud},
    {.name = "baudrate_read", .type = OptionType::integer, .unit = "Bd",
     .help = "speed after the acknowledge (or, without ackseq, of a mode B meter's readout); default: baudrate",
     .check = check_baud},
    {.name = "parity", .default_text = "\"7e1\"", .help = "data bits, parity, stop bits", .choices = "8n1|7n1|7e1|7o1"},
    {.name = "wait_sync", .default_text = "\"off\"",
     .help = "kept for old files: the first, incomplete telegram of a pushing meter is always skipped", .choices = "off|end"},
    {.name = "read_timeout", .type = OptionType::integer, .unit = "s", .default_text = "10",
     .help = "silence after which a readout has failed"},
    {.name = "baudrate_change_delay", .type = OptionType::integer, .unit = "ms", .default_text = "0",
     .help = "pause before the request and after the acknowledge; 0: as long as the bytes need on the line"},
    {.name = "checksum", .default_text = "\"auto\"",
     .help = "auto: a telegram with a wrong check value (BCC, CRC) is refused; warn: used and reported; off: not looked at",
     .choices = "auto|warn|off"},
    {.name = "key", .help = "decrypts the telegrams of a P1 port (Luxembourg, Austria), 32 hexadecimal digits; the grid operator has it",
     .secret = true, .check = check_key},
    {.name = "auth_key", .help = "the authentication key that belongs to it, 32 hexadecimal digits; not needed in Luxembourg",
     .secret = true, .check = check_authentication_key},
    {.name = "use_local_time", .type = OptionType::boolean, .default_text = "false",
     .help = "true: never the meter's time; false: that of a P1 meter where it differs from the computer's by ten minutes at most"},
};

bool interval_allowed(const Options& options) { return !options.string("pullseq").empty(); }

d0::ChecksumMode checksum_mode(const std::string& text) {
  if (equal_ignoring_case(text, "warn")) return d0::ChecksumMode::warn;
  if (equal_ignoring_case(text, "off")) return d0::ChecksumMode::off;
  return d0::ChecksumMode::automatic;
}

/// Encrypted telegrams are bytes of eight bits, and decrypted ones are always checked.
void read_keys(const Options& options, d0::D0Settings& settings, ProblemSink& problems) {
  if (!options.string("key").empty()) settings.key = parse_aes_key(options.string("key"));
  if (!options.string("auth_key").empty()) 
    settings.authentication_key = parse_aes_key(authentication_key_digits(options.string("auth_key")));
  if (!settings.key) {
    if (settings.authentication_key) problems.error("auth_key", "auth_key alone decrypts nothing; key is needed as well");
    return;
  }
  if (!settings.pull_sequence.empty())
    problems.error("key", "key is for meters that send by themselves; leave out pullseq");
  if (options.given("parity") && settings.line.format != CharacterFormat::n8)
    problems.warning("parity", "parity cannot be, because encrypted telegrams need all eight bits of a character; 8n1 is used");
  settings.line.format = CharacterFormat::n8;
  if (settings.checksum != d0::ChecksumMode::automatic)
    problems.warning("checksum", "checksum has no effect on encrypted telegrams: they are always checked");
  settings.checksum = d0::ChecksumMode::automatic;
}

std::unique_ptr<MeterSource> make(const Options& options, ProblemSink& problems) {
  auto endpoint = endpoint_option(options, problems);
  d0::D0Settings settings;
  settings.pull_sequence = parse_hex(options.string("pullseq"));
  check_hex_option("pullseq", options, problems);
  const auto& ack = options.string("ackseq");
  if (equal_ignoring_case(ack, "auto")) {
    settings.acknowledge = d0::D0Settings::Acknowledge::automatic;
    if (ack != "auto") problems.warning("ackseq", fmt::format("ackseq \"{}\" is taken as \"auto\"", ack));
  } else if (!ack.empty()) {
    settings.acknowledge = d0::D0Settings::Acknowledge::fixed;
    settings.ack_sequence = parse_hex(ack);
    check_hex_option("ackseq", options, problems);
  }
  settings.line.baud = static_cast<unsigned>(options.integer("baudrate"));
  settings.line.format = character_format(options.string("parity"));
  if (options.has("baudrate_read")) settings.baud_read = static_cast<unsigned>(options.integer("baudrate_read"));
  settings.read_timeout = std::chrono::seconds{std::clamp<std::int64_t>(options.integer("read_timeout"), 1, 3600)};
  settings.change_delay = std::chrono::milliseconds{std::clamp<std::int64_t>(options.integer("baudrate_change_delay"), 0, 60'000)};
  settings.checksum = checksum_mode(options.string("checksum"));
  settings.use_local_time = options.boolean("use_local_time");
  read_keys(options, settings, problems);
  if (options.integer("read_timeout") < 1)
    problems.warning("read_timeout", "read_timeout is less than one second; one second is used");
  if (options.integer("baudrate_change_delay") < 0) problems.warning("baudrate_change_delay", "baudrate_change_delay is negative; 0 is used");
  if (options.has("baudrate_read") && ack.empty() && settings.pull_sequence.empty())
    problems.warning("baudrate_read", "baudrate_read has no effect, because a meter that sends by itself never changes its speed");
  if (!endpoint) return nullptr;
  settings.paced_line = std::holds_alternative<SerialPort>(*endpoint);
  auto source = std::make_unique<MeterSource>();
  source->endpoint = std::move(*endpoint);
  source->dump_file = options.string("dump_file");
  source->session = std::make_unique<d0::D0Session>(std::move(settings));
  return source;
}

}  // namespace

extern const Protocol d0_protocol;
const Protocol d0_protocol{
    .name = "d0",
    .summary = "DLMS/IEC 62056-21 plaintext protocol",
    .identifiers = IdentifierKind::obis,
    .options = kOptions,
    .interval_allowed = interval_allowed,
    .make = make,
};

}  // namespace vz::protocols
