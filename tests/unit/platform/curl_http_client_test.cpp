// SPDX-License-Identifier: GPL-3.0-or-later
#include "platform/curl_http_client.hpp"

#include <csignal>
#include <thread>

#include "support/http_server.hpp"
#include "vz/version.hpp"

namespace vz {
namespace {

using test::HttpAnswer;
using test::HttpServer;
using Act = HttpAnswer::Act;

MonoTime soon() { return std::chrono::steady_clock::now() + std::chrono::seconds{20}; }

class CurlHttp : public testing::Test {
 protected:
  CurlHttp() { std::signal(SIGPIPE, SIG_IGN); }

  HttpRequest request(const std::string& path = "/data") const {
    HttpRequest out;
    out.url = server_.url(path);
    out.headers = {"Content-type: application/json", "Accept: application/json"};
    out.body = "[ [ 1, 2.5 ] ]";
    return out;
  }
  /// Runs one transfer to its end.
  HttpReply run(HttpRequest what, std::uint32_t lane = 0) {
    client_.start(++id_, lane, std::move(what));
    return finish(id_);
  }
  HttpReply finish(std::uint64_t id) {
    std::vector<HttpDone> done;
    while (done.empty() && std::chrono::steady_clock::now() < give_up_) client_.wait(give_up_, done);
    if (done.size() != 1 || done.front().id != id) {
      ADD_FAILURE() << done.size() << " transfers ended, transfer " << id << " was to end";
      return {};
    }
    return done.front().reply;
  }

