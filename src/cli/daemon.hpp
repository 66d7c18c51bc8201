// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <memory>
#include <vector>

#include "cli/thread_group.hpp"
#include "core/stamp_clock.hpp"
#include "local/control_server.hpp"
#include "local/interface.hpp"
#include "outbox/durable_outbox.hpp"
#include "outbox/outbox_writer.hpp"
#include "platform/clock.hpp"
#include "platform/curl_http_client.hpp"
#include "platform/mosquitto_client.hpp"
#include "platform/service_manager.hpp"
#include "platform/signals.hpp"
#include "platform/transport_factory.hpp"
#include "platform/log_sink.hpp"
#include "runtime/meter_worker.hpp"
#include "runtime/mqtt_publisher.hpp"
#include "runtime/push_sender.hpp"
#include "runtime/stamp_gate.hpp"
#include "runtime/status_board.hpp"
#include "runtime/uploader.hpp"
#include "vz/settings.hpp"
#include "vz/tap.hpp"

namespace vz::cli {

/// Whether somebody looks after the process: then a device that is missing at the start is waited for.
enum class Supervision { none, service_manager };

/// Everything that runs: meters, outbox, uploader, and the main loop that waits for signals and feeds the watchdog.
/// Owned by the main thread; constructed after the process has gone to the background, because threads and libcurl
/// start here.
class Daemon {
 public:
  Daemon(const Settings& settings, DaemonLog& log, const Clock& clock, const ServiceEnvironment& environment);
  ~Daemon();

  /// Runs until a signal ends it. Returns the exit status. May not return at all when a thread does not stop in time:
  /// the process then ends from within, with the same status.
  int run(Supervision supervision);

  /// How everything does. From any thread.
  [[nodiscard]] StatusReport status() const { return board_.report(); }

 private:
  void start_outbox();
  void go_on_with_clock();
  void tell_unstamped(const OrphanQueue& queue);
  void tell_held();
  void make_local();
  void make_push();
  void tell_orphans();
  void open_control();
  void make_mqtt();
  void make_meters();
  void make_meter(const MeterSettings& meter);
  bool open_meters(Wake& wake);
  int open_meters_or_end(Signals& signals);
  void start_threads();
  void main_loop(Signals& signals);
  void feed_watchdog();
  [[nodiscard]] bool stuck(MonoTime now) const;
  void stop();

  const Settings& settings_;
  DaemonLog& log_;
  const std::string boot_;
  StampClock clock_;
  ServiceManager manager_;
  std::optional<std::chrono::microseconds> watchdog_;
  SystemTransportFactory transports_;
  DurableOutbox outbox_;
  OutboxWriter writer_;
  StampGate gate_;
  CurlHttpClient http_;
  Uploader uploader_;
  StatusBoard board_;
  std::unique_ptr<MosquittoClient> mqtt_client_;
  std::unique_ptr<MqttPublisher> mqtt_;  ///< null: MQTT is off
  std::unique_ptr<local::LocalInterface> local_;  ///< null: off
  std::unique_ptr<CurlHttpClient> push_http_;     ///< its own, so that a dead target is nobody else's trouble
  std::unique_ptr<PushSender> push_;              ///< null: no target
  std::vector<ReadingTap*> taps_;  ///< filled before the meters are made, not changed after
  std::vector<std::unique_ptr<MeterWorker>> workers_;
  std::vector<const MeterSettings*> worker_settings_;
  std::vector<local::OutboxDesk::OpenQueue> open_queues_;
  std::unique_ptr<local::ControlServer> control_;
  ThreadGroup threads_;
};

}  // namespace vz::cli
