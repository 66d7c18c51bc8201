// SPDX-License-Identifier: GPL-3.0-or-later
#include "local/control_server.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include "local/control_protocol.hpp"
#include "local/status_json.hpp"
#include "platform/wait.hpp"

namespace vz::local {
namespace {

using Kind = ControlRequest::Kind;

constexpr int kBacklog = 8;
constexpr std::size_t kReadSize = 4096;
constexpr std::chrono::seconds kDeaf{1};

tl::unexpected<Error> failed(std::string what, const std::string& where, int code, std::string remedy = {}) {
  if (code != 0) what += ": " + platform::errno_text(code);
  return tl::unexpected(Error{.what = std::move(what), .where = where, .remedy = std::move(remedy), .code = code});
}

/// True if the peer is in the group: as its own one or as one of the others.
bool in_group(int fd, const ucred& peer, gid_t group) {
  if (peer.gid == group) return true;
  std::array<gid_t, 1024> groups{};
  socklen_t size = sizeof groups;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &size) != 0) return false;
  const auto end = groups.begin() + static_cast<std::ptrdiff_t>(size / sizeof(gid_t));
  return std::find(groups.begin(), end, group) != end;
}

/// The peer's process, if it may ask at all.
std::optional<pid_t> allowed_peer(int fd) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return std::nullopt;
  if (peer.uid != 0 && peer.uid != ::geteuid() && !in_group(fd, peer, ::getegid())) return std::nullopt;
  return peer.pid;
}

std::string folder_of(const std::string& path) { return path.substr(0, path.rfind('/')); }

}  // namespace

std::string control_path(const char* runtime_directory) {
  std::string_view folders = runtime_directory == nullptr ? std::string_view{} : runtime_directory;
  folders = folders.substr(0, folders.find(':'));
  return fmt::format("{}/control.sock", folders.empty() ? "/run/vzlogger" : folders);
}

ControlServer::ControlServer(StatusSource status, OutboxDesk outbox, std::vector<HeldLine*> lines, const Clock& clock,
                             Log& log)
    : status_(std::move(status)), outbox_(std::move(outbox)), lines_(lines, log), clock_(clock), log_(log) {
  for (HeldLine* line : lines) line->on_released([this] { wake_.wake(); });
}

ControlServer::~ControlServer() { remove(); }

Expected<void> ControlServer::open(const std::string& path) {
  ::mkdir(folder_of(path).c_str(), 0750);  // if that fails, so does the next call, which says why
  if (auto locked = lock(path + ".lock"); !locked) return locked;
  if (auto bound = bind(path); !bound) {
    lock_.reset();
    return bound;
  }
  path_ = path;
  return {};
}

/// The lock tells a living daemon from one that died and left its socket behind.
Expected<void> ControlServer::lock(const std::string& path) {
  platform::Fd file{::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)};
  if (!file) return failed("cannot make it", path, errno, "the folder has to belong to the daemon's user");
  if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0)
    return failed("another vzlogger answers there", path, errno == EWOULDBLOCK ? 0 : errno,
                  "give each daemon a RUNTIME_DIRECTORY of its own");
  lock_ = std::move(file);
  return {};
}

Expected<void> ControlServer::bind(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return failed("the name is too long for a socket", path, 0);
  path.copy(address.sun_path, path.size());
  struct stat found {};
  if (::lstat(path.c_str(), &found) == 0) {
    if (!S_ISSOCK(found.st_mode)) return failed("this is no socket", path, 0, "remove it");
    ::unlink(path.c_str());
  }
  platform::Fd socket{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  // fchmod() before bind(): the name is never there with more rights than these. The umask may have taken some away, which
  // chmod() gives back; nobody can connect before listen().
  constexpr mode_t kMode = 0660;
  if (!socket || ::fchmod(socket.get(), kMode) != 0 ||
      ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) !=
          0 ||  // NOLINT(*-reinterpret-cast)
      ::chmod(path.c_str(), kMode) != 0 ||
      ::listen(socket.get(), kBacklog) != 0)
    return failed("cannot make the socket", path, errno);
  listener_ = std::move(socket);
  return {};
}

void ControlServer::remove() {
  if (!listener_) return;
  ::unlink(path_.c_str());
  listener_.reset();
  lock_.reset();
}

void ControlServer::run(const std::stop_token& stop) {
  if (!listener_) return;
  wake_.follow(stop);
  while (!wake_.stop_requested()) wait();
  remove();
  clients_.clear();
}

MonoTime ControlServer::idle_until(const Client& client) const {
  return lines_.borrows(client.who.id) ? MonoTime::max() : client.heard + kIdle;
}

/// Milliseconds until something is to be done although nobody asks; -1: never.
int ControlServer::timeout(MonoTime now) const {
  MonoTime next = lines_.next_deadline().value_or(MonoTime::max());
  for (const Client& client : clients_) next = std::min(next, idle_until(client));
  if (deaf_until_ > now) next = std::min(next, deaf_until_);
  if (next == MonoTime::max()) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(next - now).count();
  return static_cast<int>(std::clamp<long long>(left, 0, 3'600'000));
}

