// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "outbox/durable_store.hpp"
#include "outbox/sequence_set.hpp"
#include "vz/log.hpp"
#include "vz/outbox.hpp"
#include "vz/time.hpp"

namespace vz {

struct DurableSettings {
  std::string path;  ///< empty: memory alone
  std::chrono::milliseconds commit_interval{5000};
  std::uint64_t max_size = 256ULL << 20U;  ///< bytes
  OnFull on_full = OnFull::drop_oldest;
  std::size_t max_unwritten = 8192;        ///< not yet on disk: more are written at once, so that a stop has little to do
  std::size_t max_ram_readings = 300'000;  ///< not yet on disk, over all queues: matters only while the disk fails
  std::size_t page_readings = 2048;        ///< read back from disk at a time; a queue holds at most two such pages
};

/// A queue of the file that nobody opened this time: its channel or endpoint left the configuration.
struct OrphanQueue {
  QueueName name;
  std::uint64_t waiting = 0;
  std::optional<WallTime> oldest;
};

/// Endpoints of queues begin with it whose stamps are milliseconds since some boot, because nobody knew the time.
inline constexpr std::string_view kUnstamped = "unstamped/";

/// How far a queue is, in sequences.
struct QueueProgress {
  std::uint64_t settled_to = 0;  ///< all up to here are accepted, rejected or dropped
  std::uint64_t stored_to = 0;   ///< all up to here are on disk or settled
  std::uint64_t last = 0;        ///< the latest push
};

struct OutboxStatus {
  bool durable = false;            ///< readings can be written; false: memory alone
  std::string trouble;             ///< why not; empty if all is well
  std::uint64_t bytes = 0;         ///< on disk, as of the last I/O
  std::uint64_t ram_readings = 0;  ///< in memory
  std::uint64_t unwritten = 0;     ///< in memory alone
  std::uint64_t commits = 0;       ///< transactions written
  std::uint64_t dropped = 0;       ///< lost to the limits, all queues
};

/// What is to be known after a crash of what was written before it.
struct Companion {
  std::string bytes;
  bool urgent = false;  ///< an older one would mislead
};

/// The outbox that lasts: in memory while the endpoints accept, in a file (DurableStore) once a reading has waited for
/// `commit_interval`, or more than `max_unwritten` wait. What is on disk is read back in pages, so that memory stays
/// bounded however long an outage is. A reading re-read at a start is a repeat. Queues are known by endpoint and channel
/// alone.
///
/// With `commit_interval` 0, and while the disk works, a reading is shown to peek() only once it is on disk, so that nothing is ever delivered that
/// a crash could make forgotten together with the rest of its telegram.
///
/// Threads: start() first; then all calls from any thread. The Outbox methods work in memory only. I/O happens in tick()
/// (called by one thread, see OutboxWriter), flush(), close() and the maintenance calls, one at a time, and never under
/// the lock that the others take. on_push() is also called (from the thread that did the I/O) when readings that were
/// asked for have come from the disk.
///
/// Failure: a disk that fails is told once and tried again with growing pauses; meanwhile everything stays in memory,
/// at most `max_ram_readings`, then the oldest of the longest queue is dropped, counted and told at most once an hour.
class DurableOutbox final : public Outbox {
 public:
  DurableOutbox(const Clock& clock, Log& log, DurableSettings settings, std::unique_ptr<StoreFiles> files);
  ~DurableOutbox() override;

  /// What start() does where there is no file: `make` one when there is something to write; or, for a command, `fail`.
  enum class IfMissing { make, fail };
  /// Takes the file and reads what waits in it. On an Error (to be told by the caller) the outbox works in memory alone.
  /// Writes nothing if there is no file yet.
  Expected<void> start(IfMissing if_missing = IfMissing::make);

  QueueId open(const QueueName& name) override;
  void push(QueueId queue, WallTime stamp, double value) override;
  void peek(QueueId queue, std::size_t max, std::vector<QueuedReading>& out) const override;
  void mark_sent(QueueId queue, std::uint64_t first_sequence, std::uint64_t last_sequence) override;
  void settle(QueueId queue, std::uint64_t first_sequence, std::uint64_t last_sequence, Verdict verdict,
              std::string_view reason) override;
  [[nodiscard]] QueueStats stats(QueueId queue) const override;
  void on_push(std::function<void()> callback) override;

