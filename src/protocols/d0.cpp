// SPDX-License-Identifier: GPL-3.0-or-later
// Protocol d0: IEC 62056-21 (plain text, modes A to D) and DSMR P1.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>

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
};

bool interval_allowed(const Options& options) { return !options.string("pullseq").empty(); }

d0::ChecksumMode checksum_mode(const std::string& text) {
  if (equal_ignoring_case(text, "warn")) return d0::ChecksumMode::warn;
  if (equal_ignoring_case(text, "off")) return d0::ChecksumMode::off;
  return d0::ChecksumMode::automatic;
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
