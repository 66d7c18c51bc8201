// SPDX-License-Identifier: GPL-3.0-or-later
// vzlogger read: one meter, now, on the terminal or for another program.
#include <fmt/format.h>
#include <sysexits.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <istream>
#include <iterator>
#include <optional>
#include <ostream>

#include "cli/borrow.hpp"
#include "cli/capture.hpp"
#include "cli/command_options.hpp"
#include "cli/help.hpp"
#include "cli/interrupt.hpp"
#include "cli/meter_choice.hpp"
#include "cli/readout.hpp"
#include "cli/session_runner.hpp"
#include "cli/traffic_text.hpp"
#include "config/tables.hpp"
#include "platform/clock.hpp"
#include "platform/transport_factory.hpp"
#include "platform/wait.hpp"

namespace vz::cli::commands {
namespace {

using std::chrono::seconds;

constexpr seconds kOpenLimit{15};
constexpr int kNotGood = 1;
constexpr std::int64_t kShortestLoan = 8;  // half of it outlasts kMeterRest

/// The options as they were typed.
struct Typed {
  std::string meter;
  std::string config = "/etc/vzlogger.conf";
  std::string protocol;
  std::string device;
  std::string host;
  std::vector<std::string> options;
  std::string capture;
  std::string hex;
  std::string format;
  bool csv = false;
  bool json = false;
  std::vector<std::string> columns;
  std::string separator = ",";
  bool on_change = false;
  double every = 0;
  std::uint64_t count = 0;
  double timeout = 60;
  bool verbose = false;
  std::string socket = default_socket();
  std::optional<std::int64_t> loan;
};

constexpr const char* kExamples = R"(Examples:
  the only meter of the configuration, once:        vzlogger read
  the second one, every 5 minutes, as CSV:          vzlogger read mtr1 --every 300 --csv
  an MT372, without any configuration:
    vzlogger read --protocol d0 --device /dev/ttyUSB0 -o pullseq=2F3F210D0A -o ackseq=auto -o baudrate=300
  chosen columns, a line only when a value changed (register=heading):
    vzlogger read --csv --on-change --every 3 --columns "time=Zeit,1.8.0=Bezug,2.8.0=Einspeisung"
  what a terminal program or dump_file recorded:    vzlogger read --capture dump.txt
  bytes from a forum post:                          vzlogger read --hex "1b1b1b1b 01010101 76..."

Status: 0 read; 1 the meter said nothing, or what it said was damaged and refused; 64 the command line is wrong;
69 the device or host is not there; 78 the configuration cannot be used.)";

void declare(CLI::App& app, Typed& typed) {
  app.add_option("meter", typed.meter, "Meter of the configuration, mtr0, mtr1 ... (Zähler)")->type_name("METER");
  app.add_option("-c,--config", typed.config, "Configuration file")->type_name("FILE")->capture_default_str()->group("Source");
  app.add_option("--protocol", typed.protocol, "No configuration: this protocol")->type_name("NAME")->group("Source");
  app.add_option("--device", typed.device, "Serial port of the reading head (Lesekopf)")->type_name("PATH")->group("Source");
  app.add_option("--host", typed.host, "TCP peer instead, name:port")->type_name("PEER")->group("Source");
  app.add_option("-o,--option", typed.options, "An option of the protocol, see --help-protocol; repeatable")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false)
      ->group("Source");
  auto* capture = app.add_option("--capture", typed.capture,
                                 "What was recorded: raw bytes, hexadecimal text or a dump_file; - is standard input (Mitschnitt)");
  capture->type_name("FILE")->group("Source");
  app.add_option("--hex", typed.hex, "Hexadecimal text on the command line")->type_name("TEXT")->excludes(capture)->group("Source");
  app.add_option("--format", typed.format, "table, csv or json (a line for each telegram)")
      ->check(CLI::IsMember({"table", "csv", "json"}))
      ->type_name("FORM")
      ->group("Output");
  app.add_flag("--csv", typed.csv, "The same as --format csv (Tabelle)")->group("Output");
  app.add_flag("--json", typed.json, "The same as --format json")->group("Output");
  app.add_option("--columns", typed.columns,
                 "CSV: registers in this order, CODE or CODE=HEADING, with commas between; `time` is the time (Spalten)")
      ->type_name("LIST")
      ->allow_extra_args(false)
      ->group("Output");
  app.add_option("--separator", typed.separator, "CSV: character between the columns")->capture_default_str()->type_name("C")->group("Output");
  app.add_flag("--on-change", typed.on_change, "CSV: only rows in which a value differs (nur bei Änderung)")->group("Output");
  app.add_option("--every", typed.every, "Read again after so many seconds, until interrupted; never sooner than the meter allows")
      ->check(CLI::Range(0.0, 86400.0))
      ->type_name("SECONDS")
      ->group("Repetition");
  app.add_option("--count", typed.count, "End after so many readings")->type_name("NUMBER")->group("Repetition");
  app.add_option("--timeout", typed.timeout, "Patience with a meter that says nothing of use")
      ->check(CLI::Range(1.0, 86400.0))
      ->capture_default_str()
      ->type_name("SECONDS")
      ->group("Repetition");
  app.add_flag("-v,--verbose", typed.verbose, "Show on standard error what goes over the line (Protokoll)")->group("Output");
  app.add_option("--socket", typed.socket, "Control socket of the daemon, which lends its line")
      ->type_name("PATH")
      ->capture_default_str()
      ->group("Source");
  app.add_option("--loan", typed.loan, "The daemon takes its line back when it has not heard from this command for so long")
      ->check(CLI::Range(kShortestLoan, std::int64_t{local::kLongestLending.count()}))
      ->type_name("SECONDS")
      ->default_str(fmt::to_string(local::kLendFor.count()))
      ->group("Source");
  app.footer(kExamples);
}