  /// While this lives, nothing of what is pushed or put is written without the rest of it. Short, memory work only;
  /// not around flush().
  [[nodiscard]] std::shared_lock<std::shared_mutex> together() { return std::shared_lock{gate_}; }
  /// The same for readings that leave queues of this outbox for others, with other stamps.
  class Moving {
   public:
    explicit Moving(DurableOutbox& outbox) : outbox_(outbox), lock_(outbox.gate_) {}
    ~Moving() { outbox_.moving_ -= at_once_; }
    Moving(const Moving&) = delete;
    Moving& operator=(const Moving&) = delete;
    /// The readings leave this queue. If they may be on disk, what is pushed from now on is written at once and not shown
    /// to peek() before: a crash would bring the old ones back after the new ones were delivered.
    void from(QueueId queue);

   private:
    DurableOutbox& outbox_;
    std::shared_lock<std::shared_mutex> lock_;
    unsigned at_once_ = 0;
  };
  [[nodiscard]] Moving moving() { return Moving{*this}; }
  /// Queues whose endpoints begin with kUnstamped but not with `but`, and in which nothing waits, leave the file together with
  /// the next that is written: nobody will ever open them again.
  void forget_unstamped(std::string_view but);
  /// A small opaque state (an open aggregation window), at most kMaxState bytes; empty removes it. Written by flush() and
  /// close(), and at once with commit_interval 0; a removal is always written soon.
  void put_state(const std::string& key, std::string bytes);
  /// The state as it was put, or found at the start; empty if there is none.
  [[nodiscard]] std::string get_state(const std::string& key) const;
  static constexpr std::size_t kMaxState = 4096;
  /// A state that is written together with readings, at most every kCompanionEvery unless it is urgent, and by close() if
  /// there is a file; never for its own sake. `make` is called under the lock and must not call back; empty: not now. Set once, before
  /// the first push.
  void set_companion(std::string key, std::function<Companion()> make);
  static constexpr std::chrono::minutes kCompanionEvery{10};

  /// Does the I/O that is due. Once a stop is requested no transaction is begun: what is left is close()'s.
  void tick(const std::stop_token& stop = {});
  /// When tick() has something to do; it may be in the past.
  [[nodiscard]] std::optional<MonoTime> next_work();
  /// Called (from any thread, without the lock) when next_work() may have come closer. Set once, before start().
  void on_work(std::function<void()> callback);

  /// A barrier: returns when all that was pushed and put before is on disk or settled. False if the disk failed, or was
  /// busy until `deadline`.
  bool flush(MonoTime deadline);
  /// Commits everything that is undelivered, and all states; then the file is closed and given free. Pushes that come
  /// later stay in memory. After `deadline` no housekeeping is begun; if another thread's I/O lasts longer, an Error. The time
  /// of its own transactions, and of opening the file again after a failure, is the disk's.
  Expected<void> close(MonoTime deadline);

  /// Maintenance, for commands: from any thread of a running daemon; or in a process of its own on a file that no daemon
  /// holds, which is start(IfMissing::fail), no open(), the calls, close(). They wait for the disk, but change the file in
  /// short transactions that let tick() and close() go first; an Error in the middle leaves what was done done, and
  /// nothing lost or doubled. What they find is as of the call.

  /// For callers that must not be kept for as long as millions of readings take: after `length` no transaction is begun,
  /// and `more` says that something is left for the same call again; so it does after an Error in the middle, which
  /// the next call meets if it lasts.
  struct Slice {
    MonoDuration length{};
    bool more = false;
  };
  /// The queues of the file that are not open and in which something waits.
  [[nodiscard]] std::vector<OrphanQueue> orphans() const;
  /// Moves what waits in a queue that is not open behind what another one has (open or not; it is made if there is
  /// none), as repeats. Returns how many. An Error if `from` is open, or nothing waits there, or nobody
  /// knows the time of what does.
  Expected<std::uint64_t> retarget(const QueueName& from, const QueueName& to, Slice* slice = nullptr);
  /// Throws away what waits in a queue that is not open. Returns how many. An Error if it is open, or nothing waits
  /// there.
  Expected<std::uint64_t> discard(const QueueName& name, Slice* slice = nullptr);
  /// What waits in a queue, open or not, behind sequence `after` (0: from the start): at most `max` and
  /// kMaxPiece readings, none if there are no more.
  Expected<std::vector<QueuedReading>> export_readings(const QueueName& name, std::uint64_t after, std::size_t max);
  /// Rejected readings with an id above `after_id`, by id: at most `max` and kMaxPiece, none if there are no more.
  Expected<std::vector<RejectedReading>> rejected(std::int64_t after_id, std::size_t max);
  /// Puts rejected readings back at the end of their queues, as repeats. Unknown ids are skipped. Returns how many.
  Expected<std::uint64_t> requeue(const std::vector<std::int64_t>& ids);
  /// Throws rejected readings away. Returns how many there were.
  Expected<std::uint64_t> discard_rejected(const std::vector<std::int64_t>& ids);
  static constexpr std::size_t kMaxPiece = 4096;

