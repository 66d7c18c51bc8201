// SPDX-License-Identifier: GPL-3.0-or-later
#include "runtime/meter_worker.hpp"

#include <algorithm>
#include <cerrno>

#include "core/cycle_pace.hpp"

namespace vz {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t kReadSize = 4096;
constexpr seconds kOpenLimit{15};
constexpr seconds kWriteLimit{3};
constexpr seconds kFirstReopen{1};
constexpr seconds kLongestReopen{60};
/// A device that has come back may have its rights only a moment later, or be probed by another program first.
constexpr seconds kQuickFor{5};
constexpr milliseconds kQuickPause{200};
constexpr milliseconds kShortestPause{50};
/// A re-opened line that stays for so long is back, although nothing has come over it yet.
constexpr seconds kSettle{5};
constexpr MonoDuration kFarAway = std::chrono::hours{24};

/// What to look at when nothing comes from there.
std::string_view silence_hint(const Endpoint& endpoint) {
  if (std::holds_alternative<CommandSource>(endpoint)) return " Does the command work when the same user runs it by hand?";
  if (std::holds_alternative<OneWireBus>(endpoint)) return " Are the sensors wired right, and is the pull-up resistor there?";
  if (std::holds_alternative<FileSource>(endpoint) || std::holds_alternative<GpioLines>(endpoint)) return "";
  return " Is the reading head in its place, the meter's interface unlocked, speed and parity right?";
}

bool is_gone(int code) { return code == ENOENT || code == ENOTDIR || code == ELOOP; }

/// What the user has to do something else about than to plug it in again.
bool is_refused(int code) { return code == EACCES || code == EPERM || code == EBUSY; }

std::string untold_text(std::uint64_t count) {
  return count == 0 ? std::string{} : fmt::format(" It came and went {} more times since the last such line.", count);
}

}  // namespace

MeterWorker::MeterWorker(const MeterSettings& settings, MeterSource source, MeterPipeline pipeline, Environment environment)
    : settings_(settings),
      endpoint_(std::move(source.endpoint)),
      session_(std::move(source.session)),
      pipeline_(std::move(pipeline)),
      environment_(environment),
      section_(fmt::format("mtr{}", settings.number)),
      protocol_(settings.protocol->name),
      buffer_(kReadSize),
      backoff_(kFirstReopen, kLongestReopen),
      jitter_(environment.seed) {
  status_.latest.resize(settings.channels.size());
  if (source.dump_file.empty()) return;
  if (auto file = platform::AppendFile::open(source.dump_file)) {
    dump_file_ = std::move(*file);
  } else {
    environment_.log.print(Level::alert, protocol_, "Failed to open dump_file {} ({}: {}); reading goes on without it",
                           source.dump_file, file.error().code, file.error().what);
  }
}

MeterWorker::~MeterWorker() {
  if (!dump_file_) return;
  dump_format_.note("closed\n", environment_.clock.now().mono, dump_text_);
  dump_file_->append(dump_text_);
}

MeterStatus MeterWorker::status() const {
  const std::scoped_lock lock(mutex_);
  return status_;
}

void MeterWorker::fresh_out() {
  out_.clear();
  out_.verbosity = environment_.log.enabled(Level::finest) ? 15 : environment_.log.enabled(Level::debug) ? 10 : 0;
  // users look for identifiers in the debug log, so that then every register is read
  if (out_.verbosity > 0) out_.registers.reset();
  else out_.registers = pipeline_.registers();
}

void MeterWorker::dump(std::string_view text) {
  if (!dump_file_) return;
  dump_format_.note(text, now_.mono, dump_text_);
  dump_file_->append(dump_text_);
  dump_text_.clear();
}

Expected<void> MeterWorker::open_once(MonoTime deadline, Wake& wake) {
  now_ = environment_.clock.now();
  auto transport = environment_.transports.open(endpoint_, session_->initial_line(), deadline, wake);
  if (!transport) return tl::unexpected(transport.error());
  adopt(std::move(*transport));
  return {};
}

