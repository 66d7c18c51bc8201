// SPDX-License-Identifier: GPL-3.0-or-later
#include "sim/life.hpp"

#include <algorithm>
#include <utility>

#include "vz/sink.hpp"

namespace vz::sinks {
extern const SinkType volkszaehler_sink;
}

namespace vz::sim {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

/// The program was built then: no wall clock before it is right.
constexpr WallTime kBuilt{milliseconds{kEpoch - 30 * 86'400'000LL}};
/// The outbox's thread may begin its work this much late.
constexpr MonoDuration kLatency = 500ms;
/// After the disk worked again the outbox may wait this long for its next try.
constexpr MonoDuration kDiskPause = 400s;

}  // namespace

Life::Life(World& world, Plan plan)
    : world_(world),
      plan_(std::move(plan)),
      end_(world.clock.passed + plan_.length),
      clock_(world.clock, kBuilt, [this] { return settling(); }, [this] { return !world_.unsynchronised; }),
      outbox_(clock_, world.log, world.settings, world.disk.files()),
      witness_(world, outbox_),
      gate_(witness_, clock_, world.log, fmt::format("boot{}", world.boot)),
      uploader_(*this, witness_, clock_, world.log, {.retry = 15s, .seed = world.random.next()}) {}

// --- the beginning ---------------------------------------------------------------------------------------------------

void Life::begin() {
  world_.life_begin = world_.clock.passed;
  if (plan_.ending == Ending::crash_in_write) {
    // Most changes happen in the middle of a life, but some crashes should hit the opening.
    world_.disk.crash_after(1 + world_.below(world_.chance(0.2) ? 12 : 400));
  }
  if (plan_.last) set_clock_right();
  if (!plan_.last) {
    const auto some_time = [&] { return world_.clock.passed + plan_.length / 1000 * static_cast<int>(world_.below(1000)); };
    if (world_.disk_faults) toggle_at_ = world_.clock.passed + std::chrono::seconds{world_.below(600)};
    if (world_.clock_faults) step_at_ = some_time();
    if (world_.commands) command_at_ = some_time();
  }
  outbox_.on_push([this] { uploader_.notify(); });
  outbox_.on_work([this] { ask_for_work_ = true; });
  const auto begun = outbox_.start();
  started_ = begun.has_value();
  if (!started_ && !crashed()) {
    if (!world_.disk.full && !world_.disk.failing && !world_.disk.sync_fails)
      world_.violated("the outbox does not start: " + begun.error().text());
    over_ = true;  // a daemon would go on in memory; what is to be seen here is the next start
    return;
  }
  if (crashed()) return;
  go_on_with_clock();
  witness_.watch(plan_.channels);
  add_channels();
  gate_.resume(outbox_);
  check_orphans();
  trace("begins");
}

void Life::trace(const char* what) {
  if (!world_.options.trace) return;
  for (const auto& [queue, channel, kind] : witness_.channels()) {
    const QueueProgress progress = outbox_.progress(queue);
    fmt::print(stderr, "{:10.3f} --- {} {}...{}: {} items, settled to {}, stored to {}, last {}, waiting {}\n",
               std::chrono::duration<double>(world_.clock.passed).count(), what,
               kind == WitnessOutbox::Kind::held ? "held " : "", channel->uuid.substr(30), channel->items.size(), progress.settled_to, progress.stored_to, progress.last, outbox_.stats(queue).waiting);
  }
}

void Life::add_channels() {
  std::vector<ChannelTruth*> group;
  for (ChannelTruth* channel : plan_.channels) {
    group.push_back(channel);
    if (world_.chance(0.5)) add_meter(std::exchange(group, {}));
  }
  if (!group.empty()) add_meter(group);
}

