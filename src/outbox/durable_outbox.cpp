// SPDX-License-Identifier: GPL-3.0-or-later
#include "outbox/durable_outbox.hpp"

#include <algorithm>
#include <utility>

namespace vz {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view kSection = "main";
/// Of one transaction: bounds its time and the write-ahead log.
constexpr std::size_t kMaxCommit = 8192;
/// A batch of states and readings may take a quarter of the file, at 20 bytes a reading.
constexpr std::uint64_t kBytesPerReading = 80;
constexpr std::size_t kMaxRejections = 10'000;
constexpr MonoDuration kShortestSettleDelay = 1s;
constexpr MonoDuration kFirstPause = 10s;
constexpr MonoDuration kLongestPause = 300s;
constexpr MonoDuration kTellEvery = 1h;

StoreSettings store_settings(const DurableSettings& settings) {
  return {.path = settings.path, .max_size = settings.max_size, .on_full = settings.on_full};
}

}  // namespace

DurableOutbox::DurableOutbox(const Clock& clock, Log& log, DurableSettings settings, std::unique_ptr<StoreFiles> files)
    : clock_(clock), log_(log), settings_(std::move(settings)), files_(std::move(files)) {}

DurableOutbox::~DurableOutbox() = default;

Expected<void> DurableOutbox::start(IfMissing if_missing) {
  if (settings_.path.empty()) return {};
  if (if_missing == IfMissing::fail && !DurableStore::exists(store_settings(settings_), *files_)) {
    return tl::unexpected(Error{.what = "there is no outbox file: nothing waits", .where = settings_.path, .remedy = {}});
  }
  if (auto locked = files_->lock(settings_.path + ".lock"); !locked) return locked;
  if (DurableStore::exists(store_settings(settings_), *files_)) {
    if (auto opened = open_store(); !opened) {
      files_->release();
      return opened;
    }
  }
  const std::scoped_lock lock(mutex_);
  usable_ = true;
  return {};
}

Expected<void> DurableOutbox::open_store() {
  bool closing = false;
  {
    const std::scoped_lock lock(mutex_);
    closing = closing_;
  }
  if (had_file_ && !closing && !DurableStore::exists(store_settings(settings_), *files_)) {
    return tl::unexpected(Error{.what = "the outbox file is gone, with what waited in it",
                                .where = settings_.path,
                                .remedy = "put it back (is the disk mounted?), or restart the program to begin a new one"});
  }
  // A stop has no time for it, and this process has looked at the file before.
  const auto check = closing && had_file_ ? DurableStore::Check::nothing : DurableStore::Check::all;
  auto opened = DurableStore::open(store_settings(settings_), *files_, damage_, check);
  if (!opened) return tl::unexpected(opened.error());
  if (!had_file_ && is_in_use(**opened)) {
    return tl::unexpected(Error{.what = "there is an outbox file that was not there at the start",
                                .where = settings_.path,
                                .remedy = "restart the program: it goes on with that file"});
  }
  store_ = std::move(*opened);
  had_file_ = true;
  damage_.clear();
  tell_recovery();
  std::map<std::string, std::string> states;
  if (auto found = store_->states()) states = std::move(*found);
  const std::scoped_lock lock(mutex_);
  unsure_ = false;
  states_.merge(states);
  stored_.clear();
  for (StoredQueue& stored : store_->queues()) {
    Queue* open = find(stored.name);
    if (open == nullptr) {
      stored_.push_back(std::move(stored));
    } else {
      open->stored_head = stored.head;
      open->stored_last = stored.last;
      // given up for the size limit by a commit that failed
      count_dropped(*open, settle_range(*open, {1, stored.head}));
      if (open->behind() && !settle_since_) settle_since_ = clock_.now().mono;
    }
  }
  for (const Reserved& reserved : std::exchange(reserved_, {})) {
    const StoredQueue* stored = store_->find(reserved.queue);
    take_reserved(reserved, stored != nullptr && stored->last >= reserved.range.last);
  }
  bytes_ = store_->bytes();
  tidy_ = true;
  return {};
}