void MeterWorker::adopt(std::unique_ptr<Transport> transport) {
  transport_ = std::move(transport);
  watch_.reset();
  quick_until_.reset();
  now_ = environment_.clock.now();
  last_read_ = now_.mono;
  quiet_until_ = MonoTime{};
  dump("opened");
  if (line_.active())
    settled_at_ = now_.mono + kSettle;
  else
    environment_.log.write(Level::info, section_, "Meter connection established");
  {
    const std::scoped_lock lock(mutex_);
    ++status_.opened;
    if (silence_.active()) {  // an open line alone does not make the meter answer
      status_.state = MeterReport::State::silent;
      set_trouble(std::string{text(FaultKind::silence)});
    } else {
      status_.state = MeterReport::State::connected;
      set_trouble({});
    }
  }
  fresh_out();
  session_->opened(now_, out_);
  act();
  begin_at_ = std::max(now_.mono, kept_begin_.value_or(now_.mono));  // a re-opened line keeps to the interval
  kept_begin_.reset();
}

void MeterWorker::tell_line_back() {
  settled_at_.reset();
  if (const auto trouble = line_.ended(now_.mono))
    environment_.log.print(trouble->told ? Level::alert : Level::debug, section_,
                           "Meter connection established again: {}, after {}", text(endpoint_), duration_text(trouble->lasted));
}

void MeterWorker::open_line() {
  tried_at_ = environment_.clock.now().mono;
  heartbeat_.waiting();  // a name resolution or a connect may take its time; both end with a stop
  auto transport = environment_.transports.open(endpoint_, session_->initial_line(),
                                                environment_.clock.now().mono + kOpenLimit, wake_);
  heartbeat_.working(environment_.clock.now().mono);
  if (transport) {
    adopt(std::move(*transport));
    return;
  }
  if (wake_.stop_requested()) return;
  now_ = environment_.clock.now();
  if (transport.error().code == ECANCELED) wake_.clear();  // somebody wants the line
  else close_line(transport.error());
}

void MeterWorker::close_line(const Error& error) {
  transport_.reset();
  timer_.reset();
  if (begin_at_) kept_begin_ = begin_at_;
  begin_at_.reset();
  settled_at_.reset();
  if (!watch_) watch_ = environment_.transports.watch(endpoint_);  // stays until it is open, so that nothing is missed
  const bool not_ready = quick_until_ && now_.mono < *quick_until_ && !is_gone(error.code);
  reopen_at_ = now_.mono + (not_ready ? MonoDuration{kQuickPause} : MonoDuration{backoff_.next(jitter_)});
  if (!not_ready) {
    quick_until_.reset();
    tell_line_lost(error);
  }
  const std::scoped_lock lock(mutex_);
  status_.state = MeterReport::State::away;
  set_trouble(error.text());
}

/// With mutex_ held.
void MeterWorker::set_trouble(std::string trouble) {
  if (trouble.empty()) status_.trouble_since.reset();
  else if (!status_.trouble_since) status_.trouble_since = now_.mono;
  status_.last_trouble = std::move(trouble);
}

/// A plug that wobbles all day must not fill the log: Trouble says how often the beginning is told at level 0.
void MeterWorker::tell_line_lost(const Error& error) {
  const auto tell = line_.failed(now_.mono, is_refused(error.code) ? error.what : "the line was lost");
  if (tell == Trouble::Tell::summary) {
    environment_.log.print(Level::warning, section_, "still no connection after {}, {} tries: {}",
                           duration_text(now_.mono - line_.since()), line_.tries(), error.text());
  } else if (tell == Trouble::Tell::news || line_.tries() == 1) {
    const bool news = tell == Trouble::Tell::news;
    environment_.log.print(news ? Level::alert : Level::debug, section_,
                           "{}. Trying again until it is back; the other meters are not affected.{}", error.text(),
                           news ? untold_text(line_.take_untold()) : std::string{});
  }
}

