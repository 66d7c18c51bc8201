// SPDX-License-Identifier: GPL-3.0-or-later
// vzlogger queue: what waits to be delivered, what was refused, and what belongs to nobody. Asks the running daemon, or
// works on the outbox's file itself when no daemon runs.
#include <sysexits.h>

#include <cstdlib>
#include <functional>
#include <istream>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "cli/command_options.hpp"
#include "cli/outbox_settings.hpp"
#include "cli/output_file.hpp"
#include "cli/status_text.hpp"
#include "config/config.hpp"
#include "local/control_client.hpp"
#include "local/control_server.hpp"
#include "local/json_members.hpp"
#include "local/outbox_desk.hpp"
#include "local/status_json.hpp"
#include "platform/clock.hpp"
#include "platform/wait.hpp"
#include "runtime/stamp_gate.hpp"
#include "vz/protocol.hpp"
#include "vz/sink.hpp"

namespace vz::cli::commands {
namespace {

using Json = nlohmann::ordered_json;
using Kind = local::ControlRequest::Kind;
using local::ControlRequest;

struct Choices {
  std::string socket = local::control_path(std::getenv("RUNTIME_DIRECTORY"));
  std::string config = "/etc/vzlogger.conf";
  std::string file;
  std::string endpoint;
  bool json = false;
  std::vector<std::int64_t> ids;
  bool all = false;
  bool rejected = false;
  bool yes = false;
  std::string channel;
  std::string to;
  std::string to_endpoint;
  std::string format = "csv";
  std::string output;
};

/// What an outbox has to say when there is no daemon whose log it could go to.
class ErrLog final : public Log {
 public:
  explicit ErrLog(std::ostream& err) : err_(err) {}
  [[nodiscard]] bool enabled(Level level) const override { return level == Level::alert; }
  void write(Level level, std::string_view, std::string_view text) override {
    if (enabled(level)) err_ << text << '\n';
  }

 private:
  std::ostream& err_;
};

/// Who answers: the daemon, or in its absence the desk of this process on the outbox's file.
class Outboxes {
 public:
  explicit Outboxes(std::ostream& err) : log_(err) {}
  ~Outboxes() { (void)close(); }

  Expected<void> open(const Choices& choices) {
    if (choices.file.empty()) {
      auto client = local::ControlClient::connect(choices.socket);
      if (client) {
        client_ = std::make_unique<local::ControlClient>(std::move(*client));
        return {};
      }
      if (!local::no_daemon(client.error())) return tl::unexpected(client.error());
    }
    return open_file(choices);
  }

  Expected<Json> ask(const ControlRequest& request) {
    if (client_) return client_->ask(request);
    Json answer = desk_->answer(request);
    if (answer["ok"] == true) return answer;
    return tl::unexpected(Error{.what = answer.value("error", ""), .where = {}, .remedy = answer.value("remedy", "")});
  }

  /// Ends the work on the file; what was changed is in it for good.
  Expected<void> close() {
    if (!outbox_) return {};
    auto result = outbox_->close(MonoTime::max());
    desk_.reset();
    outbox_.reset();
    return result;
  }
  [[nodiscard]] bool daemon() const { return client_ != nullptr; }

 private:
  Expected<void> open_file(const Choices& choices) {
    DurableSettings settings;
    settings.path = choices.file;
    if (choices.file.empty()) {
      auto found = from_configuration(choices.config);
      if (!found) return tl::unexpected(found.error());
      settings = *found;
    }
    if (settings.path.empty())
      return tl::unexpected(Error{.what = "no daemon runs, and the configuration keeps the outbox in memory alone",
                                  .where = choices.config,
                                  .remedy = {}});
    outbox_ = std::make_unique<DurableOutbox>(clock_, log_, settings, system_files());
    outbox_->on_push([] {});
    if (auto started = outbox_->start(DurableOutbox::IfMissing::fail); !started) {
      outbox_.reset();
      return tl::unexpected(started.error());
    }
    desk_ = std::make_unique<local::OutboxDesk>(*outbox_, std::vector<local::OutboxDesk::OpenQueue>{},
                                                StampGate::held_endpoint);
    return {};
  }

