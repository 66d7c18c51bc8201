// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "outbox/segment_codec.hpp"
#include "outbox/sequence_set.hpp"
#include "outbox/sqlite.hpp"
#include "outbox/store_files.hpp"
#include "vz/outbox.hpp"

namespace vz {

/// What is done when the file has reached its size.
enum class OnFull { drop_oldest, drop_newest };

/// A queue as the file has it.
struct StoredQueue {
  QueueName name;
  std::uint64_t head = 0;    ///< all sequences up to this one are settled
  std::uint64_t last = 0;    ///< the last one that was stored
  std::vector<SequenceRange> settled;  ///< settled ones behind `head`
  std::optional<WallTime> oldest;      ///< stamp of the first reading that waits
  [[nodiscard]] std::uint64_t waiting() const;
  /// The first sequence that was never used.
  [[nodiscard]] std::uint64_t next() const {
    return std::max({head, last, settled.empty() ? 0 : settled.back().last}) + 1;
  }
};

struct RejectedReading {
  std::int64_t id = 0;
  QueueName queue;
  WallTime stamp{};
  double value = 0.0;
  WallTime rejected_at{};
  std::string reason;
  bool tried = false;  ///< of a new one: a commit that failed may have kept it
};

/// Everything that becomes durable together.
struct StoreBatch {
  struct Append {
    QueueName queue;
    std::uint64_t first = 0;  ///< of `readings`, one after the other
    std::vector<StoredReading> readings;
  };
  struct Progress {
    QueueName queue;
    std::uint64_t head = 0;
    std::vector<SequenceRange> settled;
  };
  std::vector<Append> appends;
  std::vector<Progress> progress;
  std::vector<RejectedReading> rejections;
  std::map<std::string, std::string> states;  ///< empty bytes remove a key
  std::vector<std::int64_t> forgotten_rejections;
  std::vector<QueueName> forgotten_queues;  ///< with all they hold
  bool moves = false;  ///< what is appended leaves another place of the file: nothing is given up to make room for it
  [[nodiscard]] bool empty() const {
    return appends.empty() && progress.empty() && rejections.empty() && states.empty() && forgotten_rejections.empty() &&
           forgotten_queues.empty();
  }
};

/// Readings given up for the size limit.
struct DroppedReadings {
  QueueName queue;
  SequenceRange range;
};

/// What had to go for the size limit.
struct GivenUp {
  std::vector<DroppedReadings> waiting;
  std::uint64_t rejected = 0;  ///< that were set aside, the oldest
  std::uint64_t known = 0;     ///< rejections of the batch that a commit that failed has kept
};

struct StoreSettings {
  std::string path;
  std::uint64_t max_size = 256ULL << 20U;  ///< bytes, the write-ahead log included; at least kSmallestStore
  OnFull on_full = OnFull::drop_oldest;
};
inline constexpr std::uint64_t kSmallestStore = 1ULL << 20U;

/// The outbox's file: an SQLite database (write-ahead log, synchronous=FULL, exclusive lock) of segments, which are runs
/// of readings of one queue in compact form (segment_codec.hpp). No threads, no clock, no policy: it does what it is told
/// when it is told, so that a simulation can drive it. One user at a time; calls block for as long as the disk takes.
///
/// Every change is one transaction: after commit() returned without an error it survives a power cut. Format: user_version
/// 1; `queue` (names, progress), `segment` (id = queue number << 40 | first sequence), `rejected`, `state`.
class DurableStore {
 public:
  /// What a damaged file was worth.
  struct Recovery {
    std::string set_aside;  ///< where the damaged file is now
    std::string cause;
    std::uint64_t readings = 0;  ///< recovered
  };

  /// Whether all pages are looked at when a file is opened, which takes as long as reading it.
  enum class Check { all, nothing };
  /// Opens the file, or makes it. A damaged one is set aside under a new name and what is readable of it is copied; so
  /// is one that `known_damage` says is damaged, although it may not show at once.
  static Expected<std::unique_ptr<DurableStore>> open(const StoreSettings& settings, StoreFiles& files,
                                                      const std::string& known_damage = {}, Check check = Check::all);
  /// True if there is a file to open: what an earlier process left.
  static bool exists(const StoreSettings& settings, const StoreFiles& files);

