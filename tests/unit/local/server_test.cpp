// SPDX-License-Identifier: GPL-3.0-or-later
// The server over loopback: what clients see, and what it does about those that behave badly.
#include "local/server.hpp"

#include <curl/curl.h>
#include <sys/resource.h>

#include <mutex>
#include <random>
#include <thread>

#include "local/listening_socket.hpp"
#include "platform/clock.hpp"
#include "support/raw_client.hpp"
#include "unit/local/board_fixture.hpp"

namespace vz::local {
namespace {

using test::RawClient;
using namespace std::chrono_literals;

class KeptLog final : public Log {
 public:
  [[nodiscard]] bool enabled(Level level) const override { return level <= Level::info; }
  void write(Level, std::string_view section, std::string_view text) override {
    const std::scoped_lock lock(mutex_);
    text_ += fmt::format("[{}] {}\n", section, text);
  }
  std::string text() const {
    const std::scoped_lock lock(mutex_);
    return text_;
  }

 private:
  mutable std::mutex mutex_;
  std::string text_;
};

/// Hundreds of connections have both their ends in this process.
void allow_files() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, 4096);
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

/// A server that runs, over a board with the test configuration.
class World {
 public:
  explicit World(ServerSettings settings = {}, int buffer = -1, std::string version = "0.8.10")
      : board(meters.all, buffer, clock_), site_({.version = std::move(version), .index = true, .cors = !settings.cors.empty()}, board, {}) {
    allow_files();
    settings.port = 0;
    auto opened = Server::open(settings, site_, board, clock_, log);
    if (!opened) throw std::runtime_error(opened.error().text());
    server = std::move(*opened);
    board.on_change([this] { server->notify(); });
    thread_ = std::jthread([this](std::stop_token stop) { server->run(std::move(stop)); });
  }
  [[nodiscard]] RawClient client(RawClient::Family family = RawClient::Family::four) const {
    return RawClient(server->port(), family);
  }
  [[nodiscard]] RawClient ask(std::string_view target) const {
    RawClient made = client();
    made.get(target);
    return made;
  }
  void wait_waiting(std::uint64_t count) const {
    const auto end = std::chrono::steady_clock::now() + RawClient::kDeadline;
    while (server->counters().waiting != count && std::chrono::steady_clock::now() < end) std::this_thread::yield();
    EXPECT_EQ(server->counters().waiting, count);
  }
  void wait_connections(std::uint64_t count) const {
    const auto end = std::chrono::steady_clock::now() + RawClient::kDeadline;
    while (server->counters().connections != count && std::chrono::steady_clock::now() < end) std::this_thread::yield();
    EXPECT_EQ(server->counters().connections, count);
  }
  void read(int channel, long long ms, double value) { vz::local::read(board, meters[channel], ms, value); }
  void stop() {
    thread_.request_stop();
    thread_.join();
  }

  Meters meters;
  KeptLog log;
  ReadingBoard board;
  std::unique_ptr<Server> server;

 private:
  SystemClock clock_;
  Site site_;
  std::jthread thread_;
};

const std::string kA = std::string{"/"} + kUuidA;
const std::string kB = std::string{"/"} + kUuidB;

struct Got {
  long status = 0;
  std::string headers;
  std::string body;
};

Got curl(const World& world, const std::string& target, const char* method = nullptr, const char* host = "127.0.0.1") {
  Got got;
  CURL* easy = curl_easy_init();
  const std::string url = fmt::format("http://{}:{}{}", host, world.server->port(), target);
  const auto append = +[](char* data, std::size_t size, std::size_t count, void* out) {
    static_cast<std::string*>(out)->append(data, size * count);
    return size * count;
  };
  curl_easy_setopt(easy, CURLOPT_URL, url.c_str());
  curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
  if (method != nullptr && std::string_view{method} == "HEAD") curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
  else if (method != nullptr) curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
  if (method != nullptr && std::string_view{method} == "POST") curl_easy_setopt(easy, CURLOPT_POSTFIELDS, "a=b");
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, append);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, &got.headers);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, append);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &got.body);
  EXPECT_EQ(curl_easy_perform(easy), CURLE_OK) << url;
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &got.status);
  curl_easy_cleanup(easy);
  return got;
}

