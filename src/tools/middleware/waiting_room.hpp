// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <chrono>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace vz::middleware {

/// Holds connections whose reply has to wait, until their time has come or the client is gone.
///
/// One thread that waits in poll(). Thread-safe. Borrows the sockets: each must stay open until its callback has run.
class WaitingRoom final {
 public:
  enum class End {
    due,   ///< the time has come
    gone,  ///< the client has closed the connection, or the room closes
  };
  using Done = std::function<void(End)>;

  WaitingRoom();
  /// As close().
  ~WaitingRoom();
  WaitingRoom(const WaitingRoom&) = delete;
  WaitingRoom& operator=(const WaitingRoom&) = delete;

  /// Calls `done` once: on the room's thread after `delay` (without one: never due) or when the client has gone;
  /// at once on the caller's thread if the room is closed.
  void add(int socket, std::optional<std::chrono::milliseconds> delay, Done done);

  /// Sends everyone away (End::gone) and ends the thread. Again: nothing.
  void close();

 private:
  struct Guest {
    int socket = -1;
    std::optional<std::chrono::steady_clock::time_point> due;
    Done done;
  };
  void run();
  void wait(std::vector<int>& gone);
  [[nodiscard]] std::vector<std::pair<Done, End>> leaving(const std::vector<int>& gone);
  void wake() const;

  int event_ = -1;
  std::mutex mutex_;
  std::vector<Guest> guests_;
  bool closed_ = false;
  std::thread thread_;
};

}  // namespace vz::middleware
