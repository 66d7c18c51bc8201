// SPDX-License-Identifier: GPL-3.0-or-later
#include "cli/output_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "platform/fd.hpp"
#include "platform/wait.hpp"

namespace vz::cli {
namespace {

constexpr mode_t kForTheUser = 0600;
constexpr mode_t kAsTheUserHasIt = 0666;  // less the umask

tl::unexpected<Error> failed(std::string what, const std::string& path, int code) {
  return tl::unexpected(Error{std::move(what), path, code == ENOSPC ? "make room, or name another place" : "name a file in a folder of yours", code});
}

}  // namespace

OutputFile::~OutputFile() {
  if (!fresh_.empty()) ::unlink(fresh_.c_str());
}

Expected<void> OutputFile::open() {
  std::error_code missing;
  const auto real = std::filesystem::canonical(path_, missing);
  target_ = missing ? path_ : real.string();
  struct stat old {};
  const bool there = ::stat(target_.c_str(), &old) == 0;
  if (there && S_ISDIR(old.st_mode)) return failed("is a folder", path_, EISDIR);
  std::string way = target_;
  if (!there || S_ISREG(old.st_mode)) {
    fresh_ = fmt::format("{}.{}.new", target_, ::getpid());
    const platform::Fd made{::open(fresh_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, there ? kForTheUser : kAsTheUserHasIt)};
    if (!made) {
      const int code = errno;
      fresh_.clear();
      return failed("cannot be written: " + platform::errno_text(code), path_, code);
    }
    if (there) (void)::fchmod(made.get(), old.st_mode & 0777U);
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
  if (::rename(fresh_.c_str(), target_.c_str()) != 0)
    return failed("cannot be put in its place: " + platform::errno_text(errno), path_, errno);
  fresh_.clear();
  return {};
}

}  // namespace vz::cli
