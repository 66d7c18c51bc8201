// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <stop_token>
#include <string>
#include <vector>

#include "local/line_desk.hpp"
#include "local/outbox_desk.hpp"
#include "platform/fd.hpp"
#include "vz/error.hpp"
#include "vz/held_line.hpp"
#include "vz/log.hpp"
#include "vz/status.hpp"
#include "vz/time.hpp"
#include "vz/wake.hpp"

namespace vz::local {

/// Where the control socket is: in the first folder of the list that the service manager gave (RUNTIME_DIRECTORY), or
/// in /run/vzlogger if it gave none (null or empty).
std::string control_path(const char* runtime_directory);

/// The daemon's control socket (control_protocol.hpp): a stream socket for root, the daemon's own user and its group,
/// mode 0660, the peer's credentials checked as well.
///
/// One thread calls run() and sleeps in poll() while nobody asks. Bounds: kMaxClients connections, kMaxRequest bytes a
/// request, kIdle without a sign of life (who has borrowed a line may be silent), one answer waiting a connection. A
/// client that does not read is not read from. open() and everything else is called by the thread that owns the object,
/// before run().
class ControlServer final {
 public:
  static constexpr std::size_t kMaxClients = 16;
  static constexpr std::chrono::seconds kIdle{30};

  /// What it speaks for; all outlive the server. Sets on_released() of the lines.
  ControlServer(StatusSource status, OutboxDesk outbox, std::vector<HeldLine*> lines, const Clock& clock, Log& log);
  ~ControlServer();
  ControlServer(const ControlServer&) = delete;
  ControlServer& operator=(const ControlServer&) = delete;

  /// Makes the socket; its folder, too, if that is missing (the folder above must be there). A socket that a dead
  /// daemon left is replaced; that of a living one is an Error, and so is anything else of that name.
  Expected<void> open(const std::string& path);
  /// The thread's body; returns at once on a stop request and removes the socket. Nothing to do without open().
  void run(const std::stop_token& stop);

 private:
  struct Client {
    LineDesk::Client who;
    platform::Fd fd;
    std::string in;
    std::string out;
    bool waits = false;  ///< for a line
    bool last = false;   ///< to be closed once `out` is sent
    bool ended = false;
    MonoTime heard{};
  };

  Expected<void> lock(const std::string& path);
  Expected<void> bind(const std::string& path);
  void remove();
  void wait();
  void accept_all(MonoTime now);
  void look_at(Client& client, short events, MonoTime now);
  void read(Client& client, MonoTime now);
  void write(Client& client, MonoTime now);
  void answer_next(Client& client, MonoTime now);
  void answer(Client& client, std::string_view line, MonoTime now);
  void look_at_loans(MonoTime now);
  void close_ended(MonoTime now);
  [[nodiscard]] int timeout(MonoTime now) const;
  [[nodiscard]] MonoTime idle_until(const Client& client) const;

  StatusSource status_;
  OutboxDesk outbox_;
  LineDesk lines_;
  const Clock& clock_;
  Log& log_;
  std::string path_;
  platform::Fd lock_;
  platform::Fd listener_;
  MonoTime deaf_until_{};  ///< accept() failed
  Wake wake_;
  std::vector<Client> clients_;
  std::uint64_t next_client_ = 1;
};

}  // namespace vz::local
