// SPDX-License-Identifier: GPL-3.0-or-later
#include "tools/middleware/server.hpp"

#include <fmt/format.h>
#include <microhttpd.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <charconv>
#include <cstring>
#include <optional>

#include "tools/middleware/waiting_room.hpp"

namespace vz::middleware {
namespace {

constexpr unsigned kIdleSeconds = 120;
constexpr std::size_t kConnectionMemory = std::size_t{64} * 1024;  // bounds the request line and the headers
constexpr std::size_t kMaxDiscarded = 8 * kMaxBody;   // of a body that is too long
constexpr int kBacklog = 64;

/// A socket until someone takes it over.
class Socket {
 public:
  explicit Socket(int fd) : fd_(fd) {}
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  ~Socket() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

/// One request on its way through libmicrohttpd, which calls back several times for it.
struct Exchange {
  enum class State { receiving, waiting, decided, given_up };
  State state = State::receiving;
  Request request;
  Reply reply;
  std::size_t discarded = 0;
  bool too_long = false;
};

std::string header(MHD_Connection* connection, const char* name) {
  const char* value = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
  return value == nullptr ? "" : value;
}

MHD_Result add_argument(void* params, enum MHD_ValueKind, const char* key, std::size_t key_size, const char* value,
                        std::size_t value_size) {
  std::string text = value == nullptr ? std::string{} : std::string(value, value_size);
  static_cast<Params*>(params)->add(std::string(key, key_size), std::move(text));
  return MHD_YES;
}

struct ResponseDeleter {
  void operator()(MHD_Response* response) const { MHD_destroy_response(response); }
};

MHD_Result send(MHD_Connection* connection, const Reply& reply) {
  const std::unique_ptr<MHD_Response, ResponseDeleter> response(
      MHD_create_response_from_buffer(reply.body.size(), const_cast<char*>(reply.body.data()), MHD_RESPMEM_MUST_COPY));
  if (!response) return MHD_NO;
  MHD_add_response_header(response.get(), MHD_HTTP_HEADER_CONTENT_TYPE, reply.content_type.c_str());
  if (reply.content_type == "application/json")
    MHD_add_response_header(response.get(), MHD_HTTP_HEADER_ACCESS_CONTROL_ALLOW_ORIGIN, "*");
  return MHD_queue_response(connection, static_cast<unsigned>(reply.status), response.get());
}

const char* remedy_for(int code) {
  switch (code) {
    case EADDRINUSE: return "another program uses this port: choose another one, or 0 for any free one";
    case EADDRNOTAVAIL: return "give an address of this machine, e.g. 127.0.0.1, or 0.0.0.0 for all";
    case EACCES: return "ports below 1024 are for root: choose a higher one";
    default: return "";
  }
}

Error socket_error(const std::string& address, std::uint16_t port, const char* doing) {
  const int code = errno;
  return {.what = fmt::format("{}: {}", doing, std::strerror(code)),
          .where = fmt::format("{} port {}", address, port),
          .remedy = remedy_for(code),
          .code = code};
}

Expected<int> listening_socket(const std::string& address, std::uint16_t port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (const int code = getaddrinfo(address.c_str(), fmt::format("{}", port).c_str(), &hints, &found); code != 0)
    return tl::unexpected(Error{.what = fmt::format("cannot listen: {}", gai_strerror(code)),
                                .where = address,
                                .remedy = "give an address of this machine, e.g. 127.0.0.1, or 0.0.0.0 for all",
                                .code = 0});
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> list(found, &freeaddrinfo);
  Socket socket(::socket(list->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (socket.get() < 0) return tl::unexpected(socket_error(address, port, "cannot make a socket"));
  const int on = 1;
  setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(socket.get(), list->ai_addr, list->ai_addrlen) != 0 || listen(socket.get(), kBacklog) != 0)
    return tl::unexpected(socket_error(address, port, "cannot listen"));
  return socket.release();
}

std::uint16_t port_of(int socket) {
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  if (getsockname(socket, reinterpret_cast<sockaddr*>(&bound), &size) != 0) return 0;
  if (bound.ss_family == AF_INET6) return ntohs(reinterpret_cast<const sockaddr_in6&>(bound).sin6_port);
  return ntohs(reinterpret_cast<const sockaddr_in&>(bound).sin_port);
}

}  // namespace

class Server::Impl {
 public:
  Impl(std::string address, Handler handler, Observer observer)
      : address_(std::move(address)), handler_(std::move(handler)), observer_(std::move(observer)) {}
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() {
    room_.close();
    if (daemon_ != nullptr) MHD_stop_daemon(daemon_);
  }

  Expected<void> start(std::uint16_t port) {
    const auto listening = listening_socket(address_, port);
    if (!listening) return tl::unexpected(listening.error());
    Socket socket(*listening);
    port_ = port_of(socket.get());
    daemon_ = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL | MHD_ALLOW_SUSPEND_RESUME, 0, nullptr,
                               nullptr, &Impl::on_access, this, MHD_OPTION_LISTEN_SOCKET, socket.get(),
                               MHD_OPTION_CONNECTION_LIMIT, kMaxConnections, MHD_OPTION_CONNECTION_TIMEOUT,
                               kIdleSeconds, MHD_OPTION_CONNECTION_MEMORY_LIMIT, kConnectionMemory,
                               MHD_OPTION_NOTIFY_COMPLETED, &Impl::on_completed, this, MHD_OPTION_END);
    if (daemon_ == nullptr) return tl::unexpected(socket_error(address_, port_, "cannot start the HTTP server"));
    socket.release();  // libmicrohttpd closes it
    return {};
  }

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] std::string url() const {
    return address_.find(':') == std::string::npos ? fmt::format("http://{}:{}", address_, port_)
                                                   : fmt::format("http://[{}]:{}", address_, port_);
  }

