// SPDX-License-Identifier: GPL-3.0-or-later
#include "local/listening_socket.hpp"

#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

#include "platform/wait.hpp"

namespace vz::local {
namespace {

using platform::Fd;

constexpr int kPrivileged = 1024;
constexpr const char* kLoopback = "127.0.0.1";

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;
  [[nodiscard]] int family() const { return storage.ss_family; }
  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

std::string place(const std::string& address, int port) {
  if (address.empty()) return fmt::format("port {}", port);
  return fmt::format("{} port {}", address, port);
}

Error failure(const std::string& address, int port, const char* doing, int code) {
  std::string remedy;
  switch (code) {
    case EADDRINUSE:
      remedy = fmt::format("another program, perhaps another vzlogger, uses this port: give local.port another number; "
                           "`ss -ltnp sport = :{}` shows which one it is", port);
      break;
    case EADDRNOTAVAIL: remedy = "local.address has to be an address of this machine; empty means all of them"; break;
    case EACCES:
    case EPERM:
      remedy = port > 0 && port < kPrivileged
                   ? "ports below 1024 need a privilege: give local.port a higher number, or the service "
                     "AmbientCapabilities=CAP_NET_BIND_SERVICE"
                   : "something forbids it, such as SELinux or a setting of the service";
      break;
    case EMFILE:
    case ENFILE: remedy = "too many files are open"; break;
    default: break;
  }
  return {.what = fmt::format("{}: {}", doing, platform::errno_text(code)),
          .where = place(address, port),
          .remedy = std::move(remedy),
          .code = code};
}

std::vector<Address> everywhere(int port) {
  std::vector<Address> found(2);
  auto& six = reinterpret_cast<sockaddr_in6&>(found[0].storage);
  six.sin6_family = AF_INET6;
  six.sin6_addr = in6addr_any;
  six.sin6_port = htons(static_cast<std::uint16_t>(port));
  found[0].size = sizeof six;
  auto& four = reinterpret_cast<sockaddr_in&>(found[1].storage);
  four.sin_family = AF_INET;
  four.sin_addr.s_addr = htonl(INADDR_ANY);
  four.sin_port = htons(static_cast<std::uint16_t>(port));
  found[1].size = sizeof four;
  return found;
}

Expected<std::vector<Address>> look_up(const std::string& address, int port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV | AI_NUMERICHOST;  // a name could keep the thread waiting for a name server
  addrinfo* list = nullptr;
  const std::string numeric = address == "localhost" ? kLoopback : address;
  if (const int code = ::getaddrinfo(numeric.c_str(), fmt::format("{}", port).c_str(), &hints, &list); code != 0)
    return tl::unexpected(Error{.what = fmt::format("cannot find this address: {}", ::gai_strerror(code)),
                                .where = place(address, port),
                                .remedy = "local.address has to be an address of this machine in numbers; empty means all",
                                .code = 0});
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(list, &::freeaddrinfo);
  std::vector<Address> found;
  for (const int family : {AF_INET, AF_INET6}) {
    for (const addrinfo* entry = list; entry != nullptr; entry = entry->ai_next) {
      if (entry->ai_family != family || entry->ai_addrlen > sizeof(sockaddr_storage)) continue;
      Address& copy = found.emplace_back();
      std::memcpy(&copy.storage, entry->ai_addr, entry->ai_addrlen);
      copy.size = entry->ai_addrlen;
    }
  }
  return found;
}

/// Null and errno if it fails.
Fd open_socket(const Address& address) {
  Fd socket{::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  if (!socket) return {};
  const int on = 1;
  const int off = 0;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (address.family() == AF_INET6) ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  if (::bind(socket.get(), address.get(), address.size) != 0 || ::listen(socket.get(), SOMAXCONN) != 0) {
    const int code = errno;
    socket.reset();
    errno = code;
  }
  return socket;
}

int port_of(int socket) {
  Address bound;
  bound.size = sizeof bound.storage;
  if (::getsockname(socket, reinterpret_cast<sockaddr*>(&bound.storage), &bound.size) != 0) return 0;
  if (bound.family() == AF_INET6) return ntohs(reinterpret_cast<const sockaddr_in6&>(bound.storage).sin6_port);
  return ntohs(reinterpret_cast<const sockaddr_in&>(bound.storage).sin_port);
}

}  // namespace

Expected<Listening> listen_on(const std::string& address, int port) {
  std::vector<Address> candidates;
  if (address.empty()) {
    candidates = everywhere(port);
  } else {
    auto found = look_up(address, port);
    if (!found) return tl::unexpected(std::move(found.error()));
    candidates = std::move(*found);
  }
  int code = EADDRNOTAVAIL;
  for (const auto& candidate : candidates) {
    Fd socket = open_socket(candidate);
    if (socket) {
      const int taken = port_of(socket.get());
      return Listening{std::move(socket), taken};
    }
    code = errno;
    // IPv4 alone is meant for machines without IPv6, not for taking what another program has left of the port
    if (address.empty() && code != EAFNOSUPPORT && code != EADDRNOTAVAIL) break;
  }
  return tl::unexpected(failure(address, port, "cannot listen", code));
}

}  // namespace vz::local
