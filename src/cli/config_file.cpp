// SPDX-License-Identifier: GPL-3.0-or-later
#include "cli/config_file.hpp"

#include <fcntl.h>
#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <ostream>

#include "cli/sync_folder.hpp"
#include "vz/protocol.hpp"
#include "vz/sink.hpp"

namespace vz::cli {
namespace {

Error file_error(const std::string& what, const std::string& path) {
  const int code = errno;
  const bool denied = code == EACCES || code == EPERM || code == EROFS;
  return {fmt::format("{}: {}", what, std::strerror(code)), path, denied ? "try it as root: sudo vzlogger ..." : "", code};
}

/// The file itself, not the links to it.
std::string target_of(const std::string& path) {
  std::error_code error;
  const auto real = std::filesystem::canonical(path, error);
  return error ? path : real.string();
}

/// Gives the file the owner and group of `old`. Without them the service might be unable to read its configuration.
bool belongs_to(int fd, const struct stat& old) {
  struct stat fresh {};
  if (::fstat(fd, &fresh) != 0) return false;
  if (fresh.st_uid == old.st_uid && fresh.st_gid == old.st_gid) return true;
  return ::fchown(fd, old.st_uid, old.st_gid) == 0;
}

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return ::fsync(fd) == 0;
}

/// Who may read a new configuration.
bool give_to_readers(int fd, const std::string& group) {
  constexpr mode_t kGroupReads = 0640;
  constexpr mode_t kAllRead = 0644;
  if (::geteuid() != 0) return ::fchmod(fd, kGroupReads) == 0;
  const struct group* readers = ::getgrnam(group.c_str());
  if (readers == nullptr) return ::fchmod(fd, kAllRead) == 0;
  return ::fchown(fd, static_cast<uid_t>(-1), readers->gr_gid) == 0 && ::fchmod(fd, kGroupReads) == 0;
}

}  // namespace

std::optional<ConfigFile> load_config(const std::string& path, std::ostream& err) {
  const auto text = config::read_file(path);
  if (!text) {
    err << text.error().text() << '\n';
    return std::nullopt;
  }
  ConfigFile file{path, *text, config::load(*text, {all_protocols(), all_sinks()})};
  if (file.result.settings) return file;
  for (const Problem& problem : file.result.problems)
    if (problem.severity == Problem::Severity::error) err << config::format(problem, path) << '\n';
  return std::nullopt;
}

Expected<void> may_replace(const std::string& path) {
  const std::string target = target_of(path);
  const std::string folder = std::filesystem::path(target).parent_path().string();
  if (::access(target.c_str(), W_OK) != 0 || ::access(folder.empty() ? "." : folder.c_str(), W_OK) != 0)
    return tl::unexpected(file_error("cannot be changed", path));
  struct stat old {};
  if (::stat(target.c_str(), &old) != 0) return tl::unexpected(file_error("cannot be changed", path));
  if (::geteuid() != 0 && old.st_uid != ::geteuid()) {
    errno = EPERM;  // only root can give the new file the old one's owner
    return tl::unexpected(file_error("cannot be changed", path));
  }
  return {};
}

Expected<void> replace_file(const std::string& path, const std::string& text) {
  const std::string target = target_of(path);
  std::string fresh = target + ".XXXXXX";
  const int fd = ::mkostemp(fresh.data(), O_CLOEXEC);
  if (fd < 0) return tl::unexpected(file_error("cannot be changed", path));
  struct stat old {};
  bool good = ::stat(target.c_str(), &old) == 0 && belongs_to(fd, old) && ::fchmod(fd, old.st_mode & 07777U) == 0;
  good = good && write_all(fd, text);
  const int code = errno;
  ::close(fd);
  errno = code;
  if (good && ::rename(fresh.c_str(), target.c_str()) == 0) {
    sync_folder(target);
    return {};
  }
  const Error error = file_error("cannot be changed", path);
  ::unlink(fresh.c_str());
  return tl::unexpected(error);
}

Expected<void> make_file(const std::string& path, const std::string& text, const std::string& readers) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return tl::unexpected(file_error("cannot be written", path));
  const bool good = give_to_readers(fd, readers) && write_all(fd, text);
  const Error error = good ? Error{} : file_error("cannot be written", path);
  ::close(fd);
  if (good) {
    sync_folder(path);
    return {};
  }
  ::unlink(path.c_str());
  return tl::unexpected(error);
}

}  // namespace vz::cli