  static Expected<DurableSettings> from_configuration(const std::string& path) {
    const auto text = config::read_file(path);
    if (!text)
      return tl::unexpected(Error{.what = "no daemon runs, and this configuration, which should say where the outbox is, cannot be read: " +
                                          platform::errno_text(text.error().code),
                                  .where = path,
                                  .remedy = "name it with -c, or the outbox itself: --file /var/lib/vzlogger/outbox.db",
                                  .code = text.error().code});
    const auto result = config::load(*text, {all_protocols(), all_sinks()});
    if (!result.settings)
      return tl::unexpected(
          Error{.what = "no daemon runs, and this configuration, which should say where the outbox is, is wrong",
                .where = path,
                .remedy = "name the file: --file /var/lib/vzlogger/outbox.db"});
    return durable_settings(result.settings->outbox, std::getenv("STATE_DIRECTORY"));
  }

  SystemClock clock_;
  ErrLog log_;
  std::unique_ptr<local::ControlClient> client_;
  std::unique_ptr<DurableOutbox> outbox_;
  std::unique_ptr<local::OutboxDesk> desk_;
};

// --- texts -----------------------------------------------------------------------------------------------------------

std::string utc(std::int64_t ms) {
  const std::chrono::sys_time<std::chrono::milliseconds> time{std::chrono::milliseconds{ms}};
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss clock{time - day};
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02}", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), clock.hours().count(),
                     clock.minutes().count(), clock.seconds().count());
}

std::string word(const Json& json, const char* name) { return local::member<std::string>(json, name); }
std::int64_t whole(const Json& json, const char* name) { return local::member<std::int64_t>(json, name); }
bool yes(const Json& json, const char* name) { return local::member<bool>(json, name); }

/// A number as it stands in the answer; "-" for null.
std::string figure(const Json& json, const char* name) {
  const auto it = json.find(name);
  return it == json.end() || it->is_null() ? "-" : it->dump();
}

std::string time_of(const Json& json, const char* name) {
  const auto time = local::member<std::optional<WallTime>>(json, name);
  return time ? utc(time->time_since_epoch().count()) : "-";
}

const Json& list_of(const Json& answer, const char* name) {
  static const Json kNone = Json::array();
  const auto it = answer.find(name);
  return it != answer.end() && it->is_array() ? *it : kNone;
}

int failed(const CommandLine& line, const Error& error) {
  line.err << "vzlogger queue: " << error.text() << "\n";
  return error.code == 0 ? EXIT_FAILURE : EX_UNAVAILABLE;
}

// --- what the sub-commands do ----------------------------------------------------------------------------------------

int list(const CommandLine& line, Outboxes& outboxes, const Choices& choices) {
  ControlRequest request;
  request.kind = Kind::queues;
  const auto answer = outboxes.ask(request);
  if (!answer) return failed(line, answer.error());
  const Json& queues = list_of(*answer, "queues");
  if (choices.json) {
    line.out << local::dump(queues) << "\n";
    return EX_OK;
  }
  if (queues.empty()) {
    line.out << "nothing waits\n";
    return EX_OK;
  }
  std::vector<std::vector<std::string>> rows{
      {"", "CHANNEL", "WAITING", "REJECTED", "DROPPED", "OLDEST (UTC)", "ENDPOINT"}};
  for (const Json& queue : queues) {
    const bool orphan = yes(queue, "orphan");
    const bool unstamped = yes(queue, "unstamped");
    std::string note = unstamped ? "  (of unknown time: can be exported or dropped)"
                       : orphan && outboxes.daemon()
                           ? "  (not in the configuration: can be exported, retargeted or dropped)"
                           : "";
    rows.push_back({word(queue, "section"), word(queue, "channel"), figure(queue, "waiting"), figure(queue, "rejected"),
                    figure(queue, "dropped"), time_of(queue, "oldest"), word(queue, "endpoint") + note});
  }
  line.out << table(rows, 0);
  if (!outboxes.daemon())
    line.out << "no daemon runs: this is what waits in the file\n";
  else
    line.out << "rejected and dropped are counted since the daemon's start; all that was rejected: vzlogger queue "
                "rejected\n";
  return EX_OK;
}

