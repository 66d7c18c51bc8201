// SPDX-License-Identifier: GPL-3.0-or-later
#include "sim/simulation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <deque>
#include <memory>
#include <set>
#include <vector>

#include "outbox/durable_outbox.hpp"
#include "runtime/pipeline.hpp"
#include "runtime/uploader.hpp"
#include "sim/endpoint.hpp"
#include "support/crash_vfs.hpp"
#include "vz/sink.hpp"

namespace vz::sinks {
extern const SinkType volkszaehler_sink;
}

namespace vz::sim {
namespace {

using namespace std::chrono_literals;
using test::CrashDisk;

constexpr std::int64_t kEpoch = 1'700'000'000'000;
/// The outbox's thread may begin its work this much late.
constexpr MonoDuration kLatency = 500ms;
/// After the disk worked again the outbox may wait this long for its next try.
constexpr MonoDuration kDiskPause = 400s;

class FakeClock final : public Clock {
 public:
  [[nodiscard]] Instant now() const override {
    return {MonoTime{} + passed,
            WallTime{std::chrono::milliseconds{kEpoch}} + std::chrono::duration_cast<std::chrono::milliseconds>(passed)};
  }
  MonoDuration passed = 1h;
};

class TraceLog final : public Log {
 public:
  TraceLog(const FakeClock& clock, bool trace) : clock_(clock), trace_(trace) {}
  [[nodiscard]] bool enabled(Level level) const override { return trace_ && level <= Level::info; }
  void write(Level, std::string_view section, std::string_view text) override {
    if (!trace_ || (section.starts_with("chn") && text.starts_with("Adding"))) return;
    fmt::print(stderr, "{:10.3f} {} {}\n", std::chrono::duration<double>(clock_.passed).count(), section, text);
  }

 private:
  const FakeClock& clock_;
  bool trace_;
};

/// What stays the same over all lives: the disk, the endpoints, the meters, the truth.
struct World {
  explicit World(const Options& wanted)
      : options(wanted), random(wanted.seed * 2 + 1), disk(wanted.seed), log(clock, wanted.trace) {}
  /// 0 to n - 1
  std::uint64_t below(std::uint64_t n) { return random.next() % n; }
  bool chance(double probability) { return random.unit() < probability; }
  void violated(std::string what) {
    if (violation.empty()) violation = std::move(what);
  }

  const Options& options;
  JitterSource random;
  FakeClock clock;
  CrashDisk disk;
  TraceLog log;
  Counts counts;
  std::string violation;
  std::vector<std::unique_ptr<Endpoint>> endpoints;
  std::vector<std::unique_ptr<ChannelTruth>> channels;
  DurableSettings settings;
  std::chrono::milliseconds interval{1000};  ///< of the meters
  double poison = 0.0;
  bool small = false;       ///< the size limit matters
  bool odd_values = false;
  bool disk_faults = false;
  std::uint64_t dropped = 0;  ///< all that the outboxes of all lives have counted
  std::uint64_t maybe_dropped = 0;
  MonoTime disk_bad{};      ///< when the disk failed last
  AggMode mode = AggMode::none;
};

/// The outbox as the pipeline and the uploader see it: notes what goes in and out.
class WitnessOutbox final : public Outbox {
 public:
  WitnessOutbox(World& world, DurableOutbox& outbox) : world_(world), outbox_(outbox) {}
  QueueId open(const QueueName& name) override { return outbox_.open(name); }
  void know(QueueId queue, ChannelTruth* channel) { channels_[queue] = channel; }

