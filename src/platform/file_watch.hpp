// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>

#include "platform/fd.hpp"

namespace vz::platform {

/// Hears from the kernel (inotify) what happens to a file and, in its folder, to its name. A folder that goes is waited
/// for, too, in the nearest one that is there. Used by one thread.
class FileWatch final {
 public:
  struct Heard {
    bool changed = false;  ///< written to, or something happened to its name
    bool closed = false;   ///< a writer has closed it
    bool arrived = false;  ///< another file was renamed to it
  };

  /// Begins to watch the folder. Works without inotify, too: then fd() is -1 and nothing is ever heard.
  explicit FileWatch(const std::string& path);

  /// (Again) watches the file that has the name now. Nothing happens if there is none, or it is watched already.
  void watch_file();
  /// What has happened since the last call. Does not block.
  Heard heard();
  /// Readable when something has happened.
  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  void watch_folder();
  [[nodiscard]] int add(const std::string& folder) const;

  std::string path_;
  std::string name_;     ///< in its folder
  std::string parent_;   ///< its folder
  std::string awaited_;  ///< the name that counts in the folder that is watched
  Fd fd_;
  int folder_ = -1;  ///< the file's, or the nearest one that is there
  int file_ = -1;
};

}  // namespace vz::platform
