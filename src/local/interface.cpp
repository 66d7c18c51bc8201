// SPDX-License-Identifier: GPL-3.0-or-later
#include "local/interface.hpp"

#include "local/metrics.hpp"
#include "platform/process_figures.hpp"
#include "platform/wait.hpp"
#include "vz/wake.hpp"

namespace vz::local {
namespace {

constexpr std::chrono::seconds kTryAgain{30};
constexpr std::chrono::seconds kLongestTimeout{86'400};

ServerSettings server_settings(const LocalSettings& local) {
  return {.address = local.address,
          .port = local.port,
          .connections = local.connections,
          .timeout = std::min(std::chrono::seconds{local.timeout}, kLongestTimeout),
          .cors = local.cors};
}

Site::Pages pages(const StatusSource& status) {
  if (!status) return {};
  return {.metrics = [status] { return Reply{200, kMetricsType, metrics_text(status(), process_figures())}; },
          .health = [status] { return health_reply(health(status())); }};
}

}  // namespace

Reply health_reply(const Health& health) {
  std::string body = health.ok() ? "ok\n" : "";
  for (const auto& reason : health.reasons) body += reason + '\n';
  return {.status = health.ok() ? 200 : 503, .content_type = "text/plain; charset=utf-8", .body = std::move(body)};
}

LocalInterface::LocalInterface(const Settings& settings, Environment environment)
    : environment_(std::move(environment)),
      server_settings_(server_settings(settings.local)),
      board_(settings.meters, settings.local.buffer, environment_.clock),
      site_({.version = environment_.version, .index = settings.local.index, .cors = !settings.local.cors.empty()}, board_,
            pages(environment_.status)) {
  board_.on_change([this] {
    if (Server* server = server_.load()) server->notify();
  });
}

LocalInterface::~LocalInterface() { server_ = nullptr; }

bool LocalInterface::listen() {
  auto opened = Server::open(server_settings_, site_, board_, environment_.clock, environment_.log);
  const std::scoped_lock lock(mutex_);
  if (opened) {
    owner_ = std::move(*opened);
    server_ = owner_.get();
    trouble_.clear();
    trouble_since_.reset();
    environment_.log.print(Level::info, "http", "Starting local interface HTTPd on port {}", owner_->port());
    return true;
  }
  const std::string text = opened.error().text();
  if (text != trouble_)
    environment_.log.print(Level::alert, "http",
                           "{}. The local interface is off for now, everything else runs; tried again every {} s.", text,
                           kTryAgain.count());
  if (trouble_.empty()) trouble_since_ = environment_.clock.now().wall;
  trouble_ = text;
  return false;
}

void LocalInterface::run(std::stop_token stop) {
  Wake wake;
  wake.follow(stop);
  while (!listen()) {
    (void)platform::wait_for(-1, 0, environment_.clock.now().mono + kTryAgain, wake);
    if (stop.stop_requested()) return;
  }
  owner_->run(std::move(stop));
}

ServiceReport LocalInterface::report() const {
  ServiceReport report{.name = "http", .working = false, .trouble = {}, .trouble_since = {}, .counters = {}};
  const Server* server = server_.load();
  const auto counters = server == nullptr ? Server::Counters{} : server->counters();
  report.working = server != nullptr;
  report.counters = {{"requests", counters.requests},
                     {"refused", counters.refused},
                     {"connections", counters.connections},
                     {"waiting", counters.waiting}};
  const std::scoped_lock lock(mutex_);
  report.trouble = trouble_;
  report.trouble_since = trouble_since_;
  return report;
}

}  // namespace vz::local