  void push(QueueId queue, WallTime stamp, double value) override {
    if (dead) return;
    ChannelTruth& channel = *channels_.at(queue);
    const std::int64_t ms = stamp.time_since_epoch().count();
    if (!channel.items.empty() && channel.items.back().stamp >= ms) {
      world_.violated("the pipeline pushed a stamp twice, or out of order");
      return;
    }
    if (world_.chance(world_.poison)) channel.poisoned.push_back(channel.items.size());
    channel.items.push_back({.stamp = ms, .value = value, .pushed = world_.clock.now().mono});
    ++world_.counts["readings"];
    outbox_.push(queue, stamp, value);
    channel.items.back().sequence = outbox_.progress(queue).last;
  }
  void peek(QueueId queue, std::size_t max, std::vector<QueuedReading>& out) const override {
    outbox_.peek(queue, max, out);
    peeked_[queue].assign(out.begin(), out.end());
  }
  void mark_sent(QueueId queue, std::uint64_t first, std::uint64_t last) override {
    if (!dead) outbox_.mark_sent(queue, first, last);
  }
  void settle(QueueId queue, std::uint64_t first, std::uint64_t last, Verdict verdict, std::string_view reason) override {
    if (dead) return;
    ChannelTruth& channel = *channels_.at(queue);
    for (const QueuedReading& reading : peeked_[queue]) {
      if (reading.sequence < first || reading.sequence > last) continue;
      Item* item = channel.find(reading.stamp.time_since_epoch().count());
      if (item == nullptr) continue;
      const auto index = static_cast<std::size_t>(item - channel.items.data());
      if (verdict == Verdict::rejected) {
        item->rejected = true;
        if (!std::binary_search(channel.poisoned.begin(), channel.poisoned.end(), index))
          world_.violated("a good reading was set aside");
      }
      if (verdict == Verdict::accepted && !item->durable && item->sequence != 0 && world_.settings.commit_interval == 0ms &&
          outbox_.status().durable && world_.disk_bad == MonoTime{} && !world_.small) {
        world_.violated("a reading was delivered before it was durable");
      }
      if (verdict != Verdict::accepted) continue;
      item->accepted = true;
      channel.acked = std::max(channel.acked, index + 1);
    }
    outbox_.settle(queue, first, last, verdict, reason);
  }
  [[nodiscard]] QueueStats stats(QueueId queue) const override { return outbox_.stats(queue); }
  void on_push(std::function<void()> callback) override { outbox_.on_push(std::move(callback)); }

  [[nodiscard]] const std::map<QueueId, ChannelTruth*>& channels() const { return channels_; }
  bool dead = false;

 private:
  World& world_;
  DurableOutbox& outbox_;
  std::map<QueueId, ChannelTruth*> channels_;
  mutable std::map<QueueId, std::vector<QueuedReading>> peeked_;
};

enum class Ending { stop, kill, power, crash_in_write };

/// One life of the daemon. Also the HTTP client, for whoever waits for transfers is who lets time pass.
class Life final : public HttpClient {
 public:
  Life(World& world, std::vector<ChannelTruth*> channels, Ending ending, MonoDuration length, bool last)
      : world_(world),
        ending_(ending),
        end_(world.clock.passed + length),
        last_(last),
        outbox_(world.clock, world.log, world.settings, world.disk.files()),
        witness_(world, outbox_),
        uploader_(*this, witness_, world.clock, world.log, {.retry = 15s, .seed = world.random.next()}),
        active_(std::move(channels)) {}

  void run();

  void start(std::uint64_t id, std::uint32_t lane, HttpRequest request) override {
    for (const Transfer& other : transfers_) {
      if (other.lane == lane) world_.violated("two requests at once to one endpoint");
    }
    const auto endpoint = std::find_if(world_.endpoints.begin(), world_.endpoints.end(), [&](const auto& candidate) {
      return request.url.starts_with(candidate->url());
    });
    Answer answer = (*endpoint)->answer(request, world_.clock.now().mono);
    transfers_.push_back({id, lane, world_.clock.passed + answer.takes, std::move(answer.reply)});
  }
  void wait(MonoTime deadline, std::vector<HttpDone>& out) override;
  void wake() override { woken_ = true; }
  void abort_all() override { transfers_.clear(); }

 private:
  struct Transfer {
    std::uint64_t id;
    std::uint32_t lane;
    MonoDuration ends;
    HttpReply reply;
  };
  struct Meter {
    MeterSettings settings;
    std::unique_ptr<MeterPipeline> pipeline;
    MonoDuration next{};
    std::uint64_t delivered = 0;
    std::uint64_t pushed_before = 0;
  };

