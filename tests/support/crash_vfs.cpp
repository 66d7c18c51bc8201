// SPDX-License-Identifier: GPL-3.0-or-later
#include "support/crash_vfs.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>

namespace vz::test {
namespace {

constexpr std::int64_t kSector = 512;

struct Handle {
  sqlite3_file base;
  CrashDisk* disk;
  std::shared_ptr<CrashDisk::File>* file;
  bool delete_on_close;
};

Handle& handle(sqlite3_file* file) { return *reinterpret_cast<Handle*>(file); }
CrashDisk& disk_of(sqlite3_vfs* vfs) { return *static_cast<CrashDisk*>(vfs->pAppData); }

int x_close(sqlite3_file* file) {
  delete handle(file).file;
  handle(file).file = nullptr;
  return SQLITE_OK;
}

int x_read(sqlite3_file* file, void* out, int size, sqlite3_int64 offset) {
  const std::string& content = (*handle(file).file)->current;
  if (handle(file).disk->crashed()) return SQLITE_IOERR_READ;
  const auto have = std::clamp<sqlite3_int64>(static_cast<sqlite3_int64>(content.size()) - offset, 0, size);
  if (have > 0) std::memcpy(out, content.data() + offset, static_cast<std::size_t>(have));
  if (have == size) return SQLITE_OK;
  std::memset(static_cast<char*>(out) + have, 0, static_cast<std::size_t>(size - have));
  return SQLITE_IOERR_SHORT_READ;
}

int x_write(sqlite3_file* file, const void* data, int size, sqlite3_int64 offset) {
  return handle(file).disk->write(**handle(file).file, data, size, offset);
}
int x_truncate(sqlite3_file* file, sqlite3_int64 size) {
  return handle(file).disk->truncate(**handle(file).file, size);
}
int x_sync(sqlite3_file* file, int) { return handle(file).disk->sync(**handle(file).file); }
int x_size(sqlite3_file* file, sqlite3_int64* size) {
  *size = static_cast<sqlite3_int64>((*handle(file).file)->current.size());
  return SQLITE_OK;
}
int x_lock(sqlite3_file*, int) { return SQLITE_OK; }
int x_check_lock(sqlite3_file*, int* out) {
  *out = 0;
  return SQLITE_OK;
}
int x_control(sqlite3_file*, int, void*) { return SQLITE_NOTFOUND; }
int x_sector(sqlite3_file*) { return 4096; }
int x_device(sqlite3_file*) { return SQLITE_IOCAP_POWERSAFE_OVERWRITE; }

const sqlite3_io_methods kMethods = {1,      x_close, x_read,        x_write,   x_truncate, x_sync, x_size, x_lock,
                                     x_lock, x_check_lock, x_control, x_sector, x_device, nullptr, nullptr, nullptr,
                                     nullptr, nullptr, nullptr};

int x_open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  CrashDisk& disk = disk_of(vfs);
  handle(file).base.pMethods = nullptr;
  if (disk.crashed()) return SQLITE_IOERR;
  auto found = name == nullptr ? std::make_shared<CrashDisk::File>()
                               : disk.open(name, (flags & SQLITE_OPEN_CREATE) != 0);
  if (!found) return SQLITE_CANTOPEN;
  handle(file).disk = &disk;
  handle(file).file = new std::shared_ptr<CrashDisk::File>(std::move(found));
  handle(file).base.pMethods = &kMethods;
  if (out_flags != nullptr) *out_flags = flags;
  return SQLITE_OK;
}
int x_delete(sqlite3_vfs* vfs, const char* name, int synced) { return disk_of(vfs).remove(name, synced != 0); }
int x_access(sqlite3_vfs* vfs, const char* name, int, int* out) {
  *out = disk_of(vfs).has(name) ? 1 : 0;
  return SQLITE_OK;
}
int x_full_path(sqlite3_vfs*, const char* name, int size, char* out) {
  sqlite3_snprintf(size, out, "%s", name);
  return SQLITE_OK;
}
int x_random(sqlite3_vfs* vfs, int size, char* out) {
  for (int i = 0; i < size; ++i) out[i] = static_cast<char>(disk_of(vfs).random().next());
  return size;
}
int x_sleep(sqlite3_vfs*, int microseconds) { return microseconds; }
int x_time(sqlite3_vfs*, double* out) {
  *out = 2460000.5;
  return SQLITE_OK;
}
int x_error(sqlite3_vfs*, int, char*) { return 0; }

std::atomic<int> g_number{0};

class MemoryFiles final : public StoreFiles {
 public:
  explicit MemoryFiles(CrashDisk& disk) : disk_(disk) {}
  ~MemoryFiles() override { release(); }
  std::string vfs() const override { return disk_.vfs_name(); }
  Expected<void> lock(const std::string& path) override {
    if (disk_.crashed()) return tl::unexpected(Error{.what = "the machine is off", .where = path, .remedy = {}});
    if (disk_.locked()) return tl::unexpected(Error{.what = "another process", .where = path, .remedy = {}});
    disk_.set_locked(true);
    mine_ = true;
    return {};
  }
  void release() override {
    if (mine_) disk_.set_locked(false);
    mine_ = false;
  }
  bool exists(const std::string& path) const override { return disk_.has(path); }
  std::uint64_t size(const std::string& path) const override {
    const std::string* content = disk_.content(path);
    return content == nullptr ? 0 : content->size();
  }
  std::string read(const std::string& path, std::uint64_t offset, std::size_t size) const override {
    const std::string* content = disk_.content(path);
    if (content == nullptr || disk_.crashed() || offset >= content->size()) return {};
    return content->substr(static_cast<std::size_t>(offset), size);
  }
  bool rename(const std::string& from, const std::string& to) override { return disk_.rename(from, to); }
  bool remove(const std::string& path) override {
    return !disk_.has(path) || disk_.remove(path, false) == SQLITE_OK;
  }