/// Calls `use` with each rejected reading of all pages. Ends with the first Error, or when `use` says false for a page.
Expected<void> each_rejected(Outboxes& outboxes, const std::function<Expected<bool>(const Json& page)>& use) {
  ControlRequest request;
  request.kind = Kind::rejected;
  request.max = local::kMaxPage;
  while (true) {
    const auto answer = outboxes.ask(request);
    if (!answer) return tl::unexpected(answer.error());
    const Json& page = list_of(*answer, "readings");
    if (page.empty()) return {};
    const std::int64_t last = whole(page.back(), "id");
    if (last <= request.after) return {};
    request.after = last;
    const auto more = use(page);
    if (!more) return tl::unexpected(more.error());
    if (!*more) return {};
  }
}

int rejected(const CommandLine& line, Outboxes& outboxes, const Choices& choices) {
  bool any = false;
  const auto done = each_rejected(outboxes, [&](const Json& page) -> Expected<bool> {
    std::vector<std::vector<std::string>> rows;
    if (!any && !choices.json) rows.push_back({"ID", "CHANNEL", "TIME (UTC)", "VALUE", "WHY"});
    any = true;
    for (const Json& reading : page) {
      if (choices.json)
        line.out << local::dump(reading) << "\n";
      else
        rows.push_back({figure(reading, "id"), word(reading, "channel"), time_of(reading, "stamp"),
                        figure(reading, "value"), word(reading, "reason")});
    }
    line.out << table(rows, 0);
    return true;
  });
  if (!done) return failed(line, done.error());
  if (!any && !choices.json) line.out << "no reading was rejected\n";
  return EX_OK;
}

/// The ids that are there now: what is rejected again meanwhile is left for the next time.
Expected<std::vector<std::int64_t>> all_ids(Outboxes& outboxes) {
  std::vector<std::int64_t> ids;
  auto done = each_rejected(outboxes, [&](const Json& page) -> Expected<bool> {
    for (const Json& reading : page) ids.push_back(whole(reading, "id"));
    return true;
  });
  if (!done) return tl::unexpected(done.error());
  return ids;
}

bool sure(const CommandLine& line, const std::string& question) {
  line.out << question << " [y/N] " << std::flush;
  std::string answer;
  std::getline(line.in, answer);
  return !answer.empty() &&
         (answer.front() == 'y' || answer.front() == 'Y' || answer.front() == 'j' || answer.front() == 'J');
}

int by_ids(const CommandLine& line, Outboxes& outboxes, const Choices& choices, Kind kind) {
  if (choices.all != choices.ids.empty()) {
    line.err << "vzlogger queue: either ids (vzlogger queue rejected shows them) or --all\n";
    return EX_USAGE;
  }
  std::vector<std::int64_t> ids = choices.ids;
  if (choices.all) {
    auto found = all_ids(outboxes);
    if (!found) return failed(line, found.error());
    ids = std::move(*found);
  }
  if (kind == Kind::forget && !choices.yes &&
      !sure(line, fmt::format("Throw {} rejected readings away for good?", ids.size()))) {
    line.out << "nothing was done\n";
    return EXIT_FAILURE;
  }
  std::int64_t count = 0;
  for (std::size_t at = 0; at < ids.size(); at += local::kMaxPage) {
    ControlRequest request;
    request.kind = kind;
    const auto first = ids.begin() + static_cast<std::ptrdiff_t>(at);
    request.ids.assign(first, first + static_cast<std::ptrdiff_t>(std::min(local::kMaxPage, ids.size() - at)));
    const auto answer = outboxes.ask(request);
    if (!answer) return failed(line, answer.error());
    count += whole(*answer, "count");
  }
  if (kind == Kind::requeue)
    line.out << fmt::format("{} reading(s) wait again{}\n", count,
                            outboxes.daemon() ? " and are sent" : " and are sent when the daemon runs");
  else
    line.out << fmt::format("{} reading(s) were thrown away\n", count);
  return count > 0 || choices.all ? EX_OK : EXIT_FAILURE;
}