/// It has readings of a queue that was opened without them: their sequences are of another life.
bool DurableOutbox::is_in_use(const DurableStore& store) const {
  const std::scoped_lock lock(mutex_);
  return std::any_of(queues_.begin(), queues_.end(), [&](const auto& queue) {
    const StoredQueue* stored = store.find(queue->name);
    return stored != nullptr && stored->next() > 1;
  });
}

void DurableOutbox::tell_recovery() {
  const auto& recovery = store_->recovery();
  if (!recovery) return;
  log_.print(Level::error, kSection,
             "{}: the file was damaged ({}); it was set aside as {}, {} waiting readings were recovered from it. Look at "
             "the disk or card: dmesg may say more",
             settings_.path, recovery->cause, recovery->set_aside, recovery->readings);
}

// --- queues ----------------------------------------------------------------------------------------------------------

DurableOutbox::Queue* DurableOutbox::find(const QueueName& name) const {
  const auto known = std::find_if(queues_.begin(), queues_.end(), [&](const auto& q) { return q->name == name; });
  return known == queues_.end() ? nullptr : known->get();
}

QueueId DurableOutbox::open(const QueueName& name) {
  const std::scoped_lock lock(mutex_);
  for (std::size_t i = 0; i < queues_.size(); ++i) {
    if (queues_[i]->name == name) return static_cast<QueueId>(i);
  }
  queues_.push_back(std::make_unique<Queue>());
  queues_.back()->name = name;
  const auto stored =
      std::find_if(stored_.begin(), stored_.end(), [&](const StoredQueue& s) { return s.name == name; });
  if (stored != stored_.end()) {
    adopt(*queues_.back(), *stored);
    stored_.erase(stored);
  }
  return static_cast<QueueId>(queues_.size() - 1);
}

void DurableOutbox::adopt(Queue& queue, const StoredQueue& stored) {
  queue.stored_head = stored.head;
  queue.committed = queue.repeat_to = stored.last;
  queue.next = stored.next();
  queue.settled = SequenceSet{stored.settled};
  queue.head = queue.settled.join(stored.head);
  queue.stored_oldest = stored.oldest;
}

void DurableOutbox::push(QueueId id, WallTime stamp, double value) {
  const MonoTime now = clock_.now().mono;
  bool full = false;
  bool wake = false;
  {
    const std::scoped_lock lock(mutex_);
    full = ram_tail_ >= std::max<std::size_t>(settings_.max_ram_readings, 1);
    if (full) drop_from_ram();
    Queue& queue = at(id);
    queue.tail.push_back({{stamp, value, queue.next++}, now});
    if (moving_ > 0) queue.at_once = queue.next - 1;  // due, and hidden until then
    ++ram_tail_;
    wake = comes_closer();
  }
  if (full) tell_dropped();
  if (on_push_) on_push_();
  if (wake && on_work_) on_work_();
}

/// With interval 0 nothing leaves before it is on disk.
bool DurableOutbox::hides_tail() const {
  return settings_.commit_interval == 0ms && usable_ && !disk_fails_;
}

void DurableOutbox::peek(QueueId id, std::size_t max, std::vector<QueuedReading>& out) const {
  bool wake = false;
  {
    const std::scoped_lock lock(mutex_);
    const Queue& queue = at(id);
    std::uint64_t last = 0;
    const auto show = [&](const Entry& entry) {
      if (max == 0 || entry.sequence <= queue.head || queue.settled.contains(entry.sequence)) return;
      // What is shown together is settled together: nothing may come to lie between.
      if (last != 0 && last < queue.reserved.first && queue.reserved.last < entry.sequence) max = 0;
      if (max == 0) return;
      last = entry.sequence;
      const bool repeat = entry.sequence <= queue.repeat_to || queue.sent.contains(entry.sequence);
      out.push_back({.sequence = entry.sequence, .stamp = entry.stamp, .value = entry.value, .repeat = repeat});
      --max;
    };
    for (auto entry = queue.front.begin(); entry != queue.front.end() && max > 0; ++entry) show(*entry);
    if (queue.gap()) {
      wake = !queue.wanted && usable_ && queue.front.size() < settings_.page_readings;
      queue.wanted = queue.wanted || wake;
    } else if (!hides_tail()) {
      const bool hides_moved = usable_ && !disk_fails_;
      for (auto fresh = queue.tail.begin(); fresh != queue.tail.end() && max > 0; ++fresh) {
        if (hides_moved && fresh->entry.sequence <= queue.at_once) break;
        show(fresh->entry);
      }
    }
  }
  if (wake && on_work_) on_work_();
}