  [[nodiscard]] OutboxStatus status() const;
  [[nodiscard]] QueueProgress progress(QueueId queue) const;

 private:
  struct Entry {
    WallTime stamp{};
    double value = 0.0;
    std::uint64_t sequence = 0;
  };
  struct Fresh {
    Entry entry;
    MonoTime since{};
  };
  /// In the order of sequences: `front` (on disk, and here), what is on disk alone, `tail` (here alone).
  struct Queue {
    QueueName name;
    std::deque<Entry> front;
    std::deque<Fresh> tail;
    std::uint64_t head = 0;       ///< all up to this one are settled
    SequenceSet settled;          ///< behind head
    SequenceSet sent;             ///< behind head: repeats
    std::uint64_t repeat_to = 0;  ///< re-read at the start: repeats
    std::uint64_t committed = 0;  ///< on disk up to this one
    std::uint64_t stored_head = 0;  ///< the head that the file knows
    std::uint64_t stored_last = 0;  ///< what the file had when it was opened: a commit that failed may be in it all the same
    std::uint64_t next = 1;
    SequenceRange reserved;         ///< on their way into this queue: nobody knows yet whether they will be there
    std::uint64_t at_once = 0;      ///< up to this one to be written at once, and hidden until then
    mutable bool wanted = false;  ///< peek() found less than there is
    std::optional<WallTime> stored_oldest;
    std::uint64_t accepted = 0;
    std::uint64_t rejected = 0;
    std::uint64_t dropped = 0;
    [[nodiscard]] std::uint64_t waiting() const { return next - 1 - head - settled.count(); }
    [[nodiscard]] std::uint64_t front_end() const { return front.empty() ? head : std::max(head, front.back().sequence); }
    [[nodiscard]] bool gap() const { return front_end() < committed; }
    [[nodiscard]] bool behind() const { return stored_head < std::min(head, std::max(committed, stored_last)); }
  };
  enum class Force { no, readings, all };

  Queue& at(QueueId queue) const { return *queues_.at(static_cast<std::size_t>(queue)); }
  Queue* find(const QueueName& name) const;
  void adopt(Queue& queue, const StoredQueue& stored);
  std::uint64_t settle_range(Queue& queue, SequenceRange range);
  static void trim(Queue& queue);
  void drop_from_ram();
  void count_dropped(Queue& queue, std::uint64_t count);
  void count_dropped_rejections(std::uint64_t count);
  void count_dropped_orphan(const DroppedReadings& loss);
  void count_lost(Queue& queue, SequenceRange range);
  void tell_dropped();

  bool begin_io(MonoTime deadline);
  void end_io();
  bool work(Force force, const std::stop_token& stop = {});
  bool ready_store();
  bool prove();
  StoreBatch collect(Force force, bool& more);
  void collect_queues(Force force, StoreBatch& batch, bool& more);
  void collect_companion(Force force, StoreBatch& batch);
  [[nodiscard]] std::optional<MonoTime> next_work_locked() const;
  bool comes_closer();
  bool commit(StoreBatch batch);
  bool committed(const StoreBatch& batch, const GivenUp& given_up);
  void restore(StoreBatch batch);
  bool load_pages();
  void loaded(Queue& queue, std::uint64_t after, const std::vector<DurableStore::LoadedRun>& runs);
  bool housekeeping();
  void disk_failed(const Error& error);
  void disk_works();
  Expected<void> open_store();
  [[nodiscard]] bool is_in_use(const DurableStore& store) const;
  void tell_recovery();
  void keep_rejected(const Queue& queue, SequenceRange range, std::string_view reason);
  [[nodiscard]] bool hides_tail() const;
  [[nodiscard]] bool much_is_unwritten() const;
  [[nodiscard]] bool tail_is_due(const Queue& queue, MonoTime now) const;

