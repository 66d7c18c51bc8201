// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "platform/fd.hpp"
#include "vz/error.hpp"

namespace vz {

/// What a service manager puts into the environment of its services (sd_notify(3), systemd.exec(5)); empty: not set.
struct ServiceEnvironment {
  std::string notify_socket = {};
  std::string journal_stream = {};
  std::string watchdog_usec = {};
  std::string watchdog_pid = {};

  /// Reads the process's environment; a JOURNAL_STREAM that is not behind this process's stderr (or stdout) was
  /// inherited by way of a terminal or a pipe and does not count. Call before there are threads.
  static ServiceEnvironment from_process();
  /// Somebody keeps what goes to stderr and looks after the process.
  [[nodiscard]] bool managed() const { return !notify_socket.empty() || !journal_stream.empty(); }
};

/// True if `fd` is what JOURNAL_STREAM ("device:inode") speaks of.
bool leads_to_journal(const std::string& journal_stream, int fd);

/// The interval in which the manager wants to hear of the process `pid`; none if it does not want to. Pure.
/// Half of it is the usual distance of watchdog() calls.
std::optional<std::chrono::microseconds> watchdog_interval(const ServiceEnvironment& environment, pid_t pid);

/// Tells the service manager how the daemon is, through its datagram socket (protocol of sd_notify(3)). Without a
/// manager every call does nothing and succeeds. A manager that does not read holds a call up for at most kPatience.
/// Used by one thread. Errors: the message did not get there.
class ServiceManager final {
 public:
  static constexpr std::chrono::milliseconds kPatience{200};

  explicit ServiceManager(const ServiceEnvironment& environment);

  Expected<void> ready() { return send("READY=1"); }
  Expected<void> stopping() { return send("STOPPING=1"); }
  Expected<void> watchdog() { return send("WATCHDOG=1"); }
  /// One line for `systemctl status`; cut at kMaxStatus bytes, control characters become blanks.
  Expected<void> status(std::string_view text);
  static constexpr std::size_t kMaxStatus = 512;

 private:
  Expected<void> send(std::string_view message);

  std::string path_;
  platform::Fd fd_;
};

}  // namespace vz
