// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>

#include "local/reading_board.hpp"
#include "local/site.hpp"
#include "vz/error.hpp"
#include "vz/log.hpp"
#include "vz/time.hpp"

namespace vz::local {

struct ServerSettings {
  std::string address{};              ///< empty: all
  int port = 8080;                    ///< 0: any free one
  int connections = 640;              ///< at once; fewer if the process may not open so many files
  std::chrono::seconds timeout{30};   ///< longest wait of mode=comet; 0 and negative: none
  std::string cors{};                 ///< Access-Control-Allow-Origin; empty: not sent
  std::chrono::milliseconds request_patience{10'000};  ///< for a request to come in full
  std::chrono::milliseconds reply_patience{60'000};    ///< for a reply to be taken
};

/// Serves a Site over HTTP/1.1 with libmicrohttpd.
///
/// One thread, that of run(), does everything: libmicrohttpd's sockets, waiting clients (suspended connections, no thread
/// each), deadlines. It sleeps in poll() while nothing happens. Each connection carries one request (`Connection: close`,
/// as ever).
///
/// Bounds: connections (further ones wait in the kernel's queue); 8 KiB for request line and headers of each (414 or 431
/// beyond); bodies are read and forgotten up to 64 KiB; a request has `request_patience` to arrive, a second when all
/// connections are taken, and a reply `reply_patience` to leave; seven eighths of the connections may wait (503 beyond);
/// replies under way hold at most kMaxReplyBytes (503 beyond, unless it is the only one). Clients that get the same
/// readings share one reply.
///
/// Waiting clients are answered 20 ms after the first new reading, so that all values of a telegram are in the reply.
class Server final {
 public:
  static constexpr std::size_t kMaxReplyBytes = std::size_t{48} << 20U;

  struct Counters {
    std::uint64_t requests = 0;
    std::uint64_t refused = 0;  ///< 503
    std::uint64_t connections = 0;
    std::uint64_t waiting = 0;
  };

  /// Listens; nothing is served before run(). Site, board, clock and log outlive the server. The board's callback is
  /// `notify`, to be connected by the caller.
  static Expected<std::unique_ptr<Server>> open(const ServerSettings& settings, const Site& site, ReadingBoard& board,
                                                const Clock& clock, Log& log);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  [[nodiscard]] int port() const;
  /// The thread's body, once. At a stop waiting clients get what there is; returns within about 150 ms.
  void run(std::stop_token stop);
  /// A reading has come. Any thread; cheap while nobody waits.
  void notify();
  /// Any thread.
  [[nodiscard]] Counters counters() const;

 private:
  class Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace vz::local
