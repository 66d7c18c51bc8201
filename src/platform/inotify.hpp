// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <string_view>

namespace vz::platform {

/// What the kernel tells of a watched file or folder.
struct InotifyNews {
  int watch = -1;
  std::uint32_t mask = 0;
  std::string_view name;  ///< of a folder's entry; empty: the watched itself. Valid during the call
};

/// Takes what has come from an inotify descriptor that does not block, and calls `use(const InotifyNews&)` for each. At most
/// 64 reads: a file that never rests must not hold the thread; the rest stays for the next time.
template <typename Use>
void take_inotify(int fd, Use use) {
  constexpr int kMostReads = 64;
  alignas(inotify_event) std::array<char, 8192> buffer;
  for (int i = 0; i < kMostReads; ++i) {
    const ssize_t count = ::read(fd, buffer.data(), buffer.size());
    if (count <= 0) return;
    for (const char* at = buffer.data(); at < buffer.data() + count;) {
      inotify_event event;
      std::memcpy(&event, at, sizeof event);
      const char* const name = at + sizeof event;
      at = name + event.len;
      use(InotifyNews{event.wd, event.mask, event.len > 0 ? std::string_view{name} : std::string_view{}});  // padded with NULs
    }
  }
}

}  // namespace vz::platform
