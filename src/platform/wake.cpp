// SPDX-License-Identifier: GPL-3.0-or-later
#include "vz/wake.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <system_error>

namespace vz {

Wake::Wake() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  // Without it no wait could ever be ended: there is nothing sensible to go on with.
  if (fd_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
}

Wake::~Wake() {
  callback_.reset();  // waits for a callback that is under way, which uses fd_
  ::close(fd_);
}

void Wake::follow(std::stop_token token) {
  callback_.reset();
  token_ = std::move(token);
  callback_.emplace(token_, [this] { wake(); });
}

void Wake::wake() noexcept {
  const std::uint64_t one = 1;
  // Fails only with EAGAIN, when the counter is full: then it is readable anyhow.
  while (::write(fd_, &one, sizeof one) < 0 && errno == EINTR) {
  }
}

void Wake::clear() noexcept {
  std::uint64_t count = 0;
  while (::read(fd_, &count, sizeof count) < 0 && errno == EINTR) {
  }
  if (token_.stop_requested()) wake();  // a stop is never forgotten
}

}  // namespace vz