MonoDuration duration(double value) {
  return std::chrono::duration_cast<MonoDuration>(std::chrono::duration<double>(value));
}

/// Writes readouts in the chosen form.
class Printer {
 public:
  Printer(const Typed& typed, std::ostream& out)
      : out_(out),
        form_(!typed.format.empty() ? typed.format : typed.json ? "json" : typed.csv || !typed.columns.empty() ? "csv" : "table"),
        csv_(columns(typed), typed.separator.front(), typed.on_change ? CsvWriter::Rows::changed : CsvWriter::Rows::all) {}

  void print(const Readout& readout) {
    if (form_ == "csv") {
      out_ << csv_.add(readout);
    } else if (form_ == "json") {
      out_ << json_line(readout) << '\n';
    } else {
      if (!first_) out_ << '\n';
      out_ << local_time_text(readout.at);
      if (const std::string name = meter_name(readout); !name.empty()) out_ << "  " << name;
      out_ << '\n' << table(readout);
    }
    first_ = false;
    out_.flush();
  }
  [[nodiscard]] bool broken() const { return !out_.good(); }

 private:
  static std::vector<CsvColumn> columns(const Typed& typed) {
    std::vector<CsvColumn> all;
    for (const std::string& list : typed.columns)
      for (CsvColumn& column : parse_columns(list)) all.push_back(std::move(column));
    return all;
  }

  std::ostream& out_;
  std::string form_;
  CsvWriter csv_;
  bool first_ = true;
};

int tell(const CommandLine& line, const NoMeter& none) {
  for (const std::string& text : none.lines) line.err << "vzlogger read: " << text << '\n';
  return none.status;
}

void tell_faults(const CommandLine& line, std::span<const Fault> faults) {
  for (const Fault& fault : faults) line.err << fmt::format("vzlogger read: {}: {}\n", text(fault.kind), fault.detail);
}

// ---- from a capture ----

Expected<std::string> capture_content(const Typed& typed, const CommandLine& line) {
  std::ifstream file;
  if (typed.capture != "-") {
    file.open(typed.capture, std::ios::binary);
    if (!file) return tl::unexpected(Error{"cannot be opened", typed.capture, "is the path right, and may you read it?", errno});
  }
  std::istream& in = typed.capture == "-" ? line.in : file;
  std::string content(kMaxCapture + 1, '\0');
  in.read(content.data(), static_cast<std::streamsize>(content.size()));
  content.resize(static_cast<std::size_t>(in.gcount()));
  if (content.size() > kMaxCapture) return tl::unexpected(Error{"is larger than 16 MiB", typed.capture, "give a part of it", 0});
  return content;
}

