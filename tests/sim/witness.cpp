// SPDX-License-Identifier: GPL-3.0-or-later
#include "sim/witness.hpp"

#include <algorithm>
#include <bit>

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

void WitnessOutbox::know(QueueId queue, ChannelTruth* channel) {
  const auto place = static_cast<std::size_t>(queue);
  if (channels_.size() <= place) {
    channels_.resize(place + 1);
    peeked_.resize(place + 1);
  }
  channels_[place] = {queue, channel};
}

void WitnessOutbox::push(QueueId queue, WallTime stamp, double value) {
  if (dead) return;
  ChannelTruth& truth = channel(queue);
  const std::int64_t ms = stamp.time_since_epoch().count();
  Arrival arrival;
  bool mixed = false;
  const bool known = world_.mode == AggMode::none ? came_from_the_meter(truth, value, arrival)
                                                  : came_from_a_window(truth, value, arrival, mixed);
  if (!known) return;
  if (mixed) truth.has_last = false;
  else check_distance(truth, ms, arrival);
  ++world_.readings;
  if (Item* other = truth.find(ms)) {
    if (world_.steps_back == 0) world_.violated(fmt::format("...{}: a stamp was used twice: {}", truth.uuid.substr(30), ms));
    ++world_.counts["on a millisecond used before a large step back"];
    other->collided = true;
    outbox_.push(queue, stamp, value);
    return;
  }
  if (world_.chance(world_.poison)) truth.poisoned.push_back(truth.items.size());
  Item& item = truth.append({.stamp = ms, .value = value, .pushed = world_.clock.now().mono});
  outbox_.push(queue, stamp, value);
  item.sequence = outbox_.progress(queue).last;
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
  if (truth.closed.empty()) {
    world_.violated(fmt::format("...{}: the result of a window came that had not ended: {}", truth.uuid.substr(30), value));
    return false;
  }
  const std::vector<Window> candidates = std::move(truth.closed.front());
  truth.closed.pop_front();
  const auto found = std::find_if(candidates.rbegin(), candidates.rend(),
                                  [&](const Window& window) { return fits(world_.mode, window, value); });
  if (found == candidates.rend()) {
    const Window& window = candidates.back();
    world_.violated(fmt::format("...{}: a window has the wrong result: {} instead of {} (sum), {} (max) of {} readings",
                                truth.uuid.substr(30), value, window.sum, window.most, window.count));
    return false;
  }
  arrival = found->latest;
  mixed = found->mixed;
  if (candidates.size() > 1 && world_.mode != AggMode::avg) chosen(truth, *found);
  return true;
}

/// The crash has brought that window back: readings that were pushed after it must be gone, those before it must not.
void WitnessOutbox::chosen(ChannelTruth& truth, const Window& window) {
  if (world_.disk_bad != MonoTime{} || world_.small) return;
  for (std::size_t i = truth.crashed_life; i < truth.life; ++i) {
    Item& item = truth.items[i];
    if (item.copy) continue;
    if (i >= window.items) {
      if (item.durable || item.stored)
        world_.violated(fmt::format("...{}: the window of reading {} is delivered a second time", truth.uuid.substr(30), i));
      item.forbidden = true;
    } else if (world_.settings.commit_interval.count() == 0) {
      item.lost = false;
    }
  }
}

/// Stamps rise, and are as far from each other as the moments they stand for; a small step back makes them go at half
/// speed for a while; a large one may take them back.
void WitnessOutbox::check_distance(ChannelTruth& truth, std::int64_t stamp, const Arrival& arrival) {
  // What was held got its stamp only now.
  const std::int64_t forward = arrival.trusted ? arrival.forward : world_.forward;
  if (truth.has_last && truth.last_steps_back == world_.steps_back) {
    const auto moments = std::chrono::duration_cast<std::chrono::milliseconds>(arrival.at - truth.last_at).count();
    const std::int64_t stamps = stamp - truth.last_stamp;
    const std::int64_t steps = forward - truth.last_forward;
    if (stamps <= 0) {
      world_.violated(fmt::format("...{}: stamps go back by {} ms", truth.uuid.substr(30), -stamps));
    } else if (stamps < moments / 2 - 3) {
      world_.violated(fmt::format("...{}: {} ms were squeezed into {}", truth.uuid.substr(30), moments, stamps));
    } else if (stamps > moments + steps + 3) {
      world_.violated(fmt::format("...{}: {} ms (and {} of steps) were stretched to {}", truth.uuid.substr(30), moments,
                                  steps, stamps));
    }
  }
  truth.has_last = true;
  truth.last_stamp = stamp;
  truth.last_at = arrival.at;
  truth.last_forward = forward;
  truth.last_steps_back = world_.steps_back;
}

void WitnessOutbox::peek(QueueId queue, std::size_t max, std::vector<QueuedReading>& out) const {
  outbox_.peek(queue, max, out);
  peeked_[static_cast<std::size_t>(queue)].assign(out.begin(), out.end());
}

void WitnessOutbox::mark_sent(QueueId queue, std::uint64_t first, std::uint64_t last) {
  if (!dead) outbox_.mark_sent(queue, first, last);
}

void WitnessOutbox::settle(QueueId queue, std::uint64_t first, std::uint64_t last, Verdict verdict, std::string_view reason) {
  if (dead) return;
  for (const QueuedReading& reading : peeked_[static_cast<std::size_t>(queue)]) {
    if (reading.sequence >= first && reading.sequence <= last) settled(channel(queue), reading, verdict);
  }
  outbox_.settle(queue, first, last, verdict, reason);
}

void WitnessOutbox::settled(ChannelTruth& truth, const QueuedReading& reading, Verdict verdict) {
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
    world_.violated("a reading was delivered before it was durable");
  }
  item->accepted = true;
  truth.acked = std::max(truth.acked, index + 1);
}

}  // namespace vz::sim
