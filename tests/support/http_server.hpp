// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cctype>
#include <charconv>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace vz::test {

/// What a scripted server does with one request.
struct HttpAnswer {
  enum class Act {
    reply,  ///< sends the answer and keeps the connection
    last,   ///< sends the answer and closes the connection (without announcing it)
    close,  ///< closes the connection without an answer
    reset,  ///< the same with a TCP reset
    hang,   ///< neither answers nor closes until release() or the end of the server
  };
  int status = 200;
  std::string body = "{}";
  std::vector<std::string> headers = {};  ///< "Name: value", besides Content-Length
  Act act = Act::reply;
  std::string raw = {};                ///< if not empty: sent as it is, instead of status, headers and body
  std::size_t drip = 0;                ///< > 0: this many bytes at a time ...
  std::chrono::milliseconds pause{1};  ///< ... with this pause between
};

/// A request as it came.
struct HttpRecord {
  std::string head;  ///< request line and headers, with the empty line
  std::string body;
  std::size_t connection = 0;  ///< connections count from 0 in the order in which they came

  [[nodiscard]] std::string raw() const { return head + body; }
  [[nodiscard]] std::string method() const { return head.substr(0, head.find(' ')); }
  [[nodiscard]] std::string target() const {
    const std::size_t begin = head.find(' ') + 1;
    return head.substr(begin, head.find(' ', begin) - begin);
  }
  /// The value of a header, "" if it is not there.
  [[nodiscard]] std::string header(std::string_view name) const {
    for (std::size_t at = head.find("\r\n"); at + 2 < head.size();) {
      const std::size_t begin = at + 2;
      at = head.find("\r\n", begin);
      const std::string line = head.substr(begin, at - begin);
      const bool same = line.size() > name.size() && line[name.size()] == ':' &&
                        std::equal(name.begin(), name.end(), line.begin(),
                                   [](unsigned char a, unsigned char b) { return std::tolower(a) == std::tolower(b); });
      if (same) return line.substr(std::min(line.find_first_not_of(' ', name.size() + 1), line.size()));
    }
    return {};
  }
};

/// A small HTTP/1.1 server on a free port of 127.0.0.1 that keeps every request byte for byte and answers by script:
/// the queued answers first, in order, then what the handler says, then the default answer. One thread; all public
/// members may be called from any thread. Waits are bounded (kPatience), so that a test fails rather than hangs.
class HttpServer {
 public:
  using Handler = std::function<std::optional<HttpAnswer>(const HttpRecord&)>;
  static constexpr std::chrono::seconds kPatience{20};