void DurableOutbox::mark_sent(QueueId id, std::uint64_t first_sequence, std::uint64_t last_sequence) {
  const std::scoped_lock lock(mutex_);
  Queue& queue = at(id);
  queue.sent.add({std::max(first_sequence, queue.head + 1), std::min(last_sequence, queue.next - 1)});
}

void DurableOutbox::settle(QueueId id, std::uint64_t first_sequence, std::uint64_t last_sequence, Verdict verdict,
                           std::string_view reason) {
  if (verdict == Verdict::keep) return;
  bool wake = false;
  {
    const MonoTime now = clock_.now().mono;
    const std::scoped_lock lock(mutex_);
    Queue& queue = at(id);
    const SequenceRange range{first_sequence, last_sequence};
    if (verdict == Verdict::rejected) keep_rejected(queue, range, reason);
    const std::uint64_t count = settle_range(queue, range);
    (verdict == Verdict::accepted ? queue.accepted : queue.rejected) += count;
    if (queue.behind() && !settle_since_) settle_since_ = now;
    wake = comes_closer();
  }
  if (wake && on_work_) on_work_();
}

void DurableOutbox::keep_rejected(const Queue& queue, SequenceRange range, std::string_view reason) {
  if (!usable_) return;
  const WallTime now = clock_.now().wall;
  const auto keep = [&](const Entry& entry) {
    if (entry.sequence < range.first || entry.sequence > range.last) return;
    if (entry.sequence <= queue.head || queue.settled.contains(entry.sequence)) return;
    if (rejections_.size() >= kMaxRejections) {
      rejections_.erase(rejections_.begin());
      count_dropped_rejections(1);
    }
    rejections_.push_back({.id = 0,
                           .queue = queue.name,
                           .stamp = entry.stamp,
                           .value = entry.value,
                           .rejected_at = now,
                           .reason = std::string{reason}});
  };
  for (const Entry& entry : queue.front) keep(entry);
  for (const Fresh& fresh : queue.tail) keep(fresh.entry);
}

std::uint64_t DurableOutbox::settle_range(Queue& queue, SequenceRange range) {
  range.first = std::max(range.first, queue.head + 1);
  range.last = std::min(range.last, queue.next - 1);
  const std::uint64_t count = queue.settled.add(range);
  queue.head = queue.settled.join(queue.head);
  queue.sent.forget_to(queue.head);
  const std::size_t before = queue.tail.size();
  trim(queue);
  ram_tail_ -= before - queue.tail.size();
  return count;
}

void DurableOutbox::trim(Queue& queue) {
  while (!queue.front.empty() && queue.front.front().sequence <= queue.head) queue.front.pop_front();
  while (!queue.tail.empty() && (queue.tail.front().entry.sequence <= queue.head ||
                                 queue.settled.contains(queue.tail.front().entry.sequence))) {
    queue.tail.pop_front();
  }
}

QueueStats DurableOutbox::stats(QueueId id) const {
  const std::scoped_lock lock(mutex_);
  const Queue& queue = at(id);
  QueueStats stats{.waiting = queue.waiting(),
                   .accepted = queue.accepted,
                   .rejected = queue.rejected,
                   .dropped = queue.dropped,
                   .oldest = std::nullopt};
  if (stats.waiting == 0) return stats;
  if (!queue.front.empty()) {
    stats.oldest = queue.front.front().stamp;
  } else if (queue.gap()) {
    stats.oldest = queue.stored_oldest;
  } else if (!queue.tail.empty()) {
    stats.oldest = queue.tail.front().entry.stamp;
  }
  return stats;
}

void DurableOutbox::on_push(std::function<void()> callback) { on_push_ = std::move(callback); }
void DurableOutbox::on_work(std::function<void()> callback) { on_work_ = std::move(callback); }

void DurableOutbox::drop_from_ram() {
  const auto longest = std::max_element(queues_.begin(), queues_.end(), [](const auto& a, const auto& b) {
    return a->tail.size() < b->tail.size();
  });
  Queue& queue = **longest;
  const std::uint64_t sequence = queue.tail.front().entry.sequence;
  count_dropped(queue, settle_range(queue, {sequence, sequence}));
}

