// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>

#include "core/health.hpp"
#include "local/reading_board.hpp"
#include "local/server.hpp"
#include "local/site.hpp"
#include "vz/log.hpp"
#include "vz/settings.hpp"
#include "vz/status.hpp"
#include "vz/tap.hpp"

namespace vz::local {

/// What /healthz says: 200 and `ok`, or 503 and a line for each trouble. Pure.
Reply health_reply(const Health& health);

/// The local interface as one piece: what it shows, and the server that shows it.
///
/// If it cannot listen (port taken, address not there, no privilege) it says so once and tries again every 30 s; the
/// daemon goes on meanwhile. Nothing is opened before run(). Thread-safe: run() has a thread of its own, tap() is called
/// by the meters' threads, report() by any.
class LocalInterface final {
 public:
  struct Environment {
    const Clock& clock;
    Log& log;
    std::string version;
    StatusSource status;  ///< for /metrics and /healthz; none: there are no such pages
  };

  /// `settings` outlives it.
  LocalInterface(const Settings& settings, Environment environment);
  ~LocalInterface();
  LocalInterface(const LocalInterface&) = delete;
  LocalInterface& operator=(const LocalInterface&) = delete;

  [[nodiscard]] ReadingTap& tap() { return board_; }
  /// The thread's body: returns soon after a stop request.
  void run(std::stop_token stop);
  [[nodiscard]] ServiceReport report() const;

 private:
  bool listen();

  Environment environment_;
  ServerSettings server_settings_;
  ReadingBoard board_;
  Site site_;
  std::unique_ptr<Server> owner_;
  std::atomic<Server*> server_{nullptr};
  mutable std::mutex mutex_;  ///< guards what follows
  std::string trouble_;
  std::optional<WallTime> trouble_since_;
};

}  // namespace vz::local
