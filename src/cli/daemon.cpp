// SPDX-License-Identifier: GPL-3.0-or-later
#include "cli/daemon.hpp"

#include <poll.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdlib>

#include "cli/outbox_settings.hpp"
#include "cli/version.hpp"
#include "platform/give_way.hpp"

namespace vz::cli {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// A thread that has been at one piece of work for so long will not come back.
constexpr seconds kStuck{60};
/// The same for the one that writes to the disk: an SD card may take its time, and to end the process helps no disk.
constexpr seconds kDiskStuck{300};
constexpr seconds kFirstOpen{10};
/// Stop takes under a second; what has not returned by then is left behind.
constexpr milliseconds kStopPatience{600};
constexpr milliseconds kClosePatience{250};

std::uint64_t random_seed() {
  std::uint64_t seed = 1;
  if (::getrandom(&seed, sizeof seed, GRND_NONBLOCK) != sizeof seed) seed = static_cast<std::uint64_t>(::getpid());
  return seed;
}

/// The state in which the outbox keeps the time that was known last: boot and milliseconds.
constexpr const char* kClockState = "clock";
constexpr std::string_view kAhead = " ahead";  ///< of the machine's clock, as it was written

}  // namespace

Daemon::Daemon(const Settings& settings, DaemonLog& log, const Clock& clock, const ServiceEnvironment& environment)
    : settings_(settings),
      log_(log),
      boot_(boot_id()),
      clock_(clock, WallTime{std::chrono::seconds{build_info().epoch}},
             environment.notify_socket.empty() ? std::function<bool()>{} : clock_is_settling,
             clock_is_synchronised),
      manager_(environment),
      watchdog_(watchdog_interval(environment, ::getpid())),
      outbox_(clock_, log_, durable_settings(settings.outbox, std::getenv("STATE_DIRECTORY")), system_files()),
      writer_(outbox_, clock_),
      gate_(outbox_, clock_, log_, boot_),
      uploader_(http_, outbox_, clock_, log_, {.retry = seconds{settings.retry}, .seed = random_seed()}),
      board_(std::string{build_info().version}, clock_, uploader_, outbox_, durable_settings(settings.outbox, std::getenv("STATE_DIRECTORY")).path) {
  outbox_.on_push([this] {
    uploader_.notify();
    if (mqtt_) mqtt_->notify_outbox();
  });
  start_outbox();
  go_on_with_clock();
  make_mqtt();
  make_local();
  make_push();
  make_meters();
  gate_.resume(outbox_);
  tell_orphans();
  open_control();
}

/// Takes the outbox's file. Without it the daemon goes on in memory and says so.
void Daemon::start_outbox() {
  const auto started = outbox_.start();
  if (started) return;
  log_.print(Level::alert, "main", "{}. Readings that cannot be delivered wait in memory and are lost at a stop or crash.",
             started.error().text());
}

/// Takes up the time that an earlier process knew, and from now on leaves it to later ones.
void Daemon::go_on_with_clock() {
  if (clock_synchronisation() == Synchronisation::unknown)
    log_.write(Level::info, "main",
               "whether the clock of this machine is synchronised cannot be found out: asking the kernel (adjtimex) is forbidden "
               "here. Under a service manager readings of the first five minutes after boot are held until those are over. "
               "Does the unit have ProtectClock=yes, or a SystemCallFilter= without adjtimex?");
  const std::string found = outbox_.get_state(kClockState);
  const std::size_t blank = found.find(' ');
  std::int64_t ms = 0;
  if (blank != std::string::npos && std::from_chars(found.data() + blank + 1, found.data() + found.size(), ms).ec == std::errc{}) {
    const bool same = !boot_.empty() && std::string_view{found}.substr(0, blank) == boot_;
    const WallTime last{milliseconds{ms}};
    if (found.ends_with(kAhead)) gate_.go_on_from(last);
    clock_.go_on_from(last, same ? StampClock::Boot::this_one : StampClock::Boot::earlier);
  }
  outbox_.set_companion(kClockState, [this] {
    if (!clock_.trusted()) return Companion{};
    const WallTime latest = gate_.latest();
    const bool ahead = clock_.has_yet_to_reach(latest);
    return Companion{.bytes = fmt::format("{} {}{}", boot_.empty() ? "-" : boot_, latest.time_since_epoch().count(), ahead ? kAhead : ""),
                     .urgent = ahead};
  });
}