void DurableOutbox::count_dropped(Queue& queue, std::uint64_t count) {
  queue.dropped += count;
  dropped_ += count;
  untold_drops_ += count;
}

void DurableOutbox::count_dropped_rejections(std::uint64_t count) {
  dropped_ += count;
  untold_rejections_ += count;
}

/// Of a queue that nobody opened.
void DurableOutbox::count_dropped_orphan(const DroppedReadings& loss) {
  const auto stored =
      std::find_if(stored_.begin(), stored_.end(), [&](const StoredQueue& s) { return s.name == loss.queue; });
  if (stored == stored_.end()) return;
  const std::uint64_t before = stored->waiting();
  SequenceSet settled{stored->settled};
  stored->head = settled.join(std::max(stored->head, loss.range.last));
  stored->settled = settled.ranges();
  dropped_ += before - stored->waiting();
  untold_drops_ += before - stored->waiting();
}

/// What a damaged file should have had.
void DurableOutbox::count_lost(Queue& queue, SequenceRange range) {
  const std::uint64_t count = settle_range(queue, range);
  queue.dropped += count;
  dropped_ += count;
  untold_losses_ += count;
}

void DurableOutbox::tell_dropped() {
  std::uint64_t lost = 0;
  std::uint64_t dropped = 0;
  std::uint64_t rejected = 0;
  {
    const MonoTime now = clock_.now().mono;
    const std::scoped_lock lock(mutex_);
    lost = std::exchange(untold_losses_, 0);
    if ((untold_drops_ > 0 || untold_rejections_ > 0) && !(drops_told_ && now - *drops_told_ < kTellEvery)) {
      drops_told_ = now;
      dropped = std::exchange(untold_drops_, 0);
      rejected = std::exchange(untold_rejections_, 0);
    }
  }
  if (lost > 0)
    log_.print(Level::error, kSection, "{}: {} readings were in the damaged part of the file and are lost", settings_.path,
               lost);
  if (dropped > 0)
    log_.print(Level::error, kSection,
               "the outbox is full: {} readings were given up for good; make room with outbox.max_size, or find out why "
               "nothing is delivered",
               dropped);
  if (rejected > 0)
    log_.print(Level::error, kSection,
               "{} readings that were refused and set aside, the oldest, were given up for newer ones; vzlogger queue rejected "
               "shows what is refused, and why",
               rejected);
}

void DurableOutbox::Moving::from(QueueId queue) {
  const std::scoped_lock lock(outbox_.mutex_);
  const Queue& source = outbox_.at(queue);
  if (at_once_ > 0 || (source.committed <= source.head && !outbox_.io_busy_)) return;
  at_once_ = 1;
  ++outbox_.moving_;
}

void DurableOutbox::put_state(const std::string& key, std::string bytes) {
  if (bytes.size() > kMaxState) return;
  bool wake = false;
  {
    const std::scoped_lock lock(mutex_);
    const auto known = states_.find(key);
    if (bytes.empty() && known == states_.end()) return;
    if (bytes.empty()) {
      states_.erase(known);
    } else {
      states_[key] = bytes;
    }
    dirty_states_[key] = std::move(bytes);
    wake = comes_closer();
  }
  if (wake && on_work_) on_work_();
}

void DurableOutbox::set_companion(std::string key, std::function<Companion()> make) {
  const std::scoped_lock lock(mutex_);
  companion_key_ = std::move(key);
  companion_ = std::move(make);
}

void DurableOutbox::forget_unstamped(std::string_view but) {
  const std::scoped_lock lock(mutex_);
  std::erase_if(stored_, [&](const StoredQueue& stored) {
    const bool goes = stored.name.endpoint.starts_with(kUnstamped) && !stored.name.endpoint.starts_with(but) && stored.waiting() == 0;
    if (goes) forgotten_.push_back(stored.name);
    return goes;
  });
}

std::string DurableOutbox::get_state(const std::string& key) const {
  const std::scoped_lock lock(mutex_);
  const auto found = states_.find(key);
  return found == states_.end() ? std::string{} : found->second;
}

// --- when ------------------------------------------------------------------------------------------------------------

