// SPDX-License-Identifier: GPL-3.0-or-later
#include "local/control_client.hpp"

#include <grp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <utility>

#include "local/json_members.hpp"
#include "platform/wait.hpp"

namespace vz::local {
namespace {

using Json = nlohmann::ordered_json;
using std::chrono::steady_clock;

constexpr std::size_t kMaxAnswer = 16 * 1024 * 1024;

/// The name of the group that the socket belongs to, or its folder if that is all one can see.
std::string group_of(const std::string& path) {
  struct stat found {};
  if (::stat(path.c_str(), &found) != 0 && ::stat(path.substr(0, path.rfind('/')).c_str(), &found) != 0) return {};
  group entry{};
  group* result = nullptr;
  std::array<char, 4096> buffer;
  if (::getgrgid_r(found.st_gid, &entry, buffer.data(), buffer.size(), &result) != 0 || result == nullptr) return {};
  return entry.gr_name;
}

Error cannot_connect(const std::string& path, int code) {
  Error error{.what = "cannot connect: " + platform::errno_text(code), .where = path, .remedy = {}, .code = code};
  if (code == ENOENT || code == ECONNREFUSED || code == ENOTDIR) {
    error.what = "no vzlogger daemon answers";
    error.remedy =
        "is it running? systemctl status vzlogger. A daemon with another RUNTIME_DIRECTORY is found with --socket";
  } else if (code == EACCES) {
    const std::string group = group_of(path);
    error.what = "no permission to ask the daemon";
    error.remedy =
        group.empty() || group == "root"
            ? "run the command as root"
            : fmt::format("run the command as root, or join the group: adduser USER {0}, and log in again", group);
  }
  return error;
}

/// Waits for the socket. False at the deadline, or when woken.
bool wait_for(int fd, short events, steady_clock::time_point deadline, const Wake* wake = nullptr) {
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - steady_clock::now()).count();
    std::array<pollfd, 2> wanted{{{fd, events, 0}, {wake == nullptr ? -1 : wake->fd(), POLLIN, 0}}};
    const int count = ::poll(wanted.data(), wanted.size(), static_cast<int>(std::clamp<long long>(left, 0, 3'600'000)));
    if (count > 0) return wanted[1].revents == 0;
    if (count == 0 && left <= 0) return false;
  }
}

}  // namespace

Expected<ControlClient> ControlClient::connect(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return tl::unexpected(Error{.what = "the name is too long for a socket", .where = path, .remedy = {}});
  path.copy(address.sun_path, path.size());
  platform::Fd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  if (!fd || ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) !=
                 0)  // NOLINT(*-reinterpret-cast)
    return tl::unexpected(cannot_connect(path, errno));
  return ControlClient{std::move(fd), path};
}

bool no_daemon(const Error& error) {
  return error.code == ENOENT || error.code == ECONNREFUSED || error.code == ENOTDIR;
}

Expected<void> ControlClient::send(const std::string& line, steady_clock::time_point deadline, const Wake* wake) {
  for (std::size_t sent = 0; sent < line.size();) {
    const ssize_t count = ::send(fd_.get(), line.data() + sent, line.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count > 0)
      sent += static_cast<std::size_t>(count);
    else if (errno == EAGAIN && wait_for(fd_.get(), POLLOUT, deadline, wake))
      continue;
    else if (errno != EINTR)
      return tl::unexpected(Error{.what = "the daemon does not listen: " + platform::errno_text(errno),
                                  .where = path_,
                                  .remedy = {},
                                  .code = errno});
  }
  return {};
}

Expected<std::string> ControlClient::receive(steady_clock::time_point deadline, const Wake* wake) {
  const auto failed = [&](std::string what, int code) {
    return tl::unexpected(Error{.what = std::move(what), .where = path_, .remedy = {}, .code = code});
  };
  while (true) {
    if (const std::size_t end = in_.find('\n'); end != std::string::npos) {
      std::string line = in_.substr(0, end);
      in_.erase(0, end + 1);
      return line;
    }
    if (in_.size() > kMaxAnswer) return failed("the answer is too long", 0);
    if (!wait_for(fd_.get(), POLLIN, deadline, wake)) {
      if (wake != nullptr && wake->stop_requested()) return failed("the answer was not waited for", ECANCELED);
      return failed("the daemon does not answer in time", ETIMEDOUT);
    }
    std::array<char, 65536> buffer;
    const ssize_t count = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
    if (count > 0)
      in_.append(buffer.data(), static_cast<std::size_t>(count));
    else if (count == 0)
      return failed("the daemon has closed the connection", ECONNRESET);
    else if (errno != EINTR)
      return failed("the daemon is gone: " + platform::errno_text(errno), errno);
  }
}

Expected<Json> ControlClient::ask(const ControlRequest& request, std::chrono::seconds patience, const Wake* wake) {
  const auto deadline = steady_clock::now() + patience;
  const auto sent = send(request_line(request) + '\n', deadline, wake);
  // A daemon that turns one away says so before it has read anything.
  auto line = receive(sent ? deadline : steady_clock::now(), wake);
  if (!line) return tl::unexpected(sent ? line.error() : sent.error());
  Json answer = Json::parse(*line, nullptr, false);
  if (!answer.is_object())
    return tl::unexpected(Error{
        .what = "the answer is not understood", .where = path_, .remedy = "do both programs have the same version?"});
  if (answer.value("ok", Json()) == true) return answer;
  return tl::unexpected(
      Error{.what = member<std::string>(answer, "error"), .where = {}, .remedy = member<std::string>(answer, "remedy")});
}

Expected<BorrowedLine> BorrowedLine::borrow(const std::string& path, const std::string& device,
                                            std::chrono::seconds limit) {
  BorrowedLine line;
  auto connection = ControlClient::connect(path);
  if (!connection) {
    if (no_daemon(connection.error())) return line;
    return tl::unexpected(connection.error());
  }
  line.request_.kind = ControlRequest::Kind::lend;
  line.request_.device = device;
  line.request_.limit = std::clamp(limit, std::chrono::seconds{1}, kLongestLending);
  const auto answer = connection->ask(line.request_);
  if (!answer) return tl::unexpected(answer.error());
  if (const auto meters = answer->find("meters"); meters != answer->end() && meters->is_array())
    for (const Json& meter : *meters)
      if (meter.is_number_integer()) line.meters_.push_back(meter.get<int>());
  if (!line.meters_.empty()) line.connection_.push_back(std::move(*connection));
  return line;
}

bool BorrowedLine::disturbed() const {
  return !connection_.empty() && wait_for(connection_.front().fd(), POLLIN, steady_clock::now());
}

Expected<void> BorrowedLine::renew() {
  if (connection_.empty()) return {};
  // what stands there unasked is the news of the line's end, and so is the first answer
  const auto answer = connection_.front().ask(request_);
  if (!answer) return tl::unexpected(answer.error());
  return {};
}

}  // namespace vz::local
