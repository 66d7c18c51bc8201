// SPDX-License-Identifier: GPL-3.0-or-later
#include "platform/path_watch.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "platform/inotify.hpp"

namespace vz::platform {
namespace {

constexpr std::uint32_t kNames = IN_CREATE | IN_MOVED_TO | IN_ATTRIB;
constexpr std::uint32_t kFolder = IN_DELETE_SELF | IN_MOVE_SELF;
/// As many as the kernel follows.
constexpr int kMostLinks = 40;

/// Takes the first name off a relative path.
std::string take_name(std::string& rest) {
  const std::size_t begin = rest.find_first_not_of('/');
  if (begin == std::string::npos) {
    rest.clear();
    return {};
  }
  const std::size_t end = std::min(rest.find('/', begin), rest.size());
  std::string name = rest.substr(begin, end - begin);
  rest.erase(0, end);
  return name;
}

std::string read_link(const std::string& path) {
  std::error_code failed;
  const auto target = std::filesystem::read_symlink(path, failed);
  return failed ? std::string{} : target.string();
}

}  // namespace

PathWatch::PathWatch(const std::string& path) : path_(path), fd_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {
  follow_way();
}

void PathWatch::watch(const std::string& folder, std::string_view name) {
  if (!fd_ || names_.size() >= kMostWatches) return;
  // what else comes and goes in a folder that is only passed through must not wake anybody
  const int watched = ::inotify_add_watch(fd_.get(), folder.c_str(), kFolder | IN_ONLYDIR | (name.empty() ? 0U : kNames));
  if (watched < 0) return;
  names_.push_back({watched, std::string{name}});
  const auto named = [&](const Name& known) { return known.folder == watched && !known.name.empty(); };
  if (name.empty() && std::any_of(names_.begin(), names_.end(), named))  // a link has led here a second time
    ::inotify_add_watch(fd_.get(), folder.c_str(), kFolder | IN_ONLYDIR | kNames);
}

/// Goes the way of the path as the kernel would. Each folder is watched before it is looked into, so that nothing that
/// comes in between is missed.
void PathWatch::follow_way() {
  const std::vector<Name> before = std::exchange(names_, {});
  there_ = false;
  std::string folder = path_.starts_with('/') ? "/" : ".";
  std::string rest = path_;
  int links = 0;
  while (true) {
    const std::string name = take_name(rest);
    if (name.empty()) break;
    const std::string here = fmt::format("{}/{}", folder, name);
    const bool last = rest.find_first_not_of('/') == std::string::npos;
    struct stat found {};
    // a folder that is there tells of its own end: the one above it, where others come and go, can be left alone
    if (!last && ::lstat(here.c_str(), &found) == 0 && S_ISDIR(found.st_mode)) {
      folder = here;
      watch(folder, {});
      continue;
    }
    watch(folder, name);
    if (::lstat(here.c_str(), &found) != 0) break;
    if (S_ISLNK(found.st_mode)) {
      if (++links > kMostLinks) break;
      const std::string target = read_link(here);
      if (target.starts_with('/')) folder.assign(1, '/');
      rest = fmt::format("{}/{}", target, rest);
      continue;
    }
    if (last) there_ = true;
    if (last || !S_ISDIR(found.st_mode)) break;
    folder = here;
  }
  forget_others(before);
}

void PathWatch::forget_others(const std::vector<Name>& before) {
  for (const Name& old : before) {
    const bool used = std::any_of(names_.begin(), names_.end(), [&](const Name& n) { return n.folder == old.folder; });
    if (!used) ::inotify_rm_watch(fd_.get(), old.folder);  // the same one twice, or one that is gone: no harm
  }
}

bool PathWatch::heard() {
  if (!fd_) return false;
  bool any = false;
  take_inotify(fd_.get(), [&](const InotifyNews& news) {
    const auto on_the_way = [&](const Name& known) {
      if (known.folder != news.watch) return false;
      return (news.mask & kFolder) != 0 || (!known.name.empty() && known.name == news.name);
    };
    if ((news.mask & IN_Q_OVERFLOW) != 0 || std::any_of(names_.begin(), names_.end(), on_the_way)) any = true;
  });
  if (!any) return false;
  follow_way();
  return there_;
}

}  // namespace vz::platform
