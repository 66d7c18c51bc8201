// SPDX-License-Identifier: GPL-3.0-or-later
#include "outbox/sqlite.hpp"

#include <sqlite3.h>

#include <utility>

namespace vz {
namespace {

int primary(int code) { return code & 0xff; }

std::string remedy(int code) {
  switch (primary(code)) {
    case SQLITE_FULL: return "free space on that disk";
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_CANTOPEN: return "let the service's user write to that folder, or set outbox.path to a file elsewhere";
    case SQLITE_IOERR: return "the disk or card may be failing: look at the kernel's messages (dmesg)";
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return "another program has this file open";
    default: return {};
  }
}

}  // namespace

Expected<std::unique_ptr<Sqlite>> Sqlite::open(const std::string& path, const std::string& vfs) {
  sqlite3* raw = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &raw, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                                   vfs.empty() ? nullptr : vfs.c_str());
  std::unique_ptr<Sqlite> db(new Sqlite(path, raw));
  if (raw != nullptr) sqlite3_extended_result_codes(raw, 1);
  if (code == SQLITE_OK) return db;
  db->fail(code);
  return tl::unexpected(db->failure());
}

Sqlite::~Sqlite() {
  for (const auto& [sql, statement] : statements_) sqlite3_finalize(statement);
  sqlite3_close_v2(db_);
}

void Sqlite::fail(int code) {
  if (code_ != 0) return;
  code_ = code == SQLITE_OK ? SQLITE_ERROR : code;
  message_ = db_ != nullptr ? sqlite3_errmsg(db_) : sqlite3_errstr(code);
}

void Sqlite::call_damaged(std::string what) {
  if (code_ != 0) return;
  code_ = SQLITE_CORRUPT;
  message_ = std::move(what);
}

bool Sqlite::damaged() const { return primary(code_) == SQLITE_CORRUPT || primary(code_) == SQLITE_NOTADB; }

Error Sqlite::failure() {
  Error error{.what = "database error: " + message_, .where = path_, .remedy = remedy(code_), .code = 0};
  code_ = 0;
  message_.clear();
  return error;
}

void Sqlite::leave_log() { sqlite3_db_config(db_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr); }

Sqlite::Query Sqlite::query(const char* sql) {
  if (!good()) return {*this, nullptr};
  sqlite3_stmt*& statement = statements_[sql];
  if (statement == nullptr) {
    const int code = sqlite3_prepare_v3(db_, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
    if (code != SQLITE_OK) fail(code);
  }
  return {*this, good() ? statement : nullptr};
}

bool Sqlite::exec(const char* sql) {
  if (!good()) return false;
  const int code = sqlite3_exec(db_, sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) fail(code);
  return good();
}

std::int64_t Sqlite::integer(const char* sql) {
  Query q = query(sql);
  return q.row() ? q.integer(0) : -1;
}

Sqlite::Query::~Query() {
  if (statement_ == nullptr) return;
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

Sqlite::Query& Sqlite::Query::bind(std::int64_t value) {
  if (statement_ != nullptr) sqlite3_bind_int64(statement_, ++bound_, value);
  return *this;
}

Sqlite::Query& Sqlite::Query::bind(double value) {
  if (statement_ != nullptr) sqlite3_bind_double(statement_, ++bound_, value);
  return *this;
}

Sqlite::Query& Sqlite::Query::bind(std::string_view text) {
  if (statement_ != nullptr)
    sqlite3_bind_text(statement_, ++bound_, text.data(), static_cast<int>(text.size()), SQLITE_TRANSIENT);
  return *this;
}

Sqlite::Query& Sqlite::Query::bind_blob(std::string_view bytes) {
  if (statement_ != nullptr)
    sqlite3_bind_blob(statement_, ++bound_, bytes.data(), static_cast<int>(bytes.size()), SQLITE_TRANSIENT);
  return *this;
}

bool Sqlite::Query::row() {
  if (statement_ == nullptr || !db_.good()) return false;
  const int code = sqlite3_step(statement_);
  if (code != SQLITE_ROW && code != SQLITE_DONE) db_.fail(code);
  return code == SQLITE_ROW;
}

bool Sqlite::Query::run() {
  while (row()) {
  }
  return db_.good();
}

std::int64_t Sqlite::Query::integer(int column) const { return sqlite3_column_int64(statement_, column); }
double Sqlite::Query::real(int column) const { return sqlite3_column_double(statement_, column); }

std::string_view Sqlite::Query::bytes(int column) const {
  const void* data = sqlite3_column_blob(statement_, column);
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_, column));
  return data == nullptr ? std::string_view{} : std::string_view{static_cast<const char*>(data), size};
}

bool Sqlite::Query::null(int column) const { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }

}  // namespace vz