/// The telegrams of a capture. 0 if there are some and none was refused.
int read_capture(const Typed& typed, std::vector<std::byte> bytes, Printer& printer, const CommandLine& line) {
  const CaptureKind kind = prepare_capture(bytes);
  const std::string protocol = typed.protocol.empty() ? kind.protocol : typed.protocol;
  // nothing is opened, but a section needs a place to read from
  const Protocol* known = find_protocol(all_protocols(), protocol);
  const bool by_host = known == nullptr || config::find_option(known->options, "host") != nullptr;
  std::vector<std::string> options{by_host ? "host=capture:0" : "device=capture"};
  if (protocol == "d0" || protocol == "sml") options.push_back("parity=" + kind.parity);
  options.insert(options.end(), typed.options.begin(), typed.options.end());
  auto meter = meter_from_options(protocol, options);
  if (!meter) return tell(line, meter.error());
  ReplayClock clock(SystemClock{}.now());
  ReplayTransport transport(bytes, clock);
  Wake wake;
  SessionRunner runner(*meter->source->session, transport, clock, wake);
  std::uint64_t telegrams = 0;
  bool refused = false;
  while (typed.count == 0 || telegrams < typed.count) {
    auto result = runner.next(MonoTime{}, clock.now().mono + duration(typed.timeout));
    const bool over = result.end != SessionRunner::End::telegram;
    // the silence behind the last byte is none of the meter's faults
    std::erase_if(result.faults, [](const Fault& fault) { return fault.kind == FaultKind::silence; });
    tell_faults(line, result.faults);
    refused = refused || !result.faults.empty();
    if (over && transport.at_end()) break;
    if (over) continue;
    ++telegrams;
    printer.print(make_readout(result.at.wall, result.readings, result.text));
    if (printer.broken()) break;
  }
  if (telegrams == 0)
    line.err << fmt::format("vzlogger read: no whole telegram of protocol {} in {} bytes{}\n", protocol, bytes.size(),
                            refused ? "; the damaged ones were refused" : "");
  return telegrams > 0 && !refused ? EX_OK : kNotGood;
}

// ---- from a meter ----

bool only_silence(std::span<const Fault> faults) {
  return std::all_of(faults.begin(), faults.end(), [](const Fault& fault) { return fault.kind == FaultKind::silence; });
}

MeterChoice choose(const Typed& typed) {
  if (typed.protocol.empty()) return meter_from_file(typed.config, typed.meter);
  std::vector<std::string> options = typed.options;
  if (!typed.device.empty()) options.push_back("device=" + typed.device);
  if (!typed.host.empty()) options.push_back("host=" + typed.host);
  return meter_from_options(typed.protocol, options);
}

int open_failed(const CommandLine& line, const Error& error) {
  line.err << "vzlogger read: " << error.text() << '\n';
  return EX_UNAVAILABLE;
}

/// How long the daemon is to wait for a word of this command. There is none while a meter is asked: the line must not be
/// taken back in the middle of it.
Expected<seconds> loan_for(const Typed& typed, const Session& session) {
  const auto shortest = std::chrono::ceil<seconds>(duration(typed.timeout) + Renewal::kLook + kMeterRest);
  if (!session.pulls()) return seconds{typed.loan.value_or(local::kLendFor.count())};
  if (!typed.loan) return std::min(std::max(local::kLendFor, shortest), local::kLongestLending);
  if (seconds{*typed.loan} >= std::min(shortest, local::kLongestLending)) return seconds{*typed.loan};
  return tl::unexpected(Error{fmt::format("{} s may end in the middle of a readout, which may take --timeout ({:g} s)", *typed.loan, typed.timeout), {},
                              fmt::format("give at least {}, or a shorter --timeout", shortest.count()), 0});
}

int loan_failed(const CommandLine& line, const Endpoint& endpoint, const Error& error) {
  line.err << fmt::format("vzlogger read: {} is not lent by the daemon any more, and is not read on: {}\n", text(endpoint), error.text());
  return EX_UNAVAILABLE;
}