void Life::add_meter(const std::vector<ChannelTruth*>& channels) {
  Meter& meter = meters_.emplace_back();
  meter.channels = channels;
  meter.settings.number = static_cast<int>(meters_.size()) - 1;
  meter.settings.enabled = true;
  meter.settings.aggtime = world_.aggtime;
  std::vector<std::optional<QueueId>> queues;
  for (ChannelTruth* channel : channels) {
    ChannelSettings& settings = meter.settings.channels.emplace_back();
    settings.number = static_cast<int>(queues.size());
    settings.uuid = channel->uuid;
    settings.identifier = Identifier{channel->identifier};
    settings.aggmode = world_.mode;
    meter.telegram.emplace_back().identifier = settings.identifier;
    vz::Options options;
    options.set("middleware", channel->endpoint);
    options.set("timeout", std::int64_t{30});
    std::vector<Problem> problems;
    ProblemSink problem_sink{options, problems};
    auto sink = sinks::volkszaehler_sink.make(options, {.user_agent = "vzlogger/sim", .uuid = channel->uuid}, problem_sink);
    const QueueId queue = witness_.open({sink->endpoint(), channel->uuid});
    witness_.know(queue, channel, WitnessOutbox::Kind::delivered);
    gate_.know(queue, {sink->endpoint(), channel->uuid});
    queues.emplace_back(queue);
    uploader_.add(queue, std::move(sink), fmt::format("chn{}", settings.number), channel->uuid.substr(30));
  }
  meter.pipeline = std::make_unique<MeterPipeline>(meter.settings, false, std::move(queues), gate_, world_.log,
                                                   std::span<ReadingTap* const>{}, clock_);
  meter.window_end = clock_.now().mono + std::chrono::seconds{std::max(world_.aggtime, 0)};
  resume_windows(meter);
  meter.next = world_.clock.passed + milliseconds{1 + world_.below(2000)};
}

void Life::resume_windows(Meter& meter) {
  const bool always = world_.settings.commit_interval == 0ms;
  meter.pipeline->resume_windows(outbox_, always ? MeterPipeline::KeepWindows::always : MeterPipeline::KeepWindows::at_stop);
  for (ChannelTruth* channel : meter.channels) {
    if (channel->windows.empty()) channel->windows.emplace_back();
    for (Window& window : channel->windows) {
      // Held results that another boot has set apart became no items.
      if (channel->held.empty()) window.items = std::min(window.items, channel->items.size());
    }
    channel->left = channel->windows;
    channel->life = channel->items.size();
    if (channel->windows.back().count > 0) ++world_.counts["windows resumed"];
  }
}

/// Queues of channels that left the configuration are reported, and only those.
void Life::check_orphans() {
  const auto orphans = outbox_.orphans();
  const auto is_reported = [&](const ChannelTruth& channel) {
    return std::any_of(orphans.begin(), orphans.end(), [&](const OrphanQueue& orphan) {
      return orphan.name.channel == channel.uuid && orphan.name.endpoint == channel.endpoint;
    });
  };
  // What a crash has put back to those that wait for the right time is reported as that.
  const auto is_held = [&](const ChannelTruth& channel) {
    return std::any_of(orphans.begin(), orphans.end(), [&](const OrphanQueue& orphan) {
      return orphan.name.channel == channel.uuid && StampGate::held_endpoint(orphan.name) == channel.endpoint;
    });
  };
  world_.counts["orphaned queues"] += orphans.size();
  for (const auto& channel : world_.channels) {
    const bool here = std::find(plan_.channels.begin(), plan_.channels.end(), channel.get()) != plan_.channels.end();
    const bool reported = is_reported(*channel);
    if (here && reported) world_.violated("a queue in use is called an orphan");
    if (here || reported || world_.small || channel->dropped > 0) continue;
    const bool waits = std::any_of(channel->items.begin(), channel->items.end(), [](const Item& item) {
      return item.durable && !item.accepted && !item.rejected && item.twin == 0 && !item.copy && !item.collided && !item.undone && !item.lost;
    });
    if (waits && !is_held(*channel)) world_.violated("readings of a channel that is gone are not reported");
  }
}

// --- the wall clock --------------------------------------------------------------------------------------------------

/// As the daemon: the kernel's word counts for five minutes.
bool Life::settling() const { return world_.unsynchronised && world_.clock.passed - world_.booted < 300s; }