std::optional<MonoTime> DurableOutbox::next_work_locked() const {
  if (!usable_) return std::nullopt;
  MonoTime next = MonoTime::max();
  constexpr MonoTime kNow{};
  for (const auto& queue : queues_) {
    if (!queue->tail.empty()) next = std::min(next, queue->tail.front().since + settings_.commit_interval);
    if (!queue->tail.empty() && queue->tail.front().entry.sequence <= queue->at_once) next = kNow;
    if (queue->wanted) next = kNow;
  }
  if (settle_since_) {
    next = std::min(next, *settle_since_ + std::max<MonoDuration>(settings_.commit_interval, kShortestSettleDelay));
  }
  const bool removal = std::any_of(dirty_states_.begin(), dirty_states_.end(),
                                   [](const auto& state) { return state.second.empty(); });
  if (!rejections_.empty() || tidy_ || removal) next = kNow;
  if (!dirty_states_.empty() && settings_.commit_interval == 0ms) next = kNow;
  if (much_is_unwritten() || unsure_) next = kNow;
  if (next == MonoTime::max()) return std::nullopt;
  return disk_fails_ ? std::max(next, next_try_) : next;
}

std::optional<MonoTime> DurableOutbox::next_work() {
  const std::scoped_lock lock(mutex_);
  planned_ = next_work_locked();
  return planned_;
}

/// The worker sleeps longer than it may.
bool DurableOutbox::comes_closer() {
  const auto next = next_work_locked();
  if (!next || (planned_ && *planned_ <= *next)) return false;
  planned_ = next;
  return true;
}

// --- I/O -------------------------------------------------------------------------------------------------------------

bool DurableOutbox::begin_io(MonoTime deadline) {
  std::unique_lock lock(mutex_);
  const auto is_free = [this] { return !io_busy_; };
  ++io_wanted_;
  bool mine = true;
  if (deadline == MonoTime::max()) {
    io_free_.wait(lock, is_free);
  } else {
    mine = io_free_.wait_until(lock, deadline, is_free);
  }
  --io_wanted_;
  io_busy_ = io_busy_ || mine;
  return mine;
}

void DurableOutbox::end_io() {
  {
    const std::scoped_lock lock(mutex_);
    io_busy_ = false;
  }
  io_free_.notify_all();
}

void DurableOutbox::tick(const std::stop_token& stop) {
  begin_io(MonoTime::max());
  if (work(Force::no, stop) && !stop.stop_requested() && load_pages()) housekeeping();
  end_io();
  tell_dropped();
}

bool DurableOutbox::flush(MonoTime deadline) {
  {
    // a disk that fails is not tried again with each telegram
    const std::scoped_lock lock(mutex_);
    if (disk_fails_ && clock_.now().mono < next_try_) return false;
  }
  if (!begin_io(deadline)) return false;
  const bool done = work(Force::readings);
  end_io();
  tell_dropped();
  return done;
}

Expected<void> DurableOutbox::close(MonoTime deadline) {
  {
    const std::scoped_lock lock(mutex_);
    closing_ = true;
  }
  if (!begin_io(deadline)) {
    return tl::unexpected(Error{.what = "the disk has not answered in time; readings that wait may be lost",
                                .where = settings_.path,
                                .remedy = "look at the disk or card: dmesg may say more"});
  }
  bool done = true;
  Error error;
  {
    const std::scoped_lock lock(mutex_);
    done = !usable_;
  }
  if (!done) {
    done = work(Force::all);
    bool more = done;
    while (more && clock_.now().mono < deadline) {
      if (!housekeeping()) break;
      const std::scoped_lock lock(mutex_);
      more = tidy_ && store_ != nullptr;
    }
    const std::scoped_lock lock(mutex_);
    if (!done) error = {.what = trouble_, .where = settings_.path, .remedy = {}};
    usable_ = false;
    planned_.reset();
  }
  store_.reset();
  files_->release();
  end_io();
  {
    const std::scoped_lock lock(mutex_);
    drops_told_.reset();
  }
  tell_dropped();
  if (!done) return tl::unexpected(std::move(error));
  return {};
}