  HttpServer() : listener_(listen_on(0)), wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), thread_([this] { run(); }) {}
  ~HttpServer() {
    stopping_ = true;
    nudge();
    thread_.join();
    for (const auto& [number, connection] : connections_) ::close(connection->fd);
    if (listener_ >= 0) ::close(listener_);
    ::close(wake_);
  }
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  [[nodiscard]] int port() const { return port_; }
  /// "http://127.0.0.1:PORT" and `path`.
  [[nodiscard]] std::string url(const std::string& path = "") const {
    return "http://127.0.0.1:" + std::to_string(port_) + path;
  }

  void enqueue(HttpAnswer answer) {
    const std::lock_guard lock{mutex_};
    script_.push_back(std::move(answer));
  }
  void set_default(HttpAnswer answer) {
    const std::lock_guard lock{mutex_};
    default_ = std::move(answer);
  }
  /// Called in the server's thread, without a lock held.
  void set_handler(Handler handler) {
    const std::lock_guard lock{mutex_};
    handler_ = std::move(handler);
  }

  [[nodiscard]] std::vector<HttpRecord> requests() const {
    const std::lock_guard lock{mutex_};
    return records_;
  }
  /// Connections accepted so far.
  [[nodiscard]] std::size_t accepted() const {
    const std::lock_guard lock{mutex_};
    return accepted_;
  }
  /// True when that many requests have come (complete ones).
  bool wait_requests(std::size_t count) const {
    std::unique_lock lock{mutex_};
    return changed_.wait_for(lock, kPatience, [&] { return records_.size() >= count; });
  }
  /// True when that many connections have been closed, by either side.
  bool wait_closed(std::size_t count) const {
    std::unique_lock lock{mutex_};
    return changed_.wait_for(lock, kPatience, [&] { return closed_ >= count; });
  }
  /// Closes every open connection, from the server's side; returns when that is done.
  void close_connections() { command(close_all_); }
  /// Requests that hang get their answers (Act::hang then means Act::reply).
  void release() { command(release_); }
  /// Stops (or starts again, on the same port) to listen: connections are refused.
  void stop_listening() { command(deaf_); }
  void listen_again() { command(listen_); }

 private:
  struct Connection {
    int fd = -1;
    std::string in;
    std::string out;
    std::size_t drip = 0;
    std::chrono::milliseconds pause{0};
    std::chrono::steady_clock::time_point next{};
    bool last = false;
    std::optional<HttpAnswer> hanging;
  };

  int listen_on(int port) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const int on = 1;
    ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const name = reinterpret_cast<sockaddr*>(&address);
    if (::bind(fd, name, size) != 0 || ::listen(fd, 64) != 0 || ::getsockname(fd, name, &size) != 0) std::abort();
    port_ = ntohs(address.sin_port);
    return fd;
  }

  void nudge() const {
    const std::uint64_t one = 1;
    static_cast<void>(::write(wake_, &one, sizeof one) == 0);
  }
  // Has the server's thread do something and waits until it has.
  void command(bool& flag) {
    std::unique_lock lock{mutex_};
    flag = true;
    nudge();
    changed_.wait_for(lock, kPatience, [&] { return !flag; });
  }

  void run() {
    while (!stopping_) {
      poll_once();
      obey();
    }
  }

  void poll_once() {
    std::vector<pollfd> set{{wake_, POLLIN, 0}, {listener_, POLLIN, 0}};
    std::vector<std::size_t> numbers;
    const auto now = std::chrono::steady_clock::now();
    int timeout = -1;
    for (const auto& [number, connection] : connections_) {
      short events = POLLIN;
      if (!connection->out.empty()) {
        const auto rest = std::chrono::ceil<std::chrono::milliseconds>(connection->next - now).count();
        if (rest <= 0) {
          events |= POLLOUT;
        } else {
          timeout = static_cast<int>(timeout < 0 ? rest : std::min<std::int64_t>(timeout, rest));
        }
      }
      set.push_back({connection->fd, events, 0});
      numbers.push_back(number);
    }
    ::poll(set.data(), set.size(), timeout);
    if (set[0].revents != 0) {
      std::uint64_t count = 0;
      static_cast<void>(::read(wake_, &count, sizeof count) == 0);
    }
    if ((set[1].revents & POLLIN) != 0) accept_one();
    for (std::size_t i = 0; i < numbers.size(); ++i) serve(numbers[i], set[i + 2].revents);
  }

  void accept_one() {
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) return;
    const std::lock_guard lock{mutex_};
    auto connection = std::make_unique<Connection>();
    connection->fd = fd;
    connections_.emplace(accepted_++, std::move(connection));
    changed_.notify_all();
  }

  void serve(std::size_t number, short revents) {
    Connection& connection = *connections_.at(number);
    if ((revents & (POLLIN | POLLHUP | POLLERR)) != 0 && !receive(connection))
      return drop(number, HttpAnswer::Act::close);
    while (connection.out.empty() && !connection.hanging) {
      auto record = take_request(connection);
      if (!record) break;
      record->connection = number;
      const HttpAnswer answer = answer_to(*record);
      keep(std::move(*record));
      if (answer.act == HttpAnswer::Act::close || answer.act == HttpAnswer::Act::reset) return drop(number, answer.act);
      if (answer.act == HttpAnswer::Act::hang) {
        connection.hanging = answer;
      } else {
        prepare(connection, answer);
      }
    }
    if (!connection.out.empty() && std::chrono::steady_clock::now() >= connection.next) transmit(number, connection);
  }

  static bool receive(Connection& connection) {
    char buffer[16384];
    const ssize_t count = ::recv(connection.fd, buffer, sizeof buffer, MSG_DONTWAIT);
    if (count > 0) connection.in.append(buffer, static_cast<std::size_t>(count));
    return count > 0 || (count < 0 && errno == EAGAIN);
  }

  static std::optional<HttpRecord> take_request(Connection& connection) {
    const std::size_t end = connection.in.find("\r\n\r\n");
    if (end == std::string::npos) return std::nullopt;
    HttpRecord record;
    record.head = connection.in.substr(0, end + 4);
    std::size_t length = 0;
    const std::string text = record.header("Content-Length");
    std::from_chars(text.data(), text.data() + text.size(), length);
    if (connection.in.size() - record.head.size() < length) return std::nullopt;
    record.body = connection.in.substr(record.head.size(), length);
    connection.in.erase(0, record.head.size() + length);
    return record;
  }

  HttpAnswer answer_to(const HttpRecord& record) {
    Handler handler;
    HttpAnswer fallback;
    {
      const std::lock_guard lock{mutex_};
      if (!script_.empty()) {
        HttpAnswer answer = std::move(script_.front());
        script_.pop_front();
        return answer;
      }
      handler = handler_;
      fallback = default_;
    }
    if (handler) {
      if (auto answer = handler(record)) return *answer;
    }
    return fallback;
  }

  void keep(HttpRecord record) {
    const std::lock_guard lock{mutex_};
    records_.push_back(std::move(record));
    changed_.notify_all();
  }

  static void prepare(Connection& connection, const HttpAnswer& answer) {
    connection.out = answer.raw;
    if (answer.raw.empty()) {
      connection.out = fmt::format("HTTP/1.1 {} Scripted\r\n", answer.status);
      for (const std::string& header : answer.headers) connection.out += header + "\r\n";
      connection.out += fmt::format("Content-Length: {}\r\n\r\n", answer.body.size()) + answer.body;
    }
    connection.drip = answer.drip;
    connection.pause = answer.pause;
    connection.next = {};
    connection.last = answer.act == HttpAnswer::Act::last;
  }

  void transmit(std::size_t number, Connection& connection) {
    const std::size_t size =
        connection.drip > 0 ? std::min(connection.drip, connection.out.size()) : connection.out.size();
    const ssize_t count = ::send(connection.fd, connection.out.data(), size, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count < 0 && errno != EAGAIN) return drop(number, HttpAnswer::Act::close);
    if (count > 0) connection.out.erase(0, static_cast<std::size_t>(count));
    if (connection.drip > 0) connection.next = std::chrono::steady_clock::now() + connection.pause;
    if (connection.out.empty() && connection.last) drop(number, HttpAnswer::Act::close);
  }

  void drop(std::size_t number, HttpAnswer::Act act) {
    const int fd = connections_.at(number)->fd;
    if (act == HttpAnswer::Act::reset) {
      const linger now{1, 0};
      ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    }
    ::close(fd);
    connections_.erase(number);
    const std::lock_guard lock{mutex_};
    ++closed_;
    changed_.notify_all();
  }

  void obey() {
    const auto ordered = [&](const bool& flag) {
      const std::lock_guard lock{mutex_};
      return flag;
    };
    const auto done = [&](bool& flag) {
      const std::lock_guard lock{mutex_};
      flag = false;
      changed_.notify_all();
    };
    if (ordered(close_all_)) {
      while (!connections_.empty()) drop(connections_.begin()->first, HttpAnswer::Act::close);
      done(close_all_);
    }
    if (ordered(release_)) {
      for (auto& [number, connection] : connections_) {
        if (connection->hanging) prepare(*connection, *connection->hanging);
        connection->hanging.reset();
      }
      done(release_);
    }
    if (ordered(deaf_)) {
      if (listener_ >= 0) ::close(listener_);
      listener_ = -1;
      done(deaf_);
    }
    if (ordered(listen_)) {
      if (listener_ < 0) listener_ = listen_on(port_);
      done(listen_);
    }
  }

  int port_ = 0;
  int listener_ = -1;  // the thread's, like connections_
  int wake_ = -1;
  std::atomic<bool> stopping_ = false;
  std::map<std::size_t, std::unique_ptr<Connection>> connections_;

  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::deque<HttpAnswer> script_;
  HttpAnswer default_;
  Handler handler_;
  std::vector<HttpRecord> records_;
  std::size_t accepted_ = 0;
  std::size_t closed_ = 0;
  bool close_all_ = false;
  bool release_ = false;
  bool deaf_ = false;
  bool listen_ = false;
  std::thread thread_;
};

}  // namespace vz::test