/// As the daemon: goes on from the time that an earlier process knew, and leaves it to later ones.
void Life::go_on_with_clock() {
  const std::string boot = fmt::format("boot{}", world_.boot);
  const std::string found = outbox_.get_state("clock");
  const std::size_t blank = found.find(' ');
  if (blank != std::string::npos) {
    const WallTime last{milliseconds{std::strtoll(found.c_str() + blank, nullptr, 10)}};
    if (found.ends_with(" ahead")) gate_.go_on_from(last);
    clock_.go_on_from(last, found.substr(0, blank) == boot ? StampClock::Boot::this_one : StampClock::Boot::earlier);
  }
  // It may go on from a time that is ahead: that of before a step back.
  std::ignore = clock_.trusted();
  const auto ahead = std::chrono::duration_cast<milliseconds>(clock_.now().wall - world_.clock.now().wall).count();
  world_.forward += std::max<std::int64_t>(0, ahead);
  outbox_.set_companion("clock", [this, boot] {
    if (!clock_.trusted()) return Companion{};
    const WallTime latest = gate_.latest();
    const bool is_ahead = clock_.has_yet_to_reach(latest);
    return Companion{.bytes = fmt::format("{} {}{}", boot, latest.time_since_epoch().count(), is_ahead ? " ahead" : ""),
                     .urgent = is_ahead};
  });
}

void Life::move_clock(std::int64_t offset) {
  const WallTime given = clock_.now().wall;
  world_.set_offset(offset);
  // What was given out last is further ahead than is made up for by going slow.
  if (given - world_.clock.now().wall > 5min) ++world_.steps_back;
}

void Life::set_clock_right() {
  if (!world_.wrong) return;
  world_.wrong = false;
  world_.right_at = MonoDuration::max();
  move_clock(world_.right);
  world_.unsynchronised = false;
  world_.fault("clock: set at last");
}

void Life::step_clock() {
  constexpr std::int64_t kMinute = 60'000;
  step_at_ = world_.clock.passed + plan_.length / 1000 * static_cast<int>(1 + world_.below(500));
  if (world_.wrong || !clock_.trusted()) return;
  const auto small = static_cast<std::int64_t>(1 + world_.below(world_.chance(0.5) ? 2000 : 5 * kMinute));
  const auto large = static_cast<std::int64_t>(5 * kMinute + 1 + world_.below(world_.chance(0.5) ? 3'600'000 : 86'400'000));
  switch (world_.below(5)) {
    case 0:
      world_.fault("clock: small step forward");
      world_.right += small;
      break;
    case 1:
      world_.fault("clock: large step forward");
      world_.right += large;
      break;
    case 2:
      world_.fault("clock: small step back");
      ++world_.small_steps_back;
      world_.right -= small;
      break;
    case 3:
      if ((world_.right - large) / 86'400'000 < -29) return;
      world_.fault("clock: large step back");
      world_.right -= large;
      break;
    default:
      world_.fault("clock: lost while running");
      world_.wrong = true;
      move_clock(-kEpoch - std::chrono::duration_cast<milliseconds>(world_.clock.passed).count());
      world_.right_at = world_.clock.passed + world_.interval * static_cast<int>(1 + world_.below(200));
      return;
  }
  move_clock(world_.right);
}

// --- meters ----------------------------------------------------------------------------------------------------------

/// A meter's line is lost now and then, in the middle of a telegram or between two, and comes back.
bool Life::is_away(Meter& meter) {
  if (meter.away) {
    meter.away = false;
    world_.fault("device: back");
    return false;
  }
  if (!world_.device_faults || !world_.chance(0.01)) return false;
  meter.away = true;
  world_.fault("device: lost");
  meter.next += world_.interval * static_cast<int>(1 + world_.below(100));
  return true;
}

void Life::tick(Meter& meter) {
  const Instant now = clock_.now();
  const auto due = meter.pipeline->next_tick(now.mono);
  if (!due) return;
  if (gate_.next_look(now.mono)) look_at_clock(meter);
  if (world_.aggtime > 0 && now.mono >= meter.window_end + std::chrono::seconds{world_.aggtime}) {
    const bool open = std::any_of(meter.channels.begin(), meter.channels.end(), [](const ChannelTruth* channel) {
      return std::any_of(channel->windows.begin(), channel->windows.end(),
                         [](const Window& window) { return window.current && window.count > 0; });
    });
    if (open) end_cycle(meter, now);
  }
  meter.pipeline->tick(now);
}

