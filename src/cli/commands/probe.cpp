// SPDX-License-Identifier: GPL-3.0-or-later
// vzlogger probe: finds the meter behind a port, and how it wants to be read.
#include <fmt/format.h>
#include <sysexits.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <istream>
#include <nlohmann/json.hpp>
#include <optional>
#include <ostream>

#include "cli/borrow.hpp"
#include "cli/command_options.hpp"
#include "cli/config_file.hpp"
#include "cli/interrupt.hpp"
#include "cli/probe/prober.hpp"
#include "cli/probe/section_text.hpp"
#include "config/config.hpp"
#include "config/edit.hpp"
#include "core/endpoint_options.hpp"
#include "platform/clock.hpp"
#include "platform/serial_ports.hpp"
#include "platform/transport_factory.hpp"
#include "platform/wait.hpp"

namespace vz::cli::commands {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kNotGood = 1;

struct Typed {
  std::vector<std::string> devices;
  bool yes = false;
  bool listen_only = false;
  std::string write;
  bool json = false;
  double limit = 60;
  bool quiet = false;
  std::string socket = default_socket();
};

constexpr const char* kExamples = R"(Examples:
  what is behind this reading head?                  vzlogger probe /dev/ttyUSB0
  all serial ports; asks before it sends to one:     vzlogger probe
  a head in the network:                             vzlogger probe 192.168.1.20:2000
  put the meter into the configuration:              vzlogger probe /dev/ttyUSB0 --write /etc/vzlogger.conf

Listening and asking take turns; most meters are found within 15 seconds. What is sent: requests for a readout, which
change nothing in a meter.

Status: 0 a meter was found (on each port that was named); 1 none; 64 the command line is wrong; 69 a port or host is not
there, or in use; 78 the configuration of --write cannot be used.)";

void declare(CLI::App& app, Typed& typed) {
  app.add_option("device", typed.devices, "Serial port of the reading head (Lesekopf), or host:port; none: all ports")->type_name("DEVICE");
  app.add_flag("-y,--yes", typed.yes, "Without DEVICE: send to all ports without asking (ohne Rückfrage)");
  app.add_flag("--listen-only", typed.listen_only, "Send nothing: finds only meters that send by themselves (nur mithören)");
  app.add_option("--write", typed.write, "Put the section into this configuration, or make a new one; - is standard output")->type_name("FILE");
  app.add_flag("--json", typed.json, "A line of JSON for each port");
  app.add_option("--limit", typed.limit, "End the search on a port after so long")
      ->check(CLI::Range(3.0, 3600.0))
      ->capture_default_str()
      ->type_name("SECONDS");
  app.add_flag("-q,--quiet", typed.quiet, "No progress on standard error");
  app.add_option("--socket", typed.socket, "Control socket of the daemon, which lends its line")->type_name("PATH")->capture_default_str();
  app.footer(kExamples);
}

std::optional<Endpoint> endpoint_of(const std::string& device) {
  std::error_code ignored;
  if (device.find('/') != std::string::npos || std::filesystem::exists(device, ignored)) return SerialPort{device};
  if (const auto peer = parse_peer(device); peer && !peer->port.empty() && !peer->host.empty()) return *peer;
  return std::nullopt;
}

std::string evidence(const ProbedMeter& meter) {
  std::string words = meter.pushes ? "sends by itself" : "answers a request";
  words += fmt::format(", {} baud", meter.section.value("baudrate", 0));
  if (meter.section.contains("parity")) words += ", " + meter.section["parity"].get<std::string>();
  if (meter.eighth_bit == EighthBit::even || meter.eighth_bit == EighthBit::odd)
    words += fmt::format(" (seen in the eighth bit: {})", text(meter.eighth_bit));
  if (meter.echo) words += ", the head has an echo";
  return words;
}

Json as_json(const std::string& device, const ProbeResult& result) {
  Json all{{"device", device}, {"found", result.meter.has_value()},
           {"seconds", std::chrono::duration<double>(result.took).count()}};
  if (result.error) all["error"] = result.error->text();
  if (!result.meter) {
    all["hints"] = result.hints;
    return all;
  }
  const ProbedMeter& meter = *result.meter;
  all["pushes"] = meter.pushes;
  all["echo"] = meter.echo;
  all["eighth_bit"] = text(meter.eighth_bit);
  all["section"] = meter.section;
  all["handshake"] = meter.handshake;
  all["readout"] = Json::parse(json_line(meter.readout));
  return all;
}

void print(const std::string& device, const ProbeResult& result, std::ostream& out) {
  const double seconds = std::chrono::duration<double>(result.took).count();
  if (!result.meter) {
    if (result.error || result.stopped) return;
    out << fmt::format("{}: no meter found in {:.0f} s\n", device, seconds);
    for (const std::string& hint : result.hints) out << "  " << hint << '\n';
    out << "  To try: straighten the head (cable down), clean the window, unlock the meter with its PIN, shade it from light\n";
    return;
  }
  const ProbedMeter& meter = *result.meter;
  const std::string name = meter_name(meter.readout);
  out << fmt::format("{}: {}: protocol {}, {}; found after {:.1f} s\n\n", device, name.empty() ? "a meter" : name,
                     meter.section.value("protocol", ""), evidence(meter), seconds);
  out << "The conversation (> sent, < received):\n" << meter.handshake << '\n';
  out << table(meter.readout) << '\n';
  out << "Its section for /etc/vzlogger.conf:\n" << section_text(meter) << '\n';
}

