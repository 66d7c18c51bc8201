// SPDX-License-Identifier: GPL-3.0-or-later
#include "runtime/stamp_gate.hpp"

#include <algorithm>
#include <chrono>
#include <shared_mutex>
#include <utility>
#include <vector>

namespace vz {
namespace {

using std::chrono::milliseconds;

constexpr std::string_view kSection = "main";
/// Moved at a time: bounds how long other meters wait for the lock, and fits into one transaction of the outbox.
constexpr std::size_t kMostMoved = 4096;
constexpr std::size_t kPiece = 512;
/// A stamp that is further ahead of the clock was overtaken by a large step back.
constexpr std::chrono::minutes kLargestLead{5};
/// Moved and not yet written or sent. A day of held readings does not fit into the outbox's memory, which would drop the
/// oldest although the disk has them.
constexpr std::uint64_t kMostUnwritten = 20'000;
constexpr milliseconds kMovingPause{50};
constexpr std::chrono::seconds kWaitingPause{10};

/// A moment as milliseconds since boot, in the clothes of a stamp.
WallTime since_boot(MonoTime at) {
  return WallTime{std::max(milliseconds{0}, std::chrono::floor<milliseconds>(at.time_since_epoch()))};
}

/// The moment of a stamp that was made by the clock that says `now`. One ahead of it can only be of another time of the
/// clock, and of no moment that it could tell.
MonoTime moment_of(WallTime stamp, const Instant& now) {
  return now.mono - std::max(milliseconds{0}, now.wall - stamp);
}

}  // namespace

QueueName StampGate::held_queue(std::string_view boot, const QueueName& name) {
  return {fmt::format("{}{}/{}", kUnstamped, boot.empty() ? "-" : boot, name.endpoint), name.channel};
}

std::optional<std::string> StampGate::held_endpoint(const QueueName& name) {
  if (!name.endpoint.starts_with(kUnstamped)) return std::nullopt;
  const std::size_t slash = name.endpoint.find('/', kUnstamped.size());
  return slash == std::string::npos ? std::string{} : name.endpoint.substr(slash + 1);
}

StampGate::StampGate(Outbox& outbox, const Clock& clock, Log& log, std::string boot)
    : outbox_(outbox), clock_(clock), log_(log), boot_(std::move(boot)) {}

void StampGate::know(QueueId queue, const QueueName& name) {
  const std::scoped_lock lock(mutex_);
  lanes_[queue].name = name;
}

/// The greatest stamp, unless a large step back has put it far into the future.
void StampGate::note(WallTime stamp) {
  const std::int64_t ms = stamp.time_since_epoch().count();
  const std::int64_t before = latest_.load(std::memory_order_relaxed);
  if (ms > before || before - ms > milliseconds{kLargestLead}.count()) latest_.store(ms, std::memory_order_relaxed);
}

WallTime StampGate::latest() const {
  const WallTime now = clock_.now().wall;
  const WallTime given{milliseconds{latest_.load(std::memory_order_relaxed)}};
  return given > now && given - now <= kLargestLead ? given : now;
}

void StampGate::go_on_from(WallTime last) {
  last_ = last;
  began_ = clock_.now().mono;
}

void StampGate::resume(DurableOutbox& store) {
  const std::scoped_lock lock(mutex_);
  store_ = &store;
  if (boot_.empty()) return;
  store.forget_unstamped(fmt::format("{}{}/", kUnstamped, boot_));
  const auto waiting = store.orphans();
  for (auto& [queue, lane] : lanes_) {
    const QueueName wanted = held_queue(boot_, lane.name);
    if (std::none_of(waiting.begin(), waiting.end(), [&](const OrphanQueue& found) { return found.name == wanted; })) continue;
    lane.holding = outbox_.open(wanted);
    holds_ = true;
  }
}

void StampGate::push(QueueId queue, Point point, const Instant& now, Stamp stamp) {
  const std::scoped_lock lock(mutex_);
  Lane& lane = lanes_[queue];
  // behind what is held: order within a queue is the order of push()
  if (stamp == Stamp::right && !lane.holding) {
    const MonoTime at = moment_of(point.stamp, now);
    const bool may_be_behind = std::exchange(lane.fresh, false) && last_ && at < began_;
    if (may_be_behind && point.stamp <= *last_ && *last_ - point.stamp <= kLargestLead) point.stamp = *last_ + milliseconds{1};
    const WallTime given = lane.sequencer.next(point.stamp, at);
    note(given);
    outbox_.push(queue, given, point.value);
    return;
  }
  if (!lane.holding) {
    if (lane.name.endpoint.empty()) lane.name = {"-", fmt::format("{}", static_cast<unsigned>(queue))};
    lane.holding = outbox_.open(held_queue(boot_, lane.name));
    holds_ = true;
  }
  outbox_.push(*lane.holding, since_boot(moment_of(point.stamp, now)), point.value);
}

bool StampGate::look() {
  const bool trusted = clock_.trusted();
  if (!trusted && !told_wrong_.exchange(true))
    log_.write(Level::alert, kSection,
               "the clock of this machine is not set yet. Readings are kept and get their time once it is; check time "
               "synchronisation (timedatectl) if that takes longer than a few minutes.");
  if (trusted && !holds_ && told_wrong_) told_wrong_ = false;
  if (!trusted || !holds_) return trusted;
  if (store_ == nullptr) {
    const std::scoped_lock lock(mutex_);
    release();
  } else {
    auto in_one_piece = store_->moving();
    const std::scoped_lock lock(mutex_);
    for (const auto& [queue, lane] : lanes_)
      if (lane.holding) in_one_piece.from(*lane.holding);
    release();
  }
  return true;
}

/// Under the lock.
void StampGate::release() {
  const Instant now = clock_.now();
  std::uint64_t waiting = 0;
  for (const auto& [queue, lane] : lanes_)
    if (lane.holding) waiting += outbox_.stats(*lane.holding).waiting;
  if (waiting > 0 && !std::exchange(told_moving_, true))
    log_.print(Level::alert, kSection, "the clock is set: {} readings that waited for it are stamped and sent", waiting);
  std::size_t budget = unwritten() < kMostUnwritten ? kMostMoved : 0;
  bool more = false;
  for (auto& [queue, lane] : lanes_)
    if (lane.holding && move_some(queue, lane, now, budget)) more = true;
  holds_ = more;
  if (more) return;
  told_moving_ = false;
  told_wrong_ = false;
}

/// What the queues have in memory alone. With mutex_ held.
std::uint64_t StampGate::unwritten() const {
  std::uint64_t count = 0;
  if (store_ == nullptr) return count;
  for (const auto& [queue, lane] : lanes_) {
    const QueueProgress progress = store_->progress(queue);
    count += progress.last - std::min(progress.last, std::max(progress.stored_to, progress.settled_to));
  }
  return count;
}

/// True if there is more to move: beyond the budget, or not yet read back from disk.
bool StampGate::move_some(QueueId queue, Lane& lane, const Instant& now, std::size_t& budget) {
  std::vector<QueuedReading> piece;
  while (budget > 0) {
    piece.clear();
    outbox_.peek(*lane.holding, std::min(kPiece, budget), piece);
    if (piece.empty()) break;
    for (const QueuedReading& held : piece) {
      const MonoTime at{held.stamp.time_since_epoch()};
      const WallTime given = lane.sequencer.next(now.wall_at(at), at);
      note(given);
      outbox_.push(queue, given, held.value);
    }
    outbox_.settle(*lane.holding, piece.front().sequence, piece.back().sequence, Verdict::accepted, {});
    budget -= piece.size();
  }
  if (outbox_.stats(*lane.holding).waiting > 0) return true;
  lane.holding.reset();
  return false;
}

std::optional<MonoTime> StampGate::next_look(MonoTime now) const {
  if (!holds_) return std::nullopt;
  return now + (told_wrong_ && !clock_.trusted() ? MonoDuration{kWaitingPause} : MonoDuration{kMovingPause});
}

std::uint64_t StampGate::held() const {
  const std::scoped_lock lock(mutex_);
  std::uint64_t count = 0;
  for (const auto& [queue, lane] : lanes_)
    if (lane.holding) count += outbox_.stats(*lane.holding).waiting;
  return count;
}

}  // namespace vz