/// Writes what is due. False if it could not.
bool DurableOutbox::work(Force force, const std::stop_token& stop) {
  bool unsure = false;
  {
    const std::scoped_lock lock(mutex_);
    if (!usable_) return false;
    if (disk_fails_ && force == Force::no && clock_.now().mono < next_try_) return false;
    unsure = unsure_;
  }
  // What is to be written depends on what is there.
  if (unsure && !ready_store()) return false;
  bool more = true;
  while (more && !stop.stop_requested()) {
    StoreBatch batch = collect(force, more);
    if (batch.empty()) continue;
    if (!commit(std::move(batch))) return false;
    unsure = false;
  }
  return !unsure || stop.stop_requested() || force == Force::all || prove();
}

/// Nothing is to be written that would show whether the disk works again.
bool DurableOutbox::prove() {
  if (auto done = store_->prove(); !done) {
    disk_failed(done.error());
    return false;
  }
  disk_works();
  return true;
}

bool DurableOutbox::ready_store() {
  if (store_) return true;
  auto opened = open_store();
  if (opened) return true;
  disk_failed(opened.error());
  return false;
}

StoreBatch DurableOutbox::collect(Force force, bool& more) {
  const std::unique_lock alone(gate_);
  const std::scoped_lock lock(mutex_);
  StoreBatch batch;
  more = false;
  collect_queues(force, batch, more);
  batch.rejections = std::exchange(rejections_, {});
  const bool all_states = force != Force::no || settings_.commit_interval == 0ms;
  for (auto state = dirty_states_.begin(); !more && state != dirty_states_.end();) {
    const bool take = all_states || state->second.empty();
    if (take) batch.states.insert(*state);
    state = take ? dirty_states_.erase(state) : std::next(state);
  }
  if (!more) collect_companion(force, batch);
  if (!batch.empty()) batch.forgotten_queues = std::exchange(forgotten_, {});
  return batch;
}

void DurableOutbox::collect_companion(Force force, StoreBatch& batch) {
  if (!companion_) return;
  const MonoTime now = clock_.now().mono;
  const bool due = !companion_written_ || now - *companion_written_ >= kCompanionEvery;
  const bool at_stop = force == Force::all && (store_ != nullptr || !batch.empty());
  if (!at_stop && batch.appends.empty()) return;
  Companion companion = companion_();
  if (companion.bytes.empty() || !(at_stop || due || companion.urgent)) return;
  companion_written_ = now;
  batch.states[companion_key_] = std::move(companion.bytes);
}

/// A stop has half a second for what is in memory alone.
bool DurableOutbox::much_is_unwritten() const { return ram_tail_ > settings_.max_unwritten; }

bool DurableOutbox::tail_is_due(const Queue& queue, MonoTime now) const {
  if (queue.tail.empty()) return false;
  const Fresh& oldest = queue.tail.front();
  return oldest.entry.sequence <= queue.at_once || oldest.since + settings_.commit_interval <= now;
}

void DurableOutbox::collect_queues(Force force, StoreBatch& batch, bool& more) {
  const MonoTime now = clock_.now().mono;
  // The state of a window and what came out of it belong together, however much that is.
  std::size_t budget = kMaxCommit;
  const bool much = much_is_unwritten();
  if (!dirty_states_.empty()) budget = std::max<std::size_t>(budget, settings_.max_size / kBytesPerReading);
  for (const auto& queue : queues_) {
    if (queue->tail.empty()) continue;
    if (force == Force::no && !much && !tail_is_due(*queue, now)) continue;
    StoreBatch::Append add{.queue = queue->name, .first = queue->tail.front().entry.sequence, .readings = {}};
    for (auto fresh = queue->tail.begin(); fresh != queue->tail.end() && budget > 0; ++fresh, --budget) {
      add.readings.push_back({fresh->entry.stamp, fresh->entry.value});
    }
    if (add.readings.size() < queue->tail.size()) more = true;
    if (!add.readings.empty()) batch.appends.push_back(std::move(add));
  }
  const MonoDuration delay = std::max<MonoDuration>(settings_.commit_interval, kShortestSettleDelay);
  const bool settle_due = force == Force::all || (settle_since_ && *settle_since_ + delay <= now);
  for (const auto& queue : queues_) {
    const bool appended = std::any_of(batch.appends.begin(), batch.appends.end(),
                                      [&](const StoreBatch::Append& add) { return add.queue == queue->name; });
    // not before the last of what was pushed together with it: a reading that moves to another queue must not fall between
    const bool behind = !more && queue->behind() && (settle_due || !batch.appends.empty());
    // The one without the other would bring back a reading that is kept as rejected.
    const bool rejects = std::any_of(rejections_.begin(), rejections_.end(),
                                     [&](const RejectedReading& rejected) { return rejected.queue == queue->name; });
    if (appended || behind || rejects) batch.progress.push_back({queue->name, queue->head, queue->settled.ranges()});
  }
  if (settle_due && !more) settle_since_.reset();
}