void Daemon::tell_unstamped(const OrphanQueue& queue) {
  log_.print(Level::alert, "main",
             "{} readings of {} are from an earlier start of this machine, at which its clock was never set. Nobody "
             "can know their time, so they are not sent; they are kept in the outbox. A clock module, or time synchronisation "
             "that works (timedatectl), prevents it.",
             queue.waiting, channel_label(queue.name.channel));
}

/// What the stop leaves without a time.
void Daemon::tell_held() {
  const std::uint64_t held = gate_.held();
  if (held == 0) return;
  log_.print(Level::alert, "main", "{} readings still wait for the clock of this machine to be set; {}", held,
             outbox_.status().durable ? "they are kept, and get their time at the next start if that is before a reboot"
                                      : "they are lost, because the outbox cannot be written");
}

void Daemon::tell_orphans() {
  for (const auto& orphan : outbox_.orphans()) {
    if (StampGate::held_endpoint(orphan.name)) {
      tell_unstamped(orphan);
      continue;
    }
    log_.print(Level::alert, "main",
               "{} readings wait for {} at {}, which is no longer in the configuration. They are kept; add the "
               "channel again to have them sent.",
               orphan.waiting, channel_label(orphan.name.channel), orphan.name.endpoint);
  }
}

/// Without its socket the daemon works as ever; nobody can ask it.
void Daemon::open_control() {
  std::vector<HeldLine*> lines;
  for (const auto& worker : workers_) lines.push_back(worker.get());
  control_ = std::make_unique<local::ControlServer>([this] { return status(); },
                                                    local::OutboxDesk{outbox_, open_queues_, StampGate::held_endpoint},
                                                    std::move(lines), clock_, log_);
  if (const auto opened = control_->open(local::control_path(std::getenv("RUNTIME_DIRECTORY"))); !opened)
    log_.print(Level::warning, "main", "{}. Reading and sending go on; vzlogger status and its like cannot ask this daemon.",
               opened.error().text());
}

Daemon::~Daemon() = default;

void Daemon::make_mqtt() {
  mqtt::Settings settings = mqtt::settings(settings_.mqtt, fmt::format("vzlogger_{}", ::getpid()));
  if (!settings.enabled) return;
  if (!settings.trouble.empty()) {
    log_.print(Level::alert, "mqtt", "{}.", settings.trouble);
    return;
  }
  mqtt_client_ = std::make_unique<MosquittoClient>(settings.broker, mqtt::broker_name(settings.broker), log_);
  mqtt_ = std::make_unique<MqttPublisher>(
      std::move(settings), settings_.meters,
      MqttPublisher::Environment{*mqtt_client_, outbox_, gate_, clock_, log_, random_seed(), std::string{build_info().version}});
  mqtt_->watch_meters([this](int number) {
    for (std::size_t i = 0; i < workers_.size(); ++i) {
      if (worker_settings_[i]->number != number) continue;
      const MeterStatus status = workers_[i]->status();
      return status.state == MeterReport::State::connected && status.last_trouble.empty();
    }
    return false;
  });
  taps_.push_back(mqtt_.get());
  for (const auto& queue : mqtt_->queues()) open_queues_.push_back({queue.name, queue.id, fmt::format("chn{}", queue.channel)});
  board_.add_service([this] { return mqtt_->status().report(); });
}

void Daemon::make_local() {
  if (!settings_.local.enabled) return;
  local_ = std::make_unique<local::LocalInterface>(
      settings_, local::LocalInterface::Environment{clock_, log_, std::string{build_info().version},
                                                          [this] { return status(); }});
  board_.add_service([this] { return local_->report(); });
  taps_.push_back(&local_->tap());
}

