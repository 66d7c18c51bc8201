// SPDX-License-Identifier: GPL-3.0-or-later
#include "local/server.hpp"

#include <fmt/format.h>
#include <microhttpd.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdarg>
#include <cstdio>
#include <deque>
#include <list>

#include "local/listening_socket.hpp"
#include "local/target.hpp"
#include "platform/fd.hpp"
#include "platform/wait.hpp"
#include "vz/wake.hpp"

namespace vz::local {
namespace {

using platform::Fd;
using std::chrono::milliseconds;

constexpr std::size_t kConnectionMemory = std::size_t{8} * 1024;
constexpr std::size_t kMaxDiscarded = std::size_t{64} * 1024;
constexpr std::size_t kMaxCached = std::size_t{16} << 20U;
constexpr std::size_t kCacheEntries = 32;
constexpr std::size_t kMaxIdleCached = std::size_t{64} << 10U;  ///< of one reply, while nobody takes it
constexpr milliseconds kSettle{20};
constexpr milliseconds kHurried{1000};   ///< patience with a request while all connections are taken
constexpr milliseconds kBreathe{200};    ///< between tries to accept for which there are no files
constexpr milliseconds kGoodbye{100};
constexpr rlim_t kOtherFiles = 64;       ///< of the process, besides connections
constexpr int kLeastConnections = 8;

/// As many connections as were asked for, unless the process may not open so many files.
int affordable(int wanted, Log& log) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return wanted;
  const rlim_t rest = limit.rlim_cur > kOtherFiles ? limit.rlim_cur - kOtherFiles : 0;
  if (static_cast<rlim_t>(wanted) <= rest) return wanted;
  const int most = std::max(static_cast<int>(rest), kLeastConnections);
  log.print(Level::warning, "http",
            "local.connections is {}, but the process may open {} files only: at most {} connections are taken. Raise "
            "the limit (LimitNOFILE= of the service, ulimit -n).",
            wanted, limit.rlim_cur, most);
  return most;
}

/// One connection, and the one request that it carries.
struct Peer {
  enum class State { receiving, waiting, due, gone, answered };
  State state = State::receiving;
  MHD_Connection* connection = nullptr;
  int socket = -1;
  MonoTime deadline{};
  std::list<Peer>* home = nullptr;
  std::list<Peer>::iterator self;
  std::string target;
  bool begun = false;      ///< the headers were seen
  std::size_t discarded = 0;
  ReadingBoard::Scope scope;
  std::uint64_t seen = 0;
};
using Peers = std::list<Peer>;

struct ResponseDeleter {
  void operator()(MHD_Response* response) const { MHD_destroy_response(response); }
};
using Response = std::unique_ptr<MHD_Response, ResponseDeleter>;

/// A body that libmicrohttpd has borrowed, and the account that it is booked on.
struct Body {
  std::string text;
  std::size_t* account;
  Body(std::string content, std::size_t& bytes) : text(std::move(content)), account(&bytes) { *account += text.size(); }
  Body(const Body&) = delete;
  Body& operator=(const Body&) = delete;
  ~Body() { *account -= text.size(); }
};

void free_body(void* body) { delete static_cast<Body*>(body); }  // NOLINT(cppcoreguidelines-owning-memory)

struct Cached {
  ReadingBoard::Scope scope;
  std::uint64_t revision = 0;
  std::size_t size = 0;
  Response response;
};

}  // namespace

class Server::Impl {
 public:
  Impl(const ServerSettings& settings, const Site& site, ReadingBoard& board, const Clock& clock, Log& log)
      : settings_(settings),
        site_(site),
        board_(board),
        clock_(clock),
        log_(log),
        limit_(static_cast<std::size_t>(affordable(settings.connections, log))) {}
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() { stop(); }

  Expected<void> start();
  void run(std::stop_token stop);
  void notify() {
    if (watched_.load()) wake_.wake();
  }
  [[nodiscard]] Counters counters() const {
    return {.requests = requests_, .refused = refused_, .connections = connected_, .waiting = waiting_count_};
  }
  [[nodiscard]] int port() const { return port_; }

 private:
  // libmicrohttpd's callbacks, all on the thread of run()
  static void* on_target(void* self, const char* target, MHD_Connection* connection);
  static void on_connection(void* self, MHD_Connection* connection, void** context, MHD_ConnectionNotificationCode code);
  static MHD_Result on_access(void* self, MHD_Connection*, const char*, const char* method, const char*, const char*,
                              std::size_t* upload_size, void** context);
  static void on_message(void* self, const char* format, va_list arguments);