TEST(Server, AnswersAsTheOldDaemonDid) {
  World world;
  world.read(1, 1795344010066, 132.155);
  const Got got = curl(world, kB);
  EXPECT_EQ(got.status, 200);
  EXPECT_NE(got.headers.find("\r\nConnection: close\r\nContent-type: application/json\r\nContent-Length: 251\r\n"), std::string::npos)
      << got.headers;
  EXPECT_EQ(got.headers.find("Access-Control"), std::string::npos);
  EXPECT_EQ(got.body,
            "{ \"version\": \"0.8.10\", \"generator\": \"vzlogger\", \"data\": [ { \"uuid\": "
            "\"01234567-89ab-cdef-0123-456789abcdef\", \"obis\": \"ObisIdentifier:1-0:1.8.0*255\", \"last\": 1795344010066, "
            "\"interval\": -1, \"protocol\": \"d0\", \"tuples\": [ [ 1795344010066, 132.155 ] ] } ] }");
  EXPECT_EQ(curl(world, "/").status, 200);
  EXPECT_EQ(curl(world, "/x").status, 404);
  EXPECT_EQ(curl(world, "/x").body.size(), 61U);
  EXPECT_EQ(curl(world, kB + "?mode=unknown&x").status, 200);
  EXPECT_NE(world.log.text().find("[http] Local request received: method=GET url=/...abcdef mode=(null)\n"), std::string::npos)
      << world.log.text();
  EXPECT_EQ(world.log.text().find(kUuidB), std::string::npos);
}

TEST(Server, HeadAndOtherMethods) {
  World world;
  const Got head = curl(world, kB, "HEAD");
  EXPECT_EQ(head.status, 200);
  EXPECT_NE(head.headers.find("Content-Length: "), std::string::npos);
  EXPECT_EQ(head.body, "");
  for (const char* method : {"POST", "OPTIONS", "DELETE"}) {
    const Got refused = curl(world, kB, method);
    EXPECT_EQ(refused.status, 405) << method;
    EXPECT_EQ(refused.body, "not implemented\n");
    EXPECT_NE(refused.headers.find("Allow: GET, HEAD\r\n"), std::string::npos);
    EXPECT_NE(refused.headers.find("Content-type: text/text\r\n"), std::string::npos);
  }
}

TEST(Server, BothAddressFamilies) {
  World world;
  EXPECT_EQ(curl(world, "/").status, 200);
  RawClient six = world.client(RawClient::Family::six);
  if (!six.connected()) GTEST_SKIP() << "this machine has no IPv6";
  six.get("/");
  EXPECT_EQ(six.status(), 200);
}

TEST(Server, AnAddressOfItsOwn) {
  World world({.address = "127.0.0.1"});
  EXPECT_EQ(curl(world, "/").status, 200);
  EXPECT_FALSE(world.client(RawClient::Family::six).connected());
}

TEST(Server, CrossOriginOnlyIfWanted) {
  World world({.cors = "http://nas.local:8123"});
  EXPECT_NE(curl(world, kB).headers.find("Access-Control-Allow-Origin: http://nas.local:8123\r\n"), std::string::npos);
  const Got preflight = curl(world, kB, "OPTIONS");
  EXPECT_EQ(preflight.status, 204);
  EXPECT_NE(preflight.headers.find("Access-Control-Allow-Methods: GET, HEAD\r\n"), std::string::npos);
}

TEST(Server, CometWaitsForTheNextReading) {
  World world;
  world.read(1, 1000, 1.0);
  RawClient waiting = world.ask(kB + "?mode=comet");
  world.wait_waiting(1);
  world.read(0, 2000, 2.0);  // another channel's
  EXPECT_EQ(waiting.read_all(100ms), "");
  world.read(1, 3000, 3.0);
  EXPECT_EQ(waiting.status(), 200);
  EXPECT_NE(waiting.body().find("\"tuples\": [ [ 3000, 3.0 ] ]"), std::string::npos) << waiting.body();
  world.wait_connections(0);
}

TEST(Server, CometOfTheIndexHasTheWholeTelegram) {
  World world;
  RawClient waiting = world.ask("/?mode=comet");
  world.wait_waiting(1);
  world.read(0, 1000, 1.0);
  world.read(1, 1000, 2.0);
  EXPECT_NE(waiting.body().find("[ 1000, 1.0 ]"), std::string::npos);
  EXPECT_NE(waiting.body().find("[ 1000, 2.0 ]"), std::string::npos);
}

TEST(Server, CometEndsAtItsTimeout) {
  World world({.timeout = 1s});
  RawClient waiting = world.ask(kB + "?mode=comet");
  EXPECT_EQ(waiting.status(), 200);
  World impatient({.timeout = 0s});
  EXPECT_EQ(impatient.ask(kB + "?mode=comet").status(), 200);
}