void Life::meters_turn(Meter& meter) {
  tick(meter);
  if (plan_.last || world_.clock.passed < meter.next) return;
  const bool lost = is_away(meter);
  if (!lost || world_.chance(0.5)) {
    // A telegram that is cut off has lost its end.
    if (lost) world_.fault("device: telegram cut");
    const std::size_t whole = meter.telegram.size();
    const std::size_t some = lost ? static_cast<std::size_t>(world_.below(whole)) : whole;
    std::vector<Reading> rest(meter.telegram.begin() + static_cast<std::ptrdiff_t>(some), meter.telegram.end());
    meter.telegram.resize(some);
    telegram(meter);
    meter.telegram.insert(meter.telegram.end(), rest.begin(), rest.end());
  }
  meter.next += std::max<MonoDuration>(1ms, world_.interval * static_cast<int>(50 + world_.below(100)) / 100);
  if (meter.next <= world_.clock.passed) meter.next = world_.clock.passed + world_.interval;
}

void Life::telegram(Meter& meter) {
  const Instant now = clock_.now();
  const bool trusted = clock_.trusted();
  for (std::size_t i = 0; i < meter.telegram.size(); ++i) {
    Reading& reading = meter.telegram[i];
    reading.stamp = now.wall;
    // Different all the time, so that a mix-up shows: counters as meters have them, or any double.
    reading.value = static_cast<double>(++world_.values) / 1000.0;
    if (world_.odd_values) reading.value = reading.value * 3.3333333333333 + world_.random.unit();
    note_arrival(*meter.channels[i], reading.value, trusted);
  }
  end_cycle(meter, now);
  meter.pipeline->deliver(meter.telegram, now);
  meter.pipeline->end_cycle(now);
  check_all_pushed(meter);
  make_durable();
}

bool Life::keeps_windows() const {
  return world_.mode != AggMode::none && world_.aggtime > 0 && world_.settings.commit_interval == 0ms;
}

void Life::look_at_clock(Meter& meter) {
  meter.looked = true;
  meter.trusted = clock_.trusted();
}

void Life::end_cycle(Meter& meter, const Instant& now) {
  look_at_clock(meter);
  if (world_.mode == AggMode::none) return;
  const bool over = world_.aggtime <= 0 || now.mono >= meter.window_end;
  if (world_.aggtime > 0 && over) {
    const auto length = std::chrono::seconds{world_.aggtime};
    meter.window_end += length * ((now.mono - meter.window_end) / length + 1);
  }
  // What is of no time that anybody knows is held one by one, where every reading has to last.
  if (!over && !(keeps_windows() && !meter.trusted)) return;
  for (ChannelTruth* channel : meter.channels) channel->close_window();
}

void Life::note_arrival(ChannelTruth& channel, double value, bool trusted) {
  const Arrival arrival{value, world_.clock.now().mono, world_.forward, world_.steps_back, trusted, false};
  if (world_.mode == AggMode::none) {
    channel.arrivals.push_back(arrival);
    return;
  }
  const std::size_t windows = channel.windows.size();
  for (std::size_t i = 0; i < windows; ++i) {
    if (!channel.windows[i].current) continue;
    if (keeps_windows()) {
      channel.windows.push_back(channel.windows[i]);
      channel.windows.back().current = false;
    }
    channel.windows[i].add(arrival);
  }
  if (!keeps_windows()) std::erase_if(channel.windows, [](const Window& window) { return !window.current; });
}

/// Without aggregation everything is in the outbox at once, unless it is held.
void Life::check_all_pushed(const Meter& meter) {
  if (world_.mode != AggMode::none || witness_.dead) return;
  for (const ChannelTruth* channel : meter.channels) {
    if (!channel->arrivals.empty())
      world_.violated(fmt::format("...{}: the pipeline kept {} readings to itself", channel->uuid.substr(30),
                                  channel->arrivals.size()));
  }
}

