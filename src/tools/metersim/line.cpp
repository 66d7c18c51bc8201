// SPDX-License-Identifier: GPL-3.0-or-later
#include "tools/metersim/line.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace vz::metersim {
namespace {

class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) reset(std::exchange(other.fd_, -1));
    return *this;
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() { reset(); }
  void reset(int fd = -1) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = fd;
  }
  [[nodiscard]] int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

tl::unexpected<Error> failure(std::string_view what, std::string where, std::string remedy, int code = errno) {
  return tl::unexpected(Error{.what = fmt::format("{}: {}", what, std::strerror(code)),
                              .where = std::move(where),
                              .remedy = std::move(remedy),
                              .code = code});
}

struct Speed {
  speed_t constant;
  unsigned baud;
};
constexpr std::array kSpeeds{
    Speed{B50, 50},         Speed{B75, 75},         Speed{B110, 110},       Speed{B134, 134},
    Speed{B150, 150},       Speed{B200, 200},       Speed{B300, 300},       Speed{B600, 600},
    Speed{B1200, 1200},     Speed{B1800, 1800},     Speed{B2400, 2400},     Speed{B4800, 4800},
    Speed{B9600, 9600},     Speed{B19200, 19200},   Speed{B38400, 38400},   Speed{B57600, 57600},
    Speed{B115200, 115200}, Speed{B230400, 230400}, Speed{B460800, 460800}, Speed{B921600, 921600},
};

unsigned baud_of(speed_t constant) {
  for (const Speed& speed : kSpeeds) {
    if (speed.constant == constant) return speed.baud;
  }
  return 0;
}

speed_t constant_of(unsigned baud) {
  for (const Speed& speed : kSpeeds) {
    if (speed.baud == baud) return speed.constant;
  }
  return B9600;
}

/// Reads once; end of file and errors other than "nothing there" are `gone`.
Port::ReadEnd read_some(int fd, std::string& out) {
  std::array<char, 4096> buffer{};
  const ssize_t count = ::read(fd, buffer.data(), buffer.size());
  if (count > 0) {
    out.append(buffer.data(), static_cast<std::size_t>(count));
    return Port::ReadEnd::more_later;
  }
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return Port::ReadEnd::more_later;
  return Port::ReadEnd::gone;
}

class Pty final : public Port {
 public:
  Pty(std::string link, unsigned baud) : link_(std::move(link)), baud_(baud) {}
  ~Pty() override { Pty::close(); }

  Expected<void> open() override {
    master_.reset(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
    std::array<char, 128> name{};
    if (!master_ || ::grantpt(master_.get()) != 0 || ::unlockpt(master_.get()) != 0 ||
        ::ptsname_r(master_.get(), name.data(), name.size()) != 0) {
      return failure("cannot open a pseudo-terminal", "/dev/ptmx", "is /dev/pts mounted?");
    }
    slave_name_ = name.data();
    slave_.reset(::open(slave_name_.c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC));
    if (!slave_) return failure("cannot open the pseudo-terminal", slave_name_, "");
    if (::fcntl(master_.get(), F_SETFL, O_NONBLOCK) != 0)
      return failure("cannot set the pseudo-terminal up", slave_name_, "");
    termios settings{};
    if (::tcgetattr(slave_.get(), &settings) != 0) return failure("cannot set the pseudo-terminal up", slave_name_, "");
    ::cfmakeraw(&settings);
    ::cfsetispeed(&settings, constant_of(baud_));
    ::cfsetospeed(&settings, constant_of(baud_));
    if (::tcsetattr(slave_.get(), TCSANOW, &settings) != 0)
      return failure("cannot set the pseudo-terminal up", slave_name_, "");
    return make_link();
  }

  void close() override {
    std::array<char, 128> target{};
    const ssize_t length = ::readlink(link_.c_str(), target.data(), target.size());
    // Another simulator may have taken the name over.
    const bool ours = length > 0 && std::string_view(target.data(), static_cast<std::size_t>(length)) == slave_name_;
    if (linked_ && ours) ::unlink(link_.c_str());
    linked_ = false;
    slave_.reset();
    master_.reset();
  }

  std::string name() const override { return link_; }
  int data_fd() const override { return master_.get(); }
  bool listener() const override { return static_cast<bool>(master_); }

  ReadEnd read(std::string& out) override { return read_some(master_.get(), out); }

  std::size_t write(std::string_view bytes) override {
    if (!master_) return bytes.size();
    const ssize_t count = ::write(master_.get(), bytes.data(), bytes.size());
    return count < 0 ? 0 : static_cast<std::size_t>(count);
  }

  bool discard_unread() override {
    int count = 0;
    if (!slave_ || ::ioctl(slave_.get(), FIONREAD, &count) != 0 || count == 0) return false;
    ::tcflush(slave_.get(), TCIFLUSH);
    return true;
  }

  PeerSpeeds peer_speeds() const override {
    termios settings{};
    if (!master_ || ::tcgetattr(master_.get(), &settings) != 0) return {};  // the master shows the slave's settings
    PeerSpeeds speeds{.sends = baud_of(::cfgetospeed(&settings)), .receives = baud_of(::cfgetispeed(&settings))};
    if (::cfgetispeed(&settings) == B0) speeds.receives = speeds.sends;
    return speeds;
  }

 private:
  /// Puts the link in place in one step: a reader finds the old pseudo-terminal or the new one.
  Expected<void> make_link() {
    struct stat status {};
    if (::lstat(link_.c_str(), &status) == 0 && !S_ISLNK(status.st_mode)) {
      return failure("cannot make the link", link_, "choose another path, or remove what is there", EEXIST);
    }
    const std::string fresh = fmt::format("{}.{}", link_, ::getpid());
    ::unlink(fresh.c_str());
    if (::symlink(slave_name_.c_str(), fresh.c_str()) != 0 || ::rename(fresh.c_str(), link_.c_str()) != 0) {
      const int code = errno;
      ::unlink(fresh.c_str());
      return failure("cannot make the link", link_, "does the directory exist, and may you write there?", code);
    }
    linked_ = true;
    return {};
  }

  std::string link_;
  unsigned baud_;
  std::string slave_name_;
  bool linked_ = false;
  Fd master_;
  Fd slave_;
};

struct FreeAddresses {
  void operator()(addrinfo* list) const { ::freeaddrinfo(list); }
};

class Tcp final : public Port {
 public:
  Tcp(std::string address, std::string port) : address_(std::move(address)), port_(std::move(port)) {}

