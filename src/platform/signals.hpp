// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <optional>

#include "platform/fd.hpp"
#include "vz/error.hpp"

namespace vz {

/// The daemon's signals as something to poll: SIGINT, SIGTERM and SIGHUP (all three: quit), and SIGUSR1 (open the log
/// anew). open() blocks them in the calling thread and those it starts later, and ignores SIGPIPE in the whole process:
/// call it in main, after daemonizing and before there are threads. They stay blocked. Used by one thread.
class Signals final {
 public:
  static Expected<Signals> open();

  /// Readable while a signal waits.
  [[nodiscard]] int fd() const { return fd_.get(); }
  /// The next signal that waits, if any. Does not block.
  [[nodiscard]] std::optional<int> take();

 private:
  explicit Signals(platform::Fd fd) : fd_(std::move(fd)) {}
  platform::Fd fd_;
};

/// For the time before Signals::open(): SIGINT, SIGTERM and SIGHUP end the process at once with status 0, as they do later,
/// and SIGUSR1 does nothing. Whoever sends one while the configuration is read gets what was promised.
void end_on_signals();

/// Gives a child process the usual signals again (none blocked, SIGPIPE kills). Between fork and exec;
/// async-signal-safe.
void restore_signals_in_child();

}  // namespace vz
