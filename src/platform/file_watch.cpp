// SPDX-License-Identifier: GPL-3.0-or-later
#include "platform/file_watch.hpp"

#include <vector>

#include "platform/inotify.hpp"

namespace vz::platform {

namespace {

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

std::string name_of(const std::string& path) { return path.substr(path.rfind('/') + 1); }

}  // namespace

FileWatch::FileWatch(const std::string& path)
    : path_(path), name_(name_of(path)), parent_(folder_of(path)), fd_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {
  watch_folder();
  watch_file();
}

int FileWatch::add(const std::string& folder) const {
  return ::inotify_add_watch(fd_.get(), folder.c_str(),
                             IN_CREATE | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR);
}

void FileWatch::watch_folder() {
  if (!fd_) return;
  const int before = folder_;
  std::vector<std::string> missing;  // the folder wanted first, each in the next
  std::string here = parent_;
  folder_ = add(here);
  while (folder_ < 0 && here != "/" && here != ".") {
    missing.push_back(here);
    here = folder_of(here);
    folder_ = add(here);
  }
  // what was made meanwhile tells nothing any more
  while (!missing.empty()) {
    const int deeper = add(missing.back());
    if (deeper < 0) break;
    ::inotify_rm_watch(fd_.get(), folder_);
    folder_ = deeper;
    missing.pop_back();
  }
  awaited_ = missing.empty() ? name_ : name_of(missing.back());
  if (before >= 0 && before != folder_) ::inotify_rm_watch(fd_.get(), before);
}

void FileWatch::watch_file() {
  if (!fd_) return;
  const int watched = ::inotify_add_watch(fd_.get(), path_.c_str(), IN_MODIFY | IN_CLOSE_WRITE | IN_MOVE_SELF | IN_DELETE_SELF);
  if (watched < 0 || watched == file_) return;
  if (file_ >= 0) ::inotify_rm_watch(fd_.get(), file_);
  file_ = watched;
}

FileWatch::Heard FileWatch::heard() {
  Heard heard;
  if (!fd_) return heard;
  take_inotify(fd_.get(), [&](const InotifyNews& news) {
    if ((news.mask & IN_Q_OVERFLOW) != 0) heard.changed = true;
    if (news.watch != folder_ && news.watch != file_) return;
    if (news.watch == folder_) {
      const bool gone = (news.mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED)) != 0;
      if (!gone && (news.name.empty() || awaited_ != news.name)) return;
      if (gone || awaited_ != name_ || news.watch == file_) {
        watch_folder();
        heard.changed = true;
        return;
      }
    }
    if ((news.mask & IN_IGNORED) != 0) {
      if (news.watch == file_) file_ = -1;
      return;
    }
    heard.changed = true;
    if ((news.mask & IN_CLOSE_WRITE) != 0) heard.closed = true;
    if ((news.mask & IN_MOVED_TO) != 0) heard.arrived = true;
  });
  return heard;
}

}  // namespace vz::platform