bool DurableOutbox::commit(StoreBatch batch) {
  if (!ready_store()) {
    restore(std::move(batch));
    return false;
  }
  auto given_up = store_->commit(batch);
  if (!given_up) {
    const GivenUp& tried = store_->attempted();
    tried_rejected_ = tried.rejected + (tried.known > 0 ? tried_rejected_ : 0);
    restore(std::move(batch));
    disk_failed(given_up.error());
    return false;
  }
  if (given_up->known > 0) given_up->rejected += tried_rejected_;
  tried_rejected_ = 0;
  disk_works();
  const bool shows = committed(batch, *given_up);
  if (on_push_ && shows) on_push_();
  return true;
}

/// Puts back what collect() took out.
void DurableOutbox::restore(StoreBatch batch) {
  for (RejectedReading& rejected : batch.rejections) rejected.tried = true;
  const std::scoped_lock lock(mutex_);
  rejections_.insert(rejections_.begin(), std::make_move_iterator(batch.rejections.begin()),
                     std::make_move_iterator(batch.rejections.end()));
  forgotten_.insert(forgotten_.end(), std::make_move_iterator(batch.forgotten_queues.begin()),
                    std::make_move_iterator(batch.forgotten_queues.end()));
  // The companion is made anew.
  if (batch.states.erase(companion_key_) > 0) companion_written_.reset();
  dirty_states_.merge(batch.states);
  if (!batch.progress.empty() && !settle_since_) settle_since_ = clock_.now().mono;
}

/// True if peek() shows what it did not show before.
bool DurableOutbox::committed(const StoreBatch& batch, const GivenUp& given_up) {
  const std::vector<DroppedReadings>& dropped = given_up.waiting;
  const MonoTime now = clock_.now().mono;
  bool shows = settings_.commit_interval == 0ms;
  const std::scoped_lock lock(mutex_);
  ++commits_;
  bytes_ = store_->bytes();
  count_dropped_rejections(given_up.rejected);
  for (const DroppedReadings& loss : dropped) {
    if (Queue* queue = find(loss.queue)) count_dropped(*queue, settle_range(*queue, loss.range));
    else count_dropped_orphan(loss);
  }
  const auto is_refused = [&](const StoreBatch::Append& add) {
    return std::any_of(dropped.begin(), dropped.end(), [&](const DroppedReadings& loss) {
      return loss.queue == add.queue && loss.range.first == add.first && settings_.on_full == OnFull::drop_newest;
    });
  };
  for (const StoreBatch::Append& add : batch.appends) {
    Queue& queue = *find(add.queue);
    const std::uint64_t last = add.first + add.readings.size() - 1;
    shows = shows || add.first <= queue.at_once;
    if (is_refused(add)) continue;
    while (!queue.tail.empty() && queue.tail.front().entry.sequence <= last) {
      const Entry& entry = queue.tail.front().entry;
      // It stays in memory, too, if nothing between it and the front is on disk alone.
      const bool joins = queue.front_end() >= queue.committed && queue.front.size() < settings_.page_readings;
      if (joins) queue.front.push_back(entry);
      queue.committed = entry.sequence;
      queue.tail.pop_front();
      --ram_tail_;
    }
    queue.committed = std::max(queue.committed, last);
    trim(queue);
  }
  for (const StoreBatch::Progress& progress : batch.progress) {
    Queue& queue = *find(progress.queue);
    queue.stored_head = std::max(queue.stored_head, progress.head);
  }
  if (!batch.progress.empty() && batch.appends.empty()) tidy_ = true;
  const bool behind = std::any_of(queues_.begin(), queues_.end(), [](const auto& q) { return q->behind(); });
  if (behind && !settle_since_) settle_since_ = now;
  return shows;
}