  Expected<void> open() override {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
    addrinfo* found = nullptr;
    const int code = ::getaddrinfo(address_.c_str(), port_.c_str(), &hints, &found);
    const std::unique_ptr<addrinfo, FreeAddresses> addresses(found);
    if (code != 0) {
      return tl::unexpected(Error{.what = fmt::format("cannot be resolved: {}", ::gai_strerror(code)),
                                  .where = wanted(),
                                  .remedy = "give [ADDRESS:]PORT, e.g. 127.0.0.1:7000"});
    }
    int last_error = 0;
    for (const addrinfo* one = addresses.get(); one != nullptr; one = one->ai_next) {
      if (listen_on(*one)) return {};
      last_error = errno;
    }
    listening_.reset();
    return failure("cannot listen", wanted(), "choose another port, or 0 for any", last_error);
  }

  void close() override {
    listening_.reset();  // first: whoever sees the hang-up must not reach the old socket's queue
    client_.reset();
  }

  std::string name() const override { return name_; }
  int data_fd() const override { return client_.get(); }
  int accept_fd() const override { return listening_.get(); }
  bool listener() const override { return static_cast<bool>(client_); }

  Accepted accept() override {
    Fd fresh{::accept4(listening_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)};
    if (!fresh) return Accepted::nothing;
    if (client_) return Accepted::refused;
    const int on = 1;
    ::setsockopt(fresh.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    client_ = std::move(fresh);
    return Accepted::connected;
  }

  ReadEnd read(std::string& out) override {
    const ReadEnd end = read_some(client_.get(), out);
    if (end == ReadEnd::gone) client_.reset();
    return end;
  }

  std::size_t write(std::string_view bytes) override {
    if (!client_) return bytes.size();
    const ssize_t count = ::send(client_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count >= 0) return static_cast<std::size_t>(count);
    // A broken connection shows at the next read; until then its bytes are lost.
    return errno == EAGAIN || errno == EINTR ? 0 : bytes.size();
  }

 private:
  [[nodiscard]] std::string wanted() const { return address_ + ":" + port_; }

  bool listen_on(const addrinfo& one) {
    listening_.reset(::socket(one.ai_family, one.ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, one.ai_protocol));
    if (!listening_) return false;
    const int on = 1;
    ::setsockopt(listening_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (::bind(listening_.get(), one.ai_addr, one.ai_addrlen) != 0 || ::listen(listening_.get(), 4) != 0) return false;
    return remember_name();
  }

  /// Keeps the port that the system chose, so that the line comes back where it was.
  bool remember_name() {
    sockaddr_storage address{};
    socklen_t length = sizeof address;
    if (::getsockname(listening_.get(), reinterpret_cast<sockaddr*>(&address), &length) != 0) return false;
    std::array<char, NI_MAXHOST> host{};
    std::array<char, NI_MAXSERV> service{};
    if (::getnameinfo(reinterpret_cast<sockaddr*>(&address), length, host.data(), host.size(), service.data(),
                      service.size(), NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
      errno = EINVAL;
      return false;
    }
    port_ = service.data();
    name_ = address.ss_family == AF_INET6 ? fmt::format("[{}]:{}", host.data(), port_)
                                          : fmt::format("{}:{}", host.data(), port_);
    return true;
  }

  std::string address_;
  std::string port_;
  std::string name_;
  Fd listening_;
  Fd client_;
};

}  // namespace

std::unique_ptr<Port> make_pty(std::string link, unsigned baud) { return std::make_unique<Pty>(std::move(link), baud); }

std::unique_ptr<Port> make_tcp(std::string address, std::string port) {
  return std::make_unique<Tcp>(std::move(address), std::move(port));
}

}  // namespace vz::metersim
