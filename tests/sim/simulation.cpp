// SPDX-License-Identifier: GPL-3.0-or-later
#include "sim/simulation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <set>
#include <vector>

#include "runtime/stamp_gate.hpp"
#include "sim/life.hpp"
#include "sim/world.hpp"

namespace vz::sim {
namespace {

using namespace std::chrono_literals;
using test::CrashDisk;

ChannelTruth& add_channel(World& world, std::string uuid, std::string identifier, Endpoint& endpoint) {
  ChannelTruth& channel = *world.channels.emplace_back(std::make_unique<ChannelTruth>());
  channel.uuid = std::move(uuid);
  channel.identifier = std::move(identifier);
  channel.endpoint = endpoint.url();
  endpoint.add(&channel);
  return channel;
}

void set_up(World& world) {
  constexpr std::int64_t kIntervals[] = {10, 100, 1000, 1000, 1000, 5000, 60'000};
  constexpr std::int64_t kCommits[] = {0, 1000, 5000, 5000, 5000, 30'000};
  world.interval = std::chrono::milliseconds{kIntervals[world.below(std::size(kIntervals))]};
  world.settings.path = "/state/outbox.db";
  world.settings.commit_interval = std::chrono::milliseconds{kCommits[world.below(std::size(kCommits))]};
  world.settings.page_readings = std::size_t{16} << world.below(7);
  if (world.chance(0.2)) world.settings.max_unwritten = 1 + world.below(64);
  world.small = world.chance(0.03);
  world.settings.max_size = world.small ? kSmallestStore : 64ULL << 20U;
  world.settings.on_full = world.small && world.chance(0.3) ? OnFull::drop_newest : OnFull::drop_oldest;
  world.odd_values = world.small || world.chance(0.3);
  world.disk_faults = world.chance(0.15);
  if (world.disk_faults && world.chance(0.3)) world.settings.max_ram_readings = 200 + world.below(2000);
  world.clock_faults = world.chance(0.35);
  world.device_faults = world.chance(0.3);
  // Commands need something to move and to queue again.
  world.commands = !world.small && world.chance(0.4);
  world.config_faults = !world.small && world.chance(world.commands ? 0.8 : 0.3);
  if (world.chance(world.commands ? 0.7 : 0.1)) world.poison = world.chance(0.5) ? 0.002 : 0.03;
  constexpr AggMode kModes[] = {AggMode::max, AggMode::sum, AggMode::sum, AggMode::avg};
  if (world.chance(0.25)) world.mode = kModes[world.below(std::size(kModes))];
  // A few dozen readings, or one cycle.
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(world.interval * 30).count();
  world.aggtime = world.chance(0.3) ? -1 : static_cast<int>(1 + world.below(static_cast<std::uint64_t>(seconds) + 1));
  const std::uint64_t endpoints = 1 + world.below(3);
  for (std::uint64_t i = 0; i < endpoints; ++i) {
    world.endpoints.push_back(std::make_unique<Endpoint>(fmt::format("http://host{}/middleware.php", i), world.random,
                                                         world.counts, world.violation));
  }
  const std::uint64_t channels = 1 + world.below(4);
  for (std::uint64_t i = 0; i < channels; ++i) {
    add_channel(world, fmt::format("01234567-89ab-cdef-0123-{:012d}", i), fmt::format("r{}", i),
                *world.endpoints[world.below(endpoints)]);
  }
}

/// A channel goes to another endpoint from now on; what waits for the old one stays behind.
void retarget(World& world, std::size_t index) {
  ChannelTruth& old = *world.channels[index];
  std::vector<Endpoint*> others;
  for (const auto& endpoint : world.endpoints) {
    const bool used = std::any_of(world.channels.begin(), world.channels.end(), [&](const auto& channel) {
      return channel->uuid == old.uuid && channel->endpoint == endpoint->url();
    });
    if (!used) others.push_back(endpoint.get());
  }
  if (others.empty() || !old.seen) return;
  world.fault("configuration: channel sent elsewhere");
  ChannelTruth& heir = add_channel(world, old.uuid, old.identifier, *others[world.below(others.size())]);
  // A window is the channel's own.
  heir.windows = std::exchange(old.windows, {});
  for (Window& window : heir.windows) window.items = 0;
  old.identifier += "-old";
  old.heir = &heir;
}

/// The configuration of a life: some channels may be missing, in any order; in the last one all are there.
std::vector<ChannelTruth*> configuration(World& world, bool last) {
  const std::size_t known = world.channels.size();
  for (std::size_t i = 0; i < known && !last; ++i) {
    if (world.config_faults && world.channels[i]->heir == nullptr && world.chance(world.commands ? 0.4 : 0.2)) retarget(world, i);
  }
  const Endpoint* without = nullptr;
  if (!last && world.config_faults && world.chance(0.2)) {
    without = world.endpoints[world.below(world.endpoints.size())].get();
    world.fault("configuration: endpoint removed");
  }
  std::vector<ChannelTruth*> out;
  for (const auto& channel : world.channels) {
    const bool wanted = last || (channel->heir == nullptr && world.chance(0.85) &&
                                 (without == nullptr || channel->endpoint != without->url()));
    if (wanted && !channel->seen) world.fault("configuration: channel added");
    if (wanted) out.push_back(channel.get());
    else if (channel->seen && channel->heir == nullptr) world.fault("configuration: channel removed");
    channel->seen = channel->seen || wanted;
  }
  for (std::size_t i = out.size(); i > 1; --i) {
    const std::size_t other = world.below(i);
    std::swap(out[i - 1], out[other]);
  }
  return out;
}

/// The machine starts again. One without a clock of its own begins in 1970, or at some time that it remembers; what was
/// held before is of no known time for ever.
void reboot(World& world) {
  world.fault("machine started");
  ++world.boot;
  world.booted = world.clock.passed;
  for (const auto& channel : world.channels) {
    for (const HeldReading& held : channel->held) {
      if (!held.perhaps) ++channel->apart;
      if (held.moved_to == 0) continue;
      Item& item = channel->items[held.moved_to - 1];
      item.lost = true;
      item.durable = false;
    }
    channel->held.clear();
  }
  world.wrong = world.unsynchronised = false;
  world.right_at = MonoDuration::max();
  if (!world.clock_faults || !world.chance(0.5)) return;
  world.wrong = world.unsynchronised = true;
  const auto passed = std::chrono::duration_cast<std::chrono::milliseconds>(world.clock.passed).count();
  if (world.chance(0.5)) {
    world.fault("clock: boot in 1970");
    world.set_offset(-kEpoch - passed + static_cast<std::int64_t>(world.below(100'000)));
    if (world.chance(0.9)) world.right_at = world.clock.passed + world.interval * static_cast<int>(1 + world.below(2000));
  } else {
    world.fault("clock: boot with an old time, not synchronised");
    world.set_offset(world.right - static_cast<std::int64_t>(600'000 + world.below(36'000'000)));
    world.right_at = world.clock.passed + std::chrono::milliseconds{1 + world.below(299'000)};
  }
}

/// Between two lives.
void pass_some_time(World& world, bool power) {
  world.clock.passed += std::chrono::seconds{1 + world.below(30)};
  if (power || world.chance(0.2)) reboot(world);
  if (!world.wrong) world.set_offset(world.right);
}

void live(World& world) {
  constexpr Ending kEndings[] = {Ending::stop, Ending::kill, Ending::power, Ending::crash_in_write, Ending::crash_in_write};
  const Ending ending = kEndings[world.below(std::size(kEndings))];
  // As many telegrams whatever their interval.
  const double telegrams = world.options.size * (world.small ? 30.0 : 1.0) * (world.chance(0.1) ? 4000.0 : 600.0) * world.random.unit();
  const MonoDuration length = world.interval * static_cast<int>(telegrams + 1);
  for (const auto& endpoint : world.endpoints) {
    // A file that is to be full needs an endpoint that takes nothing.
    const bool takes_nothing = world.small && world.chance(0.7);
    const double share = world.chance(0.3) ? 0.0 : world.random.unit();
    endpoint->set_trouble(takes_nothing ? 1.0 : share, world.clock.now().mono + (world.chance(0.5) ? length : length / 2));
  }
  {
    Life life(world, {.channels = configuration(world, false), .ending = ending, .length = length});
    life.run();
  }
  if (world.options.trace) {
    fmt::print(stderr, "--- ending {}\n", static_cast<int>(ending));
    for (const std::string& name : world.disk.names())
      fmt::print(stderr, "--- on disk: {} {} bytes\n", name, world.disk.content(name)->size());
  }
  const CrashDisk::Loss losses[] = {CrashDisk::Loss::power, CrashDisk::Loss::power, CrashDisk::Loss::all};
  const bool power = ending == Ending::power || ending == Ending::crash_in_write || world.disk.crashed();
  world.disk.full = world.disk.failing = world.disk.sync_fails = false;
  const bool dark = power && ending != Ending::kill && world.chance(0.8);
  world.disk.reboot(dark ? losses[world.below(3)] : CrashDisk::Loss::nothing);
  if (world.options.trace) {
    for (const std::string& name : world.disk.names())
      fmt::print(stderr, "--- left on disk: {} {} bytes\n", name, world.disk.content(name)->size());
  }
  pass_some_time(world, dark);
}

/// Everything works, nothing new comes: what waits has to be delivered.
void last_life(World& world) {
  for (const auto& endpoint : world.endpoints) endpoint->heal();
  {
    Life life(world, {.channels = configuration(world, true), .ending = Ending::stop, .length = 240h, .last = true});
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
  std::uint64_t apart = 0;
  for (const StoredQueue& queue : (*store)->queues()) {
    if (queue.waiting() == 0) continue;
    if (StampGate::held_endpoint(queue.name)) apart += queue.waiting();
    else world.violated("readings wait at the end");
  }
  std::uint64_t wanted = 0;
  for (const auto& channel : world.channels) wanted += channel->apart;
  world.counts["set apart, of no known time"] += apart;
  if (apart + world.dropped < wanted && !world.small && world.disk_bad == MonoTime{})
    world.violated(fmt::format("{} readings of no known time are kept, of {}", apart, wanted));
  std::vector<RejectedReading> rejected;
  if (!(*store)->rejected(0, 1'000'000, rejected)) world.violated("rejected readings cannot be read");
  for (const RejectedReading& reading : rejected) out.emplace(reading.queue.channel, reading.stamp.time_since_epoch().count());
  return out;
}

/// At its endpoint, or at the one that it was moved to.
bool is_stored(const ChannelTruth& channel, const Item& item) {
  if (item.stored) return true;
  return item.twin != 0 && is_stored(*channel.heir, channel.heir->items[item.twin - 1]);
}

/// What the meter delivered has left the aggregation.
void check_windows(World& world, const ChannelTruth& channel) {
  const auto may_be_empty = [](const std::vector<Window>& windows) {
    return std::any_of(windows.begin(), windows.end(), [](const Window& window) { return window.current && window.count == 0; });
  };
  if (!channel.windows.empty() && !may_be_empty(channel.windows))
    world.violated(fmt::format("...{}: a window of {} readings was lost", channel.uuid.substr(30), channel.windows.back().count));
  for (const auto& closed : channel.closed) {
    if (world.mode == AggMode::avg) break;  // which one came is not told by an average
    if (std::none_of(closed.begin(), closed.end(), [](const Window& window) { return window.count == 0; }))
      world.violated(fmt::format("...{}: the result of a window never came", channel.uuid.substr(30)));
  }
}

void final_check(World& world) {
  const auto rejected = rejected_readings(world);
  std::uint64_t all_missing = 0;
  std::uint64_t& delivered = world.counts["delivered"];
  for (const auto& channel : world.channels) {
    if (channel->heir == nullptr) check_windows(world, *channel);
    std::uint64_t missing = 0;
    std::size_t example = 0;
    for (std::size_t i = 0; i < channel->items.size(); ++i) {
      const Item& item = channel->items[i];
      if (item.copy || item.collided || item.undone) continue;
      if (is_stored(*channel, item)) {
        ++delivered;
        continue;
      }
      if (item.lost || item.forbidden) {
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
    if (missing + channel->held_gone > channel->dropped && missing > 0 && !world.small) {
      const Item& item = channel->items[example];
      world.violated(fmt::format("channel ...{}: {} readings are lost ({} dropped), the last of them number {} of {}, accepted {}, "
                                 "rejected {}, durable {}",
                                 channel->uuid.substr(30), missing, channel->dropped, example, channel->items.size(),
                                 item.accepted, item.rejected, item.durable));
    }
  }
  world.counts["dropped at a limit"] += world.dropped;
  if (!world.small && !world.disk_faults) {
    if (world.dropped > 0) world.violated(fmt::format("{} readings were dropped for no reason", world.dropped));
    for (const std::string& name : world.disk.names())
      if (name.find(".damaged-") != std::string::npos) world.violated("a good file was set aside: " + name);
  }
  // What the limit takes may be of a channel that is not in the configuration at that time.
  if (all_missing > 0 && all_missing + world.held_gone > world.dropped + world.maybe_dropped)
    world.violated(fmt::format("{} readings are lost, but only {} were counted as dropped", all_missing, world.dropped));
}

}  // namespace

Result simulate(const Options& options) {
  sqlite3_test_control(SQLITE_TESTCTRL_PRNG_SEED, static_cast<int>(options.seed | 1U), nullptr);
  World world(options);
  set_up(world);
  reboot(world);
  const std::uint64_t lives = 1 + world.below(6);
  for (std::uint64_t i = 0; i < lives && world.violation.empty(); ++i) live(world);
  if (world.violation.empty()) last_life(world);
  if (world.violation.empty()) final_check(world);
  ++world.counts["runs"];
  const CrashDisk::Losses& losses = world.disk.losses();
  world.counts["power: unsynced write lost"] += losses.lost;
  world.counts["power: unsynced write torn"] += losses.torn;
  world.counts["power: unsynced write kept behind a lost one"] += losses.reordered;
  world.counts["power: file undone"] += losses.undone;
  return {world.violation, world.counts};
}

}  // namespace vz::sim