TEST(Server, AClientThatGoesAwayIsForgotten) {
  World world;
  {
    const RawClient waiting = world.ask(kB + "?mode=comet");
    world.wait_waiting(1);
  }
  world.wait_waiting(0);
  world.wait_connections(0);
}

TEST(Server, AStopAnswersThoseWhoWait) {
  World world;
  world.read(1, 1000, 1.0);
  std::vector<RawClient> waiting;
  for (int i = 0; i < 50; ++i) waiting.push_back(world.ask(kB + "?mode=comet"));
  world.wait_waiting(50);
  world.stop();
  for (auto& client : waiting) EXPECT_EQ(client.status(), 200);
}

TEST(Server, AStopDoesNotWaitForDawdlers) {
  World world;
  const RawClient dawdler = world.client();
  dawdler.send("GET / HT");
  world.wait_connections(1);
  world.stop();
}

TEST(Server, FiveHundredWaitAndOthersAreServed) {
  World world({.connections = 640});
  std::vector<RawClient> waiting;
  for (int i = 0; i < 560; ++i) waiting.push_back(world.ask((i % 2 == 0 ? kB : std::string{"/"}) + "?mode=comet"));
  world.wait_waiting(560);
  EXPECT_EQ(world.ask(kB).status(), 200);
  RawClient one_more = world.ask(kB + "?mode=comet");
  EXPECT_EQ(one_more.status(), 503);
  EXPECT_NE(one_more.read_all().find("Retry-After: 5\r\n"), std::string::npos);
  world.read(1, 1000, 1.0);
  for (auto& client : waiting) EXPECT_EQ(client.status(), 200);
  world.wait_connections(0);
  EXPECT_EQ(world.server->counters().refused, 1U);
}

TEST(Server, MoreConnectionsThanAllowedTakeTurns) {
  World world({.connections = 16});
  std::vector<RawClient> clients;
  for (int i = 0; i < 600; ++i) clients.push_back(world.ask(kB));
  for (auto& client : clients) EXPECT_EQ(client.status(), 200);
}

TEST(Server, SlowLorisIsCutOff) {
  World world({.request_patience = 300ms});
  RawClient loris = world.client();
  ASSERT_TRUE(loris.send("GET / HTTP/1.1\r\n"));
  // a header line now and then does not help: the whole request has one deadline
  const auto end = std::chrono::steady_clock::now() + RawClient::kDeadline;
  while (!loris.closed() && std::chrono::steady_clock::now() < end) {
    loris.send("X: y\r\n");
    loris.read_all(20ms);
  }
  EXPECT_TRUE(loris.closed());
  EXPECT_EQ(world.ask("/").status(), 200);
}

TEST(Server, DawdlersMakeRoomWhenAllConnectionsAreTaken) {
  World world({.connections = 8});  // and ten seconds of patience, were there room
  std::vector<RawClient> dawdlers;
  for (int i = 0; i < 40; ++i) {
    dawdlers.push_back(world.client());
    dawdlers.back().send("GET / HTTP/1.1\r\nX: ");
  }
  RawClient honest = world.ask("/");
  EXPECT_EQ(honest.status(), 200);
}

