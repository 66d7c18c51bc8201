// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <string>
#include <string_view>
#include <utility>

namespace vz::test {

/// A TCP connection to this machine, for saying things that no HTTP library would say. What it waits for has a deadline.
class RawClient {
 public:
  static constexpr std::chrono::seconds kDeadline{20};
  enum class Family { four, six };

  explicit RawClient(int port, Family family = Family::four) {
    fd_ = ::socket(family == Family::six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (family == Family::six) {
      sockaddr_in6 address{};
      address.sin6_family = AF_INET6;
      address.sin6_addr = in6addr_loopback;
      address.sin6_port = htons(static_cast<std::uint16_t>(port));
      connected_ = ::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    } else {
      sockaddr_in address{};
      address.sin_family = AF_INET;
      address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      address.sin_port = htons(static_cast<std::uint16_t>(port));
      connected_ = ::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    }
  }
  ~RawClient() { close(); }
  RawClient(RawClient&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)), connected_(other.connected_), closed_(other.closed_), got_(std::move(other.got_)) {}
  RawClient& operator=(RawClient&&) = delete;
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  [[nodiscard]] bool connected() const { return connected_; }
  /// False if the other side has hung up.
  bool send(std::string_view text) const {
    while (!text.empty()) {
      const ssize_t count = ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return false;
      text.remove_prefix(static_cast<std::size_t>(count));
    }
    return true;
  }
  /// A GET as the simplest client would send it.
  bool get(std::string_view target) const {
    return send("GET " + std::string{target} + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
  }
  /// Reads until the other side hangs up; all that came. closed() is false if it did not.
  const std::string& read_all(std::chrono::milliseconds deadline = kDeadline) {
    const auto end = std::chrono::steady_clock::now() + deadline;
    while (!closed_) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - std::chrono::steady_clock::now()).count();
      pollfd wanted{fd_, POLLIN, 0};
      if (left < 0 || ::poll(&wanted, 1, static_cast<int>(left)) <= 0) break;
      std::array<char, 65536> buffer;
      const ssize_t count = ::recv(fd_, buffer.data(), buffer.size(), 0);
      if (count > 0) got_.append(buffer.data(), static_cast<std::size_t>(count));
      else if (count == 0 || errno != EINTR) closed_ = true;
    }
    return got_;
  }
  /// 200 of `HTTP/1.1 200 OK`, 0 if no reply came.
  int status() { return read_all().starts_with("HTTP/1.1 ") ? std::stoi(got_.substr(9, 3)) : 0; }
  std::string body() {
    const auto& all = read_all();
    const auto end = all.find("\r\n\r\n");
    return end == std::string::npos ? std::string{} : all.substr(end + 4);
  }
  [[nodiscard]] bool closed() const { return closed_; }
  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }

 private:
  int fd_ = -1;
  bool connected_ = false;
  bool closed_ = false;
  std::string got_;
};

}  // namespace vz::test
