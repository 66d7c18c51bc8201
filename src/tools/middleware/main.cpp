// SPDX-License-Identifier: GPL-3.0-or-later
// vzmiddleware: a Volkszaehler middleware in one program, to try a configuration with and to test against.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <limits>
#include <string>
#include <vector>

#include "core/uuid.hpp"
#include "tools/middleware/faults.hpp"
#include "tools/middleware/middleware.hpp"
#include "tools/middleware/server.hpp"
#include "tools/middleware/store.hpp"
#include "vz/version.hpp"

namespace {

using namespace vz::middleware;

constexpr int kExitUsage = 64;  // EX_USAGE
constexpr int kExitFailure = 1;
constexpr const char* kInMemory = ":memory:";

struct Arguments {
  std::string database = kInMemory;
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;
  std::vector<std::string> channels;
  std::string faults;
  std::uint64_t seed = 1;
  std::string dump;
  bool php_precision = false;
  bool log_requests = false;
  bool quiet = false;
};

constexpr const char* kAbout =
    "A Volkszaehler middleware in one program: give its address to vzlogger as the option \"middleware\" and see what\n"
    "arrives. It takes the same requests as the original (API version 0.3) below /middleware.php, /middleware and "
    "/api,\n"
    "and answers with the same words, mistakes included. There is no access control: whoever reaches it can write.";
constexpr const char* kEpilogue =
    "Stored values keep every bit that was sent, where the original keeps 14 digits (see --php-precision).\n"
    "\n"
    "Example: a meter's total and a look at what arrived\n"
    "  vzmiddleware --db /tmp/vz.db --port 8090 --log-requests \\\n"
    "    --create 'type=electric meter,title=House,resolution=1,uuid=12345678-1234-1234-1234-123456789abc'\n"
    "  vzmiddleware --db /tmp/vz.db --dump 12345678-1234-1234-1234-123456789abc";

void describe(CLI::App& app, Arguments& arguments) {
  app.add_option("--db", arguments.database,
                 "SQLite database file, made if there is none. Default: in memory, gone at the end")
      ->type_name("FILE");
  app.add_option("--listen", arguments.address, "Address to listen on; 0.0.0.0 or :: for all")
      ->type_name("ADDRESS")
      ->capture_default_str();
  app.add_option("--port", arguments.port,
                 "Port to listen on; 0 for any free one. The address is printed once it serves")
      ->type_name("N")
      ->capture_default_str();
  app.add_option("--create", arguments.channels,
                 "Make a channel unless its uuid exists, and print its uuid: type=electric meter,title=...,resolution=1"
                 "[,uuid=...][,public=1]. May be given several times")
      ->type_name("SPEC")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app.add_option("--faults", arguments.faults,
                 "Let pushes go wrong: " + fault_names() +
                     ", each with an optional :PROBABILITY, e.g. e400db:0.1,slow=2000:0.2,lost-reply:0.05. lost-reply "
                     "and short-rows store the readings, e500, e400db, html413 and hang do not")
      ->type_name("SPEC");
  app.add_option("--seed", arguments.seed, "Seed of the faults: the same seed gives the same ones")
      ->type_name("N")
      ->capture_default_str();
  app.add_option("--dump", arguments.dump, "Print the rows of this channel in --db as `ms value`, and end")
      ->type_name("UUID");
  app.add_flag("--php-precision", arguments.php_precision, "Keep 14 digits of each value, as the original does");
  app.add_flag("--log-requests", arguments.log_requests,
               "Print a line for each request: method, path (uuids shortened), status, rows");
  app.add_flag("--quiet", arguments.quiet, "Print no remarks, only what was asked for and errors");
  app.set_version_flag("--version", std::string("vzmiddleware ") + vz::kVersion + " (" + vz::kGitDescribe + ")");
  app.footer(kEpilogue);
}

int complain(const vz::Error& error, int code) {
  fmt::print(stderr, "vzmiddleware: {}\n", error.text());
  return code;
}

std::string shortest(double value) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, value).ptr};
}

int dump(const Arguments& arguments) {
  if (arguments.database == kInMemory)
    return complain({.what = "--dump needs --db FILE", .where = "", .remedy = "", .code = 0}, kExitUsage);
  auto store = Store::open(arguments.database, Store::Mode::existing);
  if (!store) return complain(store.error(), kExitFailure);
  const auto channel = store->find(arguments.dump);
  std::vector<Row> rows;
  if (channel)
    rows = store->rows(channel->id, std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max());
  if (const auto error = store->take_error()) return complain(*error, kExitFailure);
  if (!channel)
    return complain(
        {.what = "there is no channel with this uuid", .where = arguments.database, .remedy = "", .code = 0},
        kExitFailure);
  for (const auto& row : rows) fmt::print("{} {}\n", row.ms, shortest(row.value));
  return 0;
}

/// A line of the request log. A reply that will not arrive says so at its end.
void log_request(const Request& request, const Reply& reply) {
  const auto rows = reply.rows ? fmt::format("{}", *reply.rows) : "-";
  const char* fate = reply.delivery == Delivery::close  ? " (no reply)"
                     : reply.delivery == Delivery::hang ? " (hangs)"
                     : reply.delay.count() > 0          ? " (late)"
                                                        : "";
  fmt::print("{} {} {} {}{}\n", request.method, vz::without_uuids(request.path), reply.status, rows, fate);
  std::fflush(stdout);
}

int serve(const Arguments& arguments, FaultPlan faults) {
  auto store = Store::open(arguments.database);
  if (!store) return complain(store.error(), kExitFailure);
  Middleware::Options options;
  options.precision = arguments.php_precision ? Precision::php : Precision::exact;
  Middleware middleware(*std::move(store), std::move(options));
  for (const auto& description : arguments.channels) {
    const auto uuid = middleware.create_channel(description);
    if (!uuid) return complain(uuid.error(), kExitUsage);
    fmt::print("{}\n", *uuid);
  }

  // Blocked before any thread starts, so that they all inherit it and only sigwait() below sees them.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);

  const auto handle = [&](const Request& request) { return middleware.handle(request); };
  const auto server = Server::start(
      arguments.address, arguments.port,
      [&](Request& request) {
        request.now = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
        return !faults.empty() && is_push(request) ? faults.answer(request, handle) : handle(request);
      },
      arguments.log_requests ? Server::Observer(log_request) : Server::Observer{});
  if (!server) return complain(server.error(), kExitFailure);
  if (!arguments.quiet && arguments.database == kInMemory)
    fmt::print(stderr, "vzmiddleware: everything is kept in memory and gone at the end (--db FILE keeps it)\n");
  if (!arguments.quiet && !faults.empty())
    fmt::print(stderr, "vzmiddleware: some pushes will fail on purpose: {}\n", arguments.faults);
  fmt::print("listening on {}/middleware.php\n", (*server)->url());
  std::fflush(stdout);

  int signal = 0;
  sigwait(&signals, &signal);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  CLI::App app{kAbout, "vzmiddleware"};
  try {
    describe(app, arguments);
    app.parse(argc, argv);
  } catch (const CLI::ParseError& end) {
    return app.exit(end) == 0 ? 0 : kExitUsage;
  }
  if (!arguments.dump.empty()) return dump(arguments);
  auto faults = FaultPlan::parse(arguments.faults, arguments.seed);
  if (!faults) return complain(faults.error(), kExitUsage);
  return serve(arguments, *std::move(faults));
}
