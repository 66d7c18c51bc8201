// SPDX-License-Identifier: GPL-3.0-or-later
#include "tools/middleware/store.hpp"

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <limits>

namespace vz::middleware {
namespace {

constexpr int kSchemaVersion = 1;
constexpr int kBusyTimeoutMs = 2000;

// `value` has no declared type: with one, SQLite would keep -0.0 as the integer 0.
constexpr const char* kSchema = R"sql(
  CREATE TABLE IF NOT EXISTS entities (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    uuid TEXT NOT NULL UNIQUE COLLATE NOCASE,
    type TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS properties (
    entity_id INTEGER NOT NULL REFERENCES entities(id) ON DELETE CASCADE,
    pkey TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (entity_id, pkey)) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS entities_in_aggregator (
    parent_id INTEGER NOT NULL REFERENCES entities(id) ON DELETE CASCADE,
    child_id INTEGER NOT NULL REFERENCES entities(id) ON DELETE CASCADE,
    PRIMARY KEY (parent_id, child_id)) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS data (
    channel_id INTEGER NOT NULL REFERENCES entities(id) ON DELETE CASCADE,
    timestamp INTEGER NOT NULL,
    value NOT NULL,
    PRIMARY KEY (channel_id, timestamp)) WITHOUT ROWID;
)sql";

Error database_error(sqlite3* database, const std::string& path, const char* doing) {
  return {.what = fmt::format("{}: {}", doing, database == nullptr ? "out of memory" : sqlite3_errmsg(database)),
          .where = path,
          .remedy = "",
          .code = database == nullptr ? 0 : sqlite3_system_errno(database)};
}

}  // namespace

void Store::CloseDatabase::operator()(sqlite3* database) const { sqlite3_close_v2(database); }
void Store::Finalize::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }

Store::Store(Store&&) noexcept = default;
Store& Store::operator=(Store&&) noexcept = default;
Store::~Store() { statements_.clear(); }

std::optional<std::string> Entity::property(std::string_view name) const {
  const auto found =
      std::find_if(properties.begin(), properties.end(), [&](const auto& item) { return item.first == name; });
  if (found == properties.end()) return std::nullopt;
  return found->second;
}

/// A prepared statement in use: parameters are bound in order, and it is reset at the end of its scope.
class Store::Query {
 public:
  Query(Store& store, sqlite3_stmt* statement) : store_(store), statement_(statement) {}
  Query(const Query&) = delete;
  Query& operator=(const Query&) = delete;
  ~Query() { reset(); }