TEST(Server, AClientThatDoesNotReadIsCutOff) {
  World world({.reply_patience = 300ms}, -200'000);
  for (int i = 0; i < 200'000; ++i) world.board.aggregated(world.meters[1], 1.0 / 3.0, at(kNow + i));
  RawClient lazy = world.client();
  lazy.get(kB);
  world.wait_connections(1);
  world.wait_connections(0);
  EXPECT_LT(lazy.read_all().size(), 7'000'000U);
  RawClient quick = world.ask(kB);
  EXPECT_GT(quick.read_all().size(), 7'000'000U);
}

TEST(Server, LargeRepliesUnderWayAreBounded) {
  World world({}, -200'000);
  for (int i = 0; i < 200'000; ++i) world.board.aggregated(world.meters[1], 1.0 / 3.0, at(kNow + i));
  std::vector<RawClient> lazy;
  bool refused = false;
  for (int i = 0; i < 20 && !refused; ++i) {
    world.read(1, kNow + 200'000 + i, 1.0);  // so that none can share the reply of another
    const auto before = world.server->counters();
    lazy.push_back(world.ask(kB));
    const auto end = std::chrono::steady_clock::now() + RawClient::kDeadline;
    while (world.server->counters().requests == before.requests && std::chrono::steady_clock::now() < end)
      std::this_thread::yield();
    refused = world.server->counters().refused > 0;
  }
  EXPECT_TRUE(refused || world.server->counters().refused > 0);
}

TEST(Server, Headers) {
  World world;
  RawClient huge = world.client();
  huge.send("GET / HTTP/1.1\r\nHost: x\r\nCookie: " + std::string(100'000, 'c') + "\r\n\r\n");
  huge.read_all();
  EXPECT_TRUE(huge.closed());
  RawClient long_target = world.ask("/" + std::string(3000, 'a'));
  EXPECT_EQ(long_target.status(), 414);
  RawClient longer = world.ask("/" + std::string(60'000, 'a'));
  longer.read_all();
  EXPECT_TRUE(longer.closed());
  RawClient many = world.client();
  std::string text = "GET / HTTP/1.1\r\n";
  for (int i = 0; i < 5000; ++i) text += fmt::format("X-{}: 1\r\n", i);
  many.send(text + "\r\n");
  many.read_all();
  EXPECT_TRUE(many.closed());
  RawClient old = world.client();
  old.send("GET / HTTP/1.0\r\n\r\n");
  EXPECT_NE(old.read_all().find(" 200 OK"), std::string::npos);
  EXPECT_EQ(world.ask("/").status(), 200);
}

TEST(Server, Bodies) {
  World world;
  RawClient small = world.client();
  small.send("GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
  EXPECT_EQ(small.status(), 200);
  RawClient post = world.client();
  post.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 30000\r\n\r\n" + std::string(30'000, 'x'));
  EXPECT_EQ(post.status(), 405);
  RawClient endless = world.client();
  endless.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n");
  const std::string piece(64 * 1024, 'x');
  for (int i = 0; i < 1000 && endless.send(piece); ++i) continue;
  endless.read_all();
  EXPECT_TRUE(endless.closed());
  RawClient chunked = world.client();
  chunked.send("PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
  EXPECT_EQ(chunked.status(), 405);
}

TEST(Server, Garbage) {
  World world({.request_patience = 500ms});
  std::mt19937 random(42);
  std::vector<RawClient> clients;
  for (int i = 0; i < 200; ++i) {
    std::string noise(random() % 600, '\0');
    for (char& c : noise) c = static_cast<char>(random());
    if (i % 4 == 0) noise = "GET " + noise + " HTTP/1.1\r\nHost: x\r\n\r\n";
    if (i % 4 == 1) noise = "GET / HTTP/1.1\r\n" + noise + "\r\n\r\n";
    if (i % 8 == 2) noise = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + noise;  // a TLS client
    clients.push_back(world.client());
    clients.back().send(noise);
  }
  for (auto& client : clients) {
    client.read_all();
    EXPECT_TRUE(client.closed());
  }
  EXPECT_EQ(world.ask("/").status(), 200);
  world.wait_connections(0);
}

TEST(Server, ReadingsAndClientsAtOnce) {
  World world({}, 60);
  std::atomic<bool> done{false};
  std::jthread meter([&] {
    for (long long i = 0; !done; ++i) {
      vz::local::read(world.board, world.meters[0], kNow + i, 1.0);
      vz::local::read(world.board, world.meters[1], kNow + i, 1.0);
      std::this_thread::yield();
    }
  });
  std::jthread other([&] {
    for (int i = 0; i < 30; ++i) EXPECT_EQ(world.ask("/?mode=comet").status(), 200);
  });
  for (int i = 0; i < 30; ++i) EXPECT_EQ(world.ask(kB + "?mode=comet").status(), 200);
  other.join();
  done = true;
}

TEST(Listening, ATakenPortIsToldInWords) {
  const auto first = listen_on("", 0);
  ASSERT_TRUE(first) << first.error().text();
  const auto second = listen_on("", first->port);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, EADDRINUSE);
  EXPECT_NE(second.error().text().find(fmt::format("port {}: cannot listen: Address already in use (another program", first->port)),
            std::string::npos)
      << second.error().text();
}

TEST(Listening, AddressesThatAreNotThere) {
  const auto foreign = listen_on("192.0.2.1", 0);
  ASSERT_FALSE(foreign);
  EXPECT_NE(foreign.error().text().find("192.0.2.1 port 0: cannot listen: Cannot assign requested address (local.address has"),
            std::string::npos)
      << foreign.error().text();
  const auto wrong = listen_on("999.1.2.3.4.invalid", 0);
  ASSERT_FALSE(wrong);
  EXPECT_NE(wrong.error().text().find("local.address"), std::string::npos) << wrong.error().text();
}

}  // namespace
}  // namespace vz::local