 private:
  CrashDisk& disk_;
  bool mine_ = false;
};

}  // namespace

CrashDisk::CrashDisk(std::uint64_t seed) : name_(fmt::format("crash-{}", ++g_number)), random_(seed) {
  vfs_.iVersion = 1;
  vfs_.szOsFile = sizeof(Handle);
  vfs_.mxPathname = 512;
  vfs_.zName = name_.c_str();
  vfs_.pAppData = this;
  vfs_.xOpen = x_open;
  vfs_.xDelete = x_delete;
  vfs_.xAccess = x_access;
  vfs_.xFullPathname = x_full_path;
  vfs_.xRandomness = x_random;
  vfs_.xSleep = x_sleep;
  vfs_.xCurrentTime = x_time;
  vfs_.xGetLastError = x_error;
  sqlite3_vfs_register(&vfs_, 0);
}

CrashDisk::~CrashDisk() { sqlite3_vfs_unregister(&vfs_); }

std::unique_ptr<StoreFiles> CrashDisk::files() { return std::make_unique<MemoryFiles>(*this); }

bool CrashDisk::change() {
  if (crashed_) return false;
  ++changes_;
  if (crash_in_ > 0 && --crash_in_ == 0) crashed_ = true;
  return true;
}

std::shared_ptr<CrashDisk::File> CrashDisk::open(const std::string& name, bool create) {
  const auto found = files_.find(name);
  if (found != files_.end()) return found->second;
  if (!create || full || failing) return nullptr;
  return files_[name] = std::make_shared<File>();
}

void CrashDisk::apply(std::string& content, const Change& change) {
  if (change.truncate_to >= 0) {
    if (content.size() > static_cast<std::size_t>(change.truncate_to)) {
      content.resize(static_cast<std::size_t>(change.truncate_to));
    }
    return;
  }
  const auto offset = static_cast<std::size_t>(change.offset);
  if (content.size() < offset + change.bytes.size()) content.resize(offset + change.bytes.size());
  std::memcpy(content.data() + offset, change.bytes.data(), change.bytes.size());
}

int CrashDisk::write(File& file, const void* data, int size, std::int64_t offset) {
  if (failing) return SQLITE_IOERR_WRITE;
  if (full && static_cast<std::size_t>(offset + size) > file.current.size()) return SQLITE_FULL;
  if (!change()) return SQLITE_IOERR_WRITE;
  file.pending.push_back({offset, std::string(static_cast<const char*>(data), static_cast<std::size_t>(size)), -1});
  apply(file.current, file.pending.back());
  written_ += static_cast<std::uint64_t>(size);
  return crashed_ ? SQLITE_IOERR_WRITE : SQLITE_OK;
}

