// SPDX-License-Identifier: GPL-3.0-or-later
#include "platform/resolver.hpp"

#include <fmt/format.h>
#include <netdb.h>
#include <poll.h>

#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <system_error>
#include <thread>

#include "core/ascii.hpp"
#include "platform/wait.hpp"

namespace vz::platform {
namespace {

LookupResult lookup_with_flags(const std::string& host, const std::string& port, int flags) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_protocol = IPPROTO_TCP;
  hints.ai_flags = flags;
  addrinfo* list = nullptr;
  LookupResult result;
  result.code = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &list);
  if (result.code != 0) {
    result.system_error = result.code == EAI_SYSTEM ? errno : 0;
    return result;
  }
  for (const addrinfo* entry = list; entry != nullptr && result.addresses.size() < kMaxAddresses;
       entry = entry->ai_next) {
    SocketAddress address;
    address.length = entry->ai_addrlen;
    std::memcpy(&address.storage, entry->ai_addr, entry->ai_addrlen);
    result.addresses.push_back(address);
  }
  ::freeaddrinfo(list);
  return result;
}

Error lookup_error(const TcpPeer& peer, const LookupResult& result) {
  const std::string where = text(Endpoint{peer});
  switch (result.code) {
    case EAI_NONAME:
    case EAI_NODATA:
      return {fmt::format("no address is known for host \"{}\"", peer.host), where,
              fmt::format("check `host`; `getent ahosts {}` shows what this machine finds", peer.host), 0};
    case EAI_SERVICE:
      return {fmt::format("\"{}\" is no port", peer.port), where, "give the port as a number from 1 to 65535", 0};
    case EAI_AGAIN:
      return {fmt::format("no name server answered for host \"{}\"", peer.host), where,
              "is the network up? an address instead of a name in `host` needs no name server", 0};
    case EAI_SYSTEM: return {"name look-up failed: " + errno_text(result.system_error), where, "", result.system_error};
    default: return {fmt::format("name look-up failed: {}", ::gai_strerror(result.code)), where, "check `host`", 0};
  }
}

Expected<std::vector<SocketAddress>> judge(const TcpPeer& peer, LookupResult result) {
  if (result.code == 0 && result.addresses.empty()) result.code = EAI_NONAME;
  if (result.code != 0) {
    Error error = lookup_error(peer, result);
    error.passing = result.code != EAI_SERVICE;
    return tl::unexpected(std::move(error));
  }
  return std::move(result.addresses);
}

std::string without_brackets(const std::string& host) {
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  return bracketed ? host.substr(1, host.size() - 2) : host;
}

// A number must be a port number: the C library takes its last 16 bits, whatever it is. Names are left to it.
bool usable_port(const std::string& port) {
  if (!all_digits(port)) return true;
  constexpr unsigned kLast = 65535;
  unsigned number = 0;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
  return error == std::errc{} && end == port.data() + port.size() && number >= 1 && number <= kLast;
}

}  // namespace

LookupResult system_lookup(const std::string& host, const std::string& port) {
  return lookup_with_flags(host, port, 0);
}

/// One running resolution. Lives until its thread has been joined.
struct Resolver::Lookup {
  TcpPeer peer;
  LookupFunction lookup;
  LookupResult result;  ///< the thread's until `finished`
  std::atomic<bool> finished = false;
  Wake done;             ///< readable from `finished` on, for all that wait
  unsigned waiting = 0;  ///< guarded by Resolver::mutex_
  std::thread thread;

  void run() {
    result = lookup(peer.host, peer.port);
    finished.store(true, std::memory_order_release);
    done.wake();
  }
};

Resolver::Resolver(LookupFunction lookup, MonoDuration farewell) : lookup_(std::move(lookup)), farewell_(farewell) {}

Resolver::~Resolver() {
  const MonoTime deadline = std::chrono::steady_clock::now() + farewell_;
  for (auto& lookup : lookups_) {
    wait_for(-1, 0, deadline, lookup->done);
    if (lookup->finished.load(std::memory_order_acquire)) {
      lookup->thread.join();
    } else {
      // Its thread still uses it and cannot be stopped. Leaving both to the end of the process is safe: the thread
      // knows nothing else of this program.
      static_cast<void>(lookup.release());
    }
  }
}

std::size_t Resolver::pending() const {
  const std::lock_guard lock{mutex_};
  return lookups_.size();
}

// Requires mutex_. Joins take no time: a finished thread has nothing left to do.
void Resolver::reap() {
  std::erase_if(lookups_, [](const std::unique_ptr<Lookup>& lookup) {
    if (lookup->waiting > 0 || !lookup->finished.load(std::memory_order_acquire)) return false;
    lookup->thread.join();
    return true;
  });
}

Resolver::Lookup* Resolver::join_or_start(const TcpPeer& peer) {
  const std::lock_guard lock{mutex_};
  reap();
  for (const auto& running : lookups_) {
    if (running->peer.host == peer.host && running->peer.port == peer.port &&
        !running->finished.load(std::memory_order_acquire)) {
      ++running->waiting;
      return running.get();
    }
  }
  if (lookups_.size() >= kMaxLookups) return nullptr;
  auto lookup = std::make_unique<Lookup>();
  lookup->peer = peer;
  lookup->lookup = lookup_;
  lookup->thread = std::thread{[started = lookup.get()] { started->run(); }};
  lookup->waiting = 1;
  return lookups_.emplace_back(std::move(lookup)).get();
}

Expected<std::vector<SocketAddress>> Resolver::resolve(const TcpPeer& asked, MonoTime deadline, const Wake& wake) {
  const TcpPeer peer{without_brackets(asked.host), asked.port};
  if (!usable_port(peer.port)) return judge(peer, {EAI_SERVICE, 0, {}});
  if (auto numeric = lookup_with_flags(peer.host, peer.port, AI_NUMERICHOST); numeric.code == 0) {
    return std::move(numeric.addresses);
  }
  const auto failed = [&](const char* what, const char* remedy, int code) {
    return tl::unexpected(Error{what, text(Endpoint{peer}), remedy, code, true});
  };
  Lookup* lookup = nullptr;
  try {
    lookup = join_or_start(peer);
  } catch (const std::system_error& error) {
    return failed("name look-up failed: no thread could be started", "", error.code().value());
  }
  if (lookup == nullptr)
    return failed("name look-up failed: too many earlier look-ups hang", "is a name server up?", EAGAIN);

  const Waited waited = wait_for(lookup->done.fd(), POLLIN, deadline, wake);
  const std::lock_guard lock{mutex_};
  --lookup->waiting;
  if (waited.end == WaitEnd::woken) return failed("name look-up interrupted", "", ECANCELED);
  if (waited.end != WaitEnd::ready || !lookup->finished.load(std::memory_order_acquire)) {
    return failed("no name server answered in time", "is the network up?", ETIMEDOUT);
  }
  LookupResult result = lookup->result;
  reap();
  return judge(peer, std::move(result));
}

}  // namespace vz::platform
