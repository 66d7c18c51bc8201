// SPDX-License-Identifier: GPL-3.0-or-later
#include "platform/transport_io.hpp"

#include <fmt/format.h>
#include <poll.h>

#include <cerrno>

#include "platform/wait.hpp"

namespace vz::platform {

std::optional<ReadResult::Kind> hold_back(MonoTime not_before, MonoTime deadline, const Wake& wake) {
  if (not_before <= std::chrono::steady_clock::now()) return std::nullopt;
  if (wait_for(-1, 0, std::min(not_before, deadline), wake).end == WaitEnd::woken) return ReadResult::Kind::woken;
  if (deadline < not_before) return ReadResult::Kind::timeout;
  return std::nullopt;
}

Expected<void> write_all(int fd, std::span<const std::byte> bytes, MonoTime deadline, const Wake& wake,
                         const std::string& where, ssize_t (*put)(int fd, const void* data, std::size_t size)) {
  const std::size_t total = bytes.size();
  const auto failed = [&](std::string why, int code) {
    return tl::unexpected(Error{
        fmt::format("cannot send ({} of {} bytes left): {}", bytes.size(), total, std::move(why)), where, "", code});
  };
  while (!bytes.empty()) {
    const ssize_t count = put(fd, bytes.data(), bytes.size());
    if (count > 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(count));
      continue;
    }
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno != EAGAIN) return failed(errno_text(errno), errno);
    const Waited waited = wait_for(fd, POLLOUT, deadline, wake);
    if (waited.end == WaitEnd::woken) return failed("interrupted", ECANCELED);
    if (waited.end == WaitEnd::timeout) return failed("the line takes no bytes", ETIMEDOUT);
    if (waited.end == WaitEnd::failed) return failed(errno_text(waited.error), waited.error);
  }
  return {};
}

}  // namespace vz::platform