  [[nodiscard]] const std::optional<Recovery>& recovery() const { return recovery_; }
  [[nodiscard]] std::vector<StoredQueue> queues() const;
  [[nodiscard]] const StoredQueue* find(const QueueName& name) const;

  /// Makes all of the batch durable, or nothing. Readings that are stored already (sequence up to StoredQueue::last) are
  /// skipped.
  Expected<GivenUp> commit(const StoreBatch& batch);
  /// What the latest commit gave up, or would have: one that fails may be kept all the same.
  [[nodiscard]] const GivenUp& attempted() const { return attempted_; }

  struct LoadedRun {
    std::uint64_t first = 0;
    std::vector<StoredReading> readings;
  };
  /// Appends the runs that hold the readings behind `after`, until they are at least `enough` or there are no more.
  /// The first run may begin before `after`.
  Expected<void> load(const QueueName& name, std::uint64_t after, std::size_t enough, std::vector<LoadedRun>& out);

  /// Appends rejected readings with an id above `after_id`, at most `max`, by id.
  Expected<void> rejected(std::int64_t after_id, std::size_t max, std::vector<RejectedReading>& out);
  Expected<std::map<std::string, std::string>> states();

  /// Writes a page as it is: an Error if the disk does not take it.
  Expected<void> prove();
  /// Gives back space a step at a time. True if there is more to do.
  Expected<bool> tidy();
  /// Bytes on disk, the write-ahead log included.
  [[nodiscard]] std::uint64_t bytes() const;
  /// True if the last failure was damage to the file: reopening will recover it.
  [[nodiscard]] bool damaged() const { return damaged_; }

 private:
  struct Record {
    StoredQueue queue;
    std::int64_t id = 0;
  };
  using Records = std::map<std::pair<std::string, std::string>, Record>;

  DurableStore(StoreSettings settings, StoreFiles& files) : settings_(std::move(settings)), files_(files) {}
  static Expected<void> finish_recovery(const StoreSettings& settings, StoreFiles& files);
  Expected<void> connect(const std::string& path, Check check = Check::all);
  Expected<void> recover(const std::string& cause);
  std::uint64_t salvage(Sqlite& source);
  bool salvage_segments(Sqlite& source, bool backwards, std::int64_t& seen, std::uint64_t& readings);
  std::uint64_t salvage_pages(const std::string& path);
  std::uint64_t salvage_page(std::string_view page, bool first);
  void name_lost_queues();
  bool check();
  bool read_records();
  Record& record(Records& records, const QueueName& name);
  void append(Records& records, const StoreBatch::Append& append);
  /// Returns how many of the oldest had to go.
  std::uint64_t keep_rejections(const StoreBatch& batch);
  std::vector<RejectedReading> latest_rejected(std::size_t count);
  void write_record(const Record& record);
  void forget(Records& records, const QueueName& name);
  [[nodiscard]] std::uint64_t log_bytes(const StoreBatch& batch) const;
  Expected<void> bound_log(std::uint64_t more);
  bool make_room(Records& records, std::uint64_t bytes, std::vector<DroppedReadings>& dropped);
  bool drop_first_segment(Records& records, std::vector<DroppedReadings>& dropped);
  void set_progress(Record& record, std::uint64_t head, const std::vector<SequenceRange>& settled);
  [[nodiscard]] std::uint64_t used_bytes();
  /// Runs `work` as one transaction on copies of the records, which count if it succeeds.
  Expected<void> transaction(const std::function<void(Records&)>& work);
  Error failed();

  StoreSettings settings_;
  StoreFiles& files_;
  std::unique_ptr<Sqlite> db_;
  Records records_;
  std::optional<Recovery> recovery_;
  GivenUp attempted_;
  bool damaged_ = false;
};

}  // namespace vz