void MeterWorker::tell_silence(const std::string& detail) {
  if (!silence_.active()) silent_since_ = last_read_;
  const auto tell = silence_.failed(now_.mono, "silence");
  if (tell == Trouble::Tell::summary) {
    environment_.log.print(Level::warning, section_, "{}: still silent after {}: {}", text(endpoint_),
                           duration_text(now_.mono - silent_since_), detail);
  } else if (tell == Trouble::Tell::news || silence_.tries() == 1) {
    const bool news = tell == Trouble::Tell::news;
    environment_.log.print(news ? Level::alert : Level::debug, section_,
                           "{}: {}.{} Asking on; the next line tells when it answers.{}", text(endpoint_), detail,
                           silence_hint(endpoint_), news ? untold_text(silence_.take_untold()) : std::string{});
  }
}

void MeterWorker::run(std::stop_token stop) {
  wake_.follow(std::move(stop));
  auto idle = environment_.transports.open(NoTransport{}, session_->initial_line(), environment_.clock.now().mono, wake_);
  if (idle) idle_ = std::move(*idle);
  while (!wake_.stop_requested()) step();
  now_ = environment_.clock.now();
  fresh_out();
  session_->lost(now_, out_);
  if (!out_.readings.empty()) pipeline_.deliver(out_.readings, now_);  // pulses that were counted and not yet reported
  transport_.reset();
  pipeline_.leave_windows();
  heartbeat_.waiting();
}

MonoTime MeterWorker::next_deadline() const {
  MonoTime next = now_.mono + kFarAway;
  if (!transport_ && hold_ == Hold::none) next = std::min(next, reopen_at_);
  if (settled_at_) next = std::min(next, *settled_at_);
  if (timer_) next = std::min(next, *timer_);
  if (begin_at_) next = std::min(next, *begin_at_);
  if (const auto tick = pipeline_.next_tick(now_.mono)) next = std::min(next, *tick);
  return next;
}

void MeterWorker::hold(Hold hold) {
  {
    const std::scoped_lock lock(mutex_);
    wanted_hold_ = hold;
  }
  hold_changed_.store(true, std::memory_order_release);
  wake_.wake();
}

bool MeterWorker::released() const {
  const std::scoped_lock lock(mutex_);
  return released_;
}

/// Does what was asked for by hold() last.
void MeterWorker::follow_hold() {
  if (!hold_changed_.exchange(false, std::memory_order_acq_rel)) return;
  now_ = environment_.clock.now();
  {
    const std::scoped_lock lock(mutex_);
    hold_ = wanted_hold_;
    if (hold_ == Hold::none) released_ = false;  // from here on the line may be opened
  }
  if (hold_ == Hold::none) take_line_back();
  else release_line();
}

/// The conversation ends where it is; what is cut short is no fault of the meter.
void MeterWorker::release_line() {
  if (transport_) {
    fresh_out();
    session_->lost(now_, out_);
    dump("closed\n");
    transport_.reset();
  }
  failed_.reset();
  timer_.reset();
  if (begin_at_) kept_begin_ = begin_at_;
  begin_at_.reset();
  settled_at_.reset();
  watch_.reset();
  quick_until_.reset();
  silence_.ended(now_.mono);
  {
    const std::scoped_lock lock(mutex_);
    released_ = true;
    status_.state = hold_ == Hold::lent ? MeterReport::State::lent : MeterReport::State::paused;
    set_trouble({});
  }
  if (on_released_) on_released_();
}

void MeterWorker::take_line_back() {
  if (transport_) return;
  backoff_.reset();
  reopen_at_ = now_.mono;
  const std::scoped_lock lock(mutex_);
  status_.state = MeterReport::State::away;
}

