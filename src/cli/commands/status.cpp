// SPDX-License-Identifier: GPL-3.0-or-later
#include <poll.h>
#include <sysexits.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <optional>
#include <string>

#include "cli/borrow.hpp"
#include "cli/command_options.hpp"
#include "cli/interrupt.hpp"
#include "cli/status_text.hpp"
#include "core/health.hpp"
#include "local/control_client.hpp"
#include "local/control_server.hpp"
#include "local/status_json.hpp"
#include "platform/clock.hpp"
#include "platform/wait.hpp"

namespace vz::cli::commands {
namespace {

using Json = nlohmann::ordered_json;

struct Choices {
  std::string socket = default_socket();
  bool json = false;
  double watch = 0;  ///< seconds; 0: once
};

/// The status as the daemon tells it.
struct Told {
  Json json;
  StatusReport report;
};

Expected<Told> ask_status(local::ControlClient& client, const Wake* wake = nullptr) {
  auto answer = client.ask({}, local::ControlClient::kPatience, wake);
  if (!answer) return tl::unexpected(answer.error());
  Told told{std::move((*answer)["status"]), {}};
  auto report = local::report_from(told.json);
  if (!report) return tl::unexpected(report.error());
  told.report = std::move(*report);
  return told;
}

int failed(const CommandLine& line, const Error& error) {
  line.err << "vzlogger status: " << error.text() << "\n";
  return EX_UNAVAILABLE;
}

Error ended(Error error) {
  error.what = "the daemon has ended, or does not answer any more: " + error.what;
  return error;
}

std::string shown(const Told& told, const Choices& choices) {
  return choices.json ? local::dump(told.json) + '\n' : status_text(told.report);
}

/// Draws over what was there, without flicker: each line is cleared behind its end, and then what is below the last.
std::string redrawn(std::string_view text) {
  std::string out = "\x1b[H";
  for (const char c : text) {
    if (c == '\n') out += "\x1b[K";
    out += c;
  }
  return out + "\x1b[J";
}

/// Prints the status whenever it has changed.
class Screen {
 public:
  Screen(const CommandLine& line, const Choices& choices)
      : out_(line.out), choices_(choices), redraws_(!choices.json && &line.out == &std::cout && ::isatty(STDOUT_FILENO) == 1) {
    if (redraws_) out_ << "\x1b[2J";
  }
  void show(Told told) {
    // on a terminal, where nothing piles up, how long ago things were is kept up to date
    const std::string text = shown(told, choices_);
    told.json.erase("now");
    std::string state = redraws_ ? text : local::dump(told.json);
    if (state == last_) return;
    const bool first = last_.empty();
    last_ = std::move(state);
    if (redraws_) out_ << redrawn(text);
    else out_ << (first || choices_.json ? "" : "\n") << text;
    out_.flush();
  }
  [[nodiscard]] bool broken() const { return !out_.good(); }

 private:
  std::ostream& out_;
  const Choices& choices_;
  bool redraws_;
  std::string last_;
};

/// Until Ctrl-C, or until the daemon ends. The daemon is asked at every turn and does nothing between: one that would have
/// to close a connection for its long silence is asked by a new one.
int watch(const CommandLine& line, const Choices& choices, local::ControlClient client) {
  const bool stays = choices.watch * 2 < static_cast<double>(local::ControlServer::kIdle.count());
  const auto pause = std::chrono::duration_cast<MonoDuration>(std::chrono::duration<double>(choices.watch));
  const SystemClock clock;
  Interrupt interrupt;
  Screen screen(line, choices);
  std::optional<local::ControlClient> connection{std::move(client)};
  while (!interrupt.requested() && !screen.broken()) {
    if (!connection) {
      auto again = local::ControlClient::connect(choices.socket);
      if (!again) return failed(line, ended(again.error()));
      connection = std::move(*again);
    }
    auto told = ask_status(*connection, &interrupt.wake());
    if (!told && interrupt.requested()) break;
    if (!told) return failed(line, ended(told.error()));
    screen.show(std::move(*told));
    if (!stays) connection.reset();
    // nothing comes unasked but the end of the connection, and then the next question tells of it
    (void)platform::wait_for(connection ? connection->fd() : -1, POLLIN, clock.now().mono + pause, interrupt.wake());
  }
  return EX_OK;
}

int run(const CommandLine& line) {
  CLI::App app{
      "Shows how the running daemon does: meters, channels, endpoints, outbox.\n"
      "Status: 0 all is well (with --watch: until Ctrl-C), 1 there is trouble, 69 no daemon answers, or not any more.",
      "vzlogger status"};
  Choices choices;
  app.add_flag("--json", choices.json, "one line of JSON instead of text");
  auto* watched = app.add_option("--watch", choices.watch, "go on, and show it again when it has changed, looking every so many seconds (1)");
  watched->expected(0, 1)->default_str("1")->type_name("[SECONDS]")->check(CLI::Range(1.0, 86400.0));
  app.add_option("--socket", choices.socket, "the daemon's control socket")->capture_default_str();
  if (const auto status = read_options(app, line)) return *status;

  auto client = local::ControlClient::connect(choices.socket);
  if (!client) return failed(line, client.error());
  if (watched->count() > 0) return watch(line, choices, std::move(*client));
  const auto told = ask_status(*client);
  if (!told) return failed(line, told.error());
  line.out << shown(*told, choices);
  return health(told->report).ok() ? EX_OK : EXIT_FAILURE;
}

}  // namespace

extern const Command status_command;
const Command status_command{"status", "shows how the running daemon does",
                             "Zustand, Übersicht, läuft der Dienst, letzte Werte, Fehler", run};

}  // namespace vz::cli::commands