  void begin();
  void add_channels();
  void add_meter(const std::vector<ChannelTruth*>& channels);
  void telegram(Meter& meter);
  [[nodiscard]] MonoDuration next_moment(MonoTime deadline);
  bool over();
  void do_io();
  void note_durable();
  void check_bounds();
  void check_orphans();
  void trace(const char* what);
  void after_crash();
  void after_stop();
  void toggle_disk();
  [[nodiscard]] bool drained() const;
  [[nodiscard]] bool crashed() const { return world_.disk.crashed(); }

  World& world_;
  const Ending ending_;
  const MonoDuration end_;
  const bool last_;
  DurableOutbox outbox_;
  WitnessOutbox witness_;
  Uploader uploader_;
  std::vector<ChannelTruth*> active_;
  std::deque<Meter> meters_;
  std::vector<Transfer> transfers_;
  std::optional<MonoDuration> io_at_;
  MonoDuration toggle_at_ = MonoDuration::max();
  bool woken_ = false;
  bool over_ = false;
  bool started_ = false;
  double value_ = 0.0;
};

void Life::begin() {
  if (ending_ == Ending::crash_in_write) {
    // Most changes happen in the middle of a life, but some crashes should hit the opening.
    world_.disk.crash_after(1 + world_.below(world_.chance(0.2) ? 12 : 400));
  }
  if (world_.disk_faults && !last_) toggle_at_ = world_.clock.passed + std::chrono::seconds{world_.below(600)};
  outbox_.on_push([this] { uploader_.notify(); });
  const auto begun = outbox_.start();
  started_ = begun.has_value();
  if (!started_ && !crashed()) {
    if (!world_.disk.full && !world_.disk.failing)
      world_.violated("the outbox does not start: " + begun.error().text());
    over_ = true;  // a daemon would go on in memory; what is to be seen here is the next start
    return;
  }
  if (crashed()) return;
  add_channels();
  check_orphans();
  trace("begins");
}

void Life::trace(const char* what) {
  if (!world_.options.trace) return;
  for (const auto& [queue, channel] : witness_.channels()) {
    const QueueProgress progress = outbox_.progress(queue);
    fmt::print(stderr, "{:10.3f} --- {} ...{}: {} items, settled to {}, stored to {}, last {}, waiting {}\n",
               std::chrono::duration<double>(world_.clock.passed).count(), what, channel->uuid.substr(30),
               channel->items.size(), progress.settled_to, progress.stored_to, progress.last, outbox_.stats(queue).waiting);
  }
}

void Life::add_channels() {
  std::vector<ChannelTruth*> group;
  for (ChannelTruth* channel : active_) {
    group.push_back(channel);
    if (world_.chance(0.5)) add_meter(std::exchange(group, {}));
  }
  if (!group.empty()) add_meter(group);
}

void Life::add_meter(const std::vector<ChannelTruth*>& channels) {
  Meter& meter = meters_.emplace_back();
  meter.settings.number = static_cast<int>(meters_.size()) - 1;
  meter.settings.enabled = true;
  meter.settings.aggtime = world_.mode == AggMode::none ? -1 : static_cast<int>(world_.below(3) * 30);
  std::vector<std::optional<QueueId>> queues;
  int number = 0;
  for (ChannelTruth* channel : channels) {
    ChannelSettings& settings = meter.settings.channels.emplace_back();
    settings.number = number;
    settings.uuid = channel->uuid;
    settings.identifier = Identifier{fmt::format("r{}", number++)};
    settings.aggmode = world_.mode;
    vz::Options options;
    options.set("middleware", channel->endpoint);
    options.set("timeout", std::int64_t{30});
    std::vector<Problem> problems;
    ProblemSink problem_sink{options, problems};
    auto sink = sinks::volkszaehler_sink.make(options, {.user_agent = "vzlogger/sim", .uuid = channel->uuid}, problem_sink);
    const QueueId queue = witness_.open({sink->endpoint(), channel->uuid});
    witness_.know(queue, channel);
    queues.emplace_back(queue);
    uploader_.add(queue, std::move(sink), fmt::format("chn{}", settings.number), channel->uuid.substr(30));
  }
  meter.pipeline = std::make_unique<MeterPipeline>(meter.settings, false, std::move(queues), witness_, world_.log,
                                                   std::span<ReadingTap* const>{}, world_.clock);
  meter.next = world_.clock.passed + std::chrono::milliseconds{1 + world_.below(2000)};
}

/// Queues of channels that left the configuration are reported, and only those.
void Life::check_orphans() {
  for (const OrphanQueue& orphan : outbox_.orphans()) {
    ++world_.counts["orphaned queues"];
    const auto is_it = [&](const ChannelTruth* channel) { return channel->uuid == orphan.name.channel; };
    if (std::any_of(active_.begin(), active_.end(), is_it)) world_.violated("a queue in use is called an orphan");
  }
  for (const auto& channel : world_.channels) {
    if (std::find(active_.begin(), active_.end(), channel.get()) != active_.end()) continue;
    const bool waits = std::any_of(channel->items.begin(), channel->items.end(), [](const Item& item) {
      return item.durable && !item.accepted && !item.rejected;
    });
    const auto found = outbox_.orphans();
    const bool reported = std::any_of(found.begin(), found.end(), [&](const OrphanQueue& orphan) {
      return orphan.name.channel == channel->uuid;
    });
    if (waits && !reported && !world_.small) world_.violated("readings of a channel that is gone are not reported");
  }
}

void Life::telegram(Meter& meter) {
  std::vector<Reading> readings;
  const Instant now = world_.clock.now();
  for (std::size_t i = 0; i < meter.settings.channels.size(); ++i) {
    Reading reading;
    reading.identifier = Identifier{fmt::format("r{}", i)};
    reading.stamp = now.wall;
    // Different all the time, so that a mix-up shows: counters as meters have them, or any double.
    world_.counts["telegram readings"] += 1;
    reading.value = static_cast<double>(world_.counts["telegram readings"]) / 1000.0;
    if (world_.odd_values) reading.value = reading.value * 3.3333333333333 + world_.random.unit();
    readings.push_back(reading);
  }
  const std::uint64_t before = world_.counts["readings"];
  meter.pipeline->deliver(readings, now);
  meter.pipeline->end_cycle(now);
  if (world_.mode == AggMode::none && world_.counts["readings"] - before != readings.size() && !witness_.dead)
    world_.violated("the pipeline lost a reading");
  meter.next += std::max<MonoDuration>(1ms, world_.interval * static_cast<int>(50 + world_.below(100)) / 100);
  // The meter's thread waits for its telegram to be durable; the uploader may look at the queue before it is.
  if (world_.settings.commit_interval == 0ms && !crashed() && world_.chance(0.7)) {
    if (outbox_.flush(MonoTime::max())) note_durable();
  }
}

MonoDuration Life::next_moment(MonoTime deadline) {
  MonoDuration next = std::min(deadline.time_since_epoch(), end_);
  next = std::min(next, toggle_at_);
  for (const Transfer& transfer : transfers_) next = std::min(next, transfer.ends);
  if (!last_) {
    for (const Meter& meter : meters_) next = std::min(next, meter.next);
  }
  if (const auto work = outbox_.next_work()) {
    const MonoDuration due = std::max(work->time_since_epoch(), world_.clock.passed);
    if (!io_at_ || *io_at_ > due + kLatency) {
      const bool late = !last_ && world_.chance(0.3);
      io_at_ = due + (late ? std::chrono::milliseconds{world_.below(500)} : 0ms);
    }
    next = std::min(next, *io_at_);
  } else {
    io_at_.reset();
  }
  return next;
}

void Life::wait(MonoTime deadline, std::vector<HttpDone>& out) {
  if (std::exchange(woken_, false) || over()) return;
  const MonoDuration now = std::max(world_.clock.passed, next_moment(deadline));
  world_.clock.passed = now;
  if (now >= toggle_at_) toggle_disk();
  if (io_at_ && now >= *io_at_) do_io();
  if (!last_ && !crashed()) {
    for (Meter& meter : meters_) {
      if (now >= meter.next && !crashed()) telegram(meter);
    }
  }
  if (crashed()) {
    witness_.dead = true;
    return;
  }
  for (auto transfer = transfers_.begin(); transfer != transfers_.end();) {
    if (transfer->ends > now) {
      ++transfer;
      continue;
    }
    out.push_back({transfer->id, std::move(transfer->reply)});
    transfer = transfers_.erase(transfer);
  }
  woken_ = false;
}

void Life::toggle_disk() {
  const bool bad = world_.disk.full || world_.disk.failing;
  if (bad) {
    world_.disk.full = world_.disk.failing = false;
  } else {
    (world_.chance(0.5) ? world_.disk.full : world_.disk.failing) = true;
    ++world_.counts["disk fails"];
  }
  world_.disk_bad = world_.clock.now().mono;
  toggle_at_ = world_.clock.passed + std::chrono::seconds{1 + world_.below(900)};
}

void Life::do_io() {
  io_at_.reset();
  outbox_.tick();
  ++world_.counts["outbox ticks"];
  if (crashed()) return;
  note_durable();
  check_bounds();
}

/// What the outbox says is on disk has to survive.
void Life::note_durable() {
  for (const auto& [queue, channel] : witness_.channels()) {
    const QueueProgress progress = outbox_.progress(queue);
    for (auto item = channel->items.rbegin(); item != channel->items.rend() && !item->durable; ++item) {
      if (item->sequence == 0) break;  // of an earlier life
      if (item->sequence <= progress.stored_to) item->durable = true;
    }
  }
}

void Life::check_bounds() {
  std::uint64_t young = 0;
  const MonoTime now = world_.clock.now().mono;
  for (const ChannelTruth* channel : active_) {
    for (auto item = channel->items.rbegin(); item != channel->items.rend(); ++item) {
      if (item->pushed + world_.settings.commit_interval + kLatency < now) break;
      ++young;
    }
  }
  const OutboxStatus status = outbox_.status();
  if (!status.durable) world_.disk_bad = now;
  const bool settled = now > world_.disk_bad + kDiskPause || world_.disk_bad == MonoTime{};
  if (settled && status.ram_readings > young + active_.size() * (2 * world_.settings.page_readings + 1024)) {
    world_.violated(fmt::format("{} readings in memory, of which {} are young", status.ram_readings, young));
  }
  if (status.ram_readings > world_.settings.max_ram_readings + active_.size() * (2 * world_.settings.page_readings + 1024))
    world_.violated("more readings in memory than allowed");
  if (world_.disk.bytes() > world_.settings.max_size)
    world_.violated(fmt::format("{} bytes on disk, {} allowed", world_.disk.bytes(), world_.settings.max_size));
  world_.counts["most bytes on disk"] = std::max(world_.counts["most bytes on disk"], world_.disk.bytes());
}

bool Life::over() {
  if (over_ || crashed() || !world_.violation.empty()) return over_ = true;
  if (last_ && drained()) return over_ = true;
  if (world_.clock.passed < end_) return false;
  if (last_) {
    world_.violated("the last life does not come to an end: readings keep waiting");
  }
  return over_ = true;
}

bool Life::drained() const {
  if (!transfers_.empty()) return false;
  for (const auto& [queue, channel] : witness_.channels()) {
    if (outbox_.stats(queue).waiting > 0) return false;
  }
  return true;
}

void Life::run() {
  ++world_.counts["lives"];
  begin();
  while (!over()) uploader_.step();
  trace("ends");
  if (crashed()) {
    after_crash();
    return;
  }
  if (ending_ == Ending::kill || ending_ == Ending::power) {
    world_.disk.crash_now();
    after_crash();
    return;
  }
  uploader_.halt();
  const bool closed = outbox_.close(MonoTime::max()).has_value();
  if (crashed()) {
    after_crash();
    return;
  }
  if (closed) after_stop();
  else after_crash();
}

/// Which readings the crash may have taken: those that were neither accepted nor durable, and young.
void Life::after_crash() {
  ++world_.counts["crashes"];
  witness_.dead = true;
  const MonoTime now = world_.clock.now().mono;
  world_.dropped += outbox_.status().dropped;
  const bool disk_fine = started_ && (world_.disk_bad == MonoTime{} || now > world_.disk_bad + kDiskPause);
  for (const auto& [queue, channel] : witness_.channels()) {
    channel->dropped += outbox_.stats(queue).dropped;
    if (world_.small) world_.maybe_dropped += 4096;
    for (auto item = channel->items.rbegin(); item != channel->items.rend() && item->sequence != 0; ++item) {
      const bool old = item->pushed + world_.settings.commit_interval + kLatency + 1ms < now;
      if (old && disk_fine && world_.settings.commit_interval > 0ms) item->durable = true;
      if (!item->durable && !item->accepted) item->lost = true;
      if (!item->durable && item->rejected) item->lost = true;
      item->sequence = 0;
    }
  }
}

/// A stop takes nothing.
void Life::after_stop() {
  ++world_.counts["stops"];
  world_.dropped += outbox_.status().dropped;
  for (const auto& [queue, channel] : witness_.channels()) {
    channel->dropped += outbox_.stats(queue).dropped;
    for (auto item = channel->items.rbegin(); item != channel->items.rend() && item->sequence != 0; ++item) {
      item->durable = true;
      item->sequence = 0;
    }
  }
}

void set_up(World& world) {
  constexpr std::int64_t kIntervals[] = {10, 100, 1000, 1000, 1000, 5000, 60'000};
  constexpr std::int64_t kCommits[] = {0, 1000, 5000, 5000, 5000, 30'000};
  world.interval = std::chrono::milliseconds{kIntervals[world.below(std::size(kIntervals))]};
  world.settings.path = "/state/outbox.db";
  world.settings.commit_interval = std::chrono::milliseconds{kCommits[world.below(std::size(kCommits))]};
  world.settings.page_readings = std::size_t{16} << world.below(7);
  world.small = world.chance(0.03);
  world.settings.max_size = world.small ? kSmallestStore : 64ULL << 20U;
  world.settings.on_full = world.small && world.chance(0.3) ? OnFull::drop_newest : OnFull::drop_oldest;
  world.odd_values = world.small || world.chance(0.3);
  world.disk_faults = world.chance(0.1);
  world.poison = world.chance(0.2) ? 0.002 : 0.0;
  if (world.chance(0.15)) world.mode = AggMode::max;
  const std::uint64_t endpoints = 1 + world.below(2);
  for (std::uint64_t i = 0; i < endpoints; ++i) {
    world.endpoints.push_back(std::make_unique<Endpoint>(fmt::format("http://host{}/middleware.php", i), world.random,
                                                         world.counts, world.violation));
  }
  const std::uint64_t channels = 1 + world.below(4);
  for (std::uint64_t i = 0; i < channels; ++i) {
    Endpoint& endpoint = *world.endpoints[world.below(endpoints)];
    world.channels.push_back(std::make_unique<ChannelTruth>());
    world.channels.back()->uuid = fmt::format("01234567-89ab-cdef-0123-{:012d}", i);
    world.channels.back()->endpoint = endpoint.url();
    endpoint.add(world.channels.back().get());
  }
}

/// The configuration of a life: some channels may be missing, in any order.
std::vector<ChannelTruth*> configuration(World& world, bool all) {
  std::vector<ChannelTruth*> out;
  for (const auto& channel : world.channels) {
    if (all || world.chance(0.85)) out.push_back(channel.get());
  }
  for (std::size_t i = out.size(); i > 1; --i) std::swap(out[i - 1], out[world.below(i)]);
  return out;
}

void live(World& world) {
  constexpr Ending kEndings[] = {Ending::stop, Ending::kill, Ending::power, Ending::crash_in_write, Ending::crash_in_write};
  const Ending ending = kEndings[world.below(std::size(kEndings))];
  // As many telegrams whatever their interval.
  const double telegrams = world.options.size * (world.small ? 30.0 : 1.0) * (world.chance(0.1) ? 4000.0 : 600.0) * world.random.unit();
  const MonoDuration length = world.interval * static_cast<int>(telegrams + 1);
  for (const auto& endpoint : world.endpoints) {
    const double share = world.chance(0.3) ? 0.0 : world.random.unit();
    endpoint->set_trouble(share, world.clock.now().mono + (world.chance(0.5) ? length : length / 2));
  }
  {
    Life life(world, configuration(world, false), ending, length, false);
    life.run();
  }
  if (world.options.trace) {
    fmt::print(stderr, "--- ending {}\n", static_cast<int>(ending));
    for (const std::string& name : world.disk.names())
      fmt::print(stderr, "--- on disk: {} {} bytes\n", name, world.disk.content(name)->size());
  }
  const CrashDisk::Loss losses[] = {CrashDisk::Loss::power, CrashDisk::Loss::power, CrashDisk::Loss::all};
  const bool power = ending == Ending::power || ending == Ending::crash_in_write || world.disk.crashed();
  world.disk.full = world.disk.failing = false;
  world.disk.reboot(power && ending != Ending::kill ? losses[world.below(3)] : CrashDisk::Loss::nothing);
  if (world.options.trace) {
    for (const std::string& name : world.disk.names())
      fmt::print(stderr, "--- left on disk: {} {} bytes\n", name, world.disk.content(name)->size());
  }
  world.clock.passed += std::chrono::seconds{1 + world.below(30)};
}

/// Everything works, nothing new comes: what waits has to be delivered.
void last_life(World& world) {
  for (const auto& endpoint : world.endpoints) endpoint->heal();
  {
    Life life(world, configuration(world, true), Ending::stop, 24h, true);
    life.run();
  }
  world.counts["most bytes at the end"] = world.disk.bytes();
  if (world.violation.empty() && world.disk.bytes() > 1'000'000)
    world.violated(fmt::format("{} bytes on disk after everything was delivered", world.disk.bytes()));
}

std::set<std::pair<std::string, std::int64_t>> rejected_readings(World& world) {
  std::set<std::pair<std::string, std::int64_t>> out;
  const auto files = world.disk.files();
  auto store = DurableStore::open({.path = world.settings.path}, *files);
  if (!store) {
    world.violated("the file cannot be opened at the end: " + store.error().text());
    return out;
  }
  for (const StoredQueue& queue : (*store)->queues()) {
    if (queue.waiting() > 0) world.violated("readings wait at the end");
  }
  std::vector<RejectedReading> rejected;
  if (!(*store)->rejected(0, 1'000'000, rejected)) world.violated("rejected readings cannot be read");
  for (const RejectedReading& reading : rejected) out.emplace(reading.queue.channel, reading.stamp.time_since_epoch().count());
  return out;
}

void final_check(World& world) {
  const auto rejected = rejected_readings(world);
  std::uint64_t all_missing = 0;
  for (const auto& channel : world.channels) {
    std::uint64_t missing = 0;
    std::size_t example = 0;
    for (std::size_t i = 0; i < channel->items.size(); ++i) {
      const Item& item = channel->items[i];
      if (item.stored) {
        ++world.counts["delivered"];
        continue;
      }
      if (item.lost) {
        ++world.counts["lost, too young to be durable"];
        continue;
      }
      if (rejected.contains({channel->uuid, item.stamp})) {
        ++world.counts["rejected"];
        continue;
      }
      ++missing;
      example = i;
    }
    all_missing += missing;
    if (missing > channel->dropped && !world.small) {
      const Item& item = channel->items[example];
      world.violated(fmt::format("channel ...{}: {} readings are lost ({} dropped), the last of them number {} of {}, accepted {}, "
                                 "rejected {}, durable {}",
                                 channel->uuid.substr(30), missing, channel->dropped, example, channel->items.size(),
                                 item.accepted, item.rejected, item.durable));
    }
  }
  world.counts["dropped at a limit"] += world.dropped;
  // What the limit takes may be of a channel that is not in the configuration at that time.
  if (all_missing > world.dropped + world.maybe_dropped)
    world.violated(fmt::format("{} readings are lost, but only {} were counted as dropped", all_missing, world.dropped));
}

}  // namespace

Result simulate(const Options& options) {
  sqlite3_test_control(SQLITE_TESTCTRL_PRNG_SEED, static_cast<int>(options.seed | 1U), nullptr);
  World world(options);
  set_up(world);
  const std::uint64_t lives = 1 + world.below(6);
  for (std::uint64_t i = 0; i < lives && world.violation.empty(); ++i) live(world);
  if (world.violation.empty()) last_life(world);
  if (world.violation.empty()) final_check(world);
  ++world.counts["runs"];
  world.counts.erase("telegram readings");
  return {world.violation, world.counts};
}

}  // namespace vz::sim