void export_page(const Json& answer, const Choices& choices, std::ostream& out) {
  const bool unstamped = yes(answer, "unstamped");
  for (const Json& reading : list_of(answer, "readings")) {
    if (!reading.is_array() || reading.size() != 3) continue;
    if (choices.format == "json")
      out << fmt::format("[{},{}]\n", reading[1].dump(), reading[2].dump());
    else
      out << fmt::format(
          "{},{},{}\n", reading[1].dump(),
          unstamped || !reading[1].is_number_integer() ? std::string{} : utc(reading[1].get<std::int64_t>()),
          reading[2].dump());
  }
}

/// Writes what waits, page after page. How many readings that were.
Expected<std::size_t> export_pages(Outboxes& outboxes, const Choices& choices, std::ostream& out) {
  ControlRequest request;
  request.kind = Kind::export_queue;
  request.queue = {choices.channel, choices.endpoint};
  request.max = local::kMaxPage;
  std::size_t count = 0;
  for (bool first = true;; first = false) {
    const auto answer = outboxes.ask(request);
    if (!answer) return tl::unexpected(answer.error());
    if (first && choices.format == "csv")
      out << (yes(*answer, "unstamped") ? "milliseconds since boot,,value\n"
                                                         : "milliseconds since 1970,time (UTC),value\n");
    const Json& page = list_of(*answer, "readings");
    if (page.empty() || !page.back().is_array() || page.back().empty()) break;
    const auto last = page.back()[0].is_number_integer() ? page.back()[0].get<std::int64_t>() : 0;
    if (last <= request.after) break;
    request.after = last;
    count += page.size();
    export_page(*answer, choices, out);
  }
  return count;
}

int export_queue(const CommandLine& line, Outboxes& outboxes, const Choices& choices) {
  if (choices.output.empty()) {
    const auto count = export_pages(outboxes, choices, line.out);
    if (!count) return failed(line, count.error());
    line.out.flush();
    return line.out ? EX_OK : failed(line, {.what = "cannot write all of it", .where = "standard output", .remedy = {}});
  }
  OutputFile file{choices.output};
  if (const auto opened = file.open(); !opened) return failed(line, opened.error());
  const auto count = export_pages(outboxes, choices, file.stream());
  if (!count) return failed(line, count.error());
  if (const auto finished = file.finish(); !finished) return failed(line, finished.error());
  line.out << fmt::format("{} reading(s) written to {}; they still wait here\n", *count, choices.output);
  return EX_OK;
}

int one_queue(const CommandLine& line, Outboxes& outboxes, const Choices& choices, Kind kind) {
  ControlRequest request;
  request.kind = kind;
  request.queue = {choices.channel, choices.endpoint};
  request.to = {choices.to, choices.to_endpoint};
  if (kind == Kind::drop && !choices.yes &&
      !sure(line, fmt::format("Throw away all that waits for channel {}, for good?", choices.channel))) {
    line.out << "nothing was done\n";
    return EXIT_FAILURE;
  }
  const auto tell = [&](std::ostream& out, std::uint64_t count, std::string_view end) {
    out << fmt::format("{} reading(s) {}{}\n", count, kind == Kind::drop ? "were thrown away" : "were moved", end);
  };
  std::uint64_t count = 0;
  for (bool more = true; more;) {  // a daemon does it in parts, so that others are answered, too
    const auto answer = outboxes.ask(request);
    if (!answer) {
      if (count > 0) tell(line.err, count, " before that");
      return failed(line, answer.error());
    }
    count += static_cast<std::uint64_t>(whole(*answer, "count"));
    more = answer->value("more", Json(false)) == true;
  }
  tell(line.out, count, "");
  return EX_OK;
}

// --- the command line ------------------------------------------------------------------------------------------------

/// What to do, once the options are read.
using Work = std::function<int(const CommandLine&, Outboxes&, const Choices&)>;

void add_channel(CLI::App& app, Choices& choices) {
  app.add_option("CHANNEL", choices.channel, "the end of its uuid, as `vzlogger queue` shows it, or chn0")->required();
  app.add_option("--endpoint", choices.endpoint, "a part of the endpoint's name, if the channel alone is not enough");
}

