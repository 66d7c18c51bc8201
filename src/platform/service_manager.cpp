// SPDX-License-Identifier: GPL-3.0-or-later
#include "platform/service_manager.hpp"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "platform/wait.hpp"

namespace vz {
namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::optional<std::int64_t> positive(const std::string& text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || number <= 0) return std::nullopt;
  return number;
}

}  // namespace

ServiceEnvironment ServiceEnvironment::from_process() {
  const std::string journal = variable("JOURNAL_STREAM");
  const bool ours = leads_to_journal(journal, STDERR_FILENO) || leads_to_journal(journal, STDOUT_FILENO);
  return {variable("NOTIFY_SOCKET"), ours ? journal : "", variable("WATCHDOG_USEC"), variable("WATCHDOG_PID")};
}

bool leads_to_journal(const std::string& journal_stream, int fd) {
  struct stat status {};
  return ::fstat(fd, &status) == 0 && journal_stream == fmt::format("{}:{}", status.st_dev, status.st_ino);
}

std::optional<std::chrono::microseconds> watchdog_interval(const ServiceEnvironment& environment, pid_t pid) {
  const auto interval = positive(environment.watchdog_usec);
  if (!interval) return std::nullopt;
  // Meant for another process (a wrapper of this one, or this one before it forked).
  if (!environment.watchdog_pid.empty() && positive(environment.watchdog_pid) != pid) return std::nullopt;
  return std::chrono::microseconds{*interval};
}

ServiceManager::ServiceManager(const ServiceEnvironment& environment) : path_(environment.notify_socket) {
  if (path_.empty()) return;
  fd_ = platform::Fd{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  timeval patience{};
  patience.tv_usec = std::chrono::microseconds{kPatience}.count();
  if (fd_) ::setsockopt(fd_.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
}

Expected<void> ServiceManager::status(std::string_view text) {
  std::string line{text.substr(0, kMaxStatus)};
  std::replace_if(
      line.begin(), line.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
  return send("STATUS=" + line);
}

Expected<void> ServiceManager::send(std::string_view message) {
  if (path_.empty()) return {};
  const auto failed = [&](int code) {
    return tl::unexpected(
        Error{"cannot tell the service manager \"" + std::string{message} + "\": " + platform::errno_text(code), path_,
              "", code});
  };
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (!fd_) return failed(EMFILE);
  if ((path_[0] != '/' && path_[0] != '@') || path_.size() >= sizeof address.sun_path) return failed(EAFNOSUPPORT);
  std::memcpy(address.sun_path, path_.data(), path_.size());
  if (path_[0] == '@') address.sun_path[0] = '\0';  // the abstract name space
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path_.size());
  // The socket interface wants the cast.
  const auto* const name = reinterpret_cast<const sockaddr*>(&address);
  ssize_t sent = 0;
  do {
    sent = ::sendto(fd_.get(), message.data(), message.size(), MSG_NOSIGNAL, name, length);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) return failed(errno);
  return {};
}

}  // namespace vz
