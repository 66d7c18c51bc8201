// SPDX-License-Identifier: GPL-3.0-or-later
#include "cli/app.hpp"

#include <sysexits.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>

#include "cli/arguments.hpp"
#include "cli/command.hpp"
#include "cli/daemon.hpp"
#include "cli/registration.hpp"
#include "cli/version.hpp"
#include "config/config.hpp"
#include "core/uuid.hpp"
#include "platform/curl_http_client.hpp"
#include "platform/daemonize.hpp"
#include "platform/signals.hpp"

namespace vz::cli {
namespace {

/// Reads the configuration and tells what is wrong with it; nothing if it cannot be run.
std::optional<Settings> load_settings(const Arguments& arguments, DaemonLog& log) {
  log.print(Level::info, {}, "Start parsing configuration from {}", arguments.config);
  const auto text = config::read_file(arguments.config);
  if (!text) {
    log.write(Level::alert, {}, text.error().text());
    return std::nullopt;
  }
  auto result = config::load(*text, {all_protocols(), all_sinks()});
  const auto errors = std::count_if(result.problems.begin(), result.problems.end(),
                                    [](const Problem& p) { return p.severity == Problem::Severity::error; });
  for (const auto& problem : result.problems) log.write(Level::alert, {}, config::format(problem, arguments.config));
  if (!result.settings)
    log.print(Level::alert, {}, "Failed to parse configuration due to: {} error{} in {}, listed above. Nothing was started.",
              errors, errors == 1 ? "" : "s", arguments.config);
  return std::move(result.settings);
}

void tell_what_is_new(const Settings& settings, DaemonLog& log) {
  for (const auto& meter : settings.meters) {
    if (!meter.enabled) continue;
    log.print(Level::info, {}, "New meter initialized (protocol={})", meter.protocol->name);
    for (const auto& channel : meter.channels)
      log.print(Level::info, fmt::format("chn{}", channel.number), "New channel initialized (uuid={} api={} id={})",
                uuid_tail(channel.uuid), channel.api_text,
                channel.identifier_text);
  }
}

/// What the command line says goes before the file.
void apply(const Arguments& arguments, Settings& settings, DaemonLog& log) {
  constexpr int kHighestPort = 65535;
  if (arguments.httpd) settings.local.enabled = true;
  if (!arguments.httpd_port) return;
  if (*arguments.httpd_port >= 0 && *arguments.httpd_port <= kHighestPort) {
    settings.local.port = *arguments.httpd_port;
  } else if (settings.local.enabled) {
    settings.local.enabled = false;
    log.print(Level::alert, "http", "--httpd-port {}: there is no such port, only 1 to {}; the local interface stays off",
              *arguments.httpd_port, kHighestPort);
  }
}

bool any_enabled(const Settings& settings) {
  return std::any_of(settings.meters.begin(), settings.meters.end(), [](const MeterSettings& m) { return m.enabled; });
}

}  // namespace

int run(int argc, char** argv) {
  if (const auto status = run_command(argc, argv, std::cin, std::cout, std::cerr)) return *status;
  const Arguments arguments = parse(argc, argv, std::cout, std::cerr);
  if (arguments.exit_status) return *arguments.exit_status;

  end_on_signals();
  const auto environment = ServiceEnvironment::from_process();
  const SystemClock clock;
  DaemonLog log(clock, environment.managed() ? Console::errors : Console::split);
  log.set_verbosity(arguments.verbosity.value_or(0));
  const auto build = build_info();
  log.print(Level::alert, "main", "vzlogger v{} based on {} from {} started.", build.version, build.git_describe,
            build.commit_date);

  auto settings = load_settings(arguments, log);
  if (!settings) return EX_CONFIG;
  apply(arguments, *settings, log);
  log.set_verbosity(arguments.verbosity.value_or(settings->verbosity.value_or(0)));
  tell_what_is_new(*settings, log);
  log.print(Level::alert, "main", "log level is {}", log.verbosity());
  if (arguments.register_device) {
    CurlHttpClient http;
    register_channels(*settings, http, log, std::cout);
    return EX_OK;
  }

  const bool supervised = !environment.notify_socket.empty();
  if (!arguments.foreground && may_daemonize(environment, ::getppid())) {
    log.write(Level::info, {}, "Daemonize process...");
    if (const auto result = daemonize(); !result) {
      log.print(Level::alert, "main", "{}", result.error().text());
      return EX_OSERR;
    }
    log.set_console(Console::off);
  } else {
    log.write(Level::info, {}, "Process not daemonized...");
  }
  const std::string log_path = arguments.log.value_or(settings->log);
  if (log_path.empty()) {
    log.no_file();
  } else if (const auto opened = log.open_file(log_path); !opened) {
    log.print(Level::alert, {}, "opening logfile \"{}\" failed: {}", log_path, opened.error().what);
    return EX_CANTCREAT;
  }
  if (settings->meters.empty() || !any_enabled(*settings)) {
    log.write(Level::alert, {}, settings->meters.empty() ? "No meters found - quitting!" : "No functional meters found - quitting!");
    return supervised ? EX_CONFIG : EXIT_FAILURE;  // a restart would not help
  }
  Daemon daemon(*settings, log, clock, environment);
  return daemon.run(supervised ? Supervision::service_manager : Supervision::none);
}

}  // namespace vz::cli
