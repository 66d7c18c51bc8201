// SPDX-License-Identifier: GPL-3.0-or-later
#include "outbox/durable_store.hpp"

#include <algorithm>
#include <limits>
#include <span>
#include <tuple>

#include "outbox/page_salvage.hpp"

namespace vz {
namespace {

constexpr unsigned kSequenceBits = 40;
constexpr std::size_t kSegmentBytes = 1900;  ///< two of them fit a page
constexpr std::size_t kSegmentReadings = 1024;
constexpr std::uint64_t kPageSize = 4096;
/// Of max_size at most, for the write-ahead log and the pages that a transaction needs before it frees any.
constexpr std::uint64_t kReserve = 1ULL << 20U;
constexpr std::uint64_t kMaxRejected = 100'000;
/// Of max_size for each rejected reading: all of them take a quarter of it at most, so that they never leave new ones
/// without room.
constexpr std::uint64_t kBytesPerRejected = 2048;
constexpr std::size_t kMaxReason = 300;
constexpr std::uint64_t kBytesPerReading = 20;  ///< at most
constexpr const char* kVacuum = "PRAGMA incremental_vacuum(64)";
constexpr std::uint64_t kVacuumPages = 64;
constexpr int kVersion = 1;
constexpr std::int64_t kIncremental = 2;  ///< PRAGMA auto_vacuum

constexpr const char* kSchema =
    "CREATE TABLE queue(id INTEGER PRIMARY KEY, endpoint TEXT NOT NULL, channel TEXT NOT NULL,"
    " head INTEGER NOT NULL, last INTEGER NOT NULL, settled BLOB, UNIQUE(endpoint, channel));"
    "CREATE TABLE segment(id INTEGER PRIMARY KEY, n INTEGER NOT NULL, stamp INTEGER NOT NULL, data BLOB NOT NULL);"
    "CREATE TABLE rejected(id INTEGER PRIMARY KEY, endpoint TEXT NOT NULL, channel TEXT NOT NULL,"
    " stamp INTEGER NOT NULL, value REAL, at INTEGER NOT NULL, reason TEXT NOT NULL);"
    "CREATE TABLE state(key TEXT PRIMARY KEY, bytes BLOB NOT NULL) WITHOUT ROWID;"
    "PRAGMA user_version=1;";

std::int64_t segment_id(std::int64_t queue, std::uint64_t sequence) {
  return static_cast<std::int64_t>((static_cast<std::uint64_t>(queue) << kSequenceBits) | sequence);
}
std::uint64_t sequence_of(std::int64_t id) { return static_cast<std::uint64_t>(id) & ((1ULL << kSequenceBits) - 1); }

std::int64_t ms(WallTime time) { return time.time_since_epoch().count(); }
WallTime at_ms(std::int64_t n) { return WallTime{std::chrono::milliseconds{n}}; }

/// "3-5,9-9": rare, short, and readable in any SQLite browser.
std::string text_of(const std::vector<SequenceRange>& ranges) {
  std::string out;
  for (const SequenceRange& r : ranges) out += fmt::format("{}{}-{}", out.empty() ? "" : ",", r.first, r.last);
  return out;
}

std::vector<SequenceRange> ranges_of(std::string_view text) {
  std::vector<SequenceRange> out;
  std::uint64_t numbers[2] = {0, 0};
  int which = 0;
  for (const char c : text) {
    if (c >= '0' && c <= '9') {
      numbers[which] = numbers[which] * 10 + static_cast<std::uint64_t>(c - '0');
    } else if (c == '-') {
      which = 1;
    } else {
      out.push_back({numbers[0], numbers[1]});
      numbers[0] = numbers[1] = 0;
      which = 0;
    }
  }
  if (!text.empty()) out.push_back({numbers[0], numbers[1]});
  return out;
}

std::uint64_t reserve(std::uint64_t max_size) { return std::min(kReserve, max_size / 2); }

std::uint64_t most_rejected(std::uint64_t max_size) { return std::min(kMaxRejected, max_size / kBytesPerRejected); }

/// Of those, no more than may stay.
std::span<const RejectedReading> latest_rejections(const StoreBatch& batch, std::uint64_t max_size) {
  const auto all = std::span{batch.rejections};
  return all.last(std::min<std::size_t>(all.size(), most_rejected(max_size)));
}

std::uint64_t needed_bytes(const StoreBatch& batch, std::uint64_t max_size) {
  std::uint64_t bytes = 16 * kPageSize;
  for (const auto& append : batch.appends) bytes += kPageSize + append.readings.size() * kBytesPerReading;
  for (const auto& rejection : latest_rejections(batch, max_size)) bytes += 100 + std::min(rejection.reason.size(), kMaxReason);
  for (const auto& [key, value] : batch.states) bytes += 100 + key.size() + value.size();
  return bytes;
}

}  // namespace

std::uint64_t StoredQueue::waiting() const {
  std::uint64_t count = last > head ? last - head : 0;
  for (const SequenceRange& r : settled) {
    if (r.first > last) continue;
    count -= std::min(count, std::min(r.last, last) - r.first + 1);
  }
  return count;
}

// --- opening ---------------------------------------------------------------------------------------------------------

bool DurableStore::exists(const StoreSettings& settings, const StoreFiles& files) {
  return files.exists(settings.path) || files.exists(settings.path + ".recovered");
}

Expected<std::unique_ptr<DurableStore>> DurableStore::open(const StoreSettings& settings, StoreFiles& files,
                                                           const std::string& known_damage, Check check) {
  if (auto done = finish_recovery(settings, files); !done) return tl::unexpected(done.error());
  std::unique_ptr<DurableStore> store(new DurableStore(settings, files));
  store->settings_.max_size = std::max(settings.max_size, kSmallestStore);
  std::string cause = known_damage;
  if (cause.empty()) {
    auto connected = store->connect(settings.path, check);
    if (connected) return store;
    if (!store->damaged_) return tl::unexpected(connected.error());
    cause = connected.error().what;
    store->db_.reset();
  }
  if (auto recovered = store->recover(cause); !recovered) return tl::unexpected(recovered.error());
  return store;
}

/// A recovery goes by way of NAME.recovering (being filled), NAME.recovered (complete), so that a crash at any moment
/// finds either the damaged file or all that was readable of it.
Expected<void> DurableStore::finish_recovery(const StoreSettings& settings, StoreFiles& files) {
  const std::string& path = settings.path;
  const std::string complete = path + ".recovered";
  const auto failed = [&] {
    return tl::unexpected(Error{.what = "cannot set the damaged outbox aside",
                                .where = path,
                                .remedy = "let the service's user rename files in that folder"});
  };
  for (const char* suffix : {"", "-wal", "-journal"}) {
    if (!files.remove(path + ".recovering" + suffix)) return failed();
  }
  if (!files.exists(complete)) return {};
  std::string aside;
  for (int n = 1; aside.empty() || files.exists(aside) || files.exists(aside + "-wal"); ++n) {
    aside = fmt::format("{}.damaged-{}", path, n);
  }
  for (const char* suffix : {"-wal", "-journal", ""}) {
    if (files.exists(path + suffix) && !files.rename(path + suffix, aside + suffix)) return failed();
  }
  if (!files.rename(complete, path)) return failed();
  return {};
}

Expected<void> DurableStore::connect(const std::string& path, Check wanted) {
  auto opened = Sqlite::open(path, files_.vfs());
  if (!opened) return tl::unexpected(opened.error());
  db_ = std::move(*opened);
  // The exclusive lock comes first: with it the log needs no shared memory file.
  db_->exec("PRAGMA locking_mode=EXCLUSIVE; PRAGMA temp_store=MEMORY; PRAGMA cache_size=-1024;"
            "PRAGMA secure_delete=OFF;");
  // Setting it writes even if it is set: a disk that cannot sync would get a longer log with each try to open the file.
  if (db_->integer("PRAGMA auto_vacuum") != kIncremental) db_->exec("PRAGMA auto_vacuum=INCREMENTAL");
  const bool fresh = db_->integer("PRAGMA page_count") == 0;
  db_->exec("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=64;");
  const std::int64_t version = db_->integer("PRAGMA user_version");
  if (db_->good() && version > kVersion) {
    return tl::unexpected(Error{.what = fmt::format("this outbox was written by a newer version (format {})", version),
                                .where = path,
                                .remedy = "install that version again, or set outbox.path to another file"});
  }
  if (db_->good() && version == 0) {
    const bool foreign = !fresh && db_->integer("SELECT count(*) FROM sqlite_schema") > 0;
    if (foreign) {
      return tl::unexpected(Error{.what = "this database is not an outbox",
                                  .where = path,
                                  .remedy = "set outbox.path to another file"});
    }
    db_->exec("BEGIN IMMEDIATE");
    db_->exec(kSchema);
    db_->exec("COMMIT");
  } else if (db_->good() && wanted == Check::all && !check()) {
    db_->call_damaged("its structure is damaged");
  }
  if (!read_records()) return tl::unexpected(failed());
  return {};
}

bool DurableStore::check() {
  auto q = db_->query("PRAGMA quick_check(1)");
  return q.row() && q.bytes(0) == "ok";
}

bool DurableStore::read_records() {
  records_.clear();
  {
    auto q = db_->query("SELECT id, endpoint, channel, head, last, settled FROM queue");
    while (q.row()) {
      Record record;
      record.id = q.integer(0);
      record.queue.name = {std::string{q.bytes(1)}, std::string{q.bytes(2)}};
      record.queue.head = static_cast<std::uint64_t>(q.integer(3));
      record.queue.last = static_cast<std::uint64_t>(q.integer(4));
      record.queue.settled = ranges_of(q.bytes(5));
      records_[{record.queue.name.endpoint, record.queue.name.channel}] = std::move(record);
    }
  }
  for (auto& [name, record] : records_) {
    auto q = db_->query("SELECT stamp FROM segment WHERE id BETWEEN ? AND ? ORDER BY id LIMIT 1");
    q.bind(segment_id(record.id, 0)).bind(segment_id(record.id + 1, 0) - 1);
    if (q.row()) record.queue.oldest = at_ms(q.integer(0));
  }
  return db_->good();
}

Error DurableStore::failed() {
  damaged_ = db_->damaged();
  return db_->failure();
}

// --- recovery --------------------------------------------------------------------------------------------------------

Expected<void> DurableStore::recover(const std::string& cause) {
  const std::string& path = settings_.path;
  const std::string fresh = path + ".recovering";
  if (auto made = connect(fresh); !made) return made;
  Recovery result{.set_aside = {}, .cause = cause};
  db_->exec("BEGIN IMMEDIATE");
  if (auto source = Sqlite::open(path, files_.vfs())) {
    (*source)->leave_log();
    (*source)->exec("PRAGMA locking_mode=EXCLUSIVE");
    result.readings = salvage(**source);
  }
  result.readings += salvage_pages(path);
  name_lost_queues();
  db_->exec("COMMIT");
  db_->exec("PRAGMA wal_checkpoint(TRUNCATE)");
  if (!db_->good()) return tl::unexpected(failed());
  records_.clear();
  db_.reset();
  int number = 1;
  while (files_.exists(fmt::format("{}.damaged-{}", path, number))) ++number;
  result.set_aside = fmt::format("{}.damaged-{}", path, number);
  if (!files_.rename(fresh, path + ".recovered")) {
    return tl::unexpected(Error{.what = "cannot rename the recovered outbox", .where = fresh, .remedy = {}});
  }
  if (auto done = finish_recovery(settings_, files_); !done) return done;
  damaged_ = false;
  recovery_ = std::move(result);
  return connect(path);
}

std::uint64_t DurableStore::salvage(Sqlite& source) {
  {
    auto q = source.query("SELECT id, endpoint, channel, head, last, settled FROM queue");
    while (q.row()) {
      db_->query("INSERT OR IGNORE INTO queue VALUES(?,?,?,?,?,?)")
          .bind(q.integer(0)).bind(q.bytes(1)).bind(q.bytes(2)).bind(q.integer(3)).bind(q.integer(4)).bind(q.bytes(5))
          .run();
    }
  }
  std::ignore = source.failure();
  {
    auto q = source.query("SELECT endpoint, channel, stamp, value, at, reason FROM rejected");
    while (q.row()) {
      db_->query("INSERT INTO rejected(endpoint, channel, stamp, value, at, reason) VALUES(?,?,?,?,?,?)")
          .bind(q.bytes(0)).bind(q.bytes(1)).bind(q.integer(2)).bind(q.real(3)).bind(q.integer(4)).bind(q.bytes(5))
          .run();
    }
  }
  std::ignore = source.failure();
  {
    auto q = source.query("SELECT key, bytes FROM state");
    while (q.row()) {
      db_->query("INSERT OR REPLACE INTO state VALUES(?,?)").bind(q.bytes(0)).bind_blob(q.bytes(1)).run();
    }
  }
  std::ignore = source.failure();
  // From the front up to the damage, then from the back down to it.
  std::uint64_t readings = 0;
  std::int64_t seen = std::numeric_limits<std::int64_t>::min();
  if (!salvage_segments(source, false, seen, readings)) {
    std::ignore = source.failure();
    salvage_segments(source, true, seen, readings);
    std::ignore = source.failure();
  }
  return readings;
}

/// Rows that the damaged tree does not lead to any more: page by page, in the file and in its log. Only segments carry a
/// check value, and only those of which nothing is known yet, or less, are taken.
std::uint64_t DurableStore::salvage_pages(const std::string& path) {
  constexpr std::size_t kLogHeader = 32;
  constexpr std::size_t kFrameHeader = 24;
  std::uint64_t readings = 0;
  const std::uint64_t size = files_.size(path);
  for (std::uint64_t at = 0; at < size; at += kPageSize) readings += salvage_page(files_.read(path, at, kPageSize), at == 0);
  const std::string log = path + "-wal";
  const std::uint64_t log_size = files_.size(log);
  for (std::uint64_t at = kLogHeader; at < log_size; at += kFrameHeader + kPageSize)
    readings += salvage_page(files_.read(log, at + kFrameHeader, kPageSize), false);
  return readings;
}

std::uint64_t DurableStore::salvage_page(std::string_view page, bool first) {
  using Kind = SalvagedColumn::Kind;
  std::uint64_t readings = 0;
  salvage_rows(page, first, [&](std::int64_t id, std::span<const SalvagedColumn> c) {
    const bool segment = c.size() == 4 && c[1].kind == Kind::integer && c[2].kind == Kind::integer && c[3].kind == Kind::blob;
    const bool queue = c.size() == 6 && c[1].kind == Kind::text && c[2].kind == Kind::text &&
                       c[3].kind == Kind::integer && c[4].kind == Kind::integer && c[5].kind == Kind::text;
    if (queue && id > 0 && id < (1LL << 22U)) {
      db_->query("INSERT OR IGNORE INTO queue VALUES(?,?,?,?,?,?)")
          .bind(id).bind(c[1].bytes).bind(c[2].bytes).bind(c[3].integer).bind(c[4].integer).bind(c[5].bytes)
          .run();
    }
    std::vector<StoredReading> run;
    if (!segment || !decode_segment(c[3].bytes, static_cast<std::uint64_t>(id), run) || run.empty()) return;
    const auto count = static_cast<std::int64_t>(run.size());
    std::int64_t known = 0;
    {
      auto q = db_->query("SELECT max(n, 0) FROM segment WHERE id=?");
      if (q.bind(id).row()) known = q.integer(0);
    }
    std::int64_t head = 0;
    {
      auto q = db_->query("SELECT head FROM queue WHERE id=?");
      if (q.bind(id >> kSequenceBits).row()) head = q.integer(0);
    }
    if (known >= count || static_cast<std::int64_t>(sequence_of(id)) + count - 1 <= head) return;
    db_->query("INSERT OR REPLACE INTO segment VALUES(?,?,?,?)")
        .bind(id).bind(count).bind(ms(run.front().stamp)).bind_blob(c[3].bytes)
        .run();
    readings += static_cast<std::uint64_t>(count - known);
  });
  return readings;
}

void DurableStore::name_lost_queues() {
  // A queue whose row is lost still has its readings: they wait under a name that says so.
  db_->exec("INSERT OR IGNORE INTO queue SELECT id >> 40, '(lost)', 'queue ' || (id >> 40), "
            "(min(id) & 1099511627775) - 1, 0, '' FROM segment GROUP BY id >> 40");
  db_->exec("UPDATE queue SET last = max(last, head, coalesce((SELECT (s.id & 1099511627775) + s.n - 1 FROM segment s "
            "WHERE s.id BETWEEN queue.id << 40 AND ((queue.id + 1) << 40) - 1 ORDER BY s.id DESC LIMIT 1), 0))");
}

bool DurableStore::salvage_segments(Sqlite& source, bool backwards, std::int64_t& seen, std::uint64_t& readings) {
  auto q = source.query(backwards ? "SELECT id, n, data FROM segment ORDER BY id DESC"
                                  : "SELECT id, n, data FROM segment ORDER BY id");
  std::vector<StoredReading> scratch;
  while (q.row()) {
    const std::int64_t id = q.integer(0);
    if (backwards && id <= seen) break;
    scratch.clear();
    if (decode_segment(q.bytes(2), static_cast<std::uint64_t>(id), scratch) && !scratch.empty()) {
      db_->query("INSERT OR IGNORE INTO segment VALUES(?,?,?,?)")
          .bind(id).bind(static_cast<std::int64_t>(scratch.size())).bind(ms(scratch.front().stamp)).bind_blob(q.bytes(2))
          .run();
      readings += scratch.size();
    }
    if (!backwards) seen = id;
  }
  return source.good();
}

// --- writing ---------------------------------------------------------------------------------------------------------

Expected<void> DurableStore::transaction(const std::function<void(Records&)>& work) {
  Records records = records_;
  db_->exec("BEGIN IMMEDIATE");
  if (db_->good()) work(records);
  if (db_->good()) db_->exec("COMMIT");
  if (!db_->good()) {
    Error error = failed();
    db_->exec("ROLLBACK");
    std::ignore = db_->failure();  // nothing to roll back any more
    return tl::unexpected(std::move(error));
  }
  records_ = std::move(records);
  return {};
}

std::vector<RejectedReading> DurableStore::latest_rejected(std::size_t count) {
  std::vector<RejectedReading> out;
  if (count == 0) return out;
  auto q = db_->query("SELECT endpoint, channel, stamp, at FROM rejected ORDER BY id DESC LIMIT ?");
  q.bind(static_cast<std::int64_t>(count));
  while (q.row()) {
    RejectedReading& known = out.emplace_back();
    known.queue = {std::string{q.bytes(0)}, std::string{q.bytes(1)}};
    known.stamp = at_ms(q.integer(2));
    known.rejected_at = at_ms(q.integer(3));
  }
  return out;
}

std::uint64_t DurableStore::keep_rejections(const StoreBatch& batch) {
  if (batch.rejections.empty()) return 0;
  const auto rejections = latest_rejections(batch, settings_.max_size);
  // Those that a commit has left in the file although it failed are the latest there.
  const auto tried = std::count_if(rejections.begin(), rejections.end(), [](const RejectedReading& r) { return r.tried; });
  const std::vector<RejectedReading> kept = latest_rejected(static_cast<std::size_t>(tried));
  for (const RejectedReading& r : rejections) {
    const auto is_it = [&](const RejectedReading& known) {
      return known.queue == r.queue && known.stamp == r.stamp && known.rejected_at == r.rejected_at;
    };
    if (r.tried && std::any_of(kept.begin(), kept.end(), is_it)) {
      ++attempted_.known;
      continue;
    }
    db_->query("INSERT INTO rejected(endpoint, channel, stamp, value, at, reason) VALUES(?,?,?,?,?,?)")
        .bind(std::string_view{r.queue.endpoint}).bind(std::string_view{r.queue.channel}).bind(ms(r.stamp))
        .bind(r.value).bind(ms(r.rejected_at)).bind(std::string_view{r.reason}.substr(0, kMaxReason))
        .run();
  }
  db_->query("DELETE FROM rejected WHERE id <= (SELECT id FROM rejected ORDER BY id DESC LIMIT 1 OFFSET ?)")
      .bind(static_cast<std::int64_t>(most_rejected(settings_.max_size)))
      .run();
  if (!db_->good()) return 0;
  return batch.rejections.size() - rejections.size() + static_cast<std::uint64_t>(db_->integer("SELECT changes()"));
}

/// What the batch may add to the log: what it writes, as much that goes to make room for it, and what is settled.
std::uint64_t DurableStore::log_bytes(const StoreBatch& batch) const {
  std::uint64_t bytes = 2 * needed_bytes(batch, settings_.max_size);
  for (const auto& progress : batch.progress) {
    const StoredQueue* known = find(progress.queue);
    if (known == nullptr) continue;
    const std::uint64_t last = std::min(progress.head, known->last);
    bytes += (last - std::min(last, known->head)) * kBytesPerReading;
  }
  return bytes;
}

/// Before a transaction that adds so much. A disk that takes writes and refuses to sync them lets no checkpoint succeed:
/// each try would make the log longer.
Expected<void> DurableStore::bound_log(std::uint64_t more) {
  const std::uint64_t size = files_.size(settings_.path + "-wal");
  if (size == 0 || size + more <= reserve(settings_.max_size)) return {};
  db_->query("PRAGMA wal_checkpoint(TRUNCATE)").run();
  if (!db_->good()) return tl::unexpected(failed());
  return {};
}

Expected<GivenUp> DurableStore::commit(const StoreBatch& batch) {
  if (auto bounded = bound_log(log_bytes(batch)); !bounded) return tl::unexpected(std::move(bounded.error()));
  attempted_ = {};
  auto& dropped = attempted_.waiting;
  auto done = transaction([&](Records& records) {
    const bool room = batch.moves || make_room(records, needed_bytes(batch, settings_.max_size), dropped);
    for (const auto& add : batch.appends) {
      if (room) {
        append(records, add);
      } else {
        dropped.push_back({add.queue, {add.first, add.first + add.readings.size() - 1}});
      }
    }
    for (const auto& progress : batch.progress) {
      Record& target = record(records, progress.queue);
      set_progress(target, progress.head, progress.settled);
      write_record(target);
    }
    attempted_.rejected = keep_rejections(batch);
    for (const std::int64_t id : batch.forgotten_rejections) db_->query("DELETE FROM rejected WHERE id=?").bind(id).run();
    for (const QueueName& name : batch.forgotten_queues) forget(records, name);
    for (const auto& [key, bytes] : batch.states) {
      if (bytes.empty()) {
        db_->query("DELETE FROM state WHERE key=?").bind(std::string_view{key}).run();
      } else {
        db_->query("INSERT OR REPLACE INTO state VALUES(?,?)").bind(std::string_view{key}).bind_blob(bytes).run();
      }
    }
  });
  if (!done) return tl::unexpected(std::move(done.error()));
  return attempted_;
}

DurableStore::Record& DurableStore::record(Records& records, const QueueName& name) {
  const auto [place, added] = records.try_emplace({name.endpoint, name.channel});
  if (!added) return place->second;
  std::int64_t id = 0;
  for (const auto& [other, known] : records) id = std::max(id, known.id);
  place->second.id = id + 1;
  place->second.queue.name = name;
  return place->second;
}

void DurableStore::write_record(const Record& r) {
  db_->query("INSERT OR REPLACE INTO queue VALUES(?,?,?,?,?,?)")
      .bind(r.id).bind(std::string_view{r.queue.name.endpoint}).bind(std::string_view{r.queue.name.channel})
      .bind(static_cast<std::int64_t>(r.queue.head)).bind(static_cast<std::int64_t>(r.queue.last))
      .bind(std::string_view{text_of(r.queue.settled)})
      .run();
}

void DurableStore::forget(Records& records, const QueueName& name) {
  const auto found = records.find({name.endpoint, name.channel});
  if (found == records.end()) return;
  const std::int64_t id = found->second.id;
  db_->query("DELETE FROM segment WHERE id BETWEEN ? AND ?").bind(segment_id(id, 0)).bind(segment_id(id + 1, 0) - 1).run();
  db_->query("DELETE FROM queue WHERE id=?").bind(id).run();
  records.erase(found);
}

void DurableStore::append(Records& records, const StoreBatch::Append& add) {
  Record& target = record(records, add.queue);
  const std::uint64_t known = target.queue.last >= add.first ? target.queue.last - add.first + 1 : 0;
  if (known >= add.readings.size()) return;
  std::uint64_t first = add.first + known;
  std::vector<StoredReading> run;
  {
    // The last segment grows until it is big enough, so that few readings at a time make no small ones.
    auto q = db_->query("SELECT id, n, data FROM segment WHERE id BETWEEN ? AND ? ORDER BY id DESC LIMIT 1");
    q.bind(segment_id(target.id, 0)).bind(segment_id(target.id, first - 1));
    if (q.row() && sequence_of(q.integer(0)) + static_cast<std::uint64_t>(q.integer(1)) == first &&
        q.bytes(2).size() < kSegmentBytes && q.integer(1) < static_cast<std::int64_t>(kSegmentReadings)) {
      if (!decode_segment(q.bytes(2), static_cast<std::uint64_t>(q.integer(0)), run)) {
        db_->call_damaged("a segment's check value is wrong");
        return;
      }
      first = sequence_of(q.integer(0));
    }
  }
  run.insert(run.end(), add.readings.begin() + static_cast<std::ptrdiff_t>(known), add.readings.end());
  std::size_t done = 0;
  while (done < run.size()) {
    std::size_t count = std::min(run.size() - done, kSegmentReadings);
    std::string data;
    const std::int64_t id = segment_id(target.id, first + done);
    for (;; count = std::max<std::size_t>(1, count * 3 / 4)) {
      data = encode_segment(std::span{run}.subspan(done, count), static_cast<std::uint64_t>(id));
      if (data.size() <= kSegmentBytes + 100 || count == 1) break;
    }
    db_->query("INSERT OR REPLACE INTO segment VALUES(?,?,?,?)")
        .bind(id).bind(static_cast<std::int64_t>(count)).bind(ms(run[done].stamp)).bind_blob(data)
        .run();
    done += count;
  }
  target.queue.last = add.first + add.readings.size() - 1;
  if (!target.queue.oldest) target.queue.oldest = run.front().stamp;
  write_record(target);
}

void DurableStore::set_progress(Record& r, std::uint64_t head, const std::vector<SequenceRange>& settled) {
  // What was given up may be more than the caller knows.
  SequenceSet behind{settled};
  r.queue.head = behind.join(std::max(r.queue.head, head));
  r.queue.settled = behind.ranges();
  db_->query("DELETE FROM segment WHERE id BETWEEN ? AND ? AND (id & 1099511627775) + n - 1 <= ?")
      .bind(segment_id(r.id, 0)).bind(segment_id(r.id, r.queue.head)).bind(static_cast<std::int64_t>(r.queue.head))
      .run();
}

std::uint64_t DurableStore::used_bytes() {
  return static_cast<std::uint64_t>(db_->integer("PRAGMA page_count") - db_->integer("PRAGMA freelist_count")) *
         kPageSize;
}

bool DurableStore::make_room(Records& records, std::uint64_t bytes, std::vector<DroppedReadings>& dropped) {
  const std::uint64_t budget = settings_.max_size - reserve(settings_.max_size);
  while (db_->good() && used_bytes() + bytes > budget) {
    if (settings_.on_full == OnFull::drop_newest || !drop_first_segment(records, dropped)) return false;
  }
  return db_->good();
}

/// The oldest segment of the longest queue.
bool DurableStore::drop_first_segment(Records& records, std::vector<DroppedReadings>& dropped) {
  const auto longest = std::max_element(records.begin(), records.end(), [](const auto& a, const auto& b) {
    return a.second.queue.waiting() < b.second.queue.waiting();
  });
  if (longest == records.end()) return false;
  Record& r = longest->second;
  std::uint64_t last = 0;
  {
    auto q = db_->query("SELECT id, n FROM segment WHERE id BETWEEN ? AND ? ORDER BY id LIMIT 1");
    q.bind(segment_id(r.id, 0)).bind(segment_id(r.id + 1, 0) - 1);
    if (!q.row()) return false;
    last = sequence_of(q.integer(0)) + static_cast<std::uint64_t>(q.integer(1)) - 1;
  }
  dropped.push_back({r.queue.name, {r.queue.head + 1, last}});
  set_progress(r, last, r.queue.settled);
  write_record(r);
  return db_->good();
}

// --- reading and the rest --------------------------------------------------------------------------------------------

std::vector<StoredQueue> DurableStore::queues() const {
  std::vector<StoredQueue> out;
  for (const auto& [name, record] : records_) out.push_back(record.queue);
  return out;
}

const StoredQueue* DurableStore::find(const QueueName& name) const {
  const auto found = records_.find({name.endpoint, name.channel});
  return found == records_.end() ? nullptr : &found->second.queue;
}

Expected<void> DurableStore::load(const QueueName& name, std::uint64_t after, std::size_t enough,
                                  std::vector<LoadedRun>& out) {
  const auto found = records_.find({name.endpoint, name.channel});
  if (found == records_.end()) return {};
  const std::int64_t queue = found->second.id;
  std::int64_t from = segment_id(queue, after + 1);
  {
    auto q = db_->query("SELECT max(id) FROM segment WHERE id BETWEEN ? AND ?");
    q.bind(segment_id(queue, 0)).bind(from);
    if (q.row() && !q.null(0)) from = q.integer(0);
  }
  auto q = db_->query("SELECT id, n, data FROM segment WHERE id BETWEEN ? AND ? ORDER BY id");
  q.bind(from).bind(segment_id(queue + 1, 0) - 1);
  std::size_t got = 0;
  while (got < enough && q.row()) {
    LoadedRun run{.first = sequence_of(q.integer(0)), .readings = {}};
    if (!decode_segment(q.bytes(2), static_cast<std::uint64_t>(q.integer(0)), run.readings)) {
      db_->call_damaged("a segment's check value is wrong");
      break;
    }
    const std::uint64_t behind = run.first + run.readings.size();
    if (behind <= after + 1) continue;
    got += static_cast<std::size_t>(behind - std::max(run.first, after + 1));
    out.push_back(std::move(run));
  }
  if (!db_->good()) return tl::unexpected(failed());
  return {};
}

Expected<void> DurableStore::rejected(std::int64_t after_id, std::size_t max, std::vector<RejectedReading>& out) {
  auto q = db_->query("SELECT id, endpoint, channel, stamp, value, at, reason FROM rejected WHERE id > ? ORDER BY id LIMIT ?");
  q.bind(after_id).bind(static_cast<std::int64_t>(max));
  while (q.row()) {
    out.push_back({.id = q.integer(0),
                   .queue = {std::string{q.bytes(1)}, std::string{q.bytes(2)}},
                   .stamp = at_ms(q.integer(3)),
                   .value = q.null(4) ? std::numeric_limits<double>::quiet_NaN() : q.real(4),
                   .rejected_at = at_ms(q.integer(5)),
                   .reason = std::string{q.bytes(6)}});
  }
  if (!db_->good()) return tl::unexpected(failed());
  return {};
}

Expected<std::map<std::string, std::string>> DurableStore::states() {
  std::map<std::string, std::string> out;
  auto q = db_->query("SELECT key, bytes FROM state");
  while (q.row()) out.emplace(q.bytes(0), q.bytes(1));
  if (!db_->good()) return tl::unexpected(failed());
  return out;
}

Expected<bool> DurableStore::tidy() {
  constexpr std::int64_t kFewPages = 64;
  const std::int64_t unused = db_->integer("PRAGMA freelist_count");
  const bool vacuum = unused > kFewPages && unused * 2 > db_->integer("PRAGMA page_count");
  if (vacuum) {
    // A page that moves is written, and so is what leads to it.
    if (auto bounded = bound_log(2 * kVacuumPages * kPageSize); !bounded) return tl::unexpected(std::move(bounded.error()));
    db_->query(kVacuum).run();
  } else if (files_.size(settings_.path + "-wal") > 0) {
    db_->query("PRAGMA wal_checkpoint(TRUNCATE)").run();
  }
  if (!db_->good()) return tl::unexpected(failed());
  return vacuum && db_->integer("PRAGMA freelist_count") < unused;
}

Expected<void> DurableStore::prove() {
  if (auto bounded = bound_log(2 * kPageSize); !bounded) return bounded;
  return transaction([&](Records&) { db_->exec(fmt::format("PRAGMA user_version={}", kVersion).c_str()); });
}

std::uint64_t DurableStore::bytes() const {
  return files_.size(settings_.path) + files_.size(settings_.path + "-wal");
}

}  // namespace vz
