// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tools/middleware/properties.hpp"
#include "vz/error.hpp"

struct sqlite3;
struct sqlite3_stmt;

namespace vz::middleware {

/// One stored reading.
struct Row {
  std::int64_t ms = 0;  ///< milliseconds since the epoch
  double value = 0.0;
  bool operator==(const Row&) const = default;
};

/// A channel or a group with its properties.
struct Entity {
  std::int64_t id = 0;
  std::string uuid;
  std::string type;
  Properties properties;  ///< as read from the database: in the order of their names

  [[nodiscard]] std::optional<std::string> property(std::string_view name) const;
};

/// The middleware's tables in an SQLite database, laid out as in the original: entities, properties,
/// entities_in_aggregator and data with the key (channel_id, timestamp).
///
/// Values come back bit for bit as they went in, -0.0 included. A database in a file is journalled (WAL) and synced
/// with each commit; `:memory:` keeps it in RAM. Thread-compatible: one thread at a time.
///
/// Failure: the database's own errors (disk full, locked for more than two seconds, damaged) are kept and returned by
/// take_error(). Until it is asked, calls return empty results and write nothing; so it is asked once a request.
class Store final {
 public:
  enum class Mode {
    create,    ///< makes the file if there is none
    existing,  ///< fails without a file
  };
  static Expected<Store> open(const std::string& path, Mode mode = Mode::create);

  Store(Store&&) noexcept;
  Store& operator=(Store&&) noexcept;
  ~Store();

  /// The entity of that uuid, upper and lower case alike.
  [[nodiscard]] std::optional<Entity> find(std::string_view uuid);
  /// Entities that have this property, by id.
  [[nodiscard]] std::vector<Entity> with_property(std::string_view name);
  /// Adds an entity, or replaces the properties of one that has an id. Gives its id.
  std::int64_t save(const Entity& entity);
  /// Removes an entity with its properties, data and memberships.
  void remove(std::int64_t id);

  [[nodiscard]] std::vector<Entity> children(std::int64_t group);
  void add_child(std::int64_t group, std::int64_t child);
  void remove_child(std::int64_t group, std::int64_t child);

  enum class OnDuplicate { refuse, skip };
  struct Inserted {
    std::int64_t rows = 0;
    std::optional<Row> duplicate;  ///< the row that was there already: then nothing was stored
  };
  /// Stores all rows or none; with OnDuplicate::skip all that are new.
  Inserted insert(std::int64_t channel, std::span<const Row> rows, OnDuplicate on_duplicate);

  /// Rows with first <= ms <= last in time's order, at most `limit` (0: all).
  [[nodiscard]] std::vector<Row> rows(std::int64_t channel, std::int64_t first, std::int64_t last,
                                      std::int64_t limit = 0);
  /// The stamp of the `nth` row (1, 2) before `ms`; if there are fewer, of the first.
  [[nodiscard]] std::optional<std::int64_t> stamp_before(std::int64_t channel, std::int64_t ms, int nth);
  [[nodiscard]] std::optional<std::int64_t> stamp_after(std::int64_t channel, std::int64_t ms);
  /// Deletes rows with first <= ms <= last; gives their number.
  std::int64_t erase(std::int64_t channel, std::int64_t first, std::int64_t last);

  [[nodiscard]] std::int64_t row_count();
  [[nodiscard]] std::int64_t size_bytes();

  /// The first failure since the last call, or nothing.
  [[nodiscard]] std::optional<Error> take_error();

 private:
  struct CloseDatabase {
    void operator()(sqlite3* database) const;
  };
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  class Query;
  class Transaction;

  explicit Store(sqlite3* database) : database_(database) {}
  Query query(const char* sql);
  [[nodiscard]] std::vector<Entity> entities(Query& ids);
  void failed(const char* doing);
  Expected<void> prepare_schema(const std::string& path);

  std::unique_ptr<sqlite3, CloseDatabase> database_;
  /// Prepared once each; the key is the address of the SQL literal.
  std::vector<std::pair<const char*, std::unique_ptr<sqlite3_stmt, Finalize>>> statements_;
  std::optional<Error> error_;
};

}  // namespace vz::middleware
