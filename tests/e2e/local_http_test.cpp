// SPDX-License-Identifier: GPL-3.0-or-later
// The local interface and push, with the real daemon; curl, raw sockets and a browser are the clients.
#include <regex>

#include "e2e/stage.hpp"
#include "support/http_server.hpp"
#include "support/raw_client.hpp"

namespace vz::e2e {
namespace {

using test::HttpServer;
using test::RawClient;

Json random_meter(Json channels) {
  return {{"enabled", true}, {"protocol", "random"}, {"interval", 1}, {"channels", std::move(channels)}};
}

Json null_channel(int number) { return channel(uuid(number), "", "x"); }

/// A daemon with the local interface, and where that is.
struct Served {
  explicit Served(const std::string& text, std::vector<std::string> arguments = {}) {
    std::vector<std::string> argv{program("vzlogger"), "-f", "-c", write_config(folder, text)};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    daemon = std::make_unique<Process>(std::move(argv), in_folder(folder, {}));
    const auto line = daemon->wait_for_line("Starting local interface HTTPd on port ");
    if (!line) throw std::runtime_error("no local interface: " + daemon->output(Stream::err));
    port = std::stoi(line->substr(line->rfind(' ') + 1));
  }
  [[nodiscard]] std::string url(const std::string& path) const { return fmt::format("http://127.0.0.1:{}{}", port, path); }
  [[nodiscard]] std::string curl(const std::string& path, std::vector<std::string> arguments = {}) const {
    std::vector<std::string> argv{"curl", "-s", "--noproxy", "*", "--max-time", "20", url(path)};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    Process process(std::move(argv), plain());
    EXPECT_TRUE(process.wait_exit());
    return process.output();
  }
  Folder folder;
  std::unique_ptr<Process> daemon;
  int port = 0;
};

Json local(Json more = Json::object()) {
  Json section{{"enabled", true}, {"port", 0}, {"index", true}};
  section.update(more);
  return {{"local", section}};
}

std::int64_t newest(const std::string& body) {
  const Json json = Json::parse(body);
  return json["data"][0]["tuples"].back()[0].get<std::int64_t>();
}

TEST(LocalHttp, CurlSeesWhatTheMeterReads) {
  const Served served(config(Json::array({random_meter(Json::array({null_channel(1)}))}), 5, local()));
  const std::string first = served.curl("/" + uuid(1) + "?mode=comet");
  const std::string second = served.curl("/" + uuid(1) + "?mode=comet&since=" + std::to_string(newest(first)));
  EXPECT_GT(newest(second), newest(first));
  const std::regex form(
      R"re(\{ "version": "[0-9.]+", "generator": "vzlogger", "data": \[ \{ "uuid": "00000000-1111-2222-3333-000000000001", "obis": "NilIdentifier", "last": [0-9]+, "interval": 1, "protocol": "random", "tuples": \[ \[ [0-9]+, -?[0-9.e-]+ \] \] \} \] \})re");
  EXPECT_TRUE(std::regex_match(second, form)) << second;
  EXPECT_TRUE(std::regex_match(served.curl("/"), form));
  EXPECT_NE(served.curl("/", {"-I"}).find("200 OK"), std::string::npos);
  EXPECT_EQ(served.curl("/", {"-X", "POST", "-d", "x"}), "not implemented\n");
  EXPECT_EQ(served.curl("/healthz"), "ok\n");
  const std::string metrics = served.curl("/metrics");
  EXPECT_NE(metrics.find("vzlogger_meter_telegrams_total{meter=\"mtr0\",protocol=\"random\"} "), std::string::npos);
  EXPECT_NE(metrics.find("vzlogger_service_up{service=\"http\"} 1\n"), std::string::npos) << metrics;
  EXPECT_EQ(metrics.find(uuid(1)), std::string::npos);
  EXPECT_EQ(served.daemon->output().find(uuid(1)), std::string::npos);
}

TEST(LocalHttp, TheCommandLineSwitchesItOn) {
  const Served served(config(Json::array({random_meter(Json::array({null_channel(1)}))})), {"-l", "-p", "0"});
  EXPECT_NE(served.curl("/").find("channel index is disabled"), std::string::npos);
}

TEST(LocalHttp, AStopAnswersThoseWhoWait) {
  Json meter = random_meter(Json::array({null_channel(1)}));
  meter["interval"] = 3600;
  const Served served(config(Json::array({meter}), 5, local()));
  (void)served.curl("/" + uuid(1) + "?mode=comet&since=0");  // the only reading for an hour is there
  std::vector<RawClient> waiting;
  for (int i = 0; i < 50; ++i) {
    waiting.emplace_back(served.port);
    waiting.back().get("/" + uuid(1) + "?mode=comet");
  }
  std::string metrics;
  const auto end = std::chrono::steady_clock::now() + Process::kDeadline;
  do metrics = served.curl("/metrics");
  while (metrics.find("vzlogger_service_count{service=\"http\",count=\"waiting\"} 50") == std::string::npos &&
         std::chrono::steady_clock::now() < end);
  served.daemon->send(SIGTERM);
  for (auto& client : waiting) EXPECT_EQ(client.status(), 200);
  EXPECT_EQ(served.daemon->wait_exit(), (Exit{.status = 0, .signal = 0}));
}

TEST(LocalHttp, WithoutItsPortTheDaemonGoesOn) {
  const Served first(config(Json::array({random_meter(Json::array({null_channel(1)}))}), 5, local()));
  Folder folder;
  const auto second = run_daemon(
      folder, config(Json::array({random_meter(Json::array({null_channel(1)}))}), 5, local({{"port", first.port}})));
  const auto line = second->wait_for_line("cannot listen", Stream::err);
  ASSERT_TRUE(line) << second->output(Stream::err);
  EXPECT_NE(line->find(fmt::format("[http] port {}: cannot listen: Address already in use (another program", first.port)),
            std::string::npos)
      << *line;
  EXPECT_TRUE(second->wait_for_line("Adding reading to queue"));
  second->send(SIGTERM);
  EXPECT_EQ(second->wait_exit(), (Exit{.status = 0, .signal = 0}));
}

// A page from elsewhere reads the interface in a real browser, if and only if that was allowed.
TEST(LocalHttp, ABrowserReadsItAcrossOrigins) {
  const char* browser = "/usr/bin/chromium";
  if (!std::filesystem::exists(browser)) GTEST_SKIP() << "no chromium here";
  for (const bool allowed : {true, false}) {
    const Served served(config(Json::array({random_meter(Json::array({null_channel(1)}))}), 5,
                               local(allowed ? Json{{"cors", "*"}} : Json::object())));
    (void)served.curl("/" + uuid(1) + "?mode=comet&since=0");
    const std::string page = served.folder / "page.html";
    std::ofstream(page) << "<body><script>fetch('" << served.url("/" + uuid(1))
                        << "').then(r => r.json()).then(j => document.body.innerText = 'protocol=' + j.data[0].protocol)"
                           ".catch(e => document.body.innerText = 'refused')</script></body>";
    Process process({browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-proxy-server",
                     "--user-data-dir=" + served.folder / "profile", "--virtual-time-budget=10000", "--dump-dom",
                     "file://" + page},
                    plain());
    ASSERT_TRUE(process.wait_exit(seconds{120}));
    EXPECT_NE(process.output().find(allowed ? "protocol=random" : "refused"), std::string::npos)
        << process.output() << process.output(Stream::err);
  }
}

TEST(Push, EachReadingToEachTargetAndADeadOneIsNobodysTrouble) {
  HttpServer target;
  const std::string with_password = fmt::format("http://user:geheim@127.0.0.1:{}/push", target.port());
  Folder folder;
  Middleware middleware(folder, {uuid(1)});
  middleware.start();
  const auto daemon = run_daemon(
      folder, config(Json::array({random_meter(Json::array({channel(uuid(1), middleware.url(), "x")}))}), 5,
                     {{"push", Json::array({Json{{"url", "http://127.0.0.1:1/"}}, Json{{"url", with_password}}})}}));
  ASSERT_TRUE(target.wait_requests(3)) << daemon->output(Stream::err);
  ASSERT_TRUE(middleware.wait_rows(3));
  daemon->send(SIGTERM);
  EXPECT_EQ(daemon->wait_exit(), (Exit{.status = 0, .signal = 0}));
  const auto stored = middleware.stored(uuid(1));
  std::vector<std::pair<std::int64_t, double>> pushed;
  for (const auto& request : target.requests()) {
    EXPECT_EQ(request.method(), "POST");
    EXPECT_EQ(request.target(), "/push");
    EXPECT_EQ(request.header("Content-type"), "application/json");
    const Json json = Json::parse(request.body);
    ASSERT_EQ(json["data"][0]["uuid"], uuid(1)) << request.body;
    for (const auto& tuple : json["data"][0]["tuples"])
      pushed.emplace_back(tuple[0].get<std::int64_t>(), tuple[1].get<double>());
  }
  ASSERT_GE(pushed.size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(pushed[i].first, stored.at(i).ms);
    EXPECT_EQ(pushed[i].second, stored.at(i).value);
  }
  const std::string errors = daemon->output(Stream::err);
  EXPECT_EQ(occurrences(errors, "[push] CURL: http://127.0.0.1:1/"), 1U) << errors;
  EXPECT_EQ((errors + daemon->output()).find("geheim"), std::string::npos);
}

}  // namespace
}  // namespace vz::e2e
