// SPDX-License-Identifier: GPL-3.0-or-later
// What commands do with an outbox: list, move, export, throw away.
#include <algorithm>
#include <set>
#include <utility>

#include "outbox/durable_outbox.hpp"

namespace vz {
namespace {

/// Readings that one transaction throws away: whole segments go, so it can be more than is read.
constexpr std::uint64_t kDiscardPiece = 65'536;
constexpr std::size_t kIdPiece = 500;

Error stopping(const std::string& path) {
  return {.what = "the program is stopping; the rest was left as it is", .where = path, .remedy = "try again later"};
}

}  // namespace

// --- the frame -------------------------------------------------------------------------------------------------------

/// Lets everybody else go first. False if a stop wants the file.
bool DurableOutbox::begin_maintenance() {
  std::unique_lock lock(mutex_);
  io_free_.wait(lock, [this] { return closing_ || (!io_busy_ && io_wanted_ == 0); });
  if (closing_) return false;
  io_busy_ = true;
  return true;
}

/// Why there is no file to work on.
std::optional<Error> DurableOutbox::refusal() const {
  const std::scoped_lock lock(mutex_);
  if (usable_) return std::nullopt;
  return Error{.what = "there is no outbox file in use: readings wait in memory alone",
               .where = settings_.path,
               .remedy = "set outbox.path to a file that this program can write and no other one uses"};
}

/// Writes what is due or, as `force` says, waits; then does `work`, whose Error is the disk's, if there is a file.
Expected<void> DurableOutbox::maintenance(Force force, const std::function<Expected<void>()>& work_to_do) {
  if (!begin_maintenance()) return tl::unexpected(stopping(settings_.path));
  Expected<void> result;
  if (auto refused = refusal()) {
    result = tl::unexpected(std::move(*refused));
  } else if (!work(force)) {
    const std::scoped_lock lock(mutex_);
    result = tl::unexpected(Error{.what = trouble_, .where = {}, .remedy = {}});
  } else if (store_ || DurableStore::exists({.path = settings_.path}, *files_)) {
    if (ready_store()) {
      result = work_to_do();
      if (!result) disk_failed(result.error());
    } else {
      const std::scoped_lock lock(mutex_);
      result = tl::unexpected(Error{.what = trouble_, .where = {}, .remedy = {}});
    }
  }
  end_io();
  tell_dropped();
  return result;
}

/// Repeats `piece` until it says false, or `pause` true. Its Error is a refusal, not the disk's, which it leaves to
/// maintenance().
Expected<std::uint64_t> DurableOutbox::in_pieces(Force force,
                                                 const std::function<Expected<bool>(std::uint64_t& count)>& piece,
                                                 const std::function<bool()>& pause, Slice* slice) {
  std::uint64_t count = 0;
  for (bool more = true; more;) {
    more = false;
    auto done = maintenance(force, [&]() -> Expected<void> {
      auto result = piece(count);
      if (!result) return tl::unexpected(result.error());
      more = *result;
      return {};
    });
    if (!done && (slice == nullptr || count == 0)) return tl::unexpected(done.error());
    if (!done) slice->more = true;
    if (!done || (more && pause && pause())) break;
  }
  if (on_push_) on_push_();
  if (on_work_) on_work_();
  return count;
}

/// True once the slice is over, as long as something waits: the queue's end is no slice of its own.
std::function<bool()> DurableOutbox::pause_after(const QueueName& name, Slice* slice) {
  if (slice == nullptr) return {};
  slice->more = false;
  const MonoTime end = clock_.now().mono + slice->length;
  return [this, &name, slice, end] {
    slice->more = clock_.now().mono >= end && !no_orphan(name);
    return slice->more;
  };
}

/// Why nothing can be moved out of the queue of that name, if nothing can.
std::optional<Error> DurableOutbox::no_orphan(const QueueName& name) const {
  const std::scoped_lock lock(mutex_);
  if (find(name) != nullptr) {
    return Error{.what = "this channel is in the configuration: its readings are on their way",
                 .where = name.endpoint,
                 .remedy = "take it out of the configuration first"};
  }
  const auto is_it = [&](const StoredQueue& stored) { return stored.name == name && stored.waiting() > 0; };
  if (std::any_of(stored_.begin(), stored_.end(), is_it)) return std::nullopt;
  return Error{.what = "nothing waits for this channel", .where = name.endpoint, .remedy = "list what there is"};
}

/// The queue as the file has it; null if it is gone, or open by now.
const StoredQueue* DurableOutbox::find_orphan(const QueueName& name) const {
  const std::scoped_lock lock(mutex_);
  return find(name) == nullptr ? store_->find(name) : nullptr;
}

void DurableOutbox::refresh_orphans() {
  const std::scoped_lock lock(mutex_);
  stored_.clear();
  for (StoredQueue& stored : store_->queues()) {
    if (find(stored.name) == nullptr) stored_.push_back(std::move(stored));
  }
  bytes_ = store_->bytes();
  tidy_ = true;
}

// --- moving ----------------------------------------------------------------------------------------------------------

/// Gives each append its place behind what its queue has. False if something was pushed that must be written first.
bool DurableOutbox::place(StoreBatch& batch) {
  const std::scoped_lock lock(mutex_);
  for (const StoreBatch::Append& add : batch.appends) {
    const Queue* queue = find(add.queue);
    if (queue != nullptr && !queue->tail.empty()) return false;
  }
  for (StoreBatch::Append& add : batch.appends) {
    const std::uint64_t count = add.readings.size();
    if (Queue* queue = find(add.queue)) {
      add.first = std::exchange(queue->next, queue->next + count);
      queue->reserved = {add.first, add.first + count - 1};
      reserved_.push_back({add.queue, queue->reserved});
      // What is settled in front of it is known in memory alone.
      batch.progress.push_back({add.queue, queue->head, queue->settled.ranges()});
    } else {
      const StoredQueue* stored = store_->find(add.queue);
      add.first = stored == nullptr ? 1 : stored->next();
    }
  }
  return true;
}

/// Writes a batch whose appends leave another place of the file. On an Error it may have been written all the same (a
/// disk that fails to say so), which shows when the file is opened again.
Expected<void> DurableOutbox::move(StoreBatch& batch) {
  batch.moves = true;
  while (!place(batch)) {
    if (work(Force::readings)) continue;
    const std::scoped_lock lock(mutex_);
    return tl::unexpected(Error{.what = trouble_, .where = {}, .remedy = {}});
  }
  if (auto done = store_->commit(batch); !done) return tl::unexpected(done.error());
  disk_works();
  {
    const std::scoped_lock lock(mutex_);
    ++commits_;
    for (const Reserved& reserved : std::exchange(reserved_, {})) take_reserved(reserved, true);
    for (const StoreBatch::Progress& progress : batch.progress) {
      Queue* queue = find(progress.queue);
      if (queue == nullptr) continue;
      queue->stored_head = std::max(queue->stored_head, progress.head);
      settle_range(*queue, {1, progress.head});  // it was opened while its readings were moved
    }
  }
  refresh_orphans();
  return {};
}

/// Under the lock.
void DurableOutbox::take_reserved(const Reserved& reserved, bool stored) {
  Queue* queue = find(reserved.queue);
  if (queue == nullptr) return;
  queue->reserved = {};
  if (!stored) {
    settle_range(*queue, reserved.range);
    return;
  }
  queue->committed = std::max(queue->committed, reserved.range.last);
  queue->sent.add(reserved.range);
}

Expected<bool> DurableOutbox::move_piece(const QueueName& from, const QueueName& to, std::uint64_t& moved) {
  const StoredQueue* source = find_orphan(from);
  if (source == nullptr) return false;
  std::vector<QueuedReading> readings;
  if (auto read = read_waiting(*source, 0, kMaxPiece, readings); !read) return tl::unexpected(read.error());
  StoreBatch batch;
  if (readings.empty()) {
    batch.forgotten_queues.push_back(from);
  } else {
    StoreBatch::Append& add = batch.appends.emplace_back();
    add.queue = to;
    for (const QueuedReading& reading : readings) add.readings.push_back({reading.stamp, reading.value});
    batch.progress.push_back({from, readings.back().sequence, source->settled});
  }
  if (auto done = move(batch); !done) return tl::unexpected(done.error());
  moved += readings.size();
  return !readings.empty();
}

Expected<std::uint64_t> DurableOutbox::retarget(const QueueName& from, const QueueName& to, Slice* slice) {
  if (auto refused = no_orphan(from)) return tl::unexpected(std::move(*refused));
  if (from.endpoint.starts_with(kUnstamped)) {
    return tl::unexpected(Error{.what = "nobody knows the time of these readings, so they cannot be sent",
                                .where = from.endpoint,
                                .remedy = "export them"});
  }
  if (from == to) return 0;
  return in_pieces(
      Force::readings, [&](std::uint64_t& count) { return move_piece(from, to, count); }, pause_after(from, slice),
      slice);
}

Expected<void> DurableOutbox::requeue_piece(std::span<const std::int64_t> ids, std::uint64_t& count) {
  StoreBatch batch;
  for (const std::int64_t id : ids) {
    std::vector<RejectedReading> found;
    if (auto read = store_->rejected(id - 1, 1, found); !read) return read;
    if (found.empty() || found.front().id != id) continue;
    auto add = std::find_if(batch.appends.begin(), batch.appends.end(),
                            [&](const StoreBatch::Append& known) { return known.queue == found.front().queue; });
    if (add == batch.appends.end()) add = batch.appends.insert(add, {.queue = found.front().queue, .first = 0, .readings = {}});
    add->readings.push_back({found.front().stamp, found.front().value});
    batch.forgotten_rejections.push_back(id);
  }
  if (batch.empty()) return {};
  if (auto done = move(batch); !done) return done;
  count += batch.forgotten_rejections.size();
  return {};
}

Expected<std::uint64_t> DurableOutbox::requeue(const std::vector<std::int64_t>& ids) {
  return by_id(Force::readings, ids, [this](std::span<const std::int64_t> some, std::uint64_t& count) {
    return requeue_piece(some, count);
  });
}

// --- throwing away ---------------------------------------------------------------------------------------------------

Expected<bool> DurableOutbox::discard_piece(const QueueName& name, std::uint64_t& gone) {
  const StoredQueue* source = find_orphan(name);
  if (source == nullptr) return false;
  const std::uint64_t before = source->waiting();
  StoreBatch batch;
  if (before == 0) {
    batch.forgotten_queues.push_back(name);
  } else {
    const std::uint64_t upto = std::min(source->head + kDiscardPiece, source->last);
    batch.progress.push_back({name, upto, source->settled});
  }
  if (auto done = move(batch); !done) return tl::unexpected(done.error());
  const StoredQueue* left = store_->find(name);
  gone += before - (left == nullptr ? 0 : left->waiting());
  return before > 0;
}

Expected<std::uint64_t> DurableOutbox::discard(const QueueName& name, Slice* slice) {
  if (auto refused = no_orphan(name)) return tl::unexpected(std::move(*refused));
  return in_pieces(
      Force::no, [&](std::uint64_t& count) { return discard_piece(name, count); }, pause_after(name, slice),
      slice);
}

Expected<std::uint64_t> DurableOutbox::discard_rejected(const std::vector<std::int64_t>& ids) {
  return by_id(Force::no, ids, [this](std::span<const std::int64_t> some, std::uint64_t& count) -> Expected<void> {
    StoreBatch batch;
    for (const std::int64_t id : some) {
      std::vector<RejectedReading> found;
      if (auto read = store_->rejected(id - 1, 1, found); !read) return read;
      if (!found.empty() && found.front().id == id) batch.forgotten_rejections.push_back(id);
    }
    if (batch.empty()) return {};
    count += batch.forgotten_rejections.size();
    return move(batch);
  });
}

/// Each id once, some at a time.
Expected<std::uint64_t> DurableOutbox::by_id(
    Force force, const std::vector<std::int64_t>& ids,
    const std::function<Expected<void>(std::span<const std::int64_t>, std::uint64_t& count)>& work_to_do) {
  const std::set<std::int64_t> once(ids.begin(), ids.end());
  const std::vector<std::int64_t> all(once.begin(), once.end());
  std::size_t done = 0;
  return in_pieces(force, [&](std::uint64_t& count) -> Expected<bool> {
    const auto some = std::span{all}.subspan(done, std::min(kIdPiece, all.size() - done));
    if (auto result = work_to_do(some, count); !result) return tl::unexpected(result.error());
    done += some.size();
    return done < all.size();
  });
}

// --- reading ---------------------------------------------------------------------------------------------------------

std::vector<OrphanQueue> DurableOutbox::orphans() const {
  const std::scoped_lock lock(mutex_);
  std::vector<OrphanQueue> out;
  for (const StoredQueue& stored : stored_) {
    if (stored.waiting() > 0) out.push_back({stored.name, stored.waiting(), stored.oldest});
  }
  return out;
}

/// Appends what waits in a queue of the file behind `after`, at most `max`; none only if there is none.
Expected<void> DurableOutbox::read_waiting(const StoredQueue& queue, std::uint64_t after, std::size_t max,
                                           std::vector<QueuedReading>& out) {
  const SequenceSet settled{queue.settled};
  std::vector<DurableStore::LoadedRun> runs;
  for (after = std::max(after, queue.head); out.empty() && after < queue.last;) {
    runs.clear();
    if (auto read = store_->load(queue.name, after, max, runs); !read) return read;
    if (runs.empty()) return {};
    for (const auto& run : runs) {
      for (std::size_t i = 0; i < run.readings.size() && out.size() < max; ++i) {
        const std::uint64_t sequence = run.first + i;
        if (sequence <= after || settled.contains(sequence)) continue;
        out.push_back({sequence, run.readings[i].stamp, run.readings[i].value, true});
      }
    }
    after = runs.back().first + runs.back().readings.size() - 1;
  }
  return {};
}

Expected<std::vector<QueuedReading>> DurableOutbox::export_readings(const QueueName& name, std::uint64_t after,
                                                                    std::size_t max) {
  std::vector<QueuedReading> out;
  bool open = false;
  {
    const std::scoped_lock lock(mutex_);
    open = find(name) != nullptr;
  }
  auto done = maintenance(open ? Force::readings : Force::no, [&]() -> Expected<void> {
    const StoredQueue* stored = store_->find(name);
    if (stored == nullptr) return {};
    StoredQueue queue = *stored;
    {
      // Of an open one memory knows better what is settled.
      const std::scoped_lock lock(mutex_);
      if (const Queue* known = find(name)) {
        queue.head = std::max(queue.head, known->head);
        queue.settled = known->settled.ranges();
      }
    }
    return read_waiting(queue, after, std::min(max, kMaxPiece), out);
  });
  if (!done) return tl::unexpected(done.error());
  return out;
}

Expected<std::vector<RejectedReading>> DurableOutbox::rejected(std::int64_t after_id, std::size_t max) {
  std::vector<RejectedReading> out;
  auto done = maintenance(Force::no, [&] { return store_->rejected(after_id, std::min(max, kMaxPiece), out); });
  if (!done) return tl::unexpected(done.error());
  return out;
}

}  // namespace vz
