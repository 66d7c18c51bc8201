// SPDX-License-Identifier: GPL-3.0-or-later
#include "sim/witness.hpp"

#include <algorithm>
#include <bit>

#include "runtime/stamp_gate.hpp"

namespace vz::sim {
namespace {

bool same(double a, double b) { return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b); }

/// What may come out of a window of that mode.
bool fits(AggMode mode, const Window& window, double value) {
  switch (mode) {
    case AggMode::max: return same(value, window.most);
    case AggMode::sum: return same(value, window.sum);
    case AggMode::avg: return true;  // depends on stamps and on the window before
    case AggMode::none: break;
  }
  return false;
}

}  // namespace

QueueId WitnessOutbox::open(const QueueName& name) {
  const QueueId queue = outbox_.open(name);
  const auto endpoint = StampGate::held_endpoint(name);
  if (!endpoint) return queue;
  for (ChannelTruth* channel : watched_) {
    if (channel->uuid == name.channel && channel->endpoint == *endpoint) know(queue, channel, Kind::held);
  }
  return queue;
}

void WitnessOutbox::know(QueueId queue, ChannelTruth* channel, Kind kind) {
  const auto place = static_cast<std::size_t>(queue);
  if (channels_.size() <= place) {
    channels_.resize(place + 1);
    peeked_.resize(place + 1);
  }
  channels_[place] = {queue, channel, kind};
}

void WitnessOutbox::push(QueueId queue, WallTime stamp, double value) {
  if (dead) return;
  ChannelTruth& truth = channel(queue);
  if (channels_[static_cast<std::size_t>(queue)].kind == Kind::held) return hold(queue, truth, stamp, value);
  const std::int64_t ms = stamp.time_since_epoch().count();
  if (world_.wrong)
    world_.violated(fmt::format("...{}: {} is stamped with a time that nobody vouches for", truth.uuid.substr(30), value));
  HeldReading source;
  bool mixed = false;
  forget_what_is_gone(truth, value);
  forget_what_was_dropped(truth, value);
  const bool known = truth.held.empty() ? came(truth, value, source.arrival, mixed) : was_held(truth, value, source);
  if (!known) return;
  const bool behind = source.sequence != 0 && !source.here && source.small_steps_back < world_.small_steps_back;
  if (mixed || source.arrival.mixed || behind) truth.has_last = false;
  else check_distance(truth, ms, source.arrival);
  if (world_.mode == AggMode::none) check_time(truth, ms, source.arrival.at);
  ++world_.readings;
  Item* other = truth.find(ms);
  // The crash took it, and brought back what it came from.
  const bool again = other != nullptr && (other->lost || other->undone) && !other->stored && same(other->value, value);
  if (other != nullptr && !again) {
    // A lane remembers some thousand of its latest stamps.
    const auto since = static_cast<std::uint64_t>(truth.items.data() + truth.items.size() - other);
    if (other->sequence != 0 && since < 2048)
      world_.violated(fmt::format("...{}: a stamp of this life was used twice: {}", truth.uuid.substr(30), ms));
    if (world_.steps_back == 0 && !other->undone)
      world_.violated(fmt::format("...{}: a stamp was used twice: {}", truth.uuid.substr(30), ms));
    if (!other->undone) ++world_.counts["on a millisecond used before a large step back"];
    other->collided = true;
    outbox_.push(queue, stamp, value);
    return;
  }
  if (world_.chance(world_.poison)) truth.poisoned.push_back(truth.items.size());
  Item& item = truth.append({.stamp = ms, .value = value, .pushed = world_.clock.now().mono});
  item.was_durable = source.durable;
  if (source.sequence != 0) {
    source.moved_to = truth.items.size();
    truth.moved.push_back(source);
  }
  outbox_.push(queue, stamp, value);
  item.sequence = outbox_.progress(queue).last;
}

bool WitnessOutbox::came(ChannelTruth& truth, double value, Arrival& arrival, bool& mixed) {
  return world_.mode == AggMode::none ? came_from_the_meter(truth, value, arrival)
                                      : came_from_a_window(truth, value, arrival, mixed);
}

/// The clock is wrong: it waits, with its time since boot.
void WitnessOutbox::hold(QueueId queue, ChannelTruth& truth, WallTime since_boot, double value) {
  HeldReading held;
  bool mixed = false;
  if (!came(truth, value, held.arrival, mixed)) return;
  held.arrival.value = value;
  held.arrival.trusted = false;
  held.arrival.mixed = mixed;
  held.pushed = world_.clock.now().mono;
  held.small_steps_back = world_.small_steps_back;
  const auto at = std::chrono::floor<std::chrono::milliseconds>(held.arrival.at.time_since_epoch());
  // The stamp of a window is that of its latest reading, if the clock was the same then.
  if (world_.mode != AggMode::none) held.arrival.at = MonoTime{since_boot.time_since_epoch()};
  else if (since_boot.time_since_epoch() != at)
    world_.violated(fmt::format("...{}: held as of {} ms since boot instead of {}", truth.uuid.substr(30),
                                since_boot.time_since_epoch().count(), at.count()));
  outbox_.push(queue, since_boot, value);
  held.sequence = outbox_.progress(queue).last;
  ++world_.counts["held until the clock is right"];
  if (world_.mode != AggMode::none) forget_what_comes_again(truth, value);
  truth.held.push_back(held);
}