  /// Sequences given out for readings that are on their way from another place of the file.
  struct Reserved {
    QueueName queue;
    SequenceRange range;
  };
  bool begin_maintenance();
  [[nodiscard]] std::optional<Error> refusal() const;
  Expected<void> maintenance(Force force, const std::function<Expected<void>()>& work);
  Expected<std::uint64_t> in_pieces(Force force, const std::function<Expected<bool>(std::uint64_t& count)>& piece,
                                    const std::function<bool()>& pause = {}, Slice* slice = nullptr);
  std::function<bool()> pause_after(const QueueName& name, Slice* slice);
  Expected<std::uint64_t> by_id(Force force, const std::vector<std::int64_t>& ids,
                                const std::function<Expected<void>(std::span<const std::int64_t>, std::uint64_t& count)>& work);
  [[nodiscard]] std::optional<Error> no_orphan(const QueueName& name) const;
  [[nodiscard]] const StoredQueue* find_orphan(const QueueName& name) const;
  bool place(StoreBatch& batch);
  Expected<void> move(StoreBatch& batch);
  void take_reserved(const Reserved& reserved, bool stored);
  Expected<bool> move_piece(const QueueName& from, const QueueName& to, std::uint64_t& moved);
  Expected<bool> discard_piece(const QueueName& name, std::uint64_t& gone);
  Expected<void> requeue_piece(std::span<const std::int64_t> ids, std::uint64_t& count);
  Expected<void> read_waiting(const StoredQueue& queue, std::uint64_t after, std::size_t max,
                              std::vector<QueuedReading>& out);
  void refresh_orphans();

  const Clock& clock_;
  Log& log_;
  const DurableSettings settings_;
  std::unique_ptr<StoreFiles> files_;
  std::function<void()> on_push_;
  std::function<void()> on_work_;

  std::unique_ptr<DurableStore> store_;  ///< used by whoever does I/O (io_busy_)
  std::string damage_;                   ///< likewise: why the file is to be recovered when it is opened next
  bool had_file_ = false;                ///< likewise: it has been open in this life
  std::uint64_t tried_rejected_ = 0;     ///< likewise: rejections that the latest commits, which failed, may have given up

  std::atomic<unsigned> moving_{0};
  std::shared_mutex gate_;  ///< shared by together(), alone by collect(); taken before mutex_
  mutable std::mutex mutex_;  ///< never held during I/O or a callback
  std::condition_variable io_free_;
  bool io_busy_ = false;
  unsigned io_wanted_ = 0;   ///< waiting for it, maintenance not counted: that lets them go first
  bool closing_ = false;
  bool usable_ = false;      ///< the lock file is ours: there is a file to write to
  bool disk_fails_ = false;
  bool unsure_ = false;      ///< what a failure has left in the file shows when it is opened again
  std::string trouble_;
  MonoTime next_try_{};
  MonoDuration pause_{};
  std::vector<std::unique_ptr<Queue>> queues_;  ///< the index is the QueueId
  std::size_t ram_tail_ = 0;                    ///< entries of all tails
  std::vector<StoredQueue> stored_;             ///< queues of the file that are not open
  std::vector<Reserved> reserved_;              ///< whether they are in the file shows when it is opened again
  std::vector<RejectedReading> rejections_;     ///< not yet on disk
  std::vector<QueueName> forgotten_;            ///< still in the file
  std::map<std::string, std::string> states_;
  std::map<std::string, std::string> dirty_states_;
  std::string companion_key_;
  std::function<Companion()> companion_;
  std::optional<MonoTime> companion_written_;
  std::optional<MonoTime> settle_since_;  ///< progress that the file does not know, since
  bool tidy_ = false;                     ///< space may be given back
  std::optional<MonoTime> planned_;       ///< what next_work() said last
  std::uint64_t commits_ = 0;
  std::uint64_t bytes_ = 0;
  std::uint64_t dropped_ = 0;
  std::uint64_t untold_drops_ = 0;
  std::uint64_t untold_rejections_ = 0;
  std::uint64_t untold_losses_ = 0;
  std::optional<MonoTime> drops_told_;
};

}  // namespace vz
