// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "tools/middleware/request.hpp"
#include "vz/error.hpp"

namespace vz::middleware {

/// A longer body gets 413 and never reaches the handler.
inline constexpr std::size_t kMaxBody = std::size_t{8} * 1024 * 1024;
/// More connections than this are not accepted.
inline constexpr unsigned kMaxConnections = 256;

/// Serves HTTP/1.1 over libmicrohttpd: keep-alive, chunked requests, Expect: 100-continue, HTTP/1.0.
///
/// One thread of libmicrohttpd's calls the handler, one request after the other. A second thread looks after replies
/// that wait (Reply::delay, Delivery::hang); it also notices when the client of such a reply goes away.
/// Idle connections are closed after two minutes.
class Server final {
 public:
  /// Answers a request; may complete it first (Request::now is empty).
  using Handler = std::function<Reply(Request&)>;
  /// Told of each exchange once its reply is decided; same thread as the handler.
  using Observer = std::function<void(const Request&, const Reply&)>;

  /// Listens on a numeric address or a name, on `port` or any free one (0).
  static Expected<std::unique_ptr<Server>> start(const std::string& address, std::uint16_t port, Handler handler,
                                                 Observer observer = {});

  /// Closes all connections, also those that wait for a reply, and returns when the threads have ended. Replies that
  /// are on their way are cut off.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  [[nodiscard]] std::uint16_t port() const;
  /// `http://ADDRESS:PORT`, an IPv6 address in brackets.
  [[nodiscard]] std::string url() const;

 private:
  class Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace vz::middleware