 private:
  static MHD_Result on_access(void* self, MHD_Connection* connection, const char* url, const char* method, const char*,
                              const char* upload, std::size_t* upload_size, void** context) {
    return static_cast<Impl*>(self)->access(connection, url, method, {upload, upload == nullptr ? 0 : *upload_size},
                                            upload_size, context);
  }
  static void on_completed(void*, MHD_Connection*, void** context, enum MHD_RequestTerminationCode) {
    const std::unique_ptr<Exchange> exchange(static_cast<Exchange*>(*context));
    *context = nullptr;
  }

  /// Called first with the headers, then with each piece of the body, then without one; and again after a wait.
  MHD_Result access(MHD_Connection* connection, const char* url, const char* method, std::string_view piece,
                    std::size_t* piece_size, void** context) {
    auto* exchange = static_cast<Exchange*>(*context);
    if (exchange == nullptr) {
      exchange = begin(connection, url, method).release();
      *context = exchange;
      exchange->too_long = announced_too_long(connection);
      if (!exchange->too_long) return MHD_YES;
      decide(*exchange);
      return send(connection, exchange->reply);
    }
    if (exchange->state == Exchange::State::receiving) {
      if (!piece.empty()) {
        *piece_size = 0;
        return receive(*exchange, piece);
      }
      decide(*exchange);
      if (exchange->reply.delivery == Delivery::hang) return suspend(connection, *exchange, std::nullopt);
      if (exchange->reply.delay.count() > 0) return suspend(connection, *exchange, exchange->reply.delay);
    }
    const bool answers = exchange->state == Exchange::State::decided && exchange->reply.delivery == Delivery::answer;
    return answers ? send(connection, exchange->reply) : MHD_NO;
  }

  static std::unique_ptr<Exchange> begin(MHD_Connection* connection, const char* url, const char* method) {
    auto exchange = std::make_unique<Exchange>();
    exchange->request.method = method;
    exchange->request.path = url;
    exchange->request.content_type = header(connection, MHD_HTTP_HEADER_CONTENT_TYPE);
    MHD_get_connection_values_n(connection, MHD_GET_ARGUMENT_KIND, &add_argument, &exchange->request.query);
    return exchange;
  }

  static bool announced_too_long(MHD_Connection* connection) {
    const auto text = header(connection, MHD_HTTP_HEADER_CONTENT_LENGTH);
    std::size_t length = 0;
    std::from_chars(text.data(), text.data() + text.size(), length);
    return length > kMaxBody;
  }

  static MHD_Result receive(Exchange& exchange, std::string_view piece) {
    auto& body = exchange.request.body;
    exchange.too_long = exchange.too_long || body.size() + piece.size() > kMaxBody;
    if (!exchange.too_long) {
      body.append(piece);
      return MHD_YES;
    }
    // A reply cannot go out before the body has come, so the rest is read and forgotten, within reason.
    exchange.discarded += piece.size();
    return exchange.discarded > kMaxDiscarded ? MHD_NO : MHD_YES;
  }

  void decide(Exchange& exchange) {
    exchange.reply = exchange.too_long ? html_page(413) : handler_(exchange.request);
    exchange.state = Exchange::State::decided;
    if (observer_) observer_(exchange.request, exchange.reply);
  }

  /// Parks the connection. The exchange lives at least until it is resumed: libmicrohttpd does not touch it before.
  MHD_Result suspend(MHD_Connection* connection, Exchange& exchange, std::optional<std::chrono::milliseconds> delay) {
    const auto* info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (info == nullptr) return MHD_NO;
    const int socket = info->connect_fd;
    exchange.state = Exchange::State::waiting;
    MHD_suspend_connection(connection);
    room_.add(socket, delay, [connection, &exchange](WaitingRoom::End end) {
      exchange.state = end == WaitingRoom::End::due ? Exchange::State::decided : Exchange::State::given_up;
      MHD_resume_connection(connection);
    });
    return MHD_YES;
  }

  std::string address_;
  Handler handler_;
  Observer observer_;
  std::uint16_t port_ = 0;
  MHD_Daemon* daemon_ = nullptr;
  WaitingRoom room_;
};

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Server::~Server() = default;

Expected<std::unique_ptr<Server>> Server::start(const std::string& address, std::uint16_t port, Handler handler,
                                                Observer observer) {
  auto impl = std::make_unique<Impl>(address, std::move(handler), std::move(observer));
  if (auto started = impl->start(port); !started) return tl::unexpected(started.error());
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

std::uint16_t Server::port() const { return impl_->port(); }
std::string Server::url() const { return impl_->url(); }

}  // namespace vz::middleware
