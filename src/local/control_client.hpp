// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "local/control_protocol.hpp"
#include "platform/fd.hpp"
#include "vz/error.hpp"
#include "vz/wake.hpp"

namespace vz::local {

/// A program's connection to a running daemon. Used by one thread. Errors say in words what to do: no daemon there
/// (code ENOENT or ECONNREFUSED), or no right to ask it (EACCES), and then which group to join.
class ControlClient final {
 public:
  static Expected<ControlClient> connect(const std::string& path);

  /// Asks and waits for the answer. An answer that is {"ok": false} is an Error, too.
  /// `wake` ends the wait (an Error, code ECANCELED); the answer may still come, and the connection is of no more use.
  Expected<nlohmann::ordered_json> ask(const ControlRequest& request, std::chrono::seconds patience = kPatience,
                                       const Wake* wake = nullptr);
  static constexpr std::chrono::seconds kPatience{60};

  /// Readable once the daemon has something to say unasked, or is gone.
  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  ControlClient(platform::Fd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}
  Expected<void> send(const std::string& line, std::chrono::steady_clock::time_point deadline, const Wake* wake);
  Expected<std::string> receive(std::chrono::steady_clock::time_point deadline, const Wake* wake);

  platform::Fd fd_;
  std::string path_;
  std::string in_;
};

/// True if the Error of connect() means that no daemon runs (there).
bool no_daemon(const Error& error);

/// A device that the running daemon stays away from as long as this object lives. Movable.
class BorrowedLine final {
 public:
  /// Asks the daemon at `path` to close `device` ("/dev/ttyUSB0" by whatever name, or "host:port"); returns when it is
  /// closed. If no daemon runs there, or none of its meters uses it, there is nothing to borrow, and that is well, too:
  /// then meters() is empty. The daemon takes it back after `limit`.
  static Expected<BorrowedLine> borrow(const std::string& path, const std::string& device,
                                       std::chrono::seconds limit = kLendFor);

  /// Has the time begin anew. An Error: the line is not borrowed any more.
  Expected<void> renew();
  /// Something has come that was not asked for: the daemon has taken the line back, or has ended. renew() says which.
  [[nodiscard]] bool disturbed() const;

  /// The numbers of the meters that are not read meanwhile.
  [[nodiscard]] const std::vector<int>& meters() const { return meters_; }

 private:
  BorrowedLine() = default;
  std::vector<ControlClient> connection_;  ///< one or none; its end gives the line back
  std::vector<int> meters_;
  ControlRequest request_;  ///< that borrowed it
};

}  // namespace vz::local
