// SPDX-License-Identifier: GPL-3.0-or-later
#include <sysexits.h>

#include <cstdlib>
#include <ostream>
#include <string>

#include "cli/command_options.hpp"
#include "cli/status_text.hpp"
#include "core/health.hpp"
#include "local/control_client.hpp"
#include "local/control_server.hpp"
#include "local/status_json.hpp"

namespace vz::cli::commands {
namespace {

using Json = nlohmann::ordered_json;

/// The status as the daemon tells it.
Expected<Json> ask_status(const std::string& socket) {
  auto client = local::ControlClient::connect(socket);
  if (!client) return tl::unexpected(client.error());
  auto answer = client->ask({});
  if (!answer) return answer;
  return (*answer)["status"];
}

int run(const CommandLine& line) {
  CLI::App app{
      "Shows how the running daemon does: meters, channels, endpoints, outbox.\n"
      "Status: 0 all is well, 1 there is trouble, 69 no daemon answers.",
      "vzlogger status"};
  std::string socket = local::control_path(std::getenv("RUNTIME_DIRECTORY"));
  bool json = false;
  app.add_flag("--json", json, "one line of JSON instead of text");
  app.add_option("--socket", socket, "the daemon's control socket")->capture_default_str();
  if (const auto status = read_options(app, line)) return *status;

  const auto answer = ask_status(socket);
  const auto report = answer ? local::report_from(*answer) : tl::unexpected(answer.error());
  if (!report) {
    line.err << "vzlogger status: " << report.error().text() << "\n";
    return EX_UNAVAILABLE;
  }
  if (json)
    line.out << local::dump(*answer) << "\n";
  else
    line.out << status_text(*report);
  return health(*report).ok() ? EX_OK : EXIT_FAILURE;
}

}  // namespace

extern const Command status_command;
const Command status_command{"status", "shows how the running daemon does",
                             "Zustand, Übersicht, läuft der Dienst, letzte Werte, Fehler", run};

}  // namespace vz::cli::commands