/// The meter's thread waits for its telegram to be durable; the uploader may look at the queue before it is.
void Life::make_durable() {
  if (world_.settings.commit_interval != 0ms || crashed() || !world_.chance(0.3)) return;
  if (!outbox_.flush(MonoTime::max())) return;
  note_durable();
  for (const auto& known : witness_.channels()) {
    const QueueProgress progress = outbox_.progress(known.queue);
    if (!world_.small && std::max(progress.stored_to, progress.settled_to) < progress.last) world_.violated("a barrier left something unwritten");
  }
  for (const Meter& meter : meters_) {
    for (ChannelTruth* channel : meter.channels)
      std::erase_if(channel->windows, [](const Window& window) { return !window.current; });
  }
}

// --- time ------------------------------------------------------------------------------------------------------------

MonoDuration Life::next_moment(MonoTime deadline) {
  MonoDuration next = std::min(deadline.time_since_epoch(), end_);
  next = std::min({next, toggle_at_, step_at_, world_.right_at, command_at_});
  for (const Transfer& transfer : transfers_) next = std::min(next, transfer.ends);
  for (const Meter& meter : meters_) {
    if (!plan_.last) next = std::min(next, meter.next);
    if (const auto tick = meter.pipeline->next_tick(world_.clock.now().mono)) next = std::min(next, tick->time_since_epoch());
  }
  if (std::exchange(ask_for_work_, false)) plan_io();
  if (io_at_) next = std::min(next, *io_at_);
  return std::max(world_.clock.passed, next);
}

/// As the outbox's thread does: it asks when it has done something, and when it is woken.
void Life::plan_io() {
  const auto work = outbox_.next_work();
  if (!work) return io_at_.reset();
  const MonoDuration due = std::max(work->time_since_epoch(), world_.clock.passed);
  if (io_at_ && *io_at_ <= due + kLatency) return;
  const bool late = !plan_.last && world_.chance(0.3);
  io_at_ = due + (late ? milliseconds{world_.below(500)} : 0ms);
}

void Life::start(std::uint64_t id, std::uint32_t lane, HttpRequest request) {
  for (const Transfer& other : transfers_) {
    if (other.lane == lane) world_.violated("two requests at once to one endpoint");
  }
  const auto endpoint = std::find_if(world_.endpoints.begin(), world_.endpoints.end(), [&](const auto& candidate) {
    return request.url.starts_with(candidate->url());
  });
  Answer answer = (*endpoint)->answer(request, world_.clock.now().mono);
  transfers_.push_back({id, lane, world_.clock.passed + answer.takes, std::move(answer.reply)});
}

void Life::wait(MonoTime deadline, std::vector<HttpDone>& out) {
  if (std::exchange(woken_, false) || over()) return;
  const auto ends = [this] {
    return std::any_of(transfers_.begin(), transfers_.end(),
                       [this](const Transfer& transfer) { return transfer.ends <= world_.clock.passed; });
  };
  do {
    pass_to(next_moment(deadline));
    if (crashed()) {
      witness_.dead = true;
      return;
    }
  } while (!woken_ && !ends() && world_.clock.passed < deadline.time_since_epoch() && !over());
  for (auto transfer = transfers_.begin(); transfer != transfers_.end();) {
    if (transfer->ends > world_.clock.passed) {
      ++transfer;
      continue;
    }
    out.push_back({transfer->id, std::move(transfer->reply)});
    transfer = transfers_.erase(transfer);
  }
  woken_ = false;
}

void Life::pass_to(MonoDuration now) {
  world_.clock.passed = now;
  for (const auto& endpoint : world_.endpoints) endpoint->do_late_work(world_.clock.now().mono);
  if (now >= toggle_at_) toggle_disk();
  if (now >= world_.right_at) set_clock_right();
  if (now >= step_at_) step_clock();
  if (io_at_ && now >= *io_at_) do_io();
  if (now >= command_at_ && !crashed()) do_command();
  for (Meter& meter : meters_) {
    if (!crashed()) meters_turn(meter);
  }
}