  void connected(MHD_Connection* connection, void** context);
  MHD_Result access(Peer& peer, const char* method, std::size_t& upload_size);
  MHD_Result respond(Peer& peer, const char* method);
  MHD_Result send(Peer& peer, Reply reply);
  MHD_Result send(Peer& peer, unsigned status, MHD_Response* response);
  MHD_Result send_readings(Peer& peer);
  MHD_Result suspend(Peer& peer, const Readings& readings);
  Response make_response(Reply reply);
  MHD_Response* cached(ReadingBoard::Scope scope, std::uint64_t revision);
  void keep(Cached entry);

  void move(Peer& peer, Peers& to, MonoTime deadline);
  void resume(Peer& peer, Peer::State state);
  void resume_all();
  [[nodiscard]] int poll_timeout(MonoTime now);
  void wait();
  void turn();
  void look_for_departed();
  void expire(MonoTime now);
  void hang_up(Peers& peers, MonoTime now);
  void release(MonoTime now);
  void say_goodbye();
  void stop();

  const ServerSettings settings_;
  const Site& site_;
  ReadingBoard& board_;
  const Clock& clock_;
  Log& log_;
  const std::size_t limit_;
  int port_ = 0;
  MHD_Daemon* daemon_ = nullptr;
  int events_ = -1;  ///< libmicrohttpd's epoll
  Fd departures_;    ///< epoll of the waiting clients' sockets, which libmicrohttpd does not look at
  Wake wake_;
  std::atomic<bool> watched_{false};
  bool starved_ = false;      ///< the last turn could not accept for want of files
  bool told_starved_ = false;
  std::optional<MonoTime> release_at_;  ///< new readings have come: when to answer
  std::size_t reply_bytes_ = 0;         ///< before what refers to it
  std::deque<Cached> cache_;
  Peers receiving_;  ///< each list with the earliest deadline first
  Peers waiting_;
  Peers answering_;
  Peers doomed_;     ///< hung up; libmicrohttpd is about to notice
  std::atomic<std::uint64_t> requests_{0};
  std::atomic<std::uint64_t> refused_{0};
  std::atomic<std::uint64_t> connected_{0};
  std::atomic<std::uint64_t> waiting_count_{0};
};

Expected<void> Server::Impl::start() {
  auto listening = listen_on(settings_.address, settings_.port);
  if (!listening) return tl::unexpected(std::move(listening.error()));
  port_ = listening->port;
  const auto failed = [&](const char* what) {
    const int code = errno;
    return tl::unexpected(Error{.what = fmt::format("{}: {}", what, platform::errno_text(code)),
                                .where = fmt::format("port {}", port_),
                                .remedy = {},
                                .code = code});
  };
  departures_ = Fd{::epoll_create1(EPOLL_CLOEXEC)};
  if (!departures_) return failed("cannot watch connections");
  const unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
  daemon_ = MHD_start_daemon(flags, 0, nullptr, nullptr, &Impl::on_access, this,  //
                             MHD_OPTION_EXTERNAL_LOGGER, &Impl::on_message, this,  // first, so that it hears the rest
                             MHD_OPTION_LISTEN_SOCKET, listening->socket.get(),    //
                             MHD_OPTION_CONNECTION_LIMIT, static_cast<unsigned>(limit_),
                             MHD_OPTION_CONNECTION_MEMORY_LIMIT, kConnectionMemory,  //
                             MHD_OPTION_URI_LOG_CALLBACK, &Impl::on_target, this,    //
                             MHD_OPTION_NOTIFY_CONNECTION, &Impl::on_connection, this, MHD_OPTION_END);
  if (daemon_ == nullptr) return failed("cannot start the HTTP server");
  (void)listening->socket.release();  // libmicrohttpd closes it
  const auto* info = MHD_get_daemon_info(daemon_, MHD_DAEMON_INFO_EPOLL_FD);
  if (info == nullptr || info->epoll_fd < 0) return failed("cannot start the HTTP server");
  events_ = info->epoll_fd;
  return {};
}

void Server::Impl::stop() {
  if (daemon_ == nullptr) return;
  resume_all();
  MHD_stop_daemon(std::exchange(daemon_, nullptr));
  cache_.clear();
}

// ---------------------------------------------------------------------------------------------------- requests

void* Server::Impl::on_target(void*, const char* target, MHD_Connection* connection) {
  const auto* info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
  auto* peer = info == nullptr ? nullptr : static_cast<Peer*>(info->socket_context);
  if (peer != nullptr) {
    const std::string_view text = target;
    peer->target = text.substr(0, kMaxTarget + 1);  // one more than allowed is enough to be refused
  }
  return peer;
}

