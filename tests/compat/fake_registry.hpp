// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "config/config.hpp"

namespace vz::fake {

/// Protocols and APIs for tests of the configuration: the option tables of the well-known ones, and no behaviour.

/// A meter that never says anything.
class SilentSession final : public Session {
 public:
  LineSettings initial_line() const override { return {}; }
  bool pulls() const override { return true; }
  void opened(Instant, SessionOut&) override {}
  void begin(Instant, SessionOut&) override {}
  std::size_t received(std::span<const std::byte> bytes, Instant, MonoTime, SessionOut&) override { return bytes.size(); }
  void timer(Instant, SessionOut&) override {}
  void lost(Instant, SessionOut&) override {}
};

inline std::unique_ptr<MeterSource> silent() {
  auto source = std::make_unique<MeterSource>();
  source->session = std::make_unique<SilentSession>();
  return source;
}

inline std::string check_baudrate(const OptionValue& value) {
  for (const int known :
       {50, 75, 110, 134, 150, 200, 300, 600, 1200, 1800, 2400, 4800, 9600, 19200, 38400, 57600, 115200, 230400})
    if (std::get<std::int64_t>(value) == known) return {};
  return "no baud rate; usual ones are 300, 2400, 9600 and 115200";
}

inline constexpr OptionSpec kD0[] = {
    {.name = "host", .type = OptionType::string, .help = "name:port of a serial server"},
    {.name = "device", .type = OptionType::string, .help = "serial device"},
    {.name = "dump_file", .type = OptionType::string, .help = "file for all bytes"},
    {.name = "pullseq", .type = OptionType::string, .default_text = "\"\"", .help = "request, in hexadecimal"},
    {.name = "ackseq", .type = OptionType::string, .default_text = "\"\"", .help = "acknowledgement, or auto"},
    {.name = "baudrate",
     .type = OptionType::integer,
     .unit = "Bd",
     .default_text = "9600",
     .help = "first speed",
     .check = check_baudrate},
    {.name = "baudrate_read",
     .type = OptionType::integer,
     .unit = "Bd",
     .help = "speed after the acknowledgement",
     .check = check_baudrate},
    {.name = "parity",
     .type = OptionType::string,
     .default_text = "\"7e1\"",
     .help = "character format",
     .choices = "8n1|7n1|7e1|7o1"},
    {.name = "wait_sync",
     .type = OptionType::string,
     .default_text = "\"off\"",
     .help = "wait for the end of a telegram",
     .choices = "off|end"},
    {.name = "read_timeout", .type = OptionType::integer, .unit = "s", .default_text = "10", .help = "longest silence"},
    {.name = "baudrate_change_delay",
     .type = OptionType::integer,
     .unit = "ms",
     .default_text = "0",
     .help = "pause before the change"},
};

inline constexpr OptionSpec kSml[] = {
    {.name = "host", .type = OptionType::string, .help = "name:port of a serial server"},
    {.name = "device", .type = OptionType::string, .help = "serial device"},
    {.name = "pullseq", .type = OptionType::string, .default_text = "\"\"", .help = "request, in hexadecimal"},
    {.name = "use_local_time",
     .type = OptionType::boolean,
     .default_text = "false",
     .help = "do not believe the meter's clock"},
    {.name = "baudrate",
     .type = OptionType::integer,
     .unit = "Bd",
     .default_text = "9600",
     .help = "speed",
     .check = check_baudrate},
    {.name = "parity",
     .type = OptionType::string,
     .default_text = "\"8n1\"",
     .help = "character format",
     .choices = "8n1|7n1|7e1|7o1"},
};

inline constexpr OptionSpec kRandom[] = {
    {.name = "min", .type = OptionType::real, .default_text = "0.0", .help = "lower bound"},
    {.name = "max", .type = OptionType::real, .default_text = "0.0", .help = "upper bound"},
};

inline constexpr OptionSpec kFile[] = {
    {.name = "path", .type = OptionType::string, .help = "file or fifo", .required = true},
    {.name = "format", .type = OptionType::string, .default_text = "\"\"", .help = "pattern of a line"},
    {.name = "rewind", .type = OptionType::boolean, .default_text = "false", .help = "read from the start each time"},
};

inline constexpr OptionSpec kExec[] = {
    {.name = "command", .type = OptionType::string, .help = "for the shell", .required = true},
    {.name = "format", .type = OptionType::string, .default_text = "\"\"", .help = "pattern of a line"},
};

inline constexpr OptionSpec kFlukso[] = {
    {.name = "fifo", .type = OptionType::string, .default_text = "\"/var/run/spid/delta/out\"", .help = "fifo"},
};

inline constexpr OptionSpec kS0[] = {
    {.name = "device", .type = OptionType::string, .help = "serial device"},
    {.name = "gpio", .type = OptionType::integer, .default_text = "-1", .help = "pin"},
    {.name = "resolution",
     .type = OptionType::integer,
     .unit = "1/kWh",
     .default_text = "1000",
     .help = "impulses",
     .min = 1},
    {.name = "debounce_delay",
     .type = OptionType::integer,
     .unit = "ms",
     .default_text = "30",
     .help = "dead time",
     .min = 0},
};

inline constexpr OptionSpec kVolkszaehler[] = {
    {.name = "middleware", .type = OptionType::string, .help = "URL of the middleware", .required = true},
    {.name = "timeout",
     .type = OptionType::integer,
     .unit = "s",
     .default_text = "30",
     .help = "longest transfer",
     .min = 0},
};

inline constexpr OptionSpec kInfluxdb[] = {
    {.name = "host", .type = OptionType::string, .help = "URL of the server", .required = true},
    {.name = "database", .type = OptionType::string, .default_text = "\"vzlogger\"", .help = "database or bucket"},
    {.name = "token", .type = OptionType::string, .default_text = "\"\"", .help = "token", .secret = true},
    {.name = "max_batch_inserts",
     .type = OptionType::integer,
     .default_text = "4500",
     .help = "lines",
     .aliases = "batch_size",
     .secret = false},
    {.name = "ssl_verifypeer", .type = OptionType::boolean, .default_text = "true", .help = "check the certificate"},
    {.name = "timeout", .type = OptionType::integer, .unit = "s", .default_text = "30", .help = "longest transfer"},
};

inline constexpr OptionSpec kMysmartgrid[] = {
    {.name = "middleware", .type = OptionType::string, .help = "URL", .required = true},
    {.name = "device", .type = OptionType::string, .help = "device", .required = true},
    {.name = "type", .type = OptionType::string, .help = "kind", .required = true, .choices = "device|sensor"},
    {.name = "secretKey", .type = OptionType::string, .help = "key", .required = true, .secret = true},
    {.name = "interval",
     .type = OptionType::integer,
     .unit = "s",
     .default_text = "300",
     .help = "pause between messages"},
    {.name = "scaler", .type = OptionType::integer, .default_text = "1", .help = "factor"},
};

inline bool is_hex_pairs(const std::string& text) {
  return text.size() % 2 == 0 && text.find_first_not_of("0123456789abcdefABCDEF") == std::string::npos;
}

/// What a line protocol says about `device` and `host`.
inline std::unique_ptr<MeterSource> make_line(const Options& options, ProblemSink& problems) {
  const std::string& host = options.string("host");
  if (host.empty() && options.string("device").empty()) {
    problems.error("device", "Missing device or host: give \"device\" or \"host\"");
    return nullptr;
  }
  if (host.find("://") != std::string::npos) {
    problems.error("host", "host is a URL; write name:port");
    return nullptr;
  }
  if (!host.empty() && host.find(':') == std::string::npos)
    problems.warning("host", "host has no port; write name:port");
  if (host.find("::") != std::string::npos) problems.warning("host", "host has two colons; write name:port");
  if (!is_hex_pairs(options.string("pullseq")))
    problems.warning("pullseq", "pullseq is not in pairs of hexadecimal digits");
  return silent();
}

inline std::unique_ptr<MeterSource> make_d0(const Options& options, ProblemSink& problems) {
  auto source = make_line(options, problems);
  const std::string& ackseq = options.string("ackseq");
  if (ackseq != "auto" && !is_hex_pairs(ackseq))
    problems.warning("ackseq", "ackseq is not in pairs of hexadecimal digits");
  return source;
}

inline std::unique_ptr<MeterSource> make_silent(const Options&, ProblemSink&) { return silent(); }
inline std::unique_ptr<MeterSource> make_s0(const Options& options, ProblemSink& problems) {
  if (options.integer("gpio") >= 0 || !options.string("device").empty()) return silent();
  problems.error("device", "give \"device\" or \"gpio\"");
  return nullptr;
}
inline bool never(const Options&) { return false; }
inline bool with_pullseq(const Options& options) { return !options.string("pullseq").empty(); }

inline const Protocol kFileProtocol{"file",     "Read from file or fifo", IdentifierKind::string, kFile, nullptr,
                                    make_silent};
inline const Protocol kExecProtocol{"exec",     "Parse program output", IdentifierKind::string, kExec, nullptr,
                                    make_silent};
inline const Protocol kRandomProtocol{"random",   "Generate random values", IdentifierKind::nil, kRandom, nullptr,
                                      make_silent};
inline const Protocol kFluksoProtocol{"fluksov2", "Read from Flukso", IdentifierKind::flukso, kFlukso,
                                      nullptr,    make_silent};
inline const Protocol kS0Protocol{"s0", "S0-meter", IdentifierKind::string, kS0, never, make_s0};
inline const Protocol kD0Protocol{
    "d0", "DLMS/IEC 62056-21 plaintext protocol", IdentifierKind::obis, kD0, with_pullseq, make_d0};
inline const Protocol kSmlProtocol{"sml", "Smart Message Language", IdentifierKind::obis, kSml, never, make_line};
inline const Protocol* const kProtocols[] = {&kFileProtocol, &kExecProtocol, &kRandomProtocol, &kFluksoProtocol,
                                             &kS0Protocol,   &kD0Protocol,   &kSmlProtocol};

class NoSink final : public Sink {
 public:
  std::string endpoint() const override { return {}; }
  std::size_t max_batch() const override { return 1; }
  HttpRequest encode(std::span<const QueuedReading>) const override { return {}; }
  Judgement classify(const HttpReply&, std::span<const QueuedReading>) const override { return {}; }
};

inline std::unique_ptr<Sink> make_sink(const Options&, const SinkContext&, ProblemSink&) {
  return std::make_unique<NoSink>();
}
inline std::unique_ptr<Sink> make_http_sink(const Options& options, const SinkContext&, ProblemSink& problems) {
  if (!options.string("middleware").empty()) return std::make_unique<NoSink>();
  problems.error("middleware", "middleware is empty; write the URL of the middleware");
  return nullptr;
}

inline const SinkType kVolkszaehlerSink{"volkszaehler", "the middleware", kVolkszaehler, make_http_sink};
inline const SinkType kMysmartgridSink{"mysmartgrid", "mySmartGrid", kMysmartgrid, make_sink};
inline const SinkType kInfluxdbSink{"influxdb", "InfluxDB", kInfluxdb, make_sink};
inline const SinkType kNullSink{"null", "nothing", {}, make_sink};
inline const SinkType* const kSinks[] = {&kVolkszaehlerSink, &kMysmartgridSink, &kInfluxdbSink, &kNullSink};

inline config::Registry registry() { return {kProtocols, kSinks}; }

}  // namespace vz::fake