// --- the disk --------------------------------------------------------------------------------------------------------

void Life::toggle_disk() {
  auto& disk = world_.disk;
  const bool bad = disk.full || disk.failing || disk.sync_fails;
  disk.full = disk.failing = disk.sync_fails = false;
  if (!bad) {
    switch (world_.below(3)) {
      case 0: disk.full = true; world_.fault("disk: full"); break;
      case 1: disk.failing = true; world_.fault("disk: fails"); break;
      default: disk.sync_fails = true; world_.fault("disk: does not sync"); break;
    }
  }
  world_.disk_bad = world_.clock.now().mono;
  toggle_at_ = world_.clock.passed + std::chrono::seconds{1 + world_.below(900)};
}

void Life::do_io() {
  io_at_.reset();
  ask_for_work_ = true;
  outbox_.tick();
  if (crashed()) return;
  note_durable();
  check_bounds();
}

/// What the outbox says is on disk has to survive.
void Life::note_durable() {
  for (const auto& [queue, channel, kind] : witness_.channels()) {
    const QueueProgress progress = outbox_.progress(queue);
    if (kind == WitnessOutbox::Kind::held) {
      for (auto held = channel->held.rbegin(); held != channel->held.rend() && held->here && !held->durable; ++held)
        held->durable = held->sequence <= progress.stored_to;
      continue;
    }
    for (auto item = channel->items.rbegin(); item != channel->items.rend() && !item->durable; ++item) {
      if (item->copy) continue;
      if (item->sequence == 0) break;  // of an earlier life
      if (item->sequence <= progress.stored_to) item->durable = true;
    }
    std::erase_if(channel->moved, [&](const HeldReading& held) {
      const Item& item = channel->items[held.moved_to - 1];
      return item.sequence != 0 && item.sequence <= progress.stored_to;
    });
  }
}

void Life::check_bounds() {
  std::uint64_t young = 0;
  const MonoTime now = world_.clock.now().mono;
  for (ChannelTruth* channel : plan_.channels) {
    while (channel->old_items < channel->items.size() &&
           channel->items[channel->old_items].pushed + world_.settings.commit_interval + kLatency < now) {
      ++channel->old_items;
    }
    young += channel->items.size() - channel->old_items;
    for (auto held = channel->held.rbegin(); held != channel->held.rend(); ++held, ++young)
      if (held->pushed + world_.settings.commit_interval + kLatency < now) break;
  }
  const OutboxStatus status = outbox_.status();
  if (!status.durable) world_.disk_bad = now;
  if (!status.durable && !world_.disk_faults) world_.violated("the disk is said to fail: " + status.trouble);
  const bool settled = now > world_.disk_bad + kDiskPause || world_.disk_bad == MonoTime{};
  const std::uint64_t pages = 2 * plan_.channels.size() * (2 * world_.settings.page_readings + 1024);
  if (settled && status.ram_readings > young + pages)
    world_.violated(fmt::format("{} readings in memory, of which {} are young", status.ram_readings, young));
  if (status.unwritten > world_.settings.max_ram_readings)
    world_.violated(fmt::format("{} readings in memory alone, {} allowed", status.unwritten, world_.settings.max_ram_readings));
  const std::uint64_t bytes = world_.disk.bytes();
  if (bytes > world_.settings.max_size)
    world_.violated(fmt::format("{} bytes on disk, {} allowed", bytes, world_.settings.max_size));
  std::uint64_t& most = world_.counts["most bytes on disk"];
  most = std::max(most, bytes);
}

// --- commands --------------------------------------------------------------------------------------------------------

void Life::do_command() {
  command_at_ = world_.clock.passed + plan_.length / 1000 * static_cast<int>(1 + world_.below(400));
  if (world_.chance(0.5)) move_orphan();
  else requeue_rejected();
  // Even a command that only looks writes first what waits.
  if (!crashed()) note_durable();
}

