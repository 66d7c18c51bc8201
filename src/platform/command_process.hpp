// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>

#include "platform/fd.hpp"
#include "vz/error.hpp"

namespace vz::platform {

/// A shell command that runs beside this program: in a process group of its own, with the usual signals, nothing on
/// stdin, and no descriptor of this program. The destructor ends it with its whole group, waits for it about a
/// second at most, and leaves no zombie (but for a process that the kernel cannot end). Used by one thread.
class CommandProcess final {
 public:
  static Expected<std::unique_ptr<CommandProcess>> start(const std::string& command);
  ~CommandProcess();
  CommandProcess(const CommandProcess&) = delete;
  CommandProcess& operator=(const CommandProcess&) = delete;

  Fd output;  ///< its stdout, non-blocking
  Fd errors;  ///< its stderr, non-blocking

  /// Readable when it has ended; -1 on kernels without pidfd_open (before 5.3).
  [[nodiscard]] int ended_fd() const { return pidfd_.get(); }
  /// To the whole group.
  void signal(int number) const;
  /// Once it has ended: ends what is left of the group if `kill_rest`, removes the zombie and returns how the command
  /// ended, as waitpid() has it. Does not block.
  std::optional<int> reap(bool kill_rest);

 private:
  CommandProcess() = default;
  [[nodiscard]] bool wait_end(int milliseconds) const;

  pid_t pid_ = -1;  ///< -1: gone
  Fd pidfd_;
};

}  // namespace vz::platform