/// Puts the sections where --write says. An exit status.
int write(const Typed& typed, const std::vector<std::string>& sections, const CommandLine& line) {
  const auto complain = [&](const Error& error, int status) {
    line.err << "vzlogger probe: " << error.text() << '\n';
    return status;
  };
  std::string joined;
  for (const std::string& section : sections) joined += (joined.empty() ? "" : ",\n") + section;
  if (typed.write == "-") {
    line.out << configuration_text(joined);
    return EX_OK;
  }
  std::error_code ignored;
  std::string text = configuration_text(joined);
  const bool exists = std::filesystem::exists(typed.write, ignored);
  if (exists) {
    const auto old = config::read_file(typed.write);
    if (!old) return complain(old.error(), EX_CONFIG);
    text = *old;
    for (const std::string& section : sections) {
      auto inserted = config::with_written_element(text, "meters", section);
      if (!inserted) {
        inserted.error().where = typed.write;
        return complain(inserted.error(), EX_CONFIG);
      }
      text = std::move(*inserted);
    }
    const auto checked = config::load(text, {all_protocols(), all_sinks()});
    if (!checked.settings)
      return complain({"would not be right with the new section, and stays as it was", typed.write, "vzlogger -c tells what is wrong", 0},
                      EX_CONFIG);
  }
  if (auto written = exists ? replace_file(typed.write, text) : make_file(typed.write, text); !written)
    return complain(written.error(), kNotGood);
  line.err << fmt::format("{} {} with {} meter{}\n", typed.write, exists ? "updated" : "written", sections.size(), sections.size() > 1 ? "s" : "");
  return EX_OK;
}

bool allowed(const std::string& device, const CommandLine& line) {
  line.err << fmt::format("{}: send requests to it? Some devices do not like that (a Zigbee stick). Listening goes on without. [y/N] ", device);
  line.err.flush();
  std::string answer;
  const bool answered = static_cast<bool>(std::getline(line.in, answer));
  if (!answered) line.err << "no answer: listening only\n";
  return answered && (answer == "y" || answer == "Y" || answer == "j" || answer == "J" || answer == "yes" || answer == "ja");
}

int run(const CommandLine& line) {
  Typed typed;
  CLI::App app("Finds out what meter is behind a port, how it wants to be read, and what it says.", "vzlogger probe");
  declare(app, typed);
  if (const auto end = read_options(app, line)) return *end;
  const bool named = !typed.devices.empty();
  if (!named) typed.devices = platform::serial_ports();
  if (typed.devices.empty()) {
    line.err << "vzlogger probe: there is no serial port; is the reading head plugged in? A pseudo-terminal or a host has to be named\n";
    return EX_UNAVAILABLE;
  }
  std::vector<Endpoint> endpoints;
  std::vector<ProbePlan::Asking> asking;  // before the signals are taken, so that Ctrl-C ends the questions, too
  for (const std::string& device : typed.devices) {
    const auto endpoint = endpoint_of(device);
    if (!endpoint) {
      line.err << fmt::format("vzlogger probe: {} is neither a device nor host:port\n", device);
      return EX_USAGE;
    }
    endpoints.push_back(*endpoint);
    const bool send = !typed.listen_only && (named || typed.yes || allowed(device, line));
    asking.push_back(send ? ProbePlan::Asking::allowed : ProbePlan::Asking::not_allowed);
  }
  std::optional<Interrupt> interrupt;  // from the first loan on: a wait for that ends with Ctrl-C like any program
  const SystemClock clock;
  SystemTransportFactory transports;
  std::vector<std::string> sections;
  int status = EX_OK;
  for (std::size_t i = 0; i < endpoints.size() && !(interrupt && interrupt->requested()); ++i) {
    const std::string& device = typed.devices[i];
    ProbeSettings settings{.endpoint = endpoints[i],
                           .asking = asking[i],
                           .budget = std::chrono::duration_cast<MonoDuration>(std::chrono::duration<double>(typed.limit)),
                           .progress = {}};
    if (!typed.quiet)
      settings.progress = [&](MonoDuration elapsed, const std::string& what) {
        line.err << fmt::format("{:5.1f} s  {}\n", std::chrono::duration<double>(elapsed).count(), what);
      };
    const auto borrowed = borrow_line(endpoints[i], typed.socket, local::kLendFor, line.err);
    if (!interrupt) interrupt.emplace();
    const ProbeResult result = probe(settings, transports, clock, interrupt->wake());
    const MonoTime rested = clock.now().mono + kMeterRest;
    if (result.error && !result.stopped) line.err << "vzlogger probe: " << result.error->text() << '\n';
    if (typed.json) {
      line.out << as_json(device, result).dump(-1, ' ', false, Json::error_handler_t::replace) << '\n';
    } else if (typed.write != "-") {
      print(device, result, line.out);
    }
    line.out.flush();
    if (result.meter) sections.push_back(section_text(*result.meter));
    else if (named) status = result.error ? EX_UNAVAILABLE : std::max(status, kNotGood);
    if (result.meter && !result.meter->pushes) platform::wait_for(-1, 0, rested, interrupt->wake());
  }
  if (sections.empty()) return status == EX_OK ? kNotGood : status;
  if (typed.write.empty()) return status;
  const int written = write(typed, sections, line);
  return written == EX_OK ? status : written;
}

}  // namespace

extern const Command probe_command;
const Command probe_command{"probe", "finds the meter behind a port, and how to read it",
                            "Zähler erkennen, Lesekopf testen, Baudrate, Parität, Protokoll herausfinden, Schnittstelle suchen", run};

}  // namespace vz::cli::commands
