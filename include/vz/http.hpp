// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "vz/time.hpp"

namespace vz {

/// How much of a server's certificate is checked.
enum class TlsCheck {
  full,       ///< it comes from a known authority, and names the host
  name_only,  ///< it names the host; anybody may have made it
};

/// One HTTP request as a sink wants it on the wire.
struct HttpRequest {
  std::string method = "POST";
  std::string url;                   ///< may carry credentials: never log it, log redacted(url)
  std::vector<std::string> headers;  ///< "Name: value", in order
  std::string body;
  std::chrono::seconds timeout{30};  ///< for the whole transfer; 0: none
  TlsCheck tls = TlsCheck::full;
  bool secret = false;               ///< the body holds a key: never log it
};

/// What came back. status 0: no answer, `error` says why in libcurl's words.
struct HttpReply {
  long status = 0;
  std::string error;
  std::string body;          ///< at most kMaxReplyBody bytes
  bool maybe_delivered = false;  ///< with status 0: the request had left, so that the server may have acted on it;
                                 ///< with a status: it was sent twice, and the first one may have been acted on
  MonoDuration duration{};
};
inline constexpr std::size_t kMaxReplyBody = 64 * 1024;

/// The URL without user, password and query, for logs.
std::string redacted(const std::string& url);

struct HttpDone {
  std::uint64_t id = 0;
  HttpReply reply;
};

/// Drives HTTP transfers, one thread. Transfers with the same `lane` go one after the other over one kept-alive
/// connection; lanes are independent, a dead one delays no other.
class HttpClient {
 public:
  virtual ~HttpClient() = default;
  /// Starts a transfer; `id` comes back with its end. At most one a lane at a time.
  virtual void start(std::uint64_t id, std::uint32_t lane, HttpRequest request) = 0;
  /// Waits until a transfer ends, `deadline` comes or wake() is called; appends what ended to `out`.
  virtual void wait(MonoTime deadline, std::vector<HttpDone>& out) = 0;
  /// Ends a wait() from any thread (now, or the next one).
  virtual void wake() = 0;
  /// Drops all transfers at once.
  virtual void abort_all() = 0;
};

}  // namespace vz