/// The crash took it, and what came after it, and brought back the window that it came from.
void WitnessOutbox::forget_what_comes_again(ChannelTruth& truth, double value) {
  const auto surely = std::find_if(truth.held.rbegin(), truth.held.rend(), [](const HeldReading& held) { return !held.perhaps; });
  const auto before = std::find_if(truth.held.rbegin(), surely, [&](const HeldReading& held) { return same(held.arrival.value, value); });
  if (before != surely) truth.held.erase(std::prev(before.base()), truth.held.end());
}

/// What a crash may have taken from those that were held, or has not put back to them.
void WitnessOutbox::forget_what_is_gone(ChannelTruth& truth, double value) {
  while (!truth.held.empty() && truth.held.front().perhaps && !same(truth.held.front().arrival.value, value))
    truth.held.pop_front();
}

/// By the outbox, and counted.
std::uint64_t WitnessOutbox::dropped(const ChannelTruth& channel) const {
  // What the size limit takes may be of a channel that is not in the configuration at that time.
  if (world_.small) return world_.dropped + world_.maybe_dropped + outbox_.status().dropped - world_.held_gone;
  std::uint64_t count = channel.dropped;
  for (const Known& known : channels_)
    if (known.channel == &channel) count += outbox_.stats(known.queue).dropped;
  return count - channel.held_gone;
}

/// A limit may have taken the oldest that were held, or some of them: as many as the outbox has counted.
void WitnessOutbox::forget_what_was_dropped(ChannelTruth& truth, double value) {
  if (truth.held.empty() || same(truth.held.front().arrival.value, value)) return;
  const auto end = std::find_if(truth.held.begin(), truth.held.end(),
                                [&](const HeldReading& held) { return same(held.arrival.value, value); });
  // What was not held comes only when no other waits.
  const bool waits = std::any_of(channels_.begin(), channels_.end(), [&](const Known& known) {
    return known.channel == &truth && known.kind == Kind::held && outbox_.stats(known.queue).waiting > 0;
  });
  if (end == truth.held.end() && waits) return;
  const auto gone = static_cast<std::uint64_t>(
      std::count_if(truth.held.begin(), end, [](const HeldReading& held) { return !held.perhaps; }));
  if (gone > dropped(truth)) return;
  truth.held.erase(truth.held.begin(), end);
  truth.held_gone += gone;
  world_.held_gone += gone;
  world_.counts["held and dropped at a limit"] += gone;
}

/// The oldest that waited for the right time.
bool WitnessOutbox::was_held(ChannelTruth& truth, double value, HeldReading& out) {
  out = truth.held.front();
  if (!same(out.arrival.value, value)) {
    world_.violated(fmt::format("...{}: {} came instead of {}, which was held before", truth.uuid.substr(30), value,
                                out.arrival.value));
    return false;
  }
  truth.held.pop_front();
  if (out.moved_to == 0) return true;
  Item& before = truth.items[out.moved_to - 1];
  before.undone = true;
  before.forbidden = world_.disk_bad == MonoTime{};
  if (before.stored && world_.disk_bad == MonoTime{})
    world_.violated(fmt::format("...{}: reading {} is delivered a second time with another stamp", truth.uuid.substr(30),
                                out.moved_to - 1));
  return true;
}

/// The oldest that the meter delivered and that did not come yet.
bool WitnessOutbox::came_from_the_meter(ChannelTruth& truth, double value, Arrival& arrival) {
  if (truth.arrivals.empty() || !same(truth.arrivals.front().value, value)) {
    world_.violated(fmt::format("...{}: the pipeline pushed {}, the meter delivered {}", truth.uuid.substr(30), value,
                                truth.arrivals.empty() ? std::string{"nothing"}
                                                       : fmt::format("{} before", truth.arrivals.front().value)));
    return false;
  }
  arrival = truth.arrivals.front();
  truth.arrivals.pop_front();
  return true;
}