void Server::Impl::on_connection(void* self, MHD_Connection* connection, void** context,
                                 MHD_ConnectionNotificationCode code) {
  auto& impl = *static_cast<Impl*>(self);
  if (code == MHD_CONNECTION_NOTIFY_STARTED) return impl.connected(connection, context);
  auto* peer = static_cast<Peer*>(*context);
  *context = nullptr;
  if (peer == nullptr) return;
  --impl.connected_;
  peer->home->erase(peer->self);
}

void Server::Impl::connected(MHD_Connection* connection, void** context) {
  const auto* info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
  const MonoTime now = clock_.now().mono;
  Peer& peer = receiving_.emplace_back();
  peer.connection = connection;
  peer.socket = info == nullptr ? -1 : info->connect_fd;
  peer.home = &receiving_;
  peer.self = std::prev(receiving_.end());
  peer.deadline = now + settings_.request_patience;
  *context = &peer;
  ++connected_;
}

MHD_Result Server::Impl::on_access(void* self, MHD_Connection*, const char*, const char* method, const char*,
                                   const char*, std::size_t* upload_size, void** context) {
  auto* peer = static_cast<Peer*>(*context);
  if (peer == nullptr) return MHD_NO;
  return static_cast<Impl*>(self)->access(*peer, method, *upload_size);
}

/// Called with the headers, then with each piece of a body, then without one; and again after a wait.
MHD_Result Server::Impl::access(Peer& peer, const char* method, std::size_t& upload_size) {
  switch (peer.state) {
    case Peer::State::receiving: break;
    case Peer::State::due: return send_readings(peer);
    default: return MHD_NO;
  }
  if (!std::exchange(peer.begun, true)) return MHD_YES;
  if (upload_size > 0) {
    peer.discarded += std::exchange(upload_size, 0);
    return peer.discarded > kMaxDiscarded ? MHD_NO : MHD_YES;
  }
  return respond(peer, method);
}

MHD_Result Server::Impl::respond(Peer& peer, const char* method) {
  const Request request{method, peer.target};
  ++requests_;
  if (log_.enabled(Level::info)) log_.write(Level::info, "http", site_.describe(request));
  Answer answer = site_.answer(request);
  if (auto* reply = std::get_if<Reply>(&answer)) return send(peer, std::move(*reply));
  const auto& readings = std::get<Readings>(answer);
  peer.scope = readings.scope;
  if (readings.wait && settings_.timeout.count() > 0) return suspend(peer, readings);
  return send_readings(peer);
}

Response Server::Impl::make_response(Reply reply) {
  auto body = std::make_unique<Body>(std::move(reply.body), reply_bytes_);
  Response response(
      MHD_create_response_from_buffer_with_free_callback_cls(body->text.size(), body->text.data(), &free_body, body.get()));
  if (!response) return response;
  (void)body.release();  // free_body
  MHD_add_response_header(response.get(), MHD_HTTP_HEADER_CONNECTION, "close");
  if (!reply.content_type.empty())
    MHD_add_response_header(response.get(), "Content-type", std::string{reply.content_type}.c_str());
  if (!settings_.cors.empty()) {
    MHD_add_response_header(response.get(), MHD_HTTP_HEADER_ACCESS_CONTROL_ALLOW_ORIGIN, settings_.cors.c_str());
    if (reply.status == 204) MHD_add_response_header(response.get(), "Access-Control-Allow-Methods", "GET, HEAD");
  }
  if (reply.status == 405)
    MHD_add_response_header(response.get(), MHD_HTTP_HEADER_ALLOW, settings_.cors.empty() ? "GET, HEAD" : "GET, HEAD, OPTIONS");
  if (reply.status == 503) MHD_add_response_header(response.get(), MHD_HTTP_HEADER_RETRY_AFTER, "5");
  return response;
}

MHD_Result Server::Impl::send(Peer& peer, unsigned status, MHD_Response* response) {
  peer.state = Peer::State::answered;
  move(peer, answering_, clock_.now().mono + settings_.reply_patience);
  return response == nullptr ? MHD_NO : MHD_queue_response(peer.connection, status, response);
}

MHD_Result Server::Impl::send(Peer& peer, Reply reply) {
  const auto status = static_cast<unsigned>(reply.status);
  const Response response = make_response(std::move(reply));
  return send(peer, status, response.get());
}

