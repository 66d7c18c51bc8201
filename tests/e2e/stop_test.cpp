// SPDX-License-Identifier: GPL-3.0-or-later
// SIGTERM, SIGINT and SIGHUP end the daemon with status 0, whatever it is doing, in under a second, and what it has read
// is kept. The figures are printed; asserted is twice that, for machines that do something else at the time.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>

#include <functional>
#include <set>

#include "e2e/stage.hpp"
#include "support/pty.hpp"

namespace vz::e2e {
namespace {

constexpr seconds kPromise{2};

/// A listening TCP socket of the test's own.
class Listener {
 public:
  explicit Listener(int backlog = 8) {
    fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 || ::listen(fd_, backlog) != 0)
      throw std::system_error(errno, std::generic_category(), "listen");
    socklen_t size = sizeof address_;
    ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address_), &size);
  }
  ~Listener() {
    for (const int fd : others_) ::close(fd);
    ::close(fd_);
  }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  [[nodiscard]] std::string endpoint() const { return fmt::format("127.0.0.1:{}", ntohs(address_.sin_port)); }

  /// Takes a connection and waits for its first byte.
  [[nodiscard]] bool accept_request() {
    pollfd wanted{fd_, POLLIN, 0};
    if (::poll(&wanted, 1, 20'000) <= 0) return false;
    others_.push_back(::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC));
    wanted = {others_.back(), POLLIN, 0};
    return ::poll(&wanted, 1, 20'000) > 0;
  }
  /// From now on a connect() stays without an answer, as with a host that drops packets.
  void fill_up() {
    for (int i = 0; i < 8; ++i) {
      others_.push_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
      ::connect(others_.back(), reinterpret_cast<const sockaddr*>(&address_), sizeof address_);
    }
  }

 private:
  int fd_ = -1;
  sockaddr_in address_{};
  std::vector<int> others_;
};

/// What a test has brought the daemon into.
struct Scene {
  Folder folder;
  Middleware middleware{folder, {uuid(1)}};
  std::unique_ptr<Sim> sim;
  std::unique_ptr<test::Pty> pty;
  std::unique_ptr<Listener> peer;
  std::unique_ptr<Process> daemon;

  void run(Json meter, int verbosity = 10) { daemon = run_daemon(folder, config(Json::array({std::move(meter)}), verbosity)); }
  /// With a name service or a disk that hangs (tests/support/hang.cpp).
  void run_hanging(const std::string& what, Json meter) {
    test::ProcessOptions options;
    options.environment = {{"LD_PRELOAD", program("libvz_hang.so")}, {"VZ_HANG", what},
                           {"ASAN_OPTIONS", "verify_asan_link_order=0:detect_leaks=0"}};
    daemon = run_daemon(folder, config(Json::array({std::move(meter)}), 10), std::move(options));
  }
  void run(const std::string& endpoint, const std::string& url) {
    run(pulled(endpoint, Json::array({channel(uuid(1), url)})));
  }
  [[nodiscard]] bool said(std::string_view part, Stream stream = Stream::out) {
    return daemon->wait_for_line(part, stream).has_value();
  }
};

/// Whether what was read has to be found afterwards.
enum class Kept { all, nothing_read, as_window, many, cannot };

struct State {
  const char* name;
  std::function<bool(Scene&)> reach;
  Kept kept = Kept::all;
};

void PrintTo(const State& state, std::ostream* out) { *out << state.name; }

/// Readings that wait in the outbox's file, and open windows.
struct Waiting {
  std::int64_t readings = 0;
  std::int64_t windows = 0;
};
Waiting waiting_in(const Folder& folder) {
  Waiting found;
  sqlite3* db = nullptr;
  const auto number = [&](const char* sql) {
    sqlite3_stmt* statement = nullptr;
    std::int64_t value = 0;
    if (sqlite3_prepare_v2(db, sql, -1, &statement, nullptr) == SQLITE_OK && sqlite3_step(statement) == SQLITE_ROW)
      value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return value;
  };
  if (sqlite3_open_v2((folder / "outbox.db").c_str(), &db, SQLITE_OPEN_READONLY, nullptr) == SQLITE_OK) {
    found.readings = number("SELECT sum(max(last - head, 0)) FROM queue");
    found.windows = number("SELECT count(*) FROM state WHERE key LIKE 'window/%'");
  }
  sqlite3_close(db);
  return found;
}

bool reach_waiting(Scene& scene) {
  scene.middleware.start();
  scene.sim = std::make_unique<Sim>(scene.folder, "sim", std::vector<std::string>{});
  Json meter = pulled(scene.sim->endpoint(), Json::array({channel(uuid(1), scene.middleware.url())}));
  meter["interval"] = 300;
  scene.run(meter);
  return scene.said("waiting 300 seconds") && scene.middleware.wait_rows(1);
}

bool reach_request(Scene& scene) {
  scene.sim = std::make_unique<Sim>(scene.folder, "sim",
                                    std::vector<std::string>{"--pty", scene.folder / "tty", "--speed", "real"});
  scene.run(scene.folder / "tty", "");
  return scene.said("sending pullseq");
}

bool reach_data(Scene& scene) {
  scene.sim = std::make_unique<Sim>(scene.folder, "sim",
                                    std::vector<std::string>{"--pty", scene.folder / "tty", "--speed", "real"});
  scene.run(scene.folder / "tty", "");
  return scene.said("Sending ack");
}

bool reach_silent_pty(Scene& scene) {
  scene.pty = std::make_unique<test::Pty>();
  scene.run(scene.pty->path(), "");
  return scene.said("sending pullseq") && scene.pty->receive(5) == "/?!\r\n";
}

bool reach_silent_peer(Scene& scene) {
  scene.peer = std::make_unique<Listener>();
  scene.run(scene.peer->endpoint(), "");
  return scene.peer->accept_request();
}

bool reach_connecting(Scene& scene) {
  scene.peer = std::make_unique<Listener>(0);
  scene.peer->fill_up();
  // The meters are opened in turn: once the first is, the second is being connected to.
  scene.pty = std::make_unique<test::Pty>();
  const Json channels = Json::array({channel(uuid(1), "")});
  scene.daemon = run_daemon(
      scene.folder, config(Json::array({pulled(scene.pty->path(), channels), pulled(scene.peer->endpoint(), channels)})));
  return scene.said("[mtr0] Meter connection established");
}

bool reach_push(Scene& scene) {
  scene.middleware.start();
  scene.sim = std::make_unique<Sim>(
      scene.folder, "sim",
      std::vector<std::string>{"--pty", scene.folder / "tty", "--mode", "push", "--baud", "9600", "--period", "1", "--speed", "real"});
  Json meter = pulled(scene.folder / "tty", Json::array({channel(uuid(1), scene.middleware.url())}));
  meter.erase("pullseq");
  meter.erase("ackseq");
  meter.erase("interval");
  meter["baudrate"] = 9600;
  scene.run(meter);
  return scene.middleware.wait_rows(1);
}

bool reach_hanging_middleware(Scene& scene) {
  scene.middleware.start({"--faults", "hang"});
  scene.sim = std::make_unique<Sim>(scene.folder, "sim", std::vector<std::string>{});
  scene.run(scene.sim->endpoint(), scene.middleware.url());
  return scene.middleware.process().wait_for_line("(hangs)").has_value();
}

bool reach_deaf_middleware(Scene& scene) {
  scene.peer = std::make_unique<Listener>(0);
  scene.peer->fill_up();
  scene.sim = std::make_unique<Sim>(scene.folder, "sim", std::vector<std::string>{});
  scene.run(scene.sim->endpoint(), fmt::format("http://{}/middleware.php", scene.peer->endpoint()));
  return scene.said("Adding reading");
}

bool reach_back_off(Scene& scene) {
  scene.middleware.start();
  scene.middleware.stop();
  scene.sim = std::make_unique<Sim>(scene.folder, "sim", std::vector<std::string>{});
  scene.run(scene.sim->endpoint(), scene.middleware.url());
  return scene.said("due to previous failure");
}

bool reach_unplugged(Scene& scene) {
  if (!reach_silent_pty(scene)) return false;
  scene.pty->hang_up();
  return scene.said("Trying again", Stream::err);
}

bool reach_unknown_name(Scene& scene) {
  scene.run("no-such-host.invalid:7000", "");
  return scene.said("no-such-host.invalid", Stream::err);
}

bool reach_unknown_middleware(Scene& scene) {
  scene.sim = std::make_unique<Sim>(scene.folder, "sim", std::vector<std::string>{});
  scene.run(scene.sim->endpoint(), "http://no-such-host.invalid/middleware.php");
  return scene.said("Adding reading");
}

bool reach_start(Scene& scene) {
  scene.pty = std::make_unique<test::Pty>();
  scene.run(scene.pty->path(), "");
  return scene.said("started.", Stream::err);
}

bool reach_slow_names_meter(Scene& scene) {
  scene.run_hanging("names", pulled("meter.example:7000", Json::array({channel(uuid(1), "")})));
  return scene.said("hang: a name", Stream::err);
}

bool reach_slow_names_middleware(Scene& scene) {
  scene.sim = std::make_unique<Sim>(scene.folder, "sim", std::vector<std::string>{"--pty", scene.folder / "tty"});
  scene.run_hanging("names", pulled(scene.sim->endpoint(), Json::array({channel(uuid(1), "http://middleware.example/middleware.php")})));
  return scene.said("hang: a name", Stream::err);
}

/// Delivery fails, the queue has to be written, and the disk takes for ever.
bool reach_slow_disk(Scene& scene) {
  scene.middleware.start();
  scene.middleware.stop();
  scene.sim = std::make_unique<Sim>(scene.folder, "sim", std::vector<std::string>{"--pty", scene.folder / "tty"});
  scene.run_hanging("disk", pulled(scene.sim->endpoint(), Json::array({channel(uuid(1), scene.middleware.url())})));
  return scene.said("hang: the disk", Stream::err);
}

/// The client's hello is never answered.
bool reach_handshake(Scene& scene) {
  scene.peer = std::make_unique<Listener>();
  scene.sim = std::make_unique<Sim>(scene.folder, "sim", std::vector<std::string>{});
  scene.run(scene.sim->endpoint(), fmt::format("https://{}/middleware.php", scene.peer->endpoint()));
  return scene.peer->accept_request();
}

/// The other side has stopped the flow: nothing that is written goes out.
bool reach_blocked_tty(Scene& scene) {
  scene.pty = std::make_unique<test::Pty>();
  Json meter = pulled(scene.pty->path(), Json::array({channel(uuid(1), "")}));
  meter["read_timeout"] = 1;
  scene.run(meter);
  if (!scene.said("sending pullseq") || scene.pty->receive(5) != "/?!\r\n") return false;
  const int fd = ::open(scene.pty->path().c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC);
  const bool stopped = fd >= 0 && ::tcflow(fd, TCOOFF) == 0;
  ::close(fd);
  return stopped && scene.said("sending pullseq");
}

/// The node is gone, not just the line.
bool reach_away(Scene& scene) {
  scene.pty = std::make_unique<test::Pty>();
  std::filesystem::create_symlink(scene.pty->path(), scene.folder / "head");
  scene.run(scene.folder / "head", "");
  if (!scene.said("sending pullseq")) return false;
  std::filesystem::remove(scene.folder / "head");
  scene.pty->hang_up();
  return scene.said("Trying again", Stream::err);
}

bool reach_open_window(Scene& scene) {
  scene.middleware.start();
  scene.sim = std::make_unique<Sim>(scene.folder, "sim", std::vector<std::string>{});
  Json meter = pulled(scene.sim->endpoint(), Json::array({channel(uuid(1), scene.middleware.url())}));
  meter["aggtime"] = 3600;
  meter["channels"][0]["aggmode"] = "max";
  scene.run(meter);
  return scene.sim->wait_readouts(5);
}

/// The outbox has reached its size, and what came in the flood that filled it is written.
bool reach_full_queue(Scene& scene) {
  scene.middleware.start();
  scene.middleware.stop();
  const std::string fifo = scene.folder / "fifo";
  if (::mkfifo(fifo.c_str(), 0600) != 0) return false;
  const Json meter{{"enabled", true}, {"protocol", "file"}, {"path", fifo}, {"format", "$i $v"},
                   {"channels", Json::array({channel(uuid(1), scene.middleware.url(), "x")})}};
  scene.daemon = run_daemon(scene.folder, config(Json::array({meter}), 1, {{"outbox", {{"max_size", 4}, {"commit_interval", 0}}}}));
  if (!scene.said("started.", Stream::err)) return false;
  const int fd = ::open(fifo.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC);
  unsigned long number = 1;
  const auto end = std::chrono::steady_clock::now() + seconds{100};
  bool full = false;
  while (fd >= 0 && !full && std::chrono::steady_clock::now() < end) {
    std::string lines;
    for (int i = 0; i < 100; ++i) {
      number = number * 6364136223846793005UL + 1442695040888963407UL;  // values that cannot be made small
      lines += fmt::format("x {}\n", static_cast<double>(number >> 11U) * 0x1.0p-53);
    }
    for (std::size_t sent = 0; sent < lines.size() && !full;) {
      pollfd wanted{fd, POLLOUT, 0};
      ::poll(&wanted, 1, 1000);
      const ssize_t count = ::write(fd, lines.data() + sent, std::min<std::size_t>(lines.size() - sent, 4096));
      if (count > 0) sent += static_cast<std::size_t>(count);
      full = (scene.daemon->output() + scene.daemon->output(Stream::err)).find("outbox is full") != std::string::npos;
    }
  }
  ::close(fd);
  const auto written = [&] {
    struct stat now {};
    return ::stat((scene.folder / "outbox.db-wal").c_str(), &now) == 0 ? now.st_mtim.tv_sec * 1'000'000'000 + now.st_mtim.tv_nsec : 0;
  };
  for (auto before = -1L; before != written() && std::chrono::steady_clock::now() < end;) {
    before = written();
    (void)scene.daemon->wait_for_line("no such line: time passes", Stream::out, seconds{1});
  }
  return full;
}

const State kStates[] = {{"waiting", reach_waiting},
                         {"request_at_300_baud", reach_request},
                         {"data_at_9600_baud", reach_data},
                         {"silent_pty", reach_silent_pty},
                         {"silent_tcp_peer", reach_silent_peer},
                         {"connecting_to_meter", reach_connecting},
                         {"push_meter", reach_push},
                         {"middleware_hangs", reach_hanging_middleware},
                         {"connecting_to_middleware", reach_deaf_middleware},
                         {"back_off", reach_back_off},
                         {"pty_unplugged", reach_unplugged},
                         {"unresolvable_meter", reach_unknown_name},
                         {"unresolvable_middleware", reach_unknown_middleware},
                         {"starting", reach_start},
                         {"slow_dns_for_meter", reach_slow_names_meter, Kept::nothing_read},
                         {"slow_dns_for_middleware", reach_slow_names_middleware},
                         {"slow_disk", reach_slow_disk, Kept::cannot},
                         {"tls_handshake_hangs", reach_handshake},
                         {"tty_blocked", reach_blocked_tty},
                         {"device_away", reach_away},
                         {"window_open", reach_open_window, Kept::as_window},
                         {"queue_full", reach_full_queue, Kept::many}};

/// Everything that the daemon has taken from the meter is at the middleware or waits on disk.
void expect_kept(Scene& scene, Kept kept) {
  if (kept == Kept::nothing_read || kept == Kept::cannot) return;
  const Waiting waiting = waiting_in(scene.folder);
  if (kept == Kept::many) {
    fmt::print("      {} readings kept in the outbox\n", waiting.readings);
    EXPECT_GT(waiting.readings, 100'000);
  }
  if (kept == Kept::as_window) {
    EXPECT_GE(waiting.windows, 1);
  }
  const auto read = static_cast<std::int64_t>(occurrences(scene.daemon->output(), "Adding reading to queue"));
  if (kept != Kept::all || read == 0) return;
  const auto stored = static_cast<std::int64_t>(scene.middleware.stored(uuid(1)).size());
  const bool delivers = scene.daemon->output().find("==> number of tuples") != std::string::npos ||
                        stored + waiting.readings > 0;
  if (!delivers) return;  // api null
  fmt::print("      {} readings taken, {} at the middleware, {} kept in the outbox\n", read, stored, waiting.readings);
  EXPECT_GE(stored + waiting.readings, read);
}

class Stop : public testing::TestWithParam<State> {};

TEST_P(Stop, InTime) {
  for (const auto& [signal, name] : {std::pair{SIGTERM, "SIGTERM"}, {SIGINT, "SIGINT"}, {SIGHUP, "SIGHUP"}}) {
    Scene scene;
    ASSERT_TRUE(GetParam().reach(scene)) << scene.daemon->output() << scene.daemon->output(Stream::err);
    const auto began = std::chrono::steady_clock::now();
    ASSERT_TRUE(scene.daemon->send(signal)) << "has ended before: " << scene.daemon->output(Stream::err);
    const auto exit = scene.daemon->wait_exit();
    const auto took = std::chrono::steady_clock::now() - began;
    fmt::print("stop: {:25} {:7} {:.3f} s\n", GetParam().name, name, std::chrono::duration<double>(took).count());
    EXPECT_EQ(exit, (Exit{.status = 0, .signal = 0})) << name;
    EXPECT_LT(took, kPromise) << name;
    expect_kept(scene, GetParam().kept);
  }
}

INSTANTIATE_TEST_SUITE_P(Stop, Stop, testing::ValuesIn(kStates),
                         [](const auto& state) { return std::string{state.param.name}; });

}  // namespace
}  // namespace vz::e2e
