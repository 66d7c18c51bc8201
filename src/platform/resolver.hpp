// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <sys/socket.h>

#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "vz/transport.hpp"

namespace vz::platform {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;
};

/// What a look-up brought: addresses, or one of getaddrinfo's EAI_ codes (and errno for EAI_SYSTEM).
struct LookupResult {
  int code = 0;
  int system_error = 0;
  std::vector<SocketAddress> addresses;  ///< in the order to try them, at most kMaxAddresses
};
inline constexpr std::size_t kMaxAddresses = 16;

using LookupFunction = std::function<LookupResult(const std::string& host, const std::string& port)>;

/// getaddrinfo for TCP, IPv4 and IPv6. Blocks for as long as the name servers take.
LookupResult system_lookup(const std::string& host, const std::string& port);

/// Turns names into addresses without ever blocking its caller past a deadline or a wake-up.
///
/// A name resolution cannot be interrupted, so each runs in a thread of its own that touches nothing but its own
/// Lookup. A caller that cannot wait any longer leaves it behind; it is joined when it has ended, and a later request
/// for the same name waits for it instead of starting another (so a dead name server costs one thread a name, and never
/// more than kMaxLookups). The destructor gives those that still run `farewell` altogether, then leaves them, thread
/// and memory, to the end of the process: it must not be destroyed repeatedly. Numeric addresses need no thread.
/// (Not getaddrinfo_a: that cannot cancel a running request either, keeps its threads to itself and tells its end
/// through signals or yet another thread, not through a descriptor.)
/// Thread-safe.
class Resolver final {
 public:
  explicit Resolver(LookupFunction lookup = system_lookup, MonoDuration farewell = std::chrono::milliseconds{100});
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  /// An IPv6 address may stand in brackets. At least one address, or an error: ECANCELED after a wake-up, ETIMEDOUT at
  /// the deadline.
  Expected<std::vector<SocketAddress>> resolve(const TcpPeer& asked, MonoTime deadline, const Wake& wake);
  /// Look-ups that run or wait to be joined.
  [[nodiscard]] std::size_t pending() const;

  static constexpr std::size_t kMaxLookups = 32;

 private:
  struct Lookup;
  Lookup* join_or_start(const TcpPeer& peer);  ///< null if there are too many; throws std::system_error
  void reap();

  LookupFunction lookup_;
  MonoDuration farewell_;
  mutable std::mutex mutex_;
  std::list<std::unique_ptr<Lookup>> lookups_;  ///< guarded by mutex_
};

}  // namespace vz::platform