MHD_Result Server::Impl::send_readings(Peer& peer) {
  const std::uint64_t revision = board_.revision(peer.scope);
  if (MHD_Response* known = cached(peer.scope, revision)) return send(peer, MHD_HTTP_OK, known);
  Reply reply = site_.readings(peer.scope);
  if (reply_bytes_ > 0 && reply_bytes_ + reply.body.size() > kMaxReplyBytes) {
    ++refused_;
    return send(peer, site_.failure(503, "too many large replies are under way; try again, or lower local.buffer"));
  }
  Cached entry{peer.scope, revision, reply.body.size(), make_response(std::move(reply))};
  MHD_Response* response = entry.response.get();
  const MHD_Result result = send(peer, MHD_HTTP_OK, response);
  if (response != nullptr) keep(std::move(entry));
  return result;
}

MHD_Response* Server::Impl::cached(ReadingBoard::Scope scope, std::uint64_t revision) {
  const auto found = std::find_if(cache_.begin(), cache_.end(), [&](const Cached& entry) { return entry.scope == scope; });
  if (found == cache_.end()) return nullptr;
  if (found->revision == revision) return found->response.get();
  cache_.erase(found);
  return nullptr;
}

void Server::Impl::keep(Cached entry) {
  std::size_t bytes = entry.size;
  cache_.push_front(std::move(entry));
  for (std::size_t i = 1; i < cache_.size(); ++i) {
    bytes += cache_[i].size;
    if (bytes <= kMaxCached && i < kCacheEntries) continue;
    cache_.resize(i);
  }
}

// ---------------------------------------------------------------------------------------------------- waiting

MHD_Result Server::Impl::suspend(Peer& peer, const Readings& readings) {
  epoll_event wanted{.events = EPOLLRDHUP | EPOLLHUP | EPOLLERR, .data = {.ptr = &peer}};
  if (waiting_.size() >= limit_ - limit_ / 8 ||
      ::epoll_ctl(departures_.get(), EPOLL_CTL_ADD, peer.socket, &wanted) != 0) {
    ++refused_;
    return send(peer, site_.failure(503, "too many clients are waiting; try again later, or raise local.connections"));
  }
  peer.state = Peer::State::waiting;
  peer.seen = readings.seen;
  move(peer, waiting_, clock_.now().mono + settings_.timeout);
  waiting_count_ = waiting_.size();
  watched_ = true;
  // what came between the look at the board and this moment woke nobody
  if (board_.news(peer.scope) != peer.seen) wake_.wake();
  MHD_suspend_connection(peer.connection);
  return MHD_YES;
}

void Server::Impl::resume(Peer& peer, Peer::State state) {
  ::epoll_ctl(departures_.get(), EPOLL_CTL_DEL, peer.socket, nullptr);
  peer.state = state;
  move(peer, answering_, clock_.now().mono + settings_.reply_patience);
  waiting_count_ = waiting_.size();
  watched_ = !waiting_.empty();
  MHD_resume_connection(peer.connection);
}

void Server::Impl::resume_all() {
  while (!waiting_.empty()) resume(waiting_.front(), Peer::State::due);
}

void Server::Impl::move(Peer& peer, Peers& to, MonoTime deadline) {
  to.splice(to.end(), *peer.home, peer.self);
  peer.home = &to;
  peer.deadline = deadline;
}

/// Answers those for whom something new is there.
void Server::Impl::release(MonoTime now) {
  if (!release_at_ || now < *release_at_) return;
  release_at_.reset();
  for (auto at = waiting_.begin(); at != waiting_.end();) {
    Peer& peer = *at++;
    if (board_.news(peer.scope) != peer.seen) resume(peer, Peer::State::due);
  }
}

void Server::Impl::look_for_departed() {
  std::array<epoll_event, 64> events{};
  const int count = ::epoll_wait(departures_.get(), events.data(), static_cast<int>(events.size()), 0);
  for (int i = 0; i < count; ++i) resume(*static_cast<Peer*>(events[static_cast<std::size_t>(i)].data.ptr), Peer::State::gone);
}

void Server::Impl::hang_up(Peers& peers, MonoTime now) {
  while (!peers.empty() && peers.front().deadline <= now) {
    Peer& peer = peers.front();
    ::shutdown(peer.socket, SHUT_RDWR);
    move(peer, doomed_, now);
  }
}

void Server::Impl::expire(MonoTime now) {
  // when all connections are taken, those that dawdle make room
  const bool hurried = connected_ >= limit_ && settings_.request_patience > kHurried;
  hang_up(receiving_, hurried ? now + (settings_.request_patience - kHurried) : now);
  hang_up(answering_, now);
  while (!waiting_.empty() && waiting_.front().deadline <= now) resume(waiting_.front(), Peer::State::due);
}

