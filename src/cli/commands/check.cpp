// SPDX-License-Identifier: GPL-3.0-or-later
// Everything that is wrong with a configuration, and, with --live, with what it names.
#include <fcntl.h>
#include <sysexits.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <ostream>
#include <set>

#include "cli/command_options.hpp"
#include "cli/middleware_client.hpp"
#include "config/advice.hpp"
#include "config/config.hpp"
#include "core/channel_advice.hpp"
#include "core/uuid.hpp"
#include "platform/clock.hpp"
#include "platform/curl_http_client.hpp"
#include "platform/http_call.hpp"
#include "platform/mosquitto_client.hpp"
#include "platform/transport_factory.hpp"
#include "sinks/mqtt/settings.hpp"
#include "sinks/web/options.hpp"
#include "sinks/web/unanswered.hpp"
#include "vz/protocol.hpp"
#include "vz/session.hpp"

namespace vz::cli::commands {
namespace {

using nlohmann::json;

constexpr std::chrono::seconds kOpenPatience{10};

struct Wishes {
  std::string config = "/etc/vzlogger.conf";
  bool live = false;
  bool json = false;
};

/// What a check with --live found.
struct Finding {
  std::string about;  ///< "mtr0 /dev/ttyUSB0"
  bool good = true;
  std::string text;
};

class SilentLog final : public Log {
 public:
  [[nodiscard]] bool enabled(Level) const override { return false; }
  void write(Level, std::string_view, std::string_view) override {}
};

class LiveCheck {
 public:
  explicit LiveCheck(const Settings& settings) : settings_(settings) {}

  std::vector<Finding> run() {
    files();
    for (const MeterSettings& meter : settings_.meters) {
      if (!meter.enabled) continue;
      device(meter);
      for (const ChannelSettings& channel : meter.channels) this->channel(meter, channel);
    }
    broker();
    return std::move(findings_);
  }

 private:
  void add(std::string about, bool good, std::string text) { findings_.push_back({std::move(about), good, std::move(text)}); }

  /// The log's folder has to be there; whether the service's user may write into it is the unit's business.
  void files() {
    if (settings_.log.empty()) return;
    const auto folder = std::filesystem::path(settings_.log).parent_path();
    std::error_code error;
    if (!folder.empty() && !std::filesystem::is_directory(folder, error))
      add("log", false, fmt::format("the folder {} does not exist: create it, or correct `log`", folder.string()));
    else
      add("log", true, settings_.log);
  }

  void device(const MeterSettings& meter) {
    std::vector<Problem> problems;
    ProblemSink sink(meter.options, problems);
    const auto source = meter.protocol->make(meter.options, sink);
    if (!source) return;
    const std::string about = fmt::format("mtr{} {}", meter.number, text(source->endpoint));
    if (std::holds_alternative<NoTransport>(source->endpoint)) return add(about, true, "makes its own readings");
    if (std::holds_alternative<CommandSource>(source->endpoint)) return add(about, true, "is not run by a check");
    Wake wake;
    const auto opened = transports_.open(source->endpoint, source->session->initial_line(), clock_.now().mono + kOpenPatience, wake);
    if (opened) return add(about, true, "can be opened");
    if (opened.error().code == EBUSY)
      return add(about, true, "is in use by another program, which is right if that is vzlogger itself (" + opened.error().what + ")");
    add(about, false, opened.error().text());
  }

  void channel(const MeterSettings& meter, const ChannelSettings& channel) {
    const std::string about = fmt::format("chn{} {} {}", channel.number, channel.identifier_text, uuid_tail(channel.uuid));
    if (channel.sink->name == "volkszaehler") return middleware(about, meter, channel);
    if (channel.sink->name == "influxdb") return influxdb(about, channel);
    add(about, true, fmt::format("api {}", channel.sink->name));
  }

  void middleware(const std::string& about, const MeterSettings& meter, const ChannelSettings& channel) {
    const auto entity = MiddlewareClient(http_, channel.options.string("middleware")).channel(channel.uuid);
    if (!entity) return add(about, false, entity.error().text());
    const auto advice = advise_channel(meter, channel.identifier);
    if (advice) {
      if (const std::string misfit = channel_misfit(*advice, entity->type, entity->resolution); !misfit.empty())
        return add(about, false, fmt::format("\"{}\": {}", entity->title, misfit));
    }
    add(about, true,
        fmt::format("goes{} to \"{}\", {}{}", advice && !advice->unit.empty() ? " as " + advice->unit : "", entity->title, entity->type,
                    entity->resolution ? fmt::format(", resolution {}", *entity->resolution) : ""));
  }

  void influxdb(const std::string& about, const ChannelSettings& channel) {
    std::string host = channel.options.string("host");
    while (host.ends_with('/')) host.pop_back();
    HttpRequest request;
    request.method = "GET";
    request.url = host + "/ping";
    request.timeout = kOpenPatience;
    request.tls = sinks::web::tls_check(channel.options);
    const HttpReply reply = call(http_, std::move(request));
    if (reply.status == 0) return add(about, false, sinks::web::unanswered(reply, redacted(host), "host", channel.uuid).message);
    const bool good = reply.status < 400;
    add(about, good, good ? "InfluxDB answers at " + redacted(host) : fmt::format("HTTP {} from {}/ping: is there an InfluxDB?", reply.status, redacted(host)));
  }

