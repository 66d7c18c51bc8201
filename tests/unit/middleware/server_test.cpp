// SPDX-License-Identifier: GPL-3.0-or-later
// The HTTP side, over loopback with libcurl.
#include "tools/middleware/server.hpp"

#include <curl/curl.h>
#include <gmock/gmock.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <future>
#include <thread>

#include "tools/middleware/waiting_room.hpp"
#include "unit/middleware/api_fixture.hpp"

namespace vz::middleware {
namespace {

/// One curl handle: keeps its connection from request to request.
class Client {
 public:
  struct Answer {
    CURLcode code = CURLE_OK;
    long status = 0;
    long new_connections = 0;
    std::string body;
    std::string headers;
  };

  Client() : curl_(curl_easy_init()) {}
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  ~Client() { curl_easy_cleanup(curl_); }

  void set_long(CURLoption option, long value) { curl_easy_setopt(curl_, option, value); }

  Answer post(const std::string& url, const std::string& body, const std::vector<std::string>& headers = {}) {
    curl_slist* list = nullptr;
    for (const auto& header : headers) list = curl_slist_append(list, header.c_str());
    Answer answer;
    curl_easy_setopt(curl_, CURLOPT_URL, url.c_str());
    curl_easy_setopt(curl_, CURLOPT_HTTPHEADER, list);
    curl_easy_setopt(curl_, CURLOPT_POSTFIELDS, body.data());
    curl_easy_setopt(curl_, CURLOPT_POSTFIELDSIZE, static_cast<long>(body.size()));
    curl_easy_setopt(curl_, CURLOPT_WRITEFUNCTION, &append);
    curl_easy_setopt(curl_, CURLOPT_WRITEDATA, &answer.body);
    curl_easy_setopt(curl_, CURLOPT_HEADERFUNCTION, &append);
    curl_easy_setopt(curl_, CURLOPT_HEADERDATA, &answer.headers);
    curl_easy_setopt(curl_, CURLOPT_NOPROXY, "*");
    answer.code = curl_easy_perform(curl_);
    curl_easy_getinfo(curl_, CURLINFO_RESPONSE_CODE, &answer.status);
    curl_easy_getinfo(curl_, CURLINFO_NUM_CONNECTS, &answer.new_connections);
    curl_slist_free_all(list);
    return answer;
  }

 private:
  static std::size_t append(char* data, std::size_t size, std::size_t count, void* out) {
    static_cast<std::string*>(out)->append(data, size * count);
    return size * count;
  }
  CURL* curl_;
};

class ServerTest : public ApiTest {
 protected:
  void serve(Server::Handler handler) {
    auto started = Server::start("127.0.0.1", 0, std::move(handler), [this](const Request&, const Reply& reply) {
      statuses_.push_back(reply.status);
      decided_.set_value();
      decided_ = {};
    });
    ASSERT_TRUE(started) << started.error().text();
    server_ = *std::move(started);
  }
  void serve_api() {
    serve([this](Request& request) { return api_.handle(request); });
  }
  [[nodiscard]] std::string url() const {
    return fmt::format("{}/middleware.php/data/{}.json", server_->url(), kMeter);
  }