void add_ids(CLI::App& app, Choices& choices) {
  app.add_option("ID", choices.ids, "as `vzlogger queue rejected` shows them")->check(CLI::NonNegativeNumber);
  app.add_flag("--all", choices.all, "all rejected readings");
}

void add_commands(CLI::App& app, Choices& choices, Work& work) {
  auto* shown = app.add_subcommand("rejected", "shows the readings that an endpoint refused for good");
  shown->add_flag("--json", choices.json, "a line of JSON for each");
  shown->callback([&] { work = rejected; });
  auto* requeue = app.add_subcommand("requeue", "sends rejected readings once more");
  add_ids(*requeue, choices);
  requeue->callback(
      [&] { work = [](auto& line, auto& outboxes, auto& c) { return by_ids(line, outboxes, c, Kind::requeue); }; });
  auto* forget = app.add_subcommand("forget", "throws rejected readings away");
  add_ids(*forget, choices);
  forget->add_flag("--yes", choices.yes, "do not ask");
  forget->callback(
      [&] { work = [](auto& line, auto& outboxes, auto& c) { return by_ids(line, outboxes, c, Kind::forget); }; });
  auto* exported = app.add_subcommand("export", "prints what waits for a channel; it goes on waiting");
  add_channel(*exported, choices);
  exported->add_option("--format", choices.format, "csv, or json: a line [milliseconds, value] for each")
      ->check(CLI::IsMember({"csv", "json"}))
      ->capture_default_str();
  exported->add_option("-o,--output", choices.output, "a file to write to");
  exported->callback([&] { work = export_queue; });
  auto* retarget =
      app.add_subcommand("retarget", "hands what waits for a channel that nobody sends to another channel");
  add_channel(*retarget, choices);
  retarget->add_option("TO", choices.to, "the channel that gets it")->required();
  retarget->add_option("--to-endpoint", choices.to_endpoint, "a part of the name of that one's endpoint");
  retarget->callback(
      [&] { work = [](auto& line, auto& outboxes, auto& c) { return one_queue(line, outboxes, c, Kind::retarget); }; });
  auto* drop = app.add_subcommand("drop", "throws away what waits for a channel that nobody sends");
  add_channel(*drop, choices);
  drop->add_flag("--yes", choices.yes, "do not ask");
  drop->callback(
      [&] { work = [](auto& line, auto& outboxes, auto& c) { return one_queue(line, outboxes, c, Kind::drop); }; });
}

int run(const CommandLine& line) {
  CLI::App app{
      "Shows what waits to be delivered, and deals with what was rejected or belongs to no channel any more. Asks the "
      "running daemon; if none runs, works on its file.\nStatus: 0 done, 1 refused or nothing to do, 69 there is "
      "neither a daemon nor a file.",
      "vzlogger queue"};
  Choices choices;
  Work work = list;
  app.add_flag("--json", choices.json, "JSON instead of text");
  app.add_option("--socket", choices.socket, "the daemon's control socket")->capture_default_str();
  app.add_option("-c,--config", choices.config, "the configuration, which says where the file is")
      ->capture_default_str();
  app.add_option("--file", choices.file, "the outbox's file itself; no daemon may run on it");
  app.require_subcommand(0, 1);
  add_commands(app, choices, work);
  if (const auto status = read_options(app, line)) return *status;

  Outboxes outboxes{line.err};
  if (const auto opened = outboxes.open(choices); !opened) {
    line.err << "vzlogger queue: " << opened.error().text() << "\n";
    return EX_UNAVAILABLE;
  }
  const int status = work(line, outboxes, choices);
  if (const auto closed = outboxes.close(); !closed) return failed(line, closed.error());
  return status;
}

}  // namespace

extern const Command queue_command;
const Command queue_command{"queue", "shows and handles what waits, was rejected, or belongs to no channel",
                            "Warteschlange, Outbox, abgelehnte Messwerte, erneut senden, exportieren", run};

}  // namespace vz::cli::commands