/// What waits for a channel at its old endpoint is sent to the new one.
void Life::move_orphan() {
  for (const auto& channel : world_.channels) {
    const bool here = std::find(plan_.channels.begin(), plan_.channels.end(), channel.get()) != plan_.channels.end();
    if (channel->heir == nullptr || here) continue;
    const auto orphans = outbox_.orphans();
    const bool waits = std::any_of(orphans.begin(), orphans.end(), [&](const OrphanQueue& orphan) {
      return orphan.name.channel == channel->uuid && orphan.name.endpoint == channel->endpoint;
    });
    if (!waits) continue;
    // They may arrive from now on.
    ChannelTruth& heir = *channel->heir;
    for (Item& item : channel->items) {
      if (item.twin != 0) continue;
      if (Item* other = heir.find(item.stamp)) {
        other->collided = true;
        item.lost = true;
        continue;
      }
      heir.append({.stamp = item.stamp, .value = item.value, .copy = true, .collided = item.collided});
      item.twin = static_cast<std::uint32_t>(heir.items.size());
    }
    world_.fault("command: retarget");
    std::ignore = outbox_.retarget({channel->endpoint, channel->uuid}, {heir.endpoint, heir.uuid});
    if (crashed()) return;
  }
}

void Life::requeue_rejected() {
  const auto rejected = outbox_.rejected(0, 1 + world_.below(50));
  if (!rejected || rejected->empty()) return;
  std::vector<std::int64_t> ids;
  for (const RejectedReading& reading : *rejected) ids.push_back(reading.id);
  world_.fault("command: requeue");
  std::ignore = outbox_.requeue(ids);
}

// --- the end ---------------------------------------------------------------------------------------------------------

bool Life::over() {
  if (over_ || crashed() || !world_.violation.empty()) return over_ = true;
  if (plan_.last && drained()) return over_ = true;
  if (world_.clock.passed < end_) return false;
  if (plan_.last) {
    world_.violated("the last life does not come to an end: readings keep waiting");
  }
  return over_ = true;
}

bool Life::drained() const {
  if (!transfers_.empty()) return false;
  for (const Meter& meter : meters_) {
    if (meter.pipeline->next_tick(world_.clock.now().mono)) return false;
  }
  for (const auto& [queue, channel, kind] : witness_.channels()) {
    if (outbox_.stats(queue).waiting > 0) return false;
  }
  return true;
}

void Life::run() {
  ++world_.counts["lives"];
  begin();
  while (!over()) uploader_.step();
  trace("ends");
  end();
  if (!world_.violation.empty()) return;
  leave_clock();
}

void Life::end() {
  if (!crashed() && (plan_.ending == Ending::kill || plan_.ending == Ending::power)) {
    world_.fault(plan_.ending == Ending::kill ? "crash: killed" : "crash: power cut");
    world_.disk.crash_now();
    return after_crash();
  }
  if (!crashed()) {
    stopping_ = true;
    if (world_.disk_faults && !plan_.last && world_.chance(0.5)) toggle_disk();
    for (Meter& meter : meters_) {
      // What is of no time that a later process could know is held.
      if (meter.looked && !meter.trusted) {
        for (ChannelTruth* channel : meter.channels) channel->close_window();
      }
      meter.pipeline->leave_windows();
    }
    uploader_.halt();
    const auto closed = outbox_.close(MonoTime::max());
    if (closed && !crashed()) return after_stop();
    if (!crashed() && !world_.disk_faults) world_.violated("a stop fails: " + closed.error().text());
  }
  if (crashed()) world_.fault("crash: in the middle of a write");
  else world_.fault("stop while the disk fails");
  after_crash();
}

