// SPDX-License-Identifier: GPL-3.0-or-later
#include "platform/serial_transport.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>

#include "platform/serial_ports.hpp"
#include "platform/termios_settings.hpp"
#include "platform/transport_io.hpp"
#include "platform/wait.hpp"

namespace vz {
namespace {

using platform::Fd;

bool is_pty(int fd) {
  // Documentation/admin-guide/devices.txt: 136-143 are the Unix98 pty slaves
  constexpr unsigned kFirst = 136;
  constexpr unsigned kLast = 143;
  struct stat status {};
  return ::fstat(fd, &status) == 0 && major(status.st_rdev) >= kFirst && major(status.st_rdev) <= kLast;
}

Expected<void> lock(int fd, const std::string& path) {
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    return tl::unexpected(platform::serial_in_use_error(path, fd));
  }
  if (is_pty(fd)) return {};
  int exclusive = 0;  // root's open() passes where TIOCEXCL would refuse others, so ask
  if (::ioctl(fd, TIOCGEXCL, &exclusive) == 0 && exclusive != 0) {
    return tl::unexpected(platform::serial_open_error(path, EBUSY));
  }
  ::ioctl(fd, TIOCEXCL);
  return {};
}

// A pty (and some adapters) cannot do all sizes and parities: the kernel then leaves those out and sets the rest.
// Debian's C library calls that EINVAL, others success. It is no failure here: what counts is that the line is raw.
bool took_effect(int fd, const termios& settings) {
  termios now{};
  return ::tcgetattr(fd, &now) == 0 && now.c_iflag == settings.c_iflag && now.c_oflag == settings.c_oflag &&
         now.c_lflag == settings.c_lflag && ::cfgetospeed(&now) == ::cfgetospeed(&settings);
}

int apply(int fd, const termios& settings) {
  while (::tcsetattr(fd, TCSANOW, &settings) != 0) {
    if (errno == EINTR) continue;
    const int code = errno;
    return code == EINVAL && took_effect(fd, settings) ? 0 : code;
  }
  return 0;
}

Error unknown_speed(const std::string& path, unsigned baud) {
  return {fmt::format("cannot be set to {} baud", baud), path, "speeds: " + platform::known_baud_rates(), EINVAL};
}

}  // namespace

Expected<std::unique_ptr<Transport>> SerialTransport::open(const std::string& path, LineSettings line) {
  Fd fd{::open(path.c_str(), O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC)};
  if (!fd) return tl::unexpected(platform::serial_open_error(path, errno));
  termios found{};
  if (::tcgetattr(fd.get(), &found) != 0) return tl::unexpected(platform::serial_open_error(path, errno));
  if (auto locked = lock(fd.get(), path); !locked) return tl::unexpected(locked.error());
  // From here on the destructor gives the device back.
  std::unique_ptr<SerialTransport> transport{new SerialTransport(std::move(fd), path, found)};
  if (auto set = transport->set_line(line); !set) return tl::unexpected(set.error());
  int raised = TIOCM_DTR | TIOCM_RTS;
  ::ioctl(transport->fd_.get(), TIOCMBIS, &raised);  // no modem lines (pty): nothing to raise
  ::tcflush(transport->fd_.get(), TCIOFLUSH);
  return transport;
}

SerialTransport::SerialTransport(Fd fd, std::string path, const termios& found)
    : fd_(std::move(fd)), path_(std::move(path)), found_(found), pty_(is_pty(fd_.get())) {}

SerialTransport::~SerialTransport() {
  ::tcflush(fd_.get(), TCOFLUSH);
  ::tcsetattr(fd_.get(), TCSANOW, &found_);
  if (!pty_) ::ioctl(fd_.get(), TIOCNXCL);
}

ReadResult SerialTransport::closed(int code) const {
  Error error{"the line was hung up", path_, "the adapter was unplugged or its other end closed", code};
  if (code != 0) error.what = "the device has gone: " + platform::errno_text(code);
  return {ReadResult::Kind::closed, 0, std::move(error)};
}

ReadResult SerialTransport::read(std::span<std::byte> buffer, MonoTime not_before, MonoTime deadline, Wake& wake) {
  if (const auto ended = platform::hold_back(not_before, deadline, wake)) return {*ended, 0, std::nullopt};
  for (;;) {
    const platform::Waited waited = platform::wait_for(fd_.get(), POLLIN, deadline, wake);
    if (waited.end == platform::WaitEnd::woken) return {ReadResult::Kind::woken, 0, std::nullopt};
    if (waited.end == platform::WaitEnd::timeout) return {ReadResult::Kind::timeout, 0, std::nullopt};
    if (waited.end == platform::WaitEnd::failed) return closed(waited.error);
    const ssize_t count = ::read(fd_.get(), buffer.data(), buffer.size());
    if (count > 0) {
      const auto raw = static_cast<std::size_t>(count);
      const std::size_t characters = marked_ ? marks_.decode(buffer.first(raw)) : raw;
      if (pty_) eighth_bit_.received(buffer.first(characters));
      if (characters > 0) return {ReadResult::Kind::bytes, characters, std::nullopt};
    } else if (count == 0) {
      return closed(0);
    } else if (errno != EAGAIN && errno != EINTR) {
      return closed(errno);
    } else if ((waited.revents & (POLLHUP | POLLERR | POLLNVAL)) != 0) {
      return closed(0);  // nothing left to read, and nothing will come
    }
  }
}

Expected<void> SerialTransport::write(std::span<const std::byte> bytes, MonoTime deadline, Wake& wake) {
  return platform::write_all(fd_.get(), eighth_bit_.to_send(bytes, with_parity_), deadline, wake, path_,
                             [](int fd, const void* data, std::size_t size) { return ::write(fd, data, size); });
}

Expected<void> SerialTransport::set_line(LineSettings line) {
  termios now{};
  if (::tcgetattr(fd_.get(), &now) != 0) now = found_;
  const auto settings = platform::raw_termios(now, line);
  if (!settings) return tl::unexpected(unknown_speed(path_, line.baud));
  if (const int code = apply(fd_.get(), *settings); code != 0) {
    return tl::unexpected(
        Error{fmt::format("cannot be set to {} baud {}: {}", line.baud, text(line.format), platform::errno_text(code)),
              path_, "", code});
  }
  if (marked_ != platform::marks_parity(line.format)) marks_.reset();
  marked_ = platform::marks_parity(line.format);
  if (pty_) eighth_bit_.set_format(line.format);
  return {};
}

void SerialTransport::discard_input() {
  ::tcflush(fd_.get(), TCIFLUSH);
  marks_.reset();
}

}  // namespace vz