int read_meter(const Typed& typed, ChosenMeter meter, Printer& printer, const CommandLine& line) {
  const bool repeated = typed.every > 0 || typed.count > 1;
  const auto loan = loan_for(typed, *meter.source->session);
  if (!loan) {
    line.err << "vzlogger read: --loan: " << loan.error().text() << '\n';
    return EX_USAGE;
  }
  auto borrowed = borrow_line(meter.source->endpoint, typed.socket, *loan, line.err);
  Interrupt interrupt;
  const SystemClock clock;
  Renewal renewal(borrowed ? &*borrowed : nullptr, *loan, clock.now().mono);
  SystemTransportFactory transports;
  Session& session = *meter.source->session;
  auto transport = transports.open(meter.source->endpoint, session.initial_line(), clock.now().mono + kOpenLimit, interrupt.wake());
  if (interrupt.requested()) return EX_OK;
  if (!transport) return open_failed(line, transport.error());
  TrafficText traffic;
  TrafficWatch watch;
  if (typed.verbose)
    watch = [&](const Traffic& entry) {
      traffic.add(entry);
      line.err << traffic.take();
    };
  SessionRunner runner(session, **transport, clock, interrupt.wake(), watch);
  std::uint64_t readings = 0;
  bool failed = false;
  bool asked_again = false;
  MonoTime due = clock.now().mono;
  std::optional<MonoTime> began;  ///< waiting for a reading, with a renewal between
  while (!interrupt.requested()) {
    const MonoTime now = clock.now().mono;
    const MonoTime patience = began.value_or(std::max(due, now)) + duration(typed.timeout);
    // a meter that is asked is not interrupted: its time has to begin anew before
    const bool asks = session.pulls() && due <= renewal.look(now);
    if (renewal.due(now) || (asks && renewal.at() < patience))
      if (const auto renewed = renewal.renew(now); !renewed) return loan_failed(line, meter.source->endpoint, renewed.error());
    const auto result = runner.next(due, asks ? patience : std::min(patience, renewal.look(now)));
    if (typed.verbose) line.err << traffic.finish();
    if (result.end == SessionRunner::End::woken) break;
    tell_faults(line, result.faults);
    if (result.end == SessionRunner::End::deadline && result.at.mono < patience) {
      began = patience - duration(typed.timeout);
      continue;
    }
    began.reset();
    const bool silent = result.end == SessionRunner::End::failed && session.pulls() && only_silence(result.faults);
    if (silent && result.at.mono < patience && !asked_again) {
      // some are deaf for a while after a readout that somebody else asked for
      line.err << "vzlogger read: asking once more\n";
      asked_again = true;
      continue;
    }
    asked_again = false;
    if (result.end == SessionRunner::End::lost)
      return open_failed(line, result.error.value_or(Error{"was lost", text(meter.source->endpoint), "", 0}));
    const bool good = result.end == SessionRunner::End::telegram;
    if (good && !session.pulls() && result.at.mono < due) continue;  // it pushes more often than asked for
    ++readings;
    if (good) {
      printer.print(make_readout(result.at.wall, result.readings, result.text));
    } else {
      failed = true;
      line.err << fmt::format("vzlogger read: {}: {}\n", text(meter.source->endpoint),
                              result.end == SessionRunner::End::failed
                                  ? "no reading; what came was refused, or nothing came (see above)"
                                  : fmt::format("no telegram within {:g} s", typed.timeout));
    }
    if (printer.broken() || !repeated || (typed.count > 0 && readings >= typed.count)) break;
    due = std::max(due + duration(typed.every), result.at.mono);
  }
  if (borrowed && !borrowed->meters().empty() && session.pulls())  // the daemon asks as soon as it has its line again
    platform::wait_for(-1, 0, clock.now().mono + kMeterRest, interrupt.wake());
  return failed || readings == 0 ? kNotGood : EX_OK;
}

int run(const CommandLine& line) {
  Typed typed;
  CLI::App app("Reads a meter now and shows all its registers with value, unit and meaning.", "vzlogger read");
  declare(app, typed);
  if (const auto end = read_options(app, line)) return *end;
  if (typed.separator.size() != 1) {
    line.err << "vzlogger read: --separator: expected one character\n";
    return EX_USAGE;
  }
  if (typed.protocol.empty() && typed.hex.empty() && typed.capture.empty() &&
      !(typed.device.empty() && typed.host.empty() && typed.options.empty())) {
    line.err << "vzlogger read: --device, --host and --option go with --protocol; vzlogger probe finds out which one\n";
    return EX_USAGE;
  }
  Printer printer(typed, line.out);
  if (!typed.hex.empty()) {
    auto bytes = hex_bytes(typed.hex);
    if (bytes) return read_capture(typed, std::move(*bytes), printer, line);
    line.err << "vzlogger read: " << bytes.error().text() << '\n';
    return EX_USAGE;
  }
  if (!typed.capture.empty()) {
    const auto content = capture_content(typed, line);
    if (content) return read_capture(typed, capture_bytes(*content), printer, line);
    line.err << "vzlogger read: " << content.error().text() << '\n';
    return EX_UNAVAILABLE;
  }
  auto meter = choose(typed);
  if (!meter) return tell(line, meter.error());
  return read_meter(typed, std::move(*meter), printer, line);
}

}  // namespace

extern const Command read_command;
const Command read_command{"read", "reads a meter now: table, CSV or JSON",
                           "auslesen, Zähler lesen, Zählerstand, Register anzeigen, CSV-Datei, OBIS-Kennzahlen", run};

}  // namespace vz::cli::commands