/// Which readings the crash may have taken: those that were neither accepted nor durable, and young.
void Life::after_crash() {
  ++world_.counts["crashes"];
  witness_.dead = true;
  world_.dropped += outbox_.status().dropped;
  // Nobody has learned what the transaction gave up that was under way, or failed and was kept.
  const bool in_transaction = plan_.ending == Ending::crash_in_write || !outbox_.status().durable;
  if (world_.small && in_transaction) world_.maybe_dropped += most_given_up();
  for (const auto& [queue, channel, kind] : witness_.channels()) {
    channel->dropped += outbox_.stats(queue).dropped;
    channel->may_come_back = channel->may_come_back || (world_.disk_bad != MonoTime{} && outbox_.stats(queue).dropped > 0);
    if (kind == WitnessOutbox::Kind::held) continue;
    take_young_items(*channel);
    take_young_held(*channel);
    channel->arrivals.clear();
    channel->closed.clear();
    // With interval 0 the window is there as it was at some moment since the last barrier; else it is gone, or the one
    // from before is still there.
    if (!keeps_windows()) {
      // A stop that was cut off may have written it.
      if (!stopping_) channel->windows.clear();
      channel->windows.insert(channel->windows.end(), channel->left.begin(), channel->left.end());
      channel->windows.emplace_back().items = channel->items.size();
    }
    for (Window& window : channel->windows) window.current = true;
    channel->crashed_life = channel->life;
    channel->held_then = !channel->held.empty();
  }
}

/// To make room for one transaction: as much as is in it, and segments go as a whole.
std::uint64_t Life::most_given_up() const {
  constexpr std::uint64_t kGreatest = 16'384;
  constexpr std::uint64_t kTwoSegments = 2048;
  if (world_.disk_bad != MonoTime{}) return kGreatest;
  const auto cycles = static_cast<std::uint64_t>(2 * (world_.settings.commit_interval + kLatency) / world_.interval + 1);
  return std::min(kGreatest, kTwoSegments + cycles * plan_.channels.size());
}

/// What is old enough must be on disk, if that worked.
bool Life::must_be_durable(MonoTime pushed) const {
  const MonoTime now = world_.clock.now().mono;
  const bool disk_fine = started_ && (world_.disk_bad == MonoTime{} || now > world_.disk_bad + kDiskPause);
  return disk_fine && pushed + world_.settings.commit_interval + kLatency + 1ms < now;
}

void Life::take_young_items(ChannelTruth& channel) {
  for (auto item = channel.items.rbegin(); item != channel.items.rend(); ++item) {
    if (item->copy) continue;
    if (item->sequence == 0) break;
    item->durable = item->durable || item->was_durable || must_be_durable(item->pushed);
    if (!item->durable && !item->accepted) item->lost = true;
    if (!item->durable && item->rejected) item->lost = true;
    item->sequence = 0;
  }
  // What follows a reading that is gone may be older than that.
  const bool last_stays = !channel.items.empty() && (channel.items.back().durable || channel.items.back().accepted);
  channel.has_last = channel.has_last && last_stays && channel.moved.empty();
}

void Life::take_young_held(ChannelTruth& channel) {
  for (HeldReading& held : channel.held) {
    held.durable = held.durable || must_be_durable(held.pushed);
    if (!held.durable) held.perhaps = true;
  }
  // They are what they have become, or they are held again.
  for (auto held = channel.moved.rbegin(); held != channel.moved.rend(); ++held) {
    held->perhaps = true;
    channel.held.push_front(*held);
  }
  channel.moved.clear();
}

/// A stop takes nothing.
void Life::after_stop() {
  ++world_.counts["stops"];
  world_.dropped += outbox_.status().dropped;
  for (const auto& [queue, channel, kind] : witness_.channels()) {
    channel->dropped += outbox_.stats(queue).dropped;
    if (kind == WitnessOutbox::Kind::held) continue;
    for (auto item = channel->items.rbegin(); item != channel->items.rend(); ++item) {
      if (item->copy) continue;
      if (item->sequence == 0) break;
      item->durable = true;
      item->sequence = 0;
    }
    for (HeldReading& held : channel->held) held.durable = true;
    channel->moved.clear();
    std::erase_if(channel->windows, [](const Window& window) { return !window.current; });
  }
}

/// The next life finds the clock no earlier than this one left it.
void Life::leave_clock() {
  for (ChannelTruth* channel : plan_.channels) {
    for (HeldReading& held : channel->held) held.here = false;
  }
  if (world_.wrong || !clock_.trusted()) return;
  const auto passed = std::chrono::duration_cast<milliseconds>(world_.clock.passed).count();
  world_.right = std::max(world_.right, gate_.latest().time_since_epoch().count() - kEpoch - passed);
}

}  // namespace vz::sim