void ControlServer::wait() {
  std::vector<pollfd> set{{wake_.fd(), POLLIN, 0}};
  const MonoTime before = clock_.now().mono;
  set.push_back({deaf_until_ > before ? -1 : listener_.get(), POLLIN, 0});
  for (const Client& client : clients_) {
    const bool writes = !client.out.empty();
    const bool reads = !writes && !client.waits;
    set.push_back({client.fd.get(), static_cast<short>(writes ? POLLOUT : reads ? POLLIN : 0), 0});
  }
  if (::poll(set.data(), set.size(), timeout(before)) < 0 && errno != EINTR) return;
  const MonoTime now = clock_.now().mono;
  if (set[0].revents != 0) wake_.clear();
  for (std::size_t i = 2; i < set.size(); ++i) look_at(clients_[i - 2], set[i].revents, now);
  look_at_loans(now);
  close_ended(now);
  if (set[1].revents != 0) accept_all(now);
}

void ControlServer::accept_all(MonoTime now) {
  while (true) {
    platform::Fd fd{::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)};
    if (!fd) {
      if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) deaf_until_ = now + kDeaf;
      return;
    }
    Client client;
    client.fd = std::move(fd);
    client.heard = now;
    const auto pid = allowed_peer(client.fd.get());
    if (!pid) {
      client.out =
          dump(bad_answer({.what = "only root and the daemon's group may ask", .where = {}, .remedy = {}})) + '\n';
      log_.write(Level::info, "main", "a process that is neither root's nor of the daemon's group was turned away");
    } else if (clients_.size() >= kMaxClients) {
      client.out =
          dump(bad_answer({.what = "too many ask at the same time", .where = {}, .remedy = "try again"})) + '\n';
    }
    if (!client.out.empty()) {
      write(client, now);
      continue;
    }
    client.who = {next_client_++, *pid};
    clients_.push_back(std::move(client));
  }
}

void ControlServer::look_at(Client& client, short events, MonoTime now) {
  if ((events & POLLIN) != 0)
    read(client, now);
  else if ((events & (POLLHUP | POLLERR | POLLNVAL)) != 0)
    client.ended = true;
  if ((events & POLLOUT) != 0) write(client, now);
  answer_next(client, now);
  if (now >= idle_until(client)) client.ended = true;
}

void ControlServer::read(Client& client, MonoTime now) {
  std::array<char, kReadSize> buffer;
  const ssize_t count = ::recv(client.fd.get(), buffer.data(), buffer.size(), 0);
  if (count > 0) {
    client.in.append(buffer.data(), static_cast<std::size_t>(count));
    client.heard = now;
  } else if (count == 0 || (errno != EAGAIN && errno != EINTR)) {
    client.ended = true;
  }
}

void ControlServer::write(Client& client, MonoTime now) {
  const ssize_t count = ::send(client.fd.get(), client.out.data(), client.out.size(), MSG_NOSIGNAL);
  if (count > 0) {
    client.out.erase(0, static_cast<std::size_t>(count));
    client.heard = now;
  } else if (count < 0 && errno != EAGAIN && errno != EINTR) {
    client.ended = true;
  }
  if (client.out.empty() && client.last) client.ended = true;
}

/// Answers as long as the answers get away.
void ControlServer::answer_next(Client& client, MonoTime now) {
  while (!client.ended && !client.waits && client.out.empty()) {
    const std::size_t end = client.in.find('\n');
    if (std::min(end, client.in.size()) > kMaxRequest) {
      client.out = dump(bad_answer({.what = "the request is too long", .where = {}, .remedy = {}})) + '\n';
      client.last = true;
    } else if (end == std::string::npos) {
      return;
    } else {
      const std::string line = client.in.substr(0, end);
      client.in.erase(0, end + 1);
      answer(client, line, now);
    }
    if (!client.out.empty()) write(client, now);
  }
}

void ControlServer::answer(Client& client, std::string_view line, MonoTime now) {
  const auto request = parse_request(line);
  std::optional<nlohmann::ordered_json> reply;
  if (!request) {
    reply = bad_answer(request.error());
  } else if (OutboxDesk::knows(request->kind)) {
    reply = outbox_.answer(*request);
  } else if (request->kind == Kind::pause) {
    reply = lines_.pause(*request->meter, client.who);
  } else if (request->kind == Kind::resume) {
    reply = lines_.resume(*request->meter, client.who);
  } else if (request->kind == Kind::lend) {
    reply = lines_.lend(*request, client.who, now);
  } else if (request->kind == Kind::back) {
    reply = lines_.back(client.who.id, now);
  } else {
    reply = good_answer();
    (*reply)["status"] = to_json(status_());
  }
  client.waits = !reply;
  if (reply) client.out = dump(*reply) + '\n';
}

/// Lines that are closed by now, and those whose time is over.
void ControlServer::look_at_loans(MonoTime now) {
  const auto over = lines_.expire(now);
  for (Client& client : clients_) {
    if (std::find(over.begin(), over.end(), client.who.id) != over.end()) {
      auto told = bad_answer(
          {.what = "the time is over: the line was taken back", .where = {}, .remedy = "borrow it for longer"});
      told["event"] = "taken back";
      client.out += dump(told) + '\n';
      client.heard = now;
      write(client, now);
    }
    if (!client.waits) continue;
    if (const auto reply = lines_.lent(client.who.id, now)) {
      client.waits = false;
      client.heard = now;
      client.out = dump(*reply) + '\n';
      write(client, now);
    }
  }
}

void ControlServer::close_ended(MonoTime now) {
  for (const Client& client : clients_)
    if (client.ended) lines_.gone(client.who.id, now);
  std::erase_if(clients_, [](const Client& client) { return client.ended; });
}

}  // namespace vz::local