// ---------------------------------------------------------------------------------------------------- the thread

int Server::Impl::poll_timeout(MonoTime now) {
  MHD_UNSIGNED_LONG_LONG own = 0;
  auto next = MonoTime::max();
  if (MHD_get_timeout(daemon_, &own) == MHD_YES) {
    if (own == 0) return 0;
    next = now + milliseconds{std::min<MHD_UNSIGNED_LONG_LONG>(own, INT_MAX)};
  }
  if (release_at_) next = std::min(next, *release_at_);
  for (const Peers* peers : {&receiving_, &waiting_, &answering_})
    if (!peers->empty()) next = std::min(next, peers->front().deadline);
  if (connected_ >= limit_ && !receiving_.empty() && settings_.request_patience > kHurried)
    next = std::min(next, receiving_.front().deadline - (settings_.request_patience - kHurried));
  if (next == MonoTime::max()) return -1;
  const auto left = std::chrono::ceil<milliseconds>(next - now).count();
  return static_cast<int>(std::clamp<long>(left, 0, INT_MAX));
}

void Server::Impl::wait() {
  std::array<pollfd, 3> wanted{pollfd{wake_.fd(), POLLIN, 0}, pollfd{events_, POLLIN, 0},
                               pollfd{departures_.get(), POLLIN, 0}};
  int timeout = poll_timeout(clock_.now().mono);
  if (std::exchange(starved_, false)) {
    // a connection that cannot be accepted keeps the listening socket ready
    wanted[1].fd = -1;
    timeout = static_cast<int>(kBreathe.count());
  }
  ::poll(wanted.data(), wanted.size(), timeout);
  if (wanted[0].revents != 0) {
    wake_.clear();
    if (!release_at_) release_at_ = clock_.now().mono + kSettle;
  }
  if (wanted[2].revents != 0) look_for_departed();
}

void Server::Impl::turn() {
  const MonoTime now = clock_.now().mono;
  expire(now);
  release(now);
  bool full = false;
  do {
    full = connected_ >= limit_;
    MHD_run(daemon_);
    // after a full house libmicrohttpd does not listen again before its next turn
  } while (full && connected_ < limit_);
  // large replies are kept only to be shared by those who ask at the same time
  if (answering_.empty()) std::erase_if(cache_, [](const Cached& entry) { return entry.size > kMaxIdleCached; });
}

void Server::Impl::run(std::stop_token stop) {
  wake_.follow(std::move(stop));
  while (!wake_.stop_requested()) {
    wait();
    if (!wake_.stop_requested()) turn();
  }
  say_goodbye();
}

/// Waiting clients get what there is; then all connections are closed.
void Server::Impl::say_goodbye() {
  resume_all();
  const MonoTime end = clock_.now().mono + kGoodbye;
  MHD_run(daemon_);
  while (!answering_.empty() && clock_.now().mono < end) {
    pollfd wanted{events_, POLLIN, 0};
    ::poll(&wanted, 1, 10);
    MHD_run(daemon_);
  }
  this->stop();
}

void Server::Impl::on_message(void* self, const char* format, va_list arguments) {
  auto& impl = *static_cast<Impl*>(self);
  auto& log = impl.log_;
  if (std::string_view{format}.starts_with("Hit process or system resource limit")) {
    impl.starved_ = true;
    if (!std::exchange(impl.told_starved_, true))
      log.print(Level::alert, "http",
                "too many files are open in this process or machine: new connections have to wait. Raise the limit "
                "(LimitNOFILE= of the service), or lower local.connections. Told once.");
  }
  if (!log.enabled(Level::debug)) return;
  std::array<char, 300> text{};
  (void)std::vsnprintf(text.data(), text.size(), format, arguments);
  std::string_view line = text.data();
  while (line.ends_with('\n')) line.remove_suffix(1);
  log.write(Level::debug, "http", line);
}

// ---------------------------------------------------------------------------------------------------- outside

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Server::~Server() = default;

Expected<std::unique_ptr<Server>> Server::open(const ServerSettings& settings, const Site& site, ReadingBoard& board,
                                               const Clock& clock, Log& log) {
  auto impl = std::make_unique<Impl>(settings, site, board, clock, log);
  if (auto started = impl->start(); !started) return tl::unexpected(std::move(started.error()));
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

int Server::port() const { return impl_->port(); }
void Server::run(std::stop_token stop) { impl_->run(std::move(stop)); }
void Server::notify() { impl_->notify(); }
Server::Counters Server::counters() const { return impl_->counters(); }

}  // namespace vz::local
