// SPDX-License-Identifier: GPL-3.0-or-later
#include "platform/tcp_transport.hpp"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "platform/resolver.hpp"
#include "platform/transport_io.hpp"
#include "platform/wait.hpp"

namespace vz {
namespace {

using platform::Fd;
using platform::SocketAddress;
using platform::WaitEnd;

void set(int fd, int level, int option, int value) { ::setsockopt(fd, level, option, &value, sizeof value); }

void tune(int fd) {
  constexpr int kIdleSeconds = 60;
  constexpr int kProbeSeconds = 15;
  constexpr int kProbes = 4;
  set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set(fd, IPPROTO_TCP, TCP_KEEPIDLE, kIdleSeconds);
  set(fd, IPPROTO_TCP, TCP_KEEPINTVL, kProbeSeconds);
  set(fd, IPPROTO_TCP, TCP_KEEPCNT, kProbes);
  // Keep-alive probes rest while sent bytes are unacknowledged: bound those, too.
  set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, (kIdleSeconds + kProbes * kProbeSeconds) * 1000);
  set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
}

Error connect_error(const std::string& where, int code) {
  switch (code) {
    case ECANCELED: return {"connecting was interrupted", where, "", code};
    case ECONNREFUSED:
      return {"cannot connect: Connection refused", where,
              "nothing listens there: check `host` and whether the peer runs", code};
    case ETIMEDOUT: return {"cannot connect: no answer in time", where, "is the peer switched on and reachable?", code};
    case EHOSTUNREACH:
    case ENETUNREACH:
      return {"cannot connect: " + platform::errno_text(code), where, "is the network up and the address right?", code};
    default: return {"cannot connect: " + platform::errno_text(code), where, "", code};
  }
}

// 0, or errno.
int connect_one(const SocketAddress& address, MonoTime deadline, const Wake& wake, Fd& out) {
  Fd fd{::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP)};
  if (!fd) return errno;
  tune(fd.get());
  // The socket interface wants the cast.
  const auto* const name = reinterpret_cast<const sockaddr*>(&address.storage);
  if (::connect(fd.get(), name, address.length) != 0) {
    if (errno != EINPROGRESS && errno != EINTR) return errno;
    const platform::Waited waited = platform::wait_for(fd.get(), POLLOUT, deadline, wake);
    if (waited.end == WaitEnd::woken) return ECANCELED;
    if (waited.end == WaitEnd::timeout) return ETIMEDOUT;
    if (waited.end == WaitEnd::failed) return waited.error;
    int code = 0;
    socklen_t size = sizeof code;
    if (::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &code, &size) != 0) return errno;
    if (code != 0) return code;
  }
  out = std::move(fd);
  return 0;
}

}  // namespace

Expected<std::unique_ptr<Transport>> TcpTransport::open(const TcpPeer& peer, platform::Resolver& resolver,
                                                        MonoTime deadline, Wake& wake) {
  const auto addresses = resolver.resolve(peer, deadline, wake);
  if (!addresses) return tl::unexpected(addresses.error());
  std::string where = text(Endpoint{peer});
  int code = ETIMEDOUT;
  Fd fd;
  for (std::size_t i = 0; i < addresses->size(); ++i) {
    const MonoTime now = std::chrono::steady_clock::now();
    const auto others = static_cast<MonoDuration::rep>(addresses->size() - i);
    code = connect_one((*addresses)[i], now + (deadline - now) / others, wake, fd);
    if (code == 0) return std::unique_ptr<Transport>{new TcpTransport(std::move(fd), std::move(where))};
    if (code == ECANCELED) break;
  }
  return tl::unexpected(connect_error(where, code));
}

ReadResult TcpTransport::closed(int code) const {
  Error error{"the peer closed the connection", where_, "", code};
  if (code != 0) error.what = "the connection broke: " + platform::errno_text(code);
  return {ReadResult::Kind::closed, 0, std::move(error)};
}

ReadResult TcpTransport::read(std::span<std::byte> buffer, MonoTime not_before, MonoTime deadline, Wake& wake) {
  if (const auto ended = platform::hold_back(not_before, deadline, wake)) return {*ended, 0, std::nullopt};
  for (;;) {
    const platform::Waited waited = platform::wait_for(fd_.get(), POLLIN, deadline, wake);
    if (waited.end == WaitEnd::woken) return {ReadResult::Kind::woken, 0, std::nullopt};
    if (waited.end == WaitEnd::timeout) return {ReadResult::Kind::timeout, 0, std::nullopt};
    if (waited.end == WaitEnd::failed) return closed(waited.error);
    const ssize_t count = ::recv(fd_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (count > 0) {
      eighth_bit_.received(buffer.first(static_cast<std::size_t>(count)));
      return {ReadResult::Kind::bytes, static_cast<std::size_t>(count), std::nullopt};
    }
    if (count == 0) return closed(0);
    if (errno != EAGAIN && errno != EINTR) return closed(errno);
  }
}

Expected<void> TcpTransport::write(std::span<const std::byte> bytes, MonoTime deadline, Wake& wake) {
  return platform::write_all(fd_.get(), eighth_bit_.to_send(bytes, with_parity_), deadline, wake, where_,
                             [](int fd, const void* data, std::size_t size) {
                               // a peer that went away is an error, not a signal
                               return ::send(fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
                             });
}

Expected<void> TcpTransport::set_line(LineSettings line) {
  eighth_bit_.set_format(line.format);
  return {};
}

void TcpTransport::discard_input() {
  constexpr int kMaxReads = 1024;  // a peer that never pauses must not hold the thread
  std::array<std::byte, 4096> rubbish;
  for (int i = 0; i<kMaxReads&& ::recv(fd_.get(), rubbish.data(), rubbish.size(), MSG_DONTWAIT)> 0; ++i) {
  }
}

}  // namespace vz