void Daemon::make_push() {
  if (settings_.push_urls.empty()) return;
  push_http_ = std::make_unique<CurlHttpClient>();
  push_ = std::make_unique<PushSender>(
      *push_http_, clock_, log_,
      PushSettings{.urls = settings_.push_urls, .user_agent = curl_user_agent(), .seed = random_seed()});
  for (std::size_t i = 0; i < settings_.push_urls.size(); ++i) board_.add_service([this, i] { return push_->report(i); });
  taps_.push_back(push_.get());
}

void Daemon::make_meters() {
  for (const auto& meter : settings_.meters) {
    if (meter.enabled) {
      make_meter(meter);
    } else {
      log_.print(Level::info, fmt::format("mtr{}", meter.number), "Meter for protocol '{}' is disabled. Skipping.",
                 meter.protocol != nullptr ? meter.protocol->name : "?");
      board_.add_meter(meter, nullptr, {});
    }
  }
}

void Daemon::make_meter(const MeterSettings& meter) {
  std::vector<Problem> problems;
  ProblemSink problem_sink(meter.options, problems);
  auto source = meter.protocol->make(meter.options, problem_sink);
  if (!source) return;  // the configuration was checked: cannot happen
  std::vector<std::optional<QueueId>> queues;
  for (const auto& channel : meter.channels) {
    ProblemSink channel_problems(channel.options, problems);
    const SinkContext context{curl_user_agent(), channel.uuid, channel.duplicates};
    auto sink = channel.sink->make(channel.options, context, channel_problems);
    queues.emplace_back();
    if (!sink || !sink->delivers()) continue;
    const std::string series = sink->series();
    const QueueName name{sink->endpoint(), series.empty() ? channel.uuid : series + " " + channel.uuid};
    queues.back() = outbox_.open(name);
    gate_.know(*queues.back(), name);
    const auto is_it = [&](const auto& known) { return known.id == *queues.back(); };
    if (std::none_of(open_queues_.begin(), open_queues_.end(), is_it))
      open_queues_.push_back({name, *queues.back(), fmt::format("chn{}", channel.number)});
    uploader_.add(*queues.back(), std::move(sink), fmt::format("chn{}", channel.number), channel_label(channel.uuid));
  }
  MeterPipeline pipeline(meter, settings_.i_have_a_time_machine, queues, gate_, log_, taps_, clock_);
  pipeline.resume_windows(outbox_, settings_.outbox.integer("commit_interval") == 0 ? MeterPipeline::KeepWindows::always
                                                                                    : MeterPipeline::KeepWindows::at_stop);
  workers_.push_back(std::make_unique<MeterWorker>(
      meter, std::move(*source), std::move(pipeline),
      MeterWorker::Environment{transports_, clock_, log_, random_seed()}));
  worker_settings_.push_back(&meter);
  board_.add_meter(meter, workers_.back().get(), std::move(queues));
}

/// The first try when nobody supervises: a missing device ends the program, as it always did, unless the meter may be
/// skipped. False: end with status 1.
bool Daemon::open_meters(Wake& wake) {
  std::size_t opened = 0;
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    auto& worker = *workers_[i];
    const auto result = worker.open_once(clock_.now().mono + kFirstOpen, wake);
    if (result) {
      ++opened;
      continue;
    }
    if (result.error().code == ECANCELED) return true;
    if (result.error().passing) {
      log_.print(Level::alert, worker.section(), "{}", result.error().text());
      ++opened;
      continue;
    }
    log_.print(Level::alert, worker.section(), "Cannot open meter: {}", result.error().text());
    if (!worker_settings_[i]->allowskip) {
      log_.write(Level::alert, {}, "Startup failed: Meter open failed.");
      return false;
    }
    log_.print(Level::warning, {}, "Skipping meter {} for now; it is tried again in the background", worker.section());
  }
  if (opened > 0) return true;
  log_.write(Level::alert, {}, "No functional meters found - quitting!");
  return false;
}

