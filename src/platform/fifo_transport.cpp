// SPDX-License-Identifier: GPL-3.0-or-later
#include "platform/fifo_transport.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>

#include "platform/transport_io.hpp"
#include "platform/wait.hpp"

namespace vz {

using platform::WaitEnd;

bool FifoTransport::reopen() {
  platform::Fd fresh{::open(path_.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY)};
  if (!fresh) {
    error_ = Error{"cannot open again: " + platform::errno_text(errno), path_, "", errno};
    return false;
  }
  fd_ = std::move(fresh);
  return true;
}

FifoTransport::Got FifoTransport::read_some() {
  std::array<char, 4096> piece;
  const ssize_t count = ::read(fd_.get(), piece.data(), piece.size());
  if (count > 0) {
    lines_.feed({piece.data(), static_cast<std::size_t>(count)}, RecordKind::line, out_.text);
    return Got::bytes;
  }
  if (count < 0 && errno == EINTR) return Got::bytes;
  if (count < 0 && errno == EAGAIN) return Got::nothing;
  if (count == 0 && is_fifo_) {
    if (lines_.pending()) lines_.finish(RecordKind::line, out_.text);
    return reopen() ? Got::nothing : Got::failed;
  }
  const int code = count == 0 ? 0 : errno;
  error_ = Error{code == 0 ? "the device was closed" : "cannot read: " + platform::errno_text(code), path_, "", code};
  return Got::failed;
}

/// The name may lead to another one now.
void FifoTransport::look_at_name() {
  struct stat held {};
  struct stat named {};
  if (!way_.heard() || ::fstat(fd_.get(), &held) != 0 || ::stat(path_.c_str(), &named) != 0) return;
  if (held.st_dev == named.st_dev && held.st_ino == named.st_ino) return;
  if (!is_fifo_ || !S_ISFIFO(named.st_mode)) {
    error_ = Error{"was replaced", path_, "", 0};
    return;
  }
  // without a writer this finds the end, and opens the new one; a writer of the old one is read to its end first
  constexpr int kMostReads = 64;
  for (int i = 0; i < kMostReads && read_some() == Got::bytes; ++i) {
  }
}

// A writer that never pauses must not hold the thread.
void FifoTransport::drain() {
  constexpr int kMostReads = 64;
  for (int i = 0; i < kMostReads && read_some() == Got::bytes; ++i) {
  }
  requested_ = false;
  append_record(out_.text, RecordKind::end, {});
}

ReadResult FifoTransport::read(std::span<std::byte> buffer, MonoTime not_before, MonoTime deadline, Wake& wake) {
  if (const auto ended = platform::hold_back(not_before, deadline, wake)) return {*ended, 0, std::nullopt};
  for (;;) {
    if (requested_) drain();
    if (!out_.empty()) return {ReadResult::Kind::bytes, out_.take(buffer), std::nullopt};
    if (error_) return {ReadResult::Kind::closed, 0, error_};
    const auto waited = platform::wait_for(timed_ ? -1 : fd_.get(), POLLIN, deadline, wake, timed_ ? -1 : way_.fd());
    if (waited.end == WaitEnd::woken) return {ReadResult::Kind::woken, 0, std::nullopt};
    if (waited.end == WaitEnd::timeout) return {ReadResult::Kind::timeout, 0, std::nullopt};
    if (waited.end == WaitEnd::failed)
      return {ReadResult::Kind::closed, 0, Error{platform::errno_text(waited.error), path_, "", waited.error}};
    if (waited.also) look_at_name();
    else read_some();
  }
}

Expected<void> FifoTransport::write(std::span<const std::byte>, MonoTime, Wake&) {
  requested_ = true;
  return {};
}

}  // namespace vz