  /// Greets the broker as the daemon would: with its TLS files, user and password, but under another name, because a
  /// client with the same id would throw the running daemon out.
  void broker() {
    mqtt::Settings mqtt = mqtt::settings(settings_.mqtt, {});
    if (!mqtt.enabled) return;
    const std::string name = mqtt::broker_name(mqtt.broker);
    if (!mqtt.trouble.empty()) return add("mqtt", false, mqtt.trouble);
    mqtt.broker.client_id = fmt::format("vzlogger_check_{}", ::getpid());
    mqtt.broker.will.reset();
    SilentLog log;
    MosquittoClient client(mqtt.broker, name, log);
    const MonoTime deadline = clock_.now().mono + kOpenPatience;
    Wake wake;
    if (const auto begun = client.connect(deadline, wake); !begun) return add("mqtt", false, begun.error().text());
    std::vector<MqttEvent> events;
    while (events.empty() && clock_.now().mono < deadline) client.wait(deadline, wake, events);
    const auto* lost = events.empty() ? nullptr : std::get_if<MqttLost>(&events.front());
    if (events.empty()) return add("mqtt", false, fmt::format("{}: no answer within {} s: is the broker reachable?", name, kOpenPatience.count()));
    if (lost != nullptr) return add("mqtt", false, lost->error.text());
    client.disconnect(deadline);
    add("mqtt", true, fmt::format("{} lets us in{}", name, mqtt.broker.tls ? ", with TLS" : ""));
  }

  const Settings& settings_;
  const SystemClock clock_;
  SystemTransportFactory transports_;
  CurlHttpClient http_;
  std::vector<Finding> findings_;
};

json problem_json(const Problem& problem) {
  return {{"severity", problem.severity == Problem::Severity::error ? "error" : "warning"},
          {"line", problem.position.line},
          {"column", problem.position.column},
          {"path", problem.position.path},
          {"text", problem.text}};
}

void print_json(std::ostream& out, const std::vector<Problem>& problems, const std::vector<Finding>& findings) {
  json all{{"problems", json::array()}, {"live", json::array()}};
  for (const Problem& problem : problems) all["problems"].push_back(problem_json(problem));
  for (const Finding& finding : findings)
    all["live"].push_back({{"about", finding.about}, {"good", finding.good}, {"text", finding.text}});
  out << all.dump(2, ' ', false, json::error_handler_t::replace) << '\n';
}

std::string count(std::size_t n, const char* what) { return fmt::format("{} {}{}", n, what, n == 1 ? "" : "s"); }

void print_text(std::ostream& out, const Wishes& wishes, const std::vector<Problem>& problems, const std::vector<Finding>& findings) {
  std::size_t errors = 0;
  for (const Problem& problem : problems) {
    out << config::format(problem, wishes.config) << '\n';
    if (problem.severity == Problem::Severity::error) ++errors;
  }
  for (const Finding& finding : findings) out << fmt::format("{} {}: {}\n", finding.good ? "ok " : "!! ", finding.about, finding.text);
  const auto bad = static_cast<std::size_t>(std::count_if(findings.begin(), findings.end(), [](const Finding& f) { return !f.good; }));
  out << fmt::format("{}: {}, {}", wishes.config, count(errors, "error"), count(problems.size() - errors, "warning"));
  if (!findings.empty()) out << fmt::format("; {} of {} live checks failed", bad, findings.size());
  out << '\n';
}

int run(const CommandLine& line) {
  Wishes wishes;
  CLI::App app("Tells everything that is wrong with a configuration: line, place and what to do.\n"
               "Ends with 0 if all is well, 1 if something is doubtful or a live check failed, 78 if the daemon would not start.",
               "vzlogger check");
  app.add_option("-c,--config", wishes.config, "configuration file")->capture_default_str();
  app.add_flag("--live", wishes.live, "also open the devices, look up the hosts and ask the middleware about each channel; stores nothing");
  app.add_flag("--json", wishes.json, "for programs");
  if (const auto status = read_options(app, line)) return *status;

  const auto text = config::read_file(wishes.config);
  if (!text) {
    line.err << text.error().text() << '\n';
    return EX_CONFIG;
  }
  config::Result result = config::load(*text, {all_protocols(), all_sinks()});
  if (result.settings) config::add_advice(*result.settings, result.problems);
  std::vector<Finding> findings;
  if (wishes.live && result.settings) findings = LiveCheck(*result.settings).run();
  if (wishes.json) print_json(line.out, result.problems, findings);
  else print_text(line.out, wishes, result.problems, findings);
  if (!result.settings) return EX_CONFIG;
  const bool good = result.problems.empty() && std::all_of(findings.begin(), findings.end(), [](const Finding& f) { return f.good; });
  return good ? EX_OK : EXIT_FAILURE;
}

}  // namespace

extern const Command check_command;
const Command check_command{"check", "tells what is wrong with a configuration, and with what it names", "prüfen, Konfiguration testen, Fehler finden", run};

}  // namespace vz::cli::commands
