// SPDX-License-Identifier: GPL-3.0-or-later
// pause and resume: two commands, one subject.
#include <sysexits.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <ostream>
#include <string>

#include "cli/command_options.hpp"
#include "local/control_client.hpp"
#include "local/control_server.hpp"

namespace vz::cli::commands {
namespace {

/// "mtr3" or "3".
std::optional<int> meter_number(std::string_view word) {
  if (word.starts_with("mtr")) word.remove_prefix(3);
  int number = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  if (error != std::errc{} || end != word.data() + word.size() || number < 0) return std::nullopt;
  return number;
}

struct Words {
  const char* name;
  const char* about;
  const char* done;
  const char* was_so;
};

int run(const CommandLine& line, local::ControlRequest::Kind kind, const Words& words) {
  CLI::App app{words.about, fmt::format("vzlogger {}", words.name)};
  std::string socket = local::control_path(std::getenv("RUNTIME_DIRECTORY"));
  std::string meter;
  app.add_option("METER", meter, "the meter, as status shows it: mtr0")->required();
  app.add_option("--socket", socket, "the daemon's control socket")->capture_default_str();
  if (const auto status = read_options(app, line)) return *status;
  local::ControlRequest request;
  request.kind = kind;
  request.meter = meter_number(meter);
  if (!request.meter) {
    line.err << fmt::format("vzlogger {}: '{}' is no meter; they are called mtr0, mtr1, ...\n", words.name, meter);
    return EX_USAGE;
  }
  auto client = local::ControlClient::connect(socket);
  if (!client) {
    line.err << fmt::format("vzlogger {}: {}\n", words.name, client.error().text());
    return EX_UNAVAILABLE;
  }
  const auto answer = client->ask(request);
  if (!answer) {
    line.err << fmt::format("vzlogger {}: {}\n", words.name, answer.error().text());
    return EXIT_FAILURE;
  }
  const bool changed = answer->value("changed", nlohmann::ordered_json()) == true;
  line.out << fmt::format("mtr{} {}\n", *request.meter, changed ? words.done : words.was_so);
  return EX_OK;
}

int run_pause(const CommandLine& line) {
  return run(line, local::ControlRequest::Kind::pause,
             {"pause",
              "Has the running daemon close a meter's line and leave it closed, until `vzlogger resume` or a restart.",
              "is paused until `vzlogger resume` or a restart of the daemon", "was paused already"});
}

int run_resume(const CommandLine& line) {
  return run(
      line, local::ControlRequest::Kind::resume,
      {"resume", "Has the running daemon read a meter again that was paused.", "is read again", "was not paused"});
}

}  // namespace

extern const Command pause_command;
const Command pause_command{"pause", "stops reading one meter for a while", "anhalten, Lesekopf freigeben", run_pause};
extern const Command resume_command;
const Command resume_command{"resume", "reads a paused meter again", "fortsetzen, weiter", run_resume};

}  // namespace vz::cli::commands