  HttpServer server_;
  CurlHttpClient client_;
  std::uint64_t id_ = 100;
  MonoTime give_up_ = soon();
};

TEST_F(CurlHttp, TheRequestByteForByte) {
  HttpRequest what;
  what.url = server_.url("/middleware.php/data/01234567-89ab-cdef-0123-456789abcdef.json");
  what.headers = {"Content-type: application/json", "Accept: application/json", "User-Agent: " + curl_user_agent()};
  what.body = "[ [ 1795342572270, 132.15000000000001 ] ]";
  EXPECT_EQ(run(what).status, 200);
  EXPECT_EQ(server_.requests().at(0).raw(),
            fmt::format("POST /middleware.php/data/01234567-89ab-cdef-0123-456789abcdef.json HTTP/1.1\r\n"
                        "Host: 127.0.0.1:{}\r\n"
                        "Content-type: application/json\r\n"
                        "Accept: application/json\r\n"
                        "User-Agent: vzlogger/{} ({})\r\n"
                        "Content-Length: 41\r\n"
                        "\r\n"
                        "[ [ 1795342572270, 132.15000000000001 ] ]",
                        server_.port(), kVersion, curl_version()));
}

TEST_F(CurlHttp, NothingIsAddedToTheHeaders) {
  HttpRequest what = request("/x");
  what.headers.clear();
  run(what);
  EXPECT_EQ(server_.requests().at(0).head,
            fmt::format("POST /x HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Length: 14\r\n\r\n", server_.port()));
}

TEST_F(CurlHttp, HeadersOfOneRequestDoNotReachTheNext) {
  HttpRequest first = request();
  first.headers.push_back("X-Token: secret");
  first.method = "PUT";
  run(first);
  run(request());
  EXPECT_EQ(server_.requests().at(0).method(), "PUT");
  EXPECT_EQ(server_.requests().at(0).header("X-Token"), "secret");
  EXPECT_EQ(server_.requests().at(1).method(), "POST");
  EXPECT_EQ(server_.requests().at(1).header("X-Token"), "");
}

TEST_F(CurlHttp, AHeaderWithoutValueIsSent) {
  HttpRequest what = request();
  what.headers = {"X-Empty:", "X-Blank: ", "Expect:"};
  run(what);
  EXPECT_THAT(server_.requests().at(0).head, testing::HasSubstr("\r\nX-Empty:\r\nX-Blank:\r\nExpect:\r\n"));
}

TEST_F(CurlHttp, NoExpectWithALargeBody) {
  HttpRequest what = request();
  what.body = std::string(3 * 1024 * 1024, 'x');
  EXPECT_EQ(run(what).status, 200);
  const auto record = server_.requests().at(0);
  EXPECT_EQ(record.body.size(), what.body.size());
  EXPECT_EQ(record.header("Expect"), "");
}

TEST_F(CurlHttp, ABodyIsSentAsItIs) {
  HttpRequest what = request();
  what.body.clear();
  for (int c = 0; c < 256; ++c) what.body.push_back(static_cast<char>(c));
  run(what);
  EXPECT_EQ(server_.requests().at(0).body, what.body);
}

TEST_F(CurlHttp, EmptyPostAndGet) {
  HttpRequest post = request();
  post.body.clear();
  run(post);
  EXPECT_EQ(server_.requests().at(0).header("Content-Length"), "0");
  HttpRequest get = post;
  get.method = "GET";
  run(get);
  EXPECT_EQ(server_.requests().at(1).method(), "GET");
  EXPECT_EQ(server_.requests().at(1).header("Content-Length"), "");
}

TEST_F(CurlHttp, CredentialsOfTheUrlAreSent) {
  HttpRequest what = request();
  what.url = fmt::format("http://me:secret@127.0.0.1:{}/x", server_.port());
  run(what);
  EXPECT_EQ(server_.requests().at(0).header("Authorization"), "Basic bWU6c2VjcmV0");
  EXPECT_EQ(server_.requests().at(0).target(), "/x");
}

TEST_F(CurlHttp, ALineBreakCannotBecomeAHeader) {
  HttpRequest what = request();
  what.headers.push_back("X-Token: a\r\nX-Evil: b");
  const HttpReply reply = run(what);
  EXPECT_EQ(reply.status, 0);
  EXPECT_FALSE(reply.maybe_delivered);
  EXPECT_THAT(reply.error, testing::HasSubstr("control character"));
  EXPECT_TRUE(server_.requests().empty());
  EXPECT_EQ(run(request()).status, 200);  // the lane is free again
}

TEST_F(CurlHttp, TheReplyOfAFailureComesBackWithItsBody) {
  server_.enqueue({.status = 400, .body = R"({"exception":{"message":"no"}})"});
  const HttpReply reply = run(request());
  EXPECT_EQ(reply.status, 400);
  EXPECT_EQ(reply.body, R"({"exception":{"message":"no"}})");
  EXPECT_EQ(reply.error, "");
  EXPECT_FALSE(reply.maybe_delivered);
  EXPECT_EQ(run(request()).body, "{}");  // and does not stay for the next
}

TEST_F(CurlHttp, ALaneKeepsItsConnection) {
  for (int i = 0; i < 5; ++i) EXPECT_EQ(run(request()).status, 200);
  EXPECT_EQ(server_.accepted(), 1U);
  EXPECT_EQ(server_.requests().size(), 5U);
}

TEST_F(CurlHttp, ManyLanesKeepTheirConnections) {
  constexpr std::uint32_t kLanes = 12;
  for (int round = 0; round < 2; ++round) {
    server_.set_default({.act = Act::hang});
    for (std::uint32_t lane = 0; lane < kLanes; ++lane) client_.start(lane, lane, request());
    std::vector<HttpDone> done;
    const std::size_t wanted = kLanes * static_cast<std::size_t>(round + 1);
    while (server_.requests().size() < wanted && std::chrono::steady_clock::now() < give_up_) {
      client_.wait(std::chrono::steady_clock::now() + std::chrono::milliseconds{1}, done);
    }
    server_.release();
    while (done.size() < kLanes && std::chrono::steady_clock::now() < give_up_) client_.wait(give_up_, done);
    ASSERT_EQ(done.size(), kLanes);
  }
  EXPECT_EQ(server_.accepted(), kLanes);
}

TEST_F(CurlHttp, ADeadLaneDelaysNoOther) {
  server_.enqueue({.act = Act::hang});
  client_.start(1, 1, request());
  std::vector<HttpDone> done;
  while (server_.requests().empty() && std::chrono::steady_clock::now() < give_up_) {
    client_.wait(std::chrono::steady_clock::now() + std::chrono::milliseconds{1}, done);
  }
  EXPECT_TRUE(done.empty());
  for (int i = 0; i < 3; ++i) EXPECT_EQ(run(request(), 2).status, 200);
  server_.release();
  EXPECT_EQ(finish(1).status, 200);
}

TEST_F(CurlHttp, AClosedIdleConnectionIsReplacedWithoutASecondSending) {
  run(request());
  server_.close_connections();
  const HttpReply reply = run(request());
  EXPECT_EQ(reply.status, 200);
  EXPECT_FALSE(reply.maybe_delivered);
  EXPECT_EQ(server_.requests().size(), 2U);
  EXPECT_EQ(server_.accepted(), 2U);
}

TEST_F(CurlHttp, ASecondSendingIsTold) {
  run(request());
  server_.enqueue({.act = Act::close});  // takes the request on the kept connection and dies
  const HttpReply reply = run(request());
  EXPECT_EQ(reply.status, 200);
  EXPECT_TRUE(reply.maybe_delivered);
  EXPECT_EQ(server_.requests().size(), 3U);
}

TEST_F(CurlHttp, NoAnswerMeansMaybeDelivered) {
  for (const Act act : {Act::close, Act::reset}) {
    server_.close_connections();
    server_.enqueue({.act = act});
    const HttpReply reply = run(request());
    EXPECT_EQ(reply.status, 0);
    EXPECT_TRUE(reply.maybe_delivered);
    EXPECT_FALSE(reply.error.empty());
  }
}

TEST_F(CurlHttp, AReplyCutShortMeansMaybeDelivered) {
  server_.enqueue({.act = Act::last, .raw = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"});
  const HttpReply reply = run(request());
  EXPECT_EQ(reply.status, 0);
  EXPECT_TRUE(reply.maybe_delivered);
  EXPECT_FALSE(reply.error.empty());
}

TEST_F(CurlHttp, RubbishInsteadOfHttp) {
  server_.enqueue({.act = Act::last, .raw = "SSH-2.0-OpenSSH_9.2\r\n"});
  const HttpReply reply = run(request());
  EXPECT_EQ(reply.status, 0);
  EXPECT_TRUE(reply.maybe_delivered);
  EXPECT_FALSE(reply.error.empty());
}

TEST_F(CurlHttp, RefusedMeansNotDelivered) {
  server_.stop_listening();
  const HttpReply reply = run(request());
  EXPECT_EQ(reply.status, 0);
  EXPECT_FALSE(reply.maybe_delivered);
  EXPECT_THAT(reply.error, testing::HasSubstr("onnect"));
  server_.listen_again();
  EXPECT_EQ(run(request()).status, 200);
}

TEST_F(CurlHttp, TheTimeoutHoldsForTheWholeTransfer) {
  server_.enqueue({.body = std::string(100'000, 'x'), .drip = 1, .pause = std::chrono::milliseconds{2}});
  HttpRequest what = request();
  what.timeout = std::chrono::seconds{1};
  const HttpReply reply = run(what);
  EXPECT_EQ(reply.status, 0);
  EXPECT_TRUE(reply.maybe_delivered);
  EXPECT_THAT(reply.error, testing::HasSubstr("timed out"));
  EXPECT_GE(reply.duration, std::chrono::milliseconds{900});
}

TEST_F(CurlHttp, ASlowReplyIsPutTogether) {
  server_.enqueue({.body = R"({"version":"0.3","data":{"rows":1}})", .drip = 1});
  EXPECT_EQ(run(request()).body, R"({"version":"0.3","data":{"rows":1}})");
}

TEST_F(CurlHttp, TheReplyIsBounded) {
  server_.enqueue({.status = 500, .body = std::string(200'000, 'x')});
  const HttpReply long_one = run(request());
  EXPECT_EQ(long_one.status, 500);
  EXPECT_EQ(long_one.body, std::string(kMaxReplyBody, 'x'));
  EXPECT_EQ(run(request()).status, 200);
  EXPECT_EQ(server_.accepted(), 1U);
  server_.enqueue({.status = 500, .body = std::string(5'000'000, 'x')});
  const HttpReply endless = run(request());
  EXPECT_EQ(endless.status, 500);
  EXPECT_EQ(endless.body.size(), kMaxReplyBody);
  EXPECT_FALSE(endless.maybe_delivered);
}

TEST_F(CurlHttp, RedirectsAreNotFollowed) {
  server_.enqueue({.status = 302, .headers = {"Location: " + server_.url("/elsewhere")}});
  EXPECT_EQ(run(request()).status, 302);
  EXPECT_EQ(server_.requests().size(), 1U);
}

TEST_F(CurlHttp, OnlyHttp) {
  HttpRequest what = request();
  for (const char* url : {"file:///etc/hostname", "ftp://127.0.0.1/x", "http://", "", "http://127.0.0.1:99999/"}) {
    what.url = url;
    const HttpReply reply = run(what);
    EXPECT_EQ(reply.status, 0) << url;
    EXPECT_FALSE(reply.error.empty()) << url;
    EXPECT_FALSE(reply.maybe_delivered) << url;
    EXPECT_EQ(reply.body, "") << url;
  }
}

TEST_F(CurlHttp, WakeEndsAWait) {
  std::vector<HttpDone> done;
  client_.wake();
  client_.wait(MonoTime::max(), done);  // one before
  std::jthread other{[&] { client_.wake(); }};
  client_.wait(MonoTime::max(), done);  // one meanwhile
  EXPECT_TRUE(done.empty());
}

TEST_F(CurlHttp, WakeEndsAWaitWithARunningTransfer) {
  server_.set_default({.act = Act::hang});
  client_.start(1, 1, request());
  std::vector<HttpDone> done;
  std::jthread other{[&] {
    server_.wait_requests(1);
    client_.wake();
  }};
  client_.wait(MonoTime::max(), done);
  EXPECT_TRUE(done.empty());
  EXPECT_EQ(server_.requests().size(), 1U);
}

TEST_F(CurlHttp, TheDeadlineEndsAWait) {
  std::vector<HttpDone> done;
  client_.wait(MonoTime{}, done);
  client_.wait(std::chrono::steady_clock::now() + std::chrono::microseconds{1500}, done);
  EXPECT_TRUE(done.empty());
}

TEST_F(CurlHttp, AbortDropsTransfersAndFreesTheirLanes) {
  server_.set_default({.act = Act::hang});
  for (std::uint32_t lane = 0; lane < 3; ++lane) client_.start(lane, lane, request());
  std::vector<HttpDone> done;
  while (server_.requests().size() < 3 && std::chrono::steady_clock::now() < give_up_) {
    client_.wait(std::chrono::steady_clock::now() + std::chrono::milliseconds{1}, done);
  }
  client_.abort_all();
  EXPECT_TRUE(server_.wait_closed(3));
  client_.wait(MonoTime{}, done);
  EXPECT_TRUE(done.empty());
  server_.set_default({});
  for (std::uint32_t lane = 0; lane < 3; ++lane) EXPECT_EQ(run(request(), lane).status, 200);
}

TEST_F(CurlHttp, MayBeDestroyedWithARunningTransfer) {
  server_.set_default({.act = Act::hang});
  auto client = std::make_unique<CurlHttpClient>();
  client->start(1, 1, request());
  std::vector<HttpDone> done;
  while (server_.requests().empty() && std::chrono::steady_clock::now() < give_up_) {
    client->wait(std::chrono::steady_clock::now() + std::chrono::milliseconds{1}, done);
  }
  client.reset();
  EXPECT_TRUE(server_.wait_closed(1));
}

TEST(CurlHttpDeathTest, ABusyLaneIsABug) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        CurlHttpClient client;
        HttpRequest what;
        what.url = "http://127.0.0.1:9/";
        client.start(1, 1, what);
        client.start(2, 1, what);
      },
      "busy");
}

}  // namespace
}  // namespace vz