/// Reads back what peek() asked for. False if it could not.
bool DurableOutbox::load_pages() {
  for (std::size_t i = 0;; ++i) {
    Queue* queue = nullptr;
    std::uint64_t after = 0;
    {
      const std::scoped_lock lock(mutex_);
      while (i < queues_.size() && !queues_[i]->wanted) ++i;
      if (i >= queues_.size()) return true;
      queue = queues_[i].get();
      queue->wanted = false;
      if (!queue->gap()) continue;
      after = queue->front_end();
    }
    std::vector<DurableStore::LoadedRun> runs;
    if (!ready_store()) return false;
    if (auto read = store_->load(queue->name, after, settings_.page_readings, runs); !read) {
      {
        const std::scoped_lock lock(mutex_);
        queue->wanted = true;
      }
      disk_failed(read.error());
      return false;
    }
    loaded(*queue, after, runs);
    if (on_push_) on_push_();
  }
}

void DurableOutbox::loaded(Queue& queue, std::uint64_t after, const std::vector<DurableStore::LoadedRun>& runs) {
  const std::scoped_lock lock(mutex_);
  std::uint64_t expected = after + 1;
  for (const DurableStore::LoadedRun& run : runs) {
    // A hole is what a damaged file has lost.
    if (run.first > expected) count_lost(queue, {expected, run.first - 1});
    for (std::size_t i = 0; i < run.readings.size(); ++i) {
      const std::uint64_t sequence = run.first + i;
      if (sequence < expected || sequence > queue.committed) continue;
      if (sequence > queue.head) queue.front.push_back({run.readings[i].stamp, run.readings[i].value, sequence});
      expected = sequence + 1;
    }
  }
  if (expected == after + 1) {
    count_lost(queue, {expected, queue.committed});
    queue.committed = after;
  }
}

bool DurableOutbox::housekeeping() {
  {
    const std::scoped_lock lock(mutex_);
    if (!tidy_ || !store_) return true;
    tidy_ = false;
  }
  auto more = store_->tidy();
  if (!more) {
    disk_failed(more.error());
    return false;
  }
  const std::scoped_lock lock(mutex_);
  tidy_ = *more;
  bytes_ = store_->bytes();
  return true;
}

void DurableOutbox::disk_failed(const Error& error) {
  const bool news = damage_.empty();
  if (store_ && store_->damaged()) damage_ = error.what;
  const bool recover_now = news && !damage_.empty();
  const bool was_open = store_ != nullptr;
  store_.reset();
  bool tell = false;
  {
    const std::scoped_lock lock(mutex_);
    unsure_ = unsure_ || was_open;
    tell = !disk_fails_;
    disk_fails_ = true;
    trouble_ = error.text();
    pause_ = std::clamp(pause_ * 2, kFirstPause, kLongestPause);
    next_try_ = clock_.now().mono + (recover_now ? MonoDuration{} : pause_);
  }
  if (!tell || recover_now) return;
  log_.print(Level::error, kSection, "{}; waiting readings stay in memory until it works again", error.text());
}

void DurableOutbox::disk_works() {
  {
    const std::scoped_lock lock(mutex_);
    pause_ = {};
    if (!std::exchange(disk_fails_, false)) return;
    trouble_.clear();
  }
  log_.print(Level::info, kSection, "{}: waiting readings are written again", settings_.path);
}

OutboxStatus DurableOutbox::status() const {
  const std::scoped_lock lock(mutex_);
  OutboxStatus status{.durable = usable_ && !disk_fails_,
                      .trouble = trouble_,
                      .bytes = bytes_,
                      .ram_readings = ram_tail_,
                      .unwritten = ram_tail_,
                      .commits = commits_,
                      .dropped = dropped_};
  for (const auto& queue : queues_) status.ram_readings += queue->front.size();
  return status;
}

QueueProgress DurableOutbox::progress(QueueId id) const {
  const std::scoped_lock lock(mutex_);
  const Queue& queue = at(id);
  return {.settled_to = queue.head, .stored_to = queue.committed, .last = queue.next - 1};
}

}  // namespace vz
