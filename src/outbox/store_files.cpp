// SPDX-License-Identifier: GPL-3.0-or-later
#include "outbox/store_files.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <optional>
#include <utility>

namespace vz {
namespace {

std::string folder_of(const std::string& path) {
  const auto folder = std::filesystem::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
}

class SystemFiles final : public StoreFiles {
 public:
  ~SystemFiles() override { release(); }

  Expected<void> lock(const std::string& path) override {
    release();
    std::error_code ignored;
    std::filesystem::create_directories(folder_of(path), ignored);
    struct stat folder {};
    const bool inherits = ::geteuid() == 0 && ::stat(folder_of(path).c_str(), &folder) == 0;
    if (inherits) owner_ = {folder.st_uid, folder.st_gid};
    fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (fd_ < 0) {
      const int code = errno;
      return tl::unexpected(Error{.what = fmt::format("cannot open: {}", std::strerror(code)),
                                  .where = path,
                                  .remedy = "let the service's user write to that folder, or set outbox.path to "
                                            "a file elsewhere",
                                  .code = code});
    }
    if (::flock(fd_, LOCK_EX | LOCK_NB) == 0) {
      if (owner_ && ::fchown(fd_, owner_->first, owner_->second) != 0) owner_.reset();
      return {};
    }
    const int code = errno;
    release();
    return tl::unexpected(Error{.what = code == EWOULDBLOCK ? "another process is using this outbox"
                                                            : fmt::format("cannot lock: {}", std::strerror(code)),
                                .where = path,
                                .remedy = "stop the other one, or give this one a file of its own with outbox.path",
                                .code = code});
  }

  void release() override {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

  bool exists(const std::string& path) const override { return ::access(path.c_str(), F_OK) == 0; }

  std::uint64_t size(const std::string& path) const override {
    struct stat info {};
    return ::stat(path.c_str(), &info) == 0 ? static_cast<std::uint64_t>(info.st_size) : 0;
  }

  std::string read(const std::string& path, std::uint64_t offset, std::size_t size) const override {
    std::string bytes(size, '\0');
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    const auto got = fd < 0 ? ssize_t{0} : ::pread(fd, bytes.data(), size, static_cast<off_t>(offset));
    if (fd >= 0) ::close(fd);
    bytes.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return bytes;
  }

  bool rename(const std::string& from, const std::string& to) override {
    if (owner_ && ::lchown(from.c_str(), owner_->first, owner_->second) != 0) owner_.reset();
    return std::rename(from.c_str(), to.c_str()) == 0 && sync_folder(to);
  }

  bool remove(const std::string& path) override { return ::unlink(path.c_str()) == 0 || errno == ENOENT; }

 private:
  static bool sync_folder(const std::string& path) {
    const int fd = ::open(folder_of(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return false;
    const bool done = ::fsync(fd) == 0;
    ::close(fd);
    return done;
  }

  int fd_ = -1;
  /// Files that root makes belong to the owner of the folder, so that the service can use them afterwards.
  std::optional<std::pair<uid_t, gid_t>> owner_;
};

}  // namespace

std::unique_ptr<StoreFiles> system_files() { return std::make_unique<SystemFiles>(); }

}  // namespace vz
