// SPDX-License-Identifier: GPL-3.0-or-later
// A disk in memory, as a SQLite VFS, that crashes where it is told to and then forgets, re-orders and tears what was
// not synced. Deterministic: the same seed and calls give the same files.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/backoff.hpp"
#include "outbox/store_files.hpp"

namespace vz::test {

/// Files, what of them has reached the platter, and what is on its way there. One thread. Must outlive every connection
/// and every StoreFiles made from it.
class CrashDisk {
 public:
  explicit CrashDisk(std::uint64_t seed);
  ~CrashDisk();
  CrashDisk(const CrashDisk&) = delete;
  CrashDisk& operator=(const CrashDisk&) = delete;

  /// The files as the store wants them. The lock excludes other StoreFiles of this disk.
  std::unique_ptr<StoreFiles> files();

  enum class Loss {
    nothing,  ///< the process was killed, the machine goes on
    power,    ///< each unsynced write is kept, lost or torn, whatever came later
    all,      ///< every unsynced write is lost
  };
  /// From the n-th change (write, sync, truncate, delete, rename) from now on nothing works any more; 1: the next one.
  void crash_after(std::uint64_t changes) { crash_in_ = changes; }
  void crash_now() { crashed_ = true; }
  [[nodiscard]] bool crashed() const { return crashed_; }
  /// After all connections are gone: what is left on the disk. It works again.
  void reboot(Loss loss);

  bool full = false;          ///< writes that need space fail
  bool failing = false;       ///< all writes and syncs fail
  bool sync_fails = false;    ///< syncs fail, but what was written may be found later
  bool lies_on_sync = false;  ///< syncs do nothing, for a test of the test

  [[nodiscard]] std::uint64_t bytes() const;  ///< of all files
  [[nodiscard]] std::uint64_t changes() const { return changes_; }
  [[nodiscard]] std::uint64_t written() const { return written_; }
  [[nodiscard]] std::uint64_t syncs() const { return syncs_; }
  /// What the crashes did to unsynced writes.
  struct Losses {
    std::uint64_t lost = 0;
    std::uint64_t torn = 0;
    std::uint64_t reordered = 0;  ///< kept although an earlier one of the same file was lost
    std::uint64_t undone = 0;     ///< files that were not there any more, or again
  };
  [[nodiscard]] const Losses& losses() const { return losses_; }
  [[nodiscard]] std::vector<std::string> names() const;
  /// The bytes of a file, to be damaged; null if there is none. What is on the platter changes with the next sync.
  std::string* content(const std::string& name);

  // For the VFS.
  struct Change {
    std::int64_t offset = 0;
    std::string bytes;
    std::int64_t truncate_to = -1;
  };
  struct File {
    std::string current;
    std::string platter;
    std::vector<Change> pending;
    bool named = false;  ///< its directory entry has reached the platter
  };
  std::shared_ptr<File> open(const std::string& name, bool create);
  int write(File& file, const void* data, int size, std::int64_t offset);
  int truncate(File& file, std::int64_t size);
  int sync(File& file);
  int remove(const std::string& name, bool synced);
  bool rename(const std::string& from, const std::string& to);
  [[nodiscard]] bool has(const std::string& name) const { return files_.contains(name); }
  [[nodiscard]] const std::string& vfs_name() const { return name_; }
  JitterSource& random() { return random_; }
  void set_locked(bool locked) { locked_ = locked; }
  [[nodiscard]] bool locked() const { return locked_; }

 private:
  bool change();
  static void apply(std::string& content, const Change& change);
  void lose(File& file, Loss loss);

  std::string name_;
  sqlite3_vfs vfs_{};
  JitterSource random_;
  std::map<std::string, std::shared_ptr<File>> files_;
  std::map<std::string, std::shared_ptr<File>> deleted_;  ///< may come back
  std::uint64_t crash_in_ = 0;
  std::uint64_t changes_ = 0;
  std::uint64_t written_ = 0;
  std::uint64_t syncs_ = 0;
  Losses losses_;
  bool crashed_ = false;
  bool locked_ = false;
};

}  // namespace vz::test