  Query& bind(std::int64_t value) {
    sqlite3_bind_int64(statement_, ++bound_, value);
    return *this;
  }
  Query& bind(double value) {
    sqlite3_bind_double(statement_, ++bound_, value);
    return *this;
  }
  Query& bind(std::string_view text) {
    sqlite3_bind_text64(statement_, ++bound_, text.data(), text.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
    return *this;
  }

  /// Goes to the next row. False at the end and after a failure.
  bool next() { return step() == SQLITE_ROW; }
  /// Runs to the end. True unless it failed.
  bool run() {
    int code = step();
    while (code == SQLITE_ROW) code = step();
    return code == SQLITE_DONE;
  }
  /// Like run(), but the refusal of a key that exists is not a failure: false.
  bool run_unless_key_exists() {
    if (statement_ == nullptr || store_.error_) return false;
    const int code = sqlite3_step(statement_);
    if (code == SQLITE_DONE) return true;
    if (sqlite3_extended_errcode(store_.database_.get()) != SQLITE_CONSTRAINT_PRIMARYKEY) store_.failed("cannot write");
    return false;
  }
  void reset() {
    if (statement_ == nullptr) return;
    sqlite3_reset(statement_);
    sqlite3_clear_bindings(statement_);
    bound_ = 0;
  }

  [[nodiscard]] bool is_null(int column) const { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }
  [[nodiscard]] std::int64_t integer(int column) const { return sqlite3_column_int64(statement_, column); }
  [[nodiscard]] double real(int column) const { return sqlite3_column_double(statement_, column); }
  [[nodiscard]] std::string text(int column) const {
    const auto* const data = static_cast<const char*>(sqlite3_column_blob(statement_, column));
    return {data == nullptr ? "" : data, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
  }

 private:
  int step() {
    if (statement_ == nullptr || store_.error_) return SQLITE_ERROR;
    const int code = sqlite3_step(statement_);
    if (code != SQLITE_ROW && code != SQLITE_DONE) store_.failed("database error");
    return code;
  }

  Store& store_;
  sqlite3_stmt* statement_;
  int bound_ = 0;
};

/// Undoes everything since its begin unless committed.
class Store::Transaction {
 public:
  explicit Transaction(Store& store) : store_(store) { open_ = store_.query("BEGIN IMMEDIATE").run(); }
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  ~Transaction() {
    if (open_) sqlite3_exec(store_.database_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
  }
  bool commit() {
    if (open_ && store_.query("COMMIT").run()) open_ = false;
    return !open_ && !store_.error_;
  }

 private:
  Store& store_;
  bool open_ = false;
};

Expected<Store> Store::open(const std::string& path, Mode mode) {
  sqlite3* raw = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | (mode == Mode::create ? SQLITE_OPEN_CREATE : 0);
  const int code = sqlite3_open_v2(path.c_str(), &raw, flags, nullptr);
  Store store(raw);
  if (code != SQLITE_OK) {
    auto error = database_error(raw, path, "cannot open the database");
    error.remedy = "the file and its folder must exist and be writable";
    return tl::unexpected(std::move(error));
  }
  if (auto ready = store.prepare_schema(path); !ready) return tl::unexpected(ready.error());
  return store;
}

Expected<void> Store::prepare_schema(const std::string& path) {
  sqlite3_busy_timeout(database_.get(), kBusyTimeoutMs);
  sqlite3_extended_result_codes(database_.get(), 1);
  const auto run = [&](const char* sql) {
    return sqlite3_exec(database_.get(), sql, nullptr, nullptr, nullptr) == SQLITE_OK;
  };
  // A file that is no database shows itself with the first access.
  if (!run("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;"))
    return tl::unexpected(database_error(database_.get(), path, "cannot use the database"));
  std::int64_t version = 0;
  if (auto pragma = query("PRAGMA user_version"); pragma.next()) version = pragma.integer(0);
  if (version > kSchemaVersion)
    return tl::unexpected(Error{.what = "the database was written by a newer version of this program",
                                .where = path,
                                .remedy = "update the program, or use another file",
                                .code = 0});
  if (version == kSchemaVersion) return {};
  std::int64_t foreign_tables = 0;
  if (auto tables = query("SELECT COUNT(*) FROM sqlite_master"); tables.next()) foreign_tables = tables.integer(0);
  if (foreign_tables != 0)
    return tl::unexpected(Error{
        .what = "the file is a database of another program", .where = path, .remedy = "use another file", .code = 0});
  if (!run("BEGIN IMMEDIATE") || !run(kSchema) || !run("PRAGMA user_version=1; COMMIT"))
    return tl::unexpected(database_error(database_.get(), path, "cannot set up the database"));
  return {};
}

Store::Query Store::query(const char* sql) {
  for (const auto& [key, statement] : statements_)
    if (key == sql) return {*this, statement.get()};
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v3(database_.get(), sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr) != SQLITE_OK)
    failed("cannot prepare a statement");
  else
    statements_.emplace_back(sql, statement);
  return {*this, statement};
}

void Store::failed(const char* doing) {
  if (!error_) error_ = database_error(database_.get(), "", doing);
}

std::optional<Error> Store::take_error() { return std::exchange(error_, std::nullopt); }

std::vector<Entity> Store::entities(Query& ids) {
  std::vector<Entity> out;
  while (ids.next()) out.push_back({.id = ids.integer(0), .uuid = ids.text(1), .type = ids.text(2), .properties = {}});
  for (auto& entity : out) {
    auto properties = query("SELECT pkey, value FROM properties WHERE entity_id=? ORDER BY pkey");
    properties.bind(entity.id);
    while (properties.next()) entity.properties.emplace_back(properties.text(0), properties.text(1));
  }
  return out;
}

std::optional<Entity> Store::find(std::string_view uuid) {
  auto ids = query("SELECT id, uuid, type FROM entities WHERE uuid=?");
  ids.bind(uuid);
  auto found = entities(ids);
  if (found.empty()) return std::nullopt;
  return std::move(found.front());
}

std::vector<Entity> Store::with_property(std::string_view name) {
  auto ids = query("SELECT id, uuid, type FROM entities JOIN properties ON entity_id=id WHERE pkey=? ORDER BY id");
  ids.bind(name);
  return entities(ids);
}

std::int64_t Store::save(const Entity& entity) {
  Transaction transaction(*this);
  std::int64_t id = entity.id;
  if (id == 0) {
    query("INSERT INTO entities (uuid, type) VALUES (?,?)").bind(entity.uuid).bind(entity.type).run();
    id = sqlite3_last_insert_rowid(database_.get());
  }
  query("DELETE FROM properties WHERE entity_id=?").bind(id).run();
  for (const auto& [name, value] : entity.properties)
    query("INSERT INTO properties (entity_id, pkey, value) VALUES (?,?,?)").bind(id).bind(name).bind(value).run();
  return !error_ && transaction.commit() ? id : 0;
}

void Store::remove(std::int64_t id) { query("DELETE FROM entities WHERE id=?").bind(id).run(); }

std::vector<Entity> Store::children(std::int64_t group) {
  auto ids = query(
      "SELECT id, uuid, type FROM entities JOIN entities_in_aggregator ON child_id=id WHERE parent_id=? ORDER BY id");
  ids.bind(group);
  return entities(ids);
}

void Store::add_child(std::int64_t group, std::int64_t child) {
  query("INSERT OR IGNORE INTO entities_in_aggregator (parent_id, child_id) VALUES (?,?)")
      .bind(group)
      .bind(child)
      .run();
}

void Store::remove_child(std::int64_t group, std::int64_t child) {
  query("DELETE FROM entities_in_aggregator WHERE parent_id=? AND child_id=?").bind(group).bind(child).run();
}

Store::Inserted Store::insert(std::int64_t channel, std::span<const Row> rows, OnDuplicate on_duplicate) {
  Transaction transaction(*this);
  Inserted result;
  auto insertion = query("INSERT INTO data (channel_id, timestamp, value) VALUES (?,?,?)");
  for (const auto& row : rows) {
    insertion.reset();
    insertion.bind(channel).bind(row.ms).bind(row.value);
    if (insertion.run_unless_key_exists()) {
      ++result.rows;
    } else if (error_) {
      return {};
    } else if (on_duplicate == OnDuplicate::refuse) {
      return {.rows = 0, .duplicate = row};
    }
  }
  insertion.reset();
  return transaction.commit() ? result : Inserted{};
}

std::vector<Row> Store::rows(std::int64_t channel, std::int64_t first, std::int64_t last, std::int64_t limit) {
  auto selection = query(
      "SELECT timestamp, value FROM data WHERE channel_id=? AND timestamp BETWEEN ? AND ? ORDER BY timestamp LIMIT ?");
  selection.bind(channel).bind(first).bind(last).bind(limit == 0 ? std::int64_t{-1} : limit);
  std::vector<Row> out;
  while (selection.next()) out.push_back({selection.integer(0), selection.real(1)});
  return out;
}

std::optional<std::int64_t> Store::stamp_before(std::int64_t channel, std::int64_t ms, int nth) {
  auto selection = query(
      "SELECT MIN(timestamp) FROM (SELECT timestamp FROM data WHERE channel_id=? AND timestamp<? "
      "ORDER BY timestamp DESC LIMIT ?)");
  selection.bind(channel).bind(ms).bind(std::int64_t{nth});
  if (!selection.next() || selection.is_null(0)) return std::nullopt;
  return selection.integer(0);
}

std::optional<std::int64_t> Store::stamp_after(std::int64_t channel, std::int64_t ms) {
  auto selection = query("SELECT MIN(timestamp) FROM data WHERE channel_id=? AND timestamp>?");
  selection.bind(channel).bind(ms);
  if (!selection.next() || selection.is_null(0)) return std::nullopt;
  return selection.integer(0);
}

std::int64_t Store::erase(std::int64_t channel, std::int64_t first, std::int64_t last) {
  auto deletion = query("DELETE FROM data WHERE channel_id=? AND timestamp BETWEEN ? AND ?");
  if (!deletion.bind(channel).bind(first).bind(last).run()) return 0;
  return sqlite3_changes64(database_.get());
}

std::int64_t Store::row_count() {
  auto count = query("SELECT COUNT(*) FROM data");
  return count.next() ? count.integer(0) : 0;
}

std::int64_t Store::size_bytes() {
  auto size = query("SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()");
  return size.next() ? size.integer(0) : 0;
}

}  // namespace vz::middleware