/// The oldest window that has ended and did not come yet, as it has to be; or after a crash as it may be.
bool WitnessOutbox::came_from_a_window(ChannelTruth& truth, double value, Arrival& arrival, bool& mixed) {
  if (world_.options.trace) {
    fmt::print(stderr, "{:10.3f} --- ...{}: {} of", std::chrono::duration<double>(world_.clock.passed).count(),
               truth.uuid.substr(30), value);
    for (const auto& closed : truth.closed) {
      for (const Window& window : closed) fmt::print(stderr, " {}/{}/{}", window.sum, window.most, window.count);
      fmt::print(stderr, ";");
    }
    fmt::print(stderr, "\n");
  }
  const auto may_be = [&](const Window& window) { return window.count > 0 && fits(world_.mode, window, value); };
  const auto is_empty = [](const Window& window) { return window.count == 0; };
  while (!truth.closed.empty() && std::any_of(truth.closed.front().begin(), truth.closed.front().end(), is_empty) &&
         std::none_of(truth.closed.front().begin(), truth.closed.front().end(), may_be)) {
    truth.closed.pop_front();
  }
  if (truth.closed.empty()) {
    world_.violated(fmt::format("...{}: the result of a window came that had not ended: {}", truth.uuid.substr(30), value));
    return false;
  }
  const std::vector<Window> candidates = std::move(truth.closed.front());
  truth.closed.pop_front();
  const Window* found = nullptr;
  std::size_t surely = truth.items.size();
  std::size_t perhaps = 0;
  std::size_t fitting = 0;
  for (const Window& window : candidates) {
    if (!may_be(window)) continue;
    ++fitting;
    found = &window;
    surely = std::min(surely, window.items);
    perhaps = std::max(perhaps, window.items);
  }
  if (found == nullptr) {
    const Window& window = candidates.back();
    world_.violated(fmt::format("...{}: a window has the wrong result: {} instead of {} (sum), {} (max) of {} readings",
                                truth.uuid.substr(30), value, window.sum, window.most, window.count));
    return false;
  }
  arrival = found->latest;
  // Several may fit; and a disk that failed may have brought back one that was delivered.
  mixed = found->mixed || fitting > 1 || world_.mode == AggMode::avg || (candidates.size() > 1 && world_.disk_bad != MonoTime{});
  if (candidates.size() > 1 && world_.mode != AggMode::avg) chosen(truth, surely, perhaps);
  return true;
}

/// The crash has brought a window back as it was at some moment: what was pushed after that must be gone, what was pushed
/// before it must not.
void WitnessOutbox::chosen(ChannelTruth& truth, std::size_t surely, std::size_t perhaps) {
  if (world_.disk_bad != MonoTime{} || world_.small || truth.held_then) return;
  for (std::size_t i = truth.crashed_life; i < truth.life; ++i) {
    Item& item = truth.items[i];
    if (item.copy) continue;
    if (i >= perhaps) {
      if (item.durable || item.stored)
        world_.violated(fmt::format("...{}: the window of reading {} is delivered a second time", truth.uuid.substr(30), i));
      item.forbidden = true;
    } else if (i < surely && world_.settings.commit_interval.count() == 0) {
      item.lost = false;
    }
  }
}

/// Stamps rise, and are as far from each other as the moments they stand for; a small step back makes them go at half
/// speed for a while; a large one may take them back.
void WitnessOutbox::check_distance(ChannelTruth& truth, std::int64_t stamp, const Arrival& arrival) {
  // A step may have moved a window after its latest reading came; what was held got its stamp only now.
  const std::int64_t forward = world_.forward;
  if (world_.options.trace)
    fmt::print(stderr, "{:10.3f} --- ...{}: {} as of {:.3f}, last {} as of {:.3f}, steps back {} {}, known {}\n",
               std::chrono::duration<double>(world_.clock.passed).count(), truth.uuid.substr(30), stamp,
               std::chrono::duration<double>(arrival.at.time_since_epoch()).count(), truth.last_stamp,
               std::chrono::duration<double>(truth.last_at.time_since_epoch()).count(), world_.steps_back,
               truth.last_steps_back, truth.has_last);
  // Windows move along with steps, but only as exactly as the cycles of a meter show them.
  // What was held moves in pieces, between which a slow clock takes a little from one distance.
  const std::int64_t slack = world_.mode == AggMode::none && arrival.trusted ? 3 : 1003;
  if (truth.has_last && truth.last_steps_back == world_.steps_back) {
    const auto moments = std::chrono::duration_cast<std::chrono::milliseconds>(arrival.at - truth.last_at).count();
    // While no process runs the clock cannot go slow.
    const MonoTime from = std::max(truth.last_at, MonoTime{world_.life_begin});
    const auto lived = std::chrono::duration_cast<std::chrono::milliseconds>(arrival.at - from).count();
    const std::int64_t stamps = stamp - truth.last_stamp;
    const std::int64_t steps = forward - truth.last_forward;
    if (stamps <= 0) {
      world_.violated(fmt::format("...{}: stamps go back by {} ms", truth.uuid.substr(30), -stamps));
    } else if (stamps < lived / (world_.mode == AggMode::none ? 2 : 4) - slack) {
      world_.violated(fmt::format("...{}: {} ms were squeezed into {}", truth.uuid.substr(30), moments, stamps));
    } else if (stamps > moments + steps + slack) {
      world_.violated(fmt::format("...{}: {} ms (and {} of steps) were stretched to {}", truth.uuid.substr(30), moments,
                                  steps, stamps));
    }
  }
  // A window that spans a large step back, perhaps over lives in which the channel was not configured, has a time of before
  // or after it: what comes next has nothing to be compared with.
  const bool spans = world_.mode != AggMode::none && truth.last_steps_back != world_.steps_back;
  truth.has_last = !spans;
  truth.last_stamp = stamp;
  truth.last_at = arrival.at;
  truth.last_forward = arrival.trusted ? arrival.forward : forward;
  truth.last_steps_back = world_.steps_back;
}

