// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "platform/fd.hpp"

namespace vz::platform {

/// Hears from the kernel (inotify) when a path that could not be opened may be worth another try: it was made, moved into
/// place, or its rights were changed. Watches what is missing, in its nearest existing folder, every symbolic link on
/// the way and the end of it; the watches follow when links and folders come and go. At most kMostWatches of them.
/// Used by one thread. Without inotify, and for folders that may not be read, nothing is ever heard.
class PathWatch final {
 public:
  static constexpr std::size_t kMostWatches = 64;

  explicit PathWatch(const std::string& path);

  /// What has happened since the last call: true if the path is there and something on the way to it is new. Does not
  /// block.
  bool heard();
  /// Readable when something has happened. -1: there is no inotify.
  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  struct Name {
    int folder;        ///< its watch
    std::string name;  ///< what comes and goes in it; empty: the folder itself
  };
  void follow_way();
  void watch(const std::string& folder, std::string_view name);
  void forget_others(const std::vector<Name>& before);

  std::string path_;
  Fd fd_;
  std::vector<Name> names_;
  bool there_ = false;  ///< as of the last follow_way()
};

}  // namespace vz::platform