/// Nothing but a wake-up, the device's return or the deadline ends this wait.
void MeterWorker::wait_without_line(MonoTime deadline) {
  heartbeat_.waiting();
  if (!watch_) {
    if (idle_->read(buffer_, MonoTime{}, deadline, wake_).kind == ReadResult::Kind::woken) wake_.clear();
  } else {
    const auto end = watch_->wait(deadline, wake_);
    if (end == ReturnWatch::End::woken) wake_.clear();
    if (end == ReturnWatch::End::returned) {
      now_ = environment_.clock.now();
      backoff_.reset();
      quick_until_ = now_.mono + kQuickFor;
      reopen_at_ = std::max(now_.mono, tried_at_ + kShortestPause);
    }
  }
  now_ = environment_.clock.now();
  heartbeat_.working(now_.mono);
  pipeline_.tick(now_);
}

void MeterWorker::step() {
  follow_hold();
  if (hold_ == Hold::none && !transport_ && environment_.clock.now().mono >= reopen_at_) {
    open_line();
    return;
  }
  now_ = environment_.clock.now();
  // what failed as the line was opened is not to wait for the next reading
  const MonoTime deadline = failed_ && transport_ ? now_.mono : next_deadline();
  if (!transport_) return wait_without_line(deadline);
  heartbeat_.waiting();
  const ReadResult result = transport_->read(buffer_, std::min(quiet_until_, deadline), deadline, wake_);
  now_ = environment_.clock.now();
  heartbeat_.working(now_.mono);
  switch (result.kind) {
    case ReadResult::Kind::bytes: feed(std::span<const std::byte>(buffer_).first(result.count)); break;
    case ReadResult::Kind::woken: wake_.clear(); break;
    case ReadResult::Kind::timeout: break;
    case ReadResult::Kind::closed: failed_ = result.error.value_or(Error{.what = "closed", .where = {}, .remedy = {}}); break;
  }
  if (!failed_ && timer_ && now_.mono >= *timer_) {
    fresh_out();
    session_->timer(now_, out_);
    act();
  }
  if (!failed_ && begin_at_ && now_.mono >= *begin_at_) {
    begin_at_.reset();
    begun_ = now_.mono;
    brought_ = false;
    dump("read");
    fresh_out();
    session_->begin(now_, out_);
    act();
  }
  if (failed_) {
    const Error error = *std::exchange(failed_, std::nullopt);
    fresh_out();
    session_->lost(now_, out_);
    report_faults();
    if (!out_.readings.empty()) pipeline_.deliver(out_.readings, now_);
    if (transport_) dump("closed\n");
    close_line(error);
  }
  if (settled_at_ && now_.mono >= *settled_at_) tell_line_back();
  if (untold_faults_) tell_overdue_faults();
  pipeline_.tick(now_);
}

void MeterWorker::feed(std::span<const std::byte> bytes) {
  if (settled_at_) tell_line_back();
  if (dump_file_) {
    dump_format_.received(bytes, now_.mono, dump_text_);
    dump_file_->append(dump_text_);
    dump_text_.clear();
  }
  while (!bytes.empty() && !failed_) {
    fresh_out();
    const std::size_t used = session_->received(bytes, now_, last_read_, out_);
    const bool progress = used > 0 || out_.cycle_done;
    act();
    bytes = bytes.subspan(used);
    if (!progress) break;
  }
  last_read_ = now_.mono;
}

void MeterWorker::act() {
  timer_ = out_.timer;
  quiet_until_ = out_.quiet_until;
  for (const auto& action : out_.actions)
    if (!perform(action)) break;
  // after the actions: a log on a slow disk must not hold up an acknowledge
  for (const auto& note : out_.notes) environment_.log.write(note.level, protocol_, note.text);
  report_faults();
  brought_ = brought_ || out_.telegrams > 0;
  if (out_.telegrams > 0) report_telegrams();
  if (!out_.readings.empty()) pipeline_.deliver(out_.readings, now_);
  if (out_.telegrams > 0 || !out_.readings.empty()) publish_readings();
  if (!out_.cycle_done) return;
  pipeline_.end_cycle(now_);
  schedule_begin();
}

