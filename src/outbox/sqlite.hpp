// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "vz/error.hpp"

struct sqlite3;
struct sqlite3_stmt;

namespace vz {

/// A connection to one SQLite file. The first failure sticks: from then on every call does nothing and says "no", until
/// the failure is taken with failure(). So a row of statements needs one check at its end.
/// Used by one thread at a time. Never throws but for memory.
class Sqlite {
 public:
  /// Opens or creates the file. `vfs` empty: the default one.
  static Expected<std::unique_ptr<Sqlite>> open(const std::string& path, const std::string& vfs);
  ~Sqlite();
  Sqlite(const Sqlite&) = delete;
  Sqlite& operator=(const Sqlite&) = delete;

  /// A prepared statement at work; reset when it goes. Its text must be a constant: statements are kept by it.
  class Query {
   public:
    ~Query();
    Query(const Query&) = delete;
    Query& operator=(const Query&) = delete;
    Query& bind(std::int64_t value);
    Query& bind(double value);
    Query& bind(std::string_view text);
    Query& bind_blob(std::string_view bytes);
    /// True if there is a (next) row.
    bool row();
    /// For statements without rows. False if it failed.
    bool run();
    [[nodiscard]] std::int64_t integer(int column) const;
    [[nodiscard]] double real(int column) const;
    /// Valid until the next row.
    [[nodiscard]] std::string_view bytes(int column) const;
    [[nodiscard]] bool null(int column) const;

   private:
    friend class Sqlite;
    Query(Sqlite& db, sqlite3_stmt* statement) : db_(db), statement_(statement) {}
    Sqlite& db_;
    sqlite3_stmt* statement_;
    int bound_ = 0;
  };

  Query query(const char* sql);
  bool exec(const char* sql);
  /// The first integer of the first row; -1 if there is none.
  std::int64_t integer(const char* sql);

  [[nodiscard]] bool good() const { return code_ == 0; }
  /// Calls the file damaged, although SQLite has not noticed.
  void call_damaged(std::string what);
  [[nodiscard]] bool damaged() const;
  /// The failure as an Error; all is well again afterwards.
  Error failure();
  /// Leaves the write-ahead log behind at the end, for a file that is to be kept as it is.
  void leave_log();

 private:
  Sqlite(std::string path, sqlite3* db) : path_(std::move(path)), db_(db) {}
  void fail(int code);

  std::string path_;
  sqlite3* db_;
  std::map<const char*, sqlite3_stmt*> statements_;
  int code_ = 0;
  std::string message_;
};

}  // namespace vz
