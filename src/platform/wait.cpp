// SPDX-License-Identifier: GPL-3.0-or-later
#include "platform/wait.hpp"

#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>
#include <system_error>

namespace vz::platform {
namespace {

// A far deadline (MonoTime::max()) must not overflow: waits are cut into slices.
constexpr MonoDuration kLongest = std::chrono::hours{1};

timespec left(MonoTime deadline) {
  const MonoTime now = std::chrono::steady_clock::now();
  const MonoDuration rest = deadline <= now              ? MonoDuration::zero()
                            : deadline - now >= kLongest ? kLongest
                                                         : deadline - now;
  const auto seconds = std::chrono::floor<std::chrono::seconds>(rest);
  timespec spec{};
  spec.tv_sec = static_cast<time_t>(seconds.count());
  spec.tv_nsec = static_cast<long>(std::chrono::nanoseconds{rest - seconds}.count());
  return spec;
}

}  // namespace

Waited wait_for(int fd, short events, MonoTime deadline, const Wake& wake, int also) {
  std::array<pollfd, 3> set{{{wake.fd(), POLLIN, 0}, {fd, events, 0}, {also, POLLIN, 0}}};
  for (;;) {
    const timespec timeout = left(deadline);
    const int count = ::ppoll(set.data(), set.size(), &timeout, nullptr);
    if (count < 0 && errno != EINTR) return {WaitEnd::failed, 0, errno, false};
    if (count > 0) {
      if (set[0].revents != 0) return {WaitEnd::woken, 0, 0, false};
      return {WaitEnd::ready, set[1].revents, 0, set[2].revents != 0};
    }
    if (count == 0 && std::chrono::steady_clock::now() >= deadline) return {WaitEnd::timeout, 0, 0, false};
  }
}

std::string errno_text(int code) { return std::generic_category().message(code); }

}  // namespace vz::platform