/// Opens the meters for the first time with an ear for signals. Returns the status to end with, or -1 to go on.
int Daemon::open_meters_or_end(Signals& signals) {
  Wake cancel;
  Wake finished;
  bool opened = false;
  bool ended = false;
  {
    const std::jthread opener([&] {
      opened = open_meters(cancel);
      finished.wake();
    });
    std::array<pollfd, 2> wanted{pollfd{signals.fd(), POLLIN, 0}, pollfd{finished.fd(), POLLIN, 0}};
    while (!ended && ::poll(wanted.data(), wanted.size(), -1) >= 0 && wanted[1].revents == 0) {
      while (const auto signal = signals.take()) {
        if (*signal == SIGUSR1) log_.reopen();
        else ended = true;
      }
    }
    if (ended) cancel.wake();
  }
  if (ended) return EXIT_SUCCESS;
  return opened ? -1 : EXIT_FAILURE;
}

void Daemon::start_threads() {
  // those that work off what the meters bring never interrupt one
  const auto start = [this](ThreadGroup::Body body) {
    threads_.start([body = std::move(body)](std::stop_token stop) {
      platform::give_way();
      body(std::move(stop));
    });
  };
  start([this](std::stop_token stop) { uploader_.run(std::move(stop)); });
  start([this](std::stop_token stop) { writer_.run(std::move(stop)); });
  start([this](std::stop_token stop) { control_->run(stop); });
  if (mqtt_) start([this](std::stop_token stop) { mqtt_->run(std::move(stop)); });
  if (push_) start([this](std::stop_token stop) { push_->run(stop); });
  if (local_) start([this](std::stop_token stop) { local_->run(std::move(stop)); });
  for (auto& worker : workers_)
    threads_.start([&worker](std::stop_token stop) { worker->run(std::move(stop)); });
}

int Daemon::run(Supervision supervision) {
  auto signals = Signals::open();
  if (!signals) {
    log_.print(Level::alert, "main", "{}", signals.error().text());
    return EXIT_FAILURE;
  }
  if (supervision == Supervision::none) {
    if (const int status = open_meters_or_end(*signals); status >= 0) return status;
  }
  start_threads();
  (void)manager_.ready();
  log_.write(Level::debug, {}, "Startup done.");
  main_loop(*signals);
  stop();
  return EXIT_SUCCESS;
}

void Daemon::main_loop(Signals& signals) {
  const int period = watchdog_ ? static_cast<int>(std::chrono::duration_cast<milliseconds>(*watchdog_ / 2).count()) : -1;
  while (true) {
    pollfd wanted{signals.fd(), POLLIN, 0};
    ::poll(&wanted, 1, period);
    if (watchdog_) feed_watchdog();
    while (const auto signal = signals.take()) {
      if (*signal != SIGUSR1) return;
      log_.reopen();
    }
  }
}

/// A thread that has been at one piece of work for too long.
bool Daemon::stuck(MonoTime now) const {
  return uploader_.heartbeat().stuck(now, kStuck) || writer_.heartbeat().stuck(now, kDiskStuck) ||
         (mqtt_ && mqtt_->heartbeat().stuck(now, kStuck)) ||
         std::any_of(workers_.begin(), workers_.end(), [&](const auto& worker) { return worker->heartbeat().stuck(now, kStuck); });
}

void Daemon::feed_watchdog() {
  if (stuck(clock_.now().mono)) return;  // the service manager will act
  (void)manager_.watchdog();
  std::uint64_t telegrams = 0;
  for (const auto& worker : workers_) telegrams += worker->status().telegrams;
  std::uint64_t waiting = 0;
  std::uint64_t accepted = 0;
  for (const auto& channel : uploader_.status().channels) {
    waiting += channel.queue.waiting;
    accepted += channel.queue.accepted;
  }
  (void)manager_.status(fmt::format("{} telegrams read, {} readings delivered, {} waiting", telegrams, accepted, waiting));
}

void Daemon::stop() {
  log_.write(Level::info, {}, "main loop indicating all mappings to quit");
  (void)manager_.stopping();
  const bool all_stopped = threads_.stop(kStopPatience);
  tell_held();
  if (const auto closed = outbox_.close(clock_.now().mono + kClosePatience); !closed)
    log_.print(Level::alert, "main", "{}. Readings of the last seconds may be lost.", closed.error().text());
  if (all_stopped) return;
  log_.write(Level::debug, "main", "a thread did not return in time; the process ends without it");
  std::_Exit(EXIT_SUCCESS);
}

}  // namespace vz::cli