void MeterWorker::schedule_begin() {
  if (!session_->pulls() || !transport_) return;
  const bool wait = settings_.interval > 0;
  const MonoTime wanted = wait ? std::max(out_.not_before, now_.mono + seconds{settings_.interval}) : out_.not_before;
  begin_at_ = next_begin(begun_, wanted, std::exchange(brought_, false) ? Yield::telegram : Yield::nothing);
  if (wait) environment_.log.print(Level::info, section_, "waiting {} seconds before next reading", settings_.interval);
}

bool MeterWorker::perform(const Action& action) {
  if (!transport_) return false;
  if (const auto* write = std::get_if<WriteBytes>(&action)) {
    const auto written = transport_->write(write->bytes, now_.mono + kWriteLimit, wake_);
    if (dump_file_) {
      dump_format_.sent(write->bytes, now_.mono, dump_text_);
      dump_file_->append(dump_text_);
      dump_text_.clear();
    }
    // a wake-up is no failure: it is for a stop, or for somebody who wants the line
    if (!written && written.error().code != ECANCELED) failed_ = written.error();
  } else if (const auto* set = std::get_if<SetLine>(&action)) {
    dump("tcdrain cfsetispeed");
    const auto changed = transport_->set_line(set->line);
    if (!changed) failed_ = changed.error();
  } else {
    transport_->discard_input();
  }
  return !failed_;
}

void MeterWorker::report_faults() {
  if (out_.faults.empty()) return;
  for (const auto& fault : out_.faults) {
    if (fault.kind == FaultKind::silence && out_.telegrams == 0) {  // else it is one of several sensors
      dump("timeout!");
      tell_silence(fault.detail);
    } else if (untold_faults_ = true; const auto count = notices_[static_cast<std::size_t>(fault.kind)].happened(now_.mono)) {
      environment_.log.print(Level::warning, section_, "{}: {} ({}). {}", text(endpoint_), text(fault.kind), fault.detail,
                             *count > 0             ? fmt::format("{} more since the last such line.", *count)
                             : out_.telegrams > 0 ? "More of these are counted and told once an hour."
                                                  : "No value was taken from it; more of these are counted and told once an hour.");
    }
  }
  const std::scoped_lock lock(mutex_);
  for (const auto& fault : out_.faults) ++status_.faults[static_cast<std::size_t>(fault.kind)];
  set_trouble(fmt::format("{}: {}", text(out_.faults.back().kind), out_.faults.back().detail));
  if (silence_.active() && transport_) status_.state = MeterReport::State::silent;
}

/// What was not told because it came within the hour, and then came no more.
void MeterWorker::tell_overdue_faults() {
  untold_faults_ = false;
  for (std::size_t kind = 0; kind < notices_.size(); ++kind) {
    if (const auto count = notices_[kind].overdue(now_.mono))
      environment_.log.print(Level::warning, section_, "{}: {}: {} more since the last such line", text(endpoint_),
                             text(static_cast<FaultKind>(kind)), *count);
    untold_faults_ = untold_faults_ || notices_[kind].untold() > 0;
  }
}

void MeterWorker::report_telegrams() {
  backoff_.reset();
  if (const auto trouble = silence_.ended(now_.mono))
    environment_.log.print(trouble->told ? Level::alert : Level::debug, section_, "{}: the meter answers again after {}",
                           text(endpoint_), duration_text(now_.mono - silent_since_));
}

void MeterWorker::publish_readings() {
  const std::scoped_lock lock(mutex_);
  const auto latest = pipeline_.latest();
  std::copy(latest.begin(), latest.end(), status_.latest.begin());
  if (out_.telegrams == 0) return;
  status_.telegrams += out_.telegrams;
  status_.last_reading = now_.mono;
  if (transport_) status_.state = MeterReport::State::connected;
  if (out_.faults.empty()) set_trouble({});
}

}  // namespace vz
