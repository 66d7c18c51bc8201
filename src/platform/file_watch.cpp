// SPDX-License-Identifier: GPL-3.0-or-later
#include "platform/file_watch.hpp"

#include <sys/inotify.h>

#include <array>
#include <cstring>

namespace vz::platform {

FileWatch::FileWatch(const std::string& path) : path_(path), fd_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {
  const std::size_t slash = path.rfind('/');
  name_ = slash == std::string::npos ? path : path.substr(slash + 1);
  const std::string folder = slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
  if (fd_) folder_ = ::inotify_add_watch(fd_.get(), folder.c_str(), IN_CREATE | IN_MOVED_TO | IN_ONLYDIR);
  watch_file();
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
  constexpr int kMostReads = 64;  // a file that never rests must not hold the thread
  alignas(inotify_event) std::array<char, 8192> buffer;
  for (int i = 0; i < kMostReads; ++i) {
    const ssize_t count = ::read(fd_.get(), buffer.data(), buffer.size());
    if (count <= 0) break;
    for (const char* at = buffer.data(); at < buffer.data() + count;) {
      inotify_event event;
      std::memcpy(&event, at, sizeof event);
      const char* const name = at + sizeof event;
      at = name + event.len;
      if ((event.mask & IN_Q_OVERFLOW) != 0) heard.changed = true;
      if (event.wd == folder_ && (event.len == 0 || name_ != name)) continue;
      if (event.wd != folder_ && event.wd != file_) continue;
      if ((event.mask & IN_IGNORED) != 0) {
        if (event.wd == file_) file_ = -1;
        continue;
      }
      heard.changed = true;
      if ((event.mask & IN_CLOSE_WRITE) != 0) heard.closed = true;
      if ((event.mask & IN_MOVED_TO) != 0) heard.arrived = true;
    }
  }
  return heard;
}

}  // namespace vz::platform