  std::vector<int> statuses_;
  std::promise<void> decided_;
  std::unique_ptr<Server> server_;
};

constexpr const char* kOneRow = R"({"version":"0.3","rows":1})";

TEST_F(ServerTest, KeepsTheConnection) {
  serve_api();
  Client client;
  const auto first = client.post(url(), "[[1,1]]", {"Content-type: application/json"});
  EXPECT_EQ(first.code, CURLE_OK);
  EXPECT_EQ(first.status, 200);
  EXPECT_EQ(first.body, kOneRow);
  EXPECT_EQ(first.new_connections, 1);
  EXPECT_THAT(first.headers, ::testing::HasSubstr("Content-Type: application/json\r\n"));
  EXPECT_THAT(first.headers, ::testing::HasSubstr("Access-Control-Allow-Origin: *\r\n"));
  const auto duplicate = client.post(url(), "[[1,1]]");
  EXPECT_EQ(duplicate.status, 400);
  EXPECT_EQ(duplicate.new_connections, 0);
  EXPECT_EQ(client.post(url() + "?options%5B%5D=skipduplicates", "[[1,1],[2,2]]").body, kOneRow);
}

TEST_F(ServerTest, ReadsAChunkedBody) {
  serve_api();
  Client client;
  EXPECT_EQ(client.post(url(), "[[1,1]]", {"Transfer-Encoding: chunked"}).body, kOneRow);
  EXPECT_EQ(stored(kMeter), nlohmann::json::parse("[[1,1]]"));
}

TEST_F(ServerTest, AnswersExpect) {
  serve_api();
  Client client;
  client.set_long(CURLOPT_EXPECT_100_TIMEOUT_MS, 60'000);  // without the 100 the request would wait that long
  const auto answer = client.post(url(), "[[1,1]]", {"Expect: 100-continue"});
  EXPECT_EQ(answer.body, kOneRow);
  EXPECT_THAT(answer.headers, ::testing::StartsWith("HTTP/1.1 100 Continue\r\n"));
}

TEST_F(ServerTest, SpeaksHttp10) {
  serve_api();
  Client client;
  client.set_long(CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_0);
  EXPECT_EQ(client.post(url(), "[[1,1]]").body, kOneRow);
}

TEST_F(ServerTest, RefusesABodyThatIsTooLong) {
  serve([](Request&) {
    ADD_FAILURE() << "must not be asked";
    return Reply{};
  });
  const std::string body(kMaxBody + 1, ' ');
  Client announced;
  EXPECT_EQ(announced.post(url(), body, {"Expect: 100-continue"}).status, 413);
  Client chunked;
  EXPECT_EQ(chunked.post(url(), body, {"Transfer-Encoding: chunked", "Expect:"}).status, 413);
  EXPECT_EQ(statuses_, (std::vector<int>{413, 413}));
}

TEST_F(ServerTest, HandsOverTheWholeRequest) {
  Request seen;
  serve([&](Request& request) {
    seen = request;
    return Reply{};
  });
  Client client;
  client.post(server_->url() + "/middleware.php/x%20y.json?a=1&b%5B%5D=2+3&c", "body", {"Content-Type: text/x"});
  EXPECT_EQ(seen.method, "POST");
  EXPECT_EQ(seen.path, "/middleware.php/x y.json");
  EXPECT_EQ(seen.query.get("a"), "1");
  EXPECT_EQ(seen.query.list("b"), (std::vector<std::string>{"2 3"}));
  EXPECT_EQ(seen.query.get("c"), "");
  EXPECT_EQ(seen.content_type, "text/x");
  EXPECT_EQ(seen.body, "body");
}

TEST_F(ServerTest, LetsOneOfFourEqualBatchesIn) {
  serve_api();
  std::string body = "[[0,0]";
  for (int i = 1; i < 64; ++i) body += fmt::format(",[{},1]", i);
  body += "]";
  std::atomic<int> accepted = 0;
  std::atomic<int> refused = 0;
  std::vector<std::thread> clients;
  for (int i = 0; i < 4; ++i)
    clients.emplace_back([&] {
      Client client;
      const auto status = client.post(url(), body).status;
      accepted += status == 200 ? 1 : 0;
      refused += status == 400 ? 1 : 0;
    });
  for (auto& client : clients) client.join();
  EXPECT_EQ(accepted, 1);
  EXPECT_EQ(refused, 3);
  server_.reset();
  EXPECT_EQ(stored(kMeter).size(), 64U);
}

TEST_F(ServerTest, ClosesWithoutAReply) {
  serve([](Request&) {
    Reply reply;
    reply.delivery = Delivery::close;
    return reply;
  });
  Client client;
  EXPECT_EQ(client.post(url(), "[[1,1]]").code, CURLE_GOT_NOTHING);
}

TEST_F(ServerTest, AnswersLateAndServesOthersMeanwhile) {
  serve([](Request& request) {
    Reply reply;
    reply.body = request.body;
    if (request.body == "late") reply.delay = std::chrono::milliseconds{20};
    return reply;
  });
  Client client;
  EXPECT_EQ(client.post(url(), "late").body, "late");
  EXPECT_EQ(client.post(url(), "late").body, "late");
  EXPECT_EQ(client.post(url(), "soon").body, "soon");
}

TEST_F(ServerTest, HangsUntilItEnds) {
  serve([](Request& request) {
    Reply reply;
    if (request.body == "hang") reply.delivery = Delivery::hang;
    return reply;
  });
  auto decided = decided_.get_future();
  const auto address = url();
  auto hanging = std::async(std::launch::async, [&] {
    Client client;
    return client.post(address, "hang").code;
  });
  decided.wait();
  Client other;
  for (int i = 0; i < 10; ++i) EXPECT_EQ(other.post(address, "").status, 200);  // others are served
  EXPECT_EQ(hanging.wait_for(std::chrono::seconds{0}), std::future_status::timeout);
  server_.reset();  // the end does not wait for the client
  EXPECT_EQ(hanging.get(), CURLE_GOT_NOTHING);
}

TEST_F(ServerTest, SaysWhyItCannotListen) {
  serve_api();
  const auto twice = Server::start("127.0.0.1", server_->port(), [](Request&) { return Reply{}; });
  ASSERT_FALSE(twice);
  EXPECT_THAT(twice.error().text(), ::testing::HasSubstr("Address already in use (another program uses this port"));
  EXPECT_FALSE(Server::start("no such address", 0, [](Request&) { return Reply{}; }));
}

TEST(WaitingRoomTest, LetsGuestsGoWhenTheirTimeHasCome) {
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  std::promise<WaitingRoom::End> left;
  WaitingRoom room;
  room.add(ends[0], std::chrono::milliseconds{0}, [&](WaitingRoom::End end) { left.set_value(end); });
  EXPECT_EQ(left.get_future().get(), WaitingRoom::End::due);
  close(ends[0]);
  close(ends[1]);
}

TEST(WaitingRoomTest, NoticesThatTheOtherEndHasGone) {
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  std::promise<WaitingRoom::End> left;
  WaitingRoom room;
  room.add(ends[0], std::nullopt, [&](WaitingRoom::End end) { left.set_value(end); });
  close(ends[1]);
  EXPECT_EQ(left.get_future().get(), WaitingRoom::End::gone);
  close(ends[0]);
}

TEST(WaitingRoomTest, SendsAllAwayWhenItCloses) {
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  int gone = 0;
  const auto count = [&](WaitingRoom::End end) { gone += end == WaitingRoom::End::gone ? 1 : 0; };
  WaitingRoom room;
  room.add(ends[0], std::nullopt, count);
  room.close();
  EXPECT_EQ(gone, 1);
  room.add(ends[0], std::nullopt, count);
  EXPECT_EQ(gone, 2);
  close(ends[0]);
  close(ends[1]);
}

}  // namespace
}  // namespace vz::middleware