/// A stamp is never earlier than the machine's clock says of that moment, and later by what the clock was set back, if that
/// was little.
void WitnessOutbox::check_time(const ChannelTruth& truth, std::int64_t stamp, MonoTime at) {
  constexpr std::int64_t kFlooring = 3;
  constexpr std::int64_t kMostAhead = 2 * 300'000 + 5000;
  const Instant now = world_.clock.now();
  const auto ago = std::chrono::duration_cast<std::chrono::milliseconds>(now.mono - at).count();
  const std::int64_t wanted = now.wall.time_since_epoch().count() - ago;
  if (stamp < wanted - kFlooring || stamp > wanted + kMostAhead)
    world_.violated(fmt::format("...{}: stamped {} ms from the time that it was", truth.uuid.substr(30), stamp - wanted));
}

void WitnessOutbox::peek(QueueId queue, std::size_t max, std::vector<QueuedReading>& out) const {
  outbox_.peek(queue, max, out);
  if (world_.settings.commit_interval.count() == 0 && !out.empty() && outbox_.status().durable &&
      out.back().sequence > outbox_.progress(queue).stored_to) {
    world_.violated(fmt::format("...{}: reading with sequence {} is shown before it is durable: stored to {}",
                                channel(queue).uuid.substr(30), out.back().sequence, outbox_.progress(queue).stored_to));
  }
  peeked_[static_cast<std::size_t>(queue)].assign(out.begin(), out.end());
}

void WitnessOutbox::mark_sent(QueueId queue, std::uint64_t first, std::uint64_t last) {
  if (!dead) outbox_.mark_sent(queue, first, last);
}

void WitnessOutbox::settle(QueueId queue, std::uint64_t first, std::uint64_t last, Verdict verdict, std::string_view reason) {
  if (dead) return;
  const bool held = channels_[static_cast<std::size_t>(queue)].kind == Kind::held;
  for (const QueuedReading& reading : peeked_[static_cast<std::size_t>(queue)]) {
    if (!held && reading.sequence >= first && reading.sequence <= last) settled(queue, reading, verdict);
  }
  outbox_.settle(queue, first, last, verdict, reason);
}

void WitnessOutbox::settled(QueueId queue, const QueuedReading& reading, Verdict verdict) {
  ChannelTruth& truth = channel(queue);
  Item* item = truth.find(reading.stamp.time_since_epoch().count());
  if (item == nullptr) return;
  const auto index = static_cast<std::size_t>(item - truth.items.data());
  if (verdict == Verdict::rejected) {
    item->rejected = true;
    if (!std::binary_search(truth.poisoned.begin(), truth.poisoned.end(), index))
      world_.violated("a good reading was set aside");
  }
  if (verdict != Verdict::accepted) return;
  if (!item->durable && item->sequence != 0 && world_.settings.commit_interval.count() == 0 && outbox_.status().durable &&
      world_.disk_bad == MonoTime{} && !world_.small && !item->collided) {
    world_.violated(fmt::format("...{}: reading {} (sequence {}) was delivered before it was durable: stored to {}",
                                truth.uuid.substr(30), index, item->sequence,
                                outbox_.progress(queue).stored_to));
  }
  // A crash would bring back what was held, which is sent again with another stamp.
  if (item->was_durable && !item->durable && outbox_.status().durable && world_.disk_bad == MonoTime{} && !item->collided &&
      item->sequence > outbox_.progress(queue).stored_to) {
    world_.violated(fmt::format("...{}: reading {}, which was held on disk, was delivered before it was written there",
                                truth.uuid.substr(30), index));
  }
  item->accepted = true;
  truth.acked = std::max(truth.acked, index + 1);
}

}  // namespace vz::sim
