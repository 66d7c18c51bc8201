// SPDX-License-Identifier: GPL-3.0-or-later
#include "cli/output_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "cli/sync_folder.hpp"
#include "platform/wait.hpp"

namespace vz::cli {
namespace {

constexpr mode_t kForTheUser = 0600;
constexpr mode_t kAsTheUserHasIt = 0666;  // less the umask

tl::unexpected<Error> failed(std::string what, const std::string& path, int code) {
  return tl::unexpected(Error{std::move(what), path, code == ENOSPC ? "make room, or name another place" : "name a file in a folder of yours", code});
}

/// The file itself, not the links to it; it need not be there yet.
std::string without_links(const std::string& path) {
  namespace fs = std::filesystem;
  constexpr int kMostLinks = 40;  // as the kernel has it
  std::error_code error;
  if (const auto real = fs::canonical(path, error); !error) return real.string();
  fs::path at = path;
  for (int i = 0; i < kMostLinks && fs::is_symlink(fs::symlink_status(at, error)); ++i) {
    const auto next = fs::read_symlink(at, error);
    if (error) break;
    at = at.parent_path() / next;  // an absolute one replaces all of it
  }
  return at.string();
}

}  // namespace

OutputFile::~OutputFile() {
  if (!fresh_.empty()) ::unlink(fresh_.c_str());
}

Expected<void> OutputFile::open() {
  target_ = without_links(path_);
  struct stat old {};
  const bool there = ::stat(target_.c_str(), &old) == 0;
  if (!there && errno != ENOENT) return failed("cannot be written: " + platform::errno_text(errno), path_, errno);
  if (there && S_ISDIR(old.st_mode)) return failed("is a folder", path_, EISDIR);
  std::string way = target_;
  if (!there || S_ISREG(old.st_mode)) {
    fresh_ = fmt::format("{}.{}.new", target_, ::getpid());
    made_ = platform::Fd(::open(fresh_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, there ? kForTheUser : kAsTheUserHasIt));
    if (!made_) {
      const int code = errno;
      fresh_.clear();
      return failed("cannot be written: " + platform::errno_text(code), path_, code);
    }
    if (there && ::geteuid() == 0) (void)::fchown(made_.get(), old.st_uid, old.st_gid);  // a user's file stays his
    if (there) (void)::fchmod(made_.get(), old.st_mode & 0777U);
    way = fresh_;
  }
  stream_.open(way, std::ios::binary);
  if (!stream_) return failed("cannot be written: " + platform::errno_text(errno), path_, errno);
  return {};
}

Expected<void> OutputFile::finish() {
  stream_.close();  // writes what is left
  if (!stream_) return failed("cannot be written to its end: " + platform::errno_text(errno), path_, errno);
  if (fresh_.empty()) return {};
  // what was exported may be thrown away next: it has to outlast a power cut
  if (::fsync(made_.get()) != 0)
    return failed("cannot be written to its end: " + platform::errno_text(errno), path_, errno);
  if (::rename(fresh_.c_str(), target_.c_str()) != 0)
    return failed("cannot be put in its place: " + platform::errno_text(errno), path_, errno);
  fresh_.clear();
  sync_folder(target_);
  return {};
}

}  // namespace vz::cli