int CrashDisk::truncate(File& file, std::int64_t size) {
  if (failing) return SQLITE_IOERR_TRUNCATE;
  if (!change()) return SQLITE_IOERR_TRUNCATE;
  file.pending.push_back({0, {}, size});
  apply(file.current, file.pending.back());
  return crashed_ ? SQLITE_IOERR_TRUNCATE : SQLITE_OK;
}

int CrashDisk::sync(File& file) {
  if (failing || sync_fails) return SQLITE_IOERR_FSYNC;
  // A crash in the middle of a sync: the writes are still on their way.
  if (!change() || crashed_) return SQLITE_IOERR_FSYNC;
  ++syncs_;
  if (lies_on_sync) return SQLITE_OK;
  for (const Change& pending : file.pending) apply(file.platter, pending);
  file.pending.clear();
  // SQLite syncs the directory together with a new file, and that makes earlier deletions last, too.
  if (!file.named) deleted_.clear();
  file.named = true;
  return SQLITE_OK;
}

int CrashDisk::remove(const std::string& name, bool synced) {
  if (!has(name)) return SQLITE_IOERR_DELETE_NOENT;
  if (failing || !change()) return SQLITE_IOERR_DELETE;
  deleted_.erase(name);
  if (!synced || crashed_) deleted_[name] = files_[name];
  files_.erase(name);
  return crashed_ ? SQLITE_IOERR_DELETE : SQLITE_OK;
}

bool CrashDisk::rename(const std::string& from, const std::string& to) {
  if (!has(from) || failing || !change() || crashed_) return false;
  files_[to] = files_[from];
  files_[to]->named = true;
  files_.erase(from);
  deleted_.erase(from);
  deleted_.erase(to);
  return true;
}

void CrashDisk::lose(File& file, Loss loss) {
  if (loss == Loss::all) losses_.lost += file.pending.size();
  if (loss == Loss::power) {
    bool gap = false;
    for (Change& change : file.pending) {
      const std::uint64_t fate = random_.next() % 4;
      if (fate == 0) {
        gap = true;
        ++losses_.lost;
        continue;
      }
      if (gap) ++losses_.reordered;
      const auto sectors = static_cast<std::int64_t>(change.bytes.size()) / kSector;
      if (fate == 1 && sectors > 0) {
        // Only one end of it arrived.
        ++losses_.torn;
        const auto cut =
            static_cast<std::size_t>(kSector * static_cast<std::int64_t>(random_.next() % static_cast<std::uint64_t>(sectors)));
        if (random_.next() % 2 == 0) {
          change.bytes.resize(cut);
        } else {
          change.bytes.erase(0, cut);
          change.offset += static_cast<std::int64_t>(cut);
        }
      }
      if (change.truncate_to >= 0 || !change.bytes.empty()) apply(file.platter, change);
    }
  }
  file.pending.clear();
  file.current = file.platter;
}

void CrashDisk::reboot(Loss loss) {
  crashed_ = false;
  crash_in_ = 0;
  locked_ = false;
  if (loss == Loss::nothing) return;
  for (const auto& [name, file] : deleted_) {
    if (!file->named || has(name) || random_.next() % 2 != 0) continue;
    files_[name] = file;
    ++losses_.undone;
  }
  deleted_.clear();
  for (auto place = files_.begin(); place != files_.end();) {
    lose(*place->second, loss);
    const bool vanishes = !place->second->named && (loss == Loss::all || random_.next() % 2 == 0);
    losses_.undone += vanishes ? 1 : 0;
    place = vanishes ? files_.erase(place) : std::next(place);
  }
}

std::uint64_t CrashDisk::bytes() const {
  std::uint64_t sum = 0;
  for (const auto& [name, file] : files_) sum += file->current.size();
  return sum;
}

std::vector<std::string> CrashDisk::names() const {
  std::vector<std::string> out;
  for (const auto& [name, file] : files_) out.push_back(name);
  return out;
}

std::string* CrashDisk::content(const std::string& name) {
  const auto found = files_.find(name);
  return found == files_.end() ? nullptr : &found->second->current;
}

}  // namespace vz::test
