// SPDX-License-Identifier: GPL-3.0-or-later
// Protocol sml: Smart Message Language, transport version 1.
#include <algorithm>

#include "core/ascii.hpp"
#include "core/endpoint_options.hpp"
#include "core/hex.hpp"
#include "protocols/sml/session.hpp"
#include "vz/protocol.hpp"

namespace vz::protocols {
namespace {

constexpr OptionSpec kOptions[] = {
    {.name = "device", .help = "serial port of the reading head, best by its stable name below /dev/serial/by-id"},
    {.name = "host", .help = "instead of device: TCP peer that forwards the meter, name:port or [IPv6]:port"},
    {.name = "dump_file", .help = "append everything received and sent to this file, in hexadecimal and text"},
    {.name = "pullseq", .help = "bytes that ask the meter for a readout, in hexadecimal; without it the meter sends by itself"},
    {.name = "use_local_time", .type = OptionType::boolean, .default_text = "false",
     .help = "true: never the meter's time; false: the meter's where it differs from the computer's by ten minutes at most"},
    {.name = "baudrate", .type = OptionType::integer, .unit = "Bd", .default_text = "9600", .help = "speed of the line",
     .check = check_baud},
    {.name = "parity", .default_text = "\"8n1\"", .help = "data bits, parity, stop bits; SML needs 8n1", .choices = "8n1|7n1|7e1|7o1"},
    {.name = "read_timeout", .type = OptionType::integer, .unit = "s", .default_text = "10",
     .help = "silence after which a readout has failed"},
    {.name = "unsigned_power", .default_text = "\"auto\"",
     .help = "for meters that show high positive power as negative (DZG): on: power of one or two bytes has no sign; auto: "
             "only that of DZG meters known for it",
     .choices = "auto|on|off"},
    {.name = "sign_from_status", .type = OptionType::boolean, .default_text = "false",
     .help = "true: the total power becomes negative while the meter's status word says that energy is fed in"},
    {.name = "status_sign_bit", .type = OptionType::integer, .help = "which bit of the status word says so; default: as its layout tells",
     .min = 0, .max = 63},
};

bool interval_allowed(const Options& options) { return !options.string("pullseq").empty(); }

sml::UnsignedPower unsigned_power(const std::string& text) {
  if (equal_ignoring_case(text, "on")) return sml::UnsignedPower::on;
  if (equal_ignoring_case(text, "off")) return sml::UnsignedPower::off;
  return sml::UnsignedPower::automatic;
}

std::unique_ptr<MeterSource> make(const Options& options, ProblemSink& problems) {
  auto endpoint = endpoint_option(options, problems);
  sml::SmlSettings settings;
  settings.pull_sequence = parse_hex(options.string("pullseq"));
  if (auto odd = hex_problem(options.string("pullseq")); !odd.empty()) problems.warning("pullseq", std::move(odd));
  settings.line.baud = static_cast<unsigned>(options.integer("baudrate"));
  if (character_format(options.string("parity")) != CharacterFormat::n8)
    problems.warning("parity", "cannot be, because SML needs all eight bits of a character; 8n1 is used");
  settings.read_timeout = std::chrono::seconds{std::clamp<std::int64_t>(options.integer("read_timeout"), 1, 3600)};
  if (options.integer("read_timeout") < 1)
    problems.warning("read_timeout", "is less than one second; one second is used");
  settings.mapping.use_local_time = options.boolean("use_local_time");
  settings.mapping.unsigned_power = unsigned_power(options.string("unsigned_power"));
  settings.mapping.sign_from_status = options.boolean("sign_from_status");
  if (options.has("status_sign_bit")) {
    settings.mapping.status_sign_bit = static_cast<unsigned>(options.integer("status_sign_bit"));
    if (!settings.mapping.sign_from_status)
      problems.warning("status_sign_bit", "has no effect without \"sign_from_status\": true");
  }
  if (!endpoint) return nullptr;
  settings.paced_line = std::holds_alternative<SerialPort>(*endpoint);
  auto source = std::make_unique<MeterSource>();
  source->endpoint = std::move(*endpoint);
  source->dump_file = options.string("dump_file");
  source->session = std::make_unique<sml::SmlSession>(std::move(settings));
  return source;
}

}  // namespace

extern const Protocol sml_protocol;
const Protocol sml_protocol{
    .name = "sml",
    .summary = "Smart Message Language as used by EDL-21, eHz and SyM²",
    .identifiers = IdentifierKind::obis,
    .options = kOptions,
    .interval_allowed = interval_allowed,
    .make = make,
};

}  // namespace vz::protocols
