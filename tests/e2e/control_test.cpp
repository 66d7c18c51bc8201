// SPDX-License-Identifier: GPL-3.0-or-later
// The control socket and its commands with the real programs: what is said of trouble, what becomes of what was
// refused, and lines that are lent.
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "e2e/stage.hpp"
#include "support/http_server.hpp"

namespace vz::e2e {
namespace {

using ::testing::HasSubstr;

struct Answer {
  int status = -1;
  std::string out;
  std::string err;
};

/// A command on the daemon of this folder.
Answer ask(const Folder& folder, std::vector<std::string> words) {
  words.insert(words.begin(), program("vzlogger"));
  Process process(words, in_folder(folder, {}));
  const auto exit = process.wait_exit();
  return {exit ? exit->status : -1, process.output(), process.output(Stream::err)};
}

/// Asks until the status is as wanted; the last one.
Json wait_status(const Folder& folder, const std::function<bool(const Json&)>& wanted) {
  const auto end = std::chrono::steady_clock::now() + Process::kDeadline;
  Json status;
  do {
    status = Json::parse(ask(folder, {"status", "--json"}).out, nullptr, false);
  } while (!(status.is_object() && wanted(status)) && std::chrono::steady_clock::now() < end);
  return status;
}

bool meter_is(const Json& status, std::string_view state) { return status["meters"][0]["state"] == state; }

/// Another program that borrows the line of meter 0; its end gives the line back.
class Borrower {
 public:
  explicit Borrower(const Folder& folder) : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    (folder / "control.sock").copy(address.sun_path, sizeof address.sun_path - 1);
    const timeval patience{20, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    connected_ = ::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  ~Borrower() { ::close(fd_); }
  Borrower(const Borrower&) = delete;
  Borrower& operator=(const Borrower&) = delete;

  std::string ask(const std::string& line) {
    if (!connected_ || ::send(fd_, line.data(), line.size(), MSG_NOSIGNAL) < 0) return "not connected";
    std::string answer;
    std::array<char, 4096> buffer;
    while (answer.find('\n') == std::string::npos) {
      const ssize_t count = ::recv(fd_, buffer.data(), buffer.size(), 0);
      if (count <= 0) break;
      answer.append(buffer.data(), static_cast<std::size_t>(count));
    }
    return answer;
  }

 private:
  int fd_;
  bool connected_ = false;
};

TEST(Control, StatusOfAHealthyDaemon) {
  Folder folder;
  Middleware middleware(folder, {uuid(1)});
  middleware.start();
  Sim sim(folder, "sim", {});
  const auto daemon = run_daemon(
      folder, config(Json::array({pulled(sim.endpoint(), Json::array({channel(uuid(1), middleware.url())}))})));
  ASSERT_TRUE(middleware.wait_rows(2));
  const Json status = wait_status(folder, [](const Json& s) { return s["endpoints"][0]["accepted"] >= 2; });
  EXPECT_EQ(status["health"]["ok"], true) << status;
  EXPECT_EQ(status["meters"][0]["state"], "connected");
  EXPECT_TRUE(status["meters"][0]["channels"][0]["last_value"].is_number());
  EXPECT_EQ(status.dump().find(uuid(1)), std::string::npos) << "a uuid is a write key";
  const Answer text = ask(folder, {"status"});
  EXPECT_EQ(text.status, 0) << text.out;
  EXPECT_THAT(text.out, HasSubstr("all is well"));
}

TEST(Control, StatusIsWatchedUntilTheDaemonEnds) {
  Folder folder;
  Sim sim(folder, "sim", {"--readouts", "2"});
  const auto daemon = run_daemon(folder, config(Json::array({pulled(sim.endpoint(), Json::array({channel(uuid(1), "")}))})));
  (void)wait_status(folder, [](const Json& s) { return s["meters"][0]["telegrams"] >= 2; });
  Process watch({program("vzlogger"), "status", "--watch"}, in_folder(folder, {}));
  ASSERT_TRUE(watch.wait_for_line("mtr0")) << watch.output(Stream::err);
  EXPECT_EQ(ask(folder, {"pause", "mtr0"}).status, 0);
  EXPECT_TRUE(watch.wait_for_line("paused")) << watch.output();
  daemon->send(SIGTERM);
  EXPECT_EQ(daemon->wait_exit(), (Exit{.status = 0, .signal = 0}));
  EXPECT_EQ(watch.wait_exit(), (Exit{.status = 69, .signal = 0}));
  EXPECT_THAT(watch.output(Stream::err), HasSubstr("the daemon has ended"));
  EXPECT_THAT(watch.output(), ::testing::Not(HasSubstr("\x1b"))) << "it is no terminal";
}

TEST(Control, WatchingEndsWithASignalAndLooksNoMoreOftenThanAsked) {
  Folder folder;
  Sim sim(folder, "sim", {"--readouts", "2"});
  const auto daemon = run_daemon(folder, config(Json::array({pulled(sim.endpoint(), Json::array({channel(uuid(1), "")}))})));
  (void)wait_status(folder, [](const Json& s) { return s["meters"][0]["telegrams"] >= 2; });
  Process watch({program("vzlogger"), "status", "--json", "--watch", "3600"}, in_folder(folder, {}));
  ASSERT_TRUE(watch.wait_for_line("meters")) << watch.output(Stream::err);
  EXPECT_EQ(ask(folder, {"pause", "mtr0"}).status, 0);
  watch.send(SIGINT);
  EXPECT_EQ(watch.wait_exit(), (Exit{.status = 0, .signal = 0}));
  EXPECT_EQ(occurrences(watch.output(), "\n"), 1U) << watch.output();
  EXPECT_EQ(ask(folder, {"status", "--watch", "0.1"}).status, 64);
}

TEST(Control, StatusTellsOfADeadMiddleware) {
  Folder folder;
  Sim sim(folder, "sim", {"--readouts", "2"});
  std::string dead;
  {
    const test::HttpServer gone;
    dead = gone.url("/middleware.php");
  }
  const auto daemon =
      run_daemon(folder, config(Json::array({pulled(sim.endpoint(), Json::array({channel(uuid(1), dead)}))})));
  const Json status = wait_status(folder, [](const Json& s) { return s["endpoints"][0]["trouble"] != ""; });
  EXPECT_EQ(status["health"]["ok"], false) << status;
  EXPECT_GE(status["endpoints"][0]["waiting"], 1);
  EXPECT_FALSE(status["endpoints"][0]["trouble_since"].is_null());
  const Answer text = ask(folder, {"status"});
  EXPECT_EQ(text.status, 1);
  EXPECT_THAT(text.out, HasSubstr(dead));
}

TEST(Control, StatusTellsOfALostDevice) {
  Folder folder;
  Middleware middleware(folder, {uuid(1)});
  middleware.start();
  Sim sim(folder, "sim", {});
  const auto daemon = run_daemon(
      folder, config(Json::array({pulled(sim.endpoint(), Json::array({channel(uuid(1), middleware.url())}))})));
  ASSERT_TRUE(middleware.wait_rows(1));
  sim.stop();
  const Json status = wait_status(folder, [](const Json& s) { return meter_is(s, "away"); });
  EXPECT_THAT(status["health"]["reasons"].dump(), HasSubstr("mtr0: away"));
  EXPECT_FALSE(status["meters"][0]["trouble_since"].is_null()) << status;
}

TEST(Control, WithoutADaemonThatIsSaid) {
  const Folder folder;
  const Answer answer = ask(folder, {"status"});
  EXPECT_EQ(answer.status, 69);
  EXPECT_THAT(answer.err, HasSubstr("no vzlogger daemon answers"));
}

TEST(Control, RejectedReadingsAreRequeuedAndDelivered) {
  Folder folder;
  test::HttpServer server;
  std::atomic<bool> refuses{true};
  server.set_handler([&](const test::HttpRecord& request) -> std::optional<test::HttpAnswer> {
    if (refuses)
      return test::HttpAnswer{.status = 400,
                              .body = R"({"version":"0.3","exception":{"type":"DriverException","code":0,"message":)"
                                      R"("SQLSTATE[22003]: Numeric value out of range: 1264 Out of range value"}})"};
    const auto rows = Json::parse(request.body, nullptr, false);
    return test::HttpAnswer{.status = 200, .body = fmt::format(R"({{"version":"0.3","rows":{}}})", rows.size())};
  });
  Sim sim(folder, "sim", {"--readouts", "2"});
  const auto daemon = run_daemon(
      folder,
      config(Json::array({pulled(sim.endpoint(), Json::array({channel(uuid(1), server.url("/middleware.php"))}))}), 0));
  const Json status = wait_status(folder, [](const Json& s) { return s["endpoints"][0]["rejected"] == 2; });
  ASSERT_EQ(status["endpoints"][0]["rejected"], 2) << status << daemon->output(Stream::err);
  const Answer shown = ask(folder, {"queue", "rejected"});
  EXPECT_EQ(shown.status, 0);
  EXPECT_THAT(shown.out, HasSubstr("out of range"));
  EXPECT_EQ(occurrences(shown.out, "\n"), 3U) << shown.out;
  refuses = false;
  const Answer requeued = ask(folder, {"queue", "requeue", "--all"});
  EXPECT_EQ(requeued.status, 0) << requeued.err;
  EXPECT_THAT(requeued.out, HasSubstr("2 reading(s) wait again"));
  const Json after = wait_status(folder, [](const Json& s) { return s["endpoints"][0]["accepted"] == 2; });
  EXPECT_EQ(after["endpoints"][0]["accepted"], 2) << after;
  EXPECT_THAT(ask(folder, {"queue", "rejected"}).out, HasSubstr("no reading was rejected"));
}

TEST(Control, ALineIsLentAndGivenBack) {
  Folder folder;
  Middleware middleware(folder, {uuid(1)});
  middleware.start();
  Sim sim(folder, "sim", {});
  const auto daemon = run_daemon(
      folder, config(Json::array({pulled(sim.endpoint(), Json::array({channel(uuid(1), middleware.url())}))}), 0));
  ASSERT_TRUE(middleware.wait_rows(1));
  {
    Borrower borrower(folder);
    EXPECT_THAT(borrower.ask("{\"request\":\"lend\",\"device\":\"" + sim.endpoint() + "\"}\n"),
                HasSubstr("\"meters\":[0]"));
    const Json status = wait_status(folder, [](const Json& s) { return meter_is(s, "lent"); });
    EXPECT_EQ(status["health"]["ok"], true) << "a line that is lent is no trouble: " << status;
    const auto telegrams = status["meters"][0]["telegrams"];
    EXPECT_THAT(Borrower(folder).ask("{\"request\":\"lend\",\"meter\":0}\n"), HasSubstr("lent to process"));
    EXPECT_EQ(wait_status(folder, [](const Json&) { return true; })["meters"][0]["telegrams"], telegrams);
    EXPECT_THAT(borrower.ask("{\"request\":\"back\"}\n"), HasSubstr("\"meters\":[0]"));
    const Json back = wait_status(folder, [&](const Json& s) { return s["meters"][0]["telegrams"] > telegrams; });
    EXPECT_EQ(back["meters"][0]["state"], "connected") << back;
  }
  daemon->send(SIGTERM);
  EXPECT_EQ(daemon->wait_exit(), (Exit{.status = 0, .signal = 0}));
  const std::string told = daemon->output(Stream::err) + daemon->output();
  EXPECT_EQ(occurrences(told, "is lent to process"), 1U) << told;
  EXPECT_EQ(occurrences(told, "was given back"), 1U) << told;
}

TEST(Control, ABorrowerThatCrashesLosesTheLine) {
  Folder folder;
  Middleware middleware(folder, {uuid(1)});
  middleware.start();
  Sim sim(folder, "sim", {});
  const auto daemon = run_daemon(
      folder, config(Json::array({pulled(sim.endpoint(), Json::array({channel(uuid(1), middleware.url())}))})));
  ASSERT_TRUE(middleware.wait_rows(1));
  pid_t child = -1;
  {
    Borrower borrower(folder);
    ASSERT_THAT(borrower.ask("{\"request\":\"lend\",\"meter\":0}\n"), HasSubstr("\"meters\":[0]"));
    child = ::fork();  // from here on the connection is that program's, too
    ASSERT_GE(child, 0);
    if (child == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      while (true) ::pause();
    }
  }
  const Json lent = wait_status(folder, [](const Json& s) { return meter_is(s, "lent"); });
  EXPECT_TRUE(meter_is(lent, "lent")) << lent;
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  const Json status = wait_status(folder, [](const Json& s) { return meter_is(s, "connected"); });
  EXPECT_TRUE(meter_is(status, "connected")) << status;
  ASSERT_TRUE(middleware.wait_rows(1));
}

TEST(Control, AMeterIsPausedAndResumed) {
  Folder folder;
  Middleware middleware(folder, {uuid(1)});
  middleware.start();
  Sim sim(folder, "sim", {});
  const auto daemon = run_daemon(
      folder, config(Json::array({pulled(sim.endpoint(), Json::array({channel(uuid(1), middleware.url())}))})));
  ASSERT_TRUE(middleware.wait_rows(1));
  EXPECT_EQ(ask(folder, {"pause", "mtr0"}).status, 0);
  const Json paused = wait_status(folder, [](const Json& s) { return meter_is(s, "paused"); });
  EXPECT_EQ(paused["health"]["ok"], true) << paused;
  EXPECT_EQ(ask(folder, {"pause", "mtr7"}).status, 1);
  EXPECT_EQ(ask(folder, {"resume", "0"}).status, 0);
  const auto before = paused["meters"][0]["telegrams"];
  const Json resumed = wait_status(folder, [&](const Json& s) { return s["meters"][0]["telegrams"] > before; });
  EXPECT_GT(resumed["meters"][0]["telegrams"], before);
}

TEST(Control, AStopWaitsForNobodyWhoIsConnected) {
  Folder folder;
  Sim sim(folder, "sim", {});
  const auto daemon =
      run_daemon(folder, config(Json::array({pulled(sim.endpoint(), Json::array({channel(uuid(1), "")}))})));
  wait_status(folder, [](const Json& s) { return meter_is(s, "connected"); });
  Borrower borrower(folder);
  ASSERT_THAT(borrower.ask("{\"request\":\"lend\",\"meter\":0}\n"), HasSubstr("\"ok\":true"));
  daemon->send(SIGTERM);
  EXPECT_EQ(daemon->wait_exit(), (Exit{.status = 0, .signal = 0}));
  EXPECT_FALSE(std::filesystem::exists(folder / "control.sock"));
}

TEST(Control, TheQueueCommandWorksOnTheFileOfAStoppedDaemon) {
  Folder folder;
  Sim sim(folder, "sim", {"--readouts", "3"});
  std::string dead;
  {
    const test::HttpServer gone;
    dead = gone.url("/middleware.php");
  }
  const auto daemon =
      run_daemon(folder, config(Json::array({pulled(sim.endpoint(), Json::array({channel(uuid(1), dead)}))})));
  const Json status = wait_status(folder, [](const Json& s) { return s["endpoints"][0]["waiting"] == 3; });
  ASSERT_EQ(status["endpoints"][0]["waiting"], 3) << status;
  const std::string file = folder / "outbox.db";
  EXPECT_EQ(ask(folder, {"queue", "--file", folder / "outbox.db"}).status, 69)
      << "it is the daemon's, or not there yet";
  daemon->send(SIGTERM);
  ASSERT_TRUE(daemon->wait_exit());
  const std::string end = uuid(1).substr(uuid(1).size() - 6);
  const Answer listed = ask(folder, {"queue", "--file", file});
  EXPECT_EQ(listed.status, 0) << listed.err;
  EXPECT_THAT(listed.out, HasSubstr("..." + end));
  const Answer csv = ask(folder, {"queue", "--file", file, "export", end});
  EXPECT_EQ(occurrences(csv.out, "\n"), 4U) << csv.out << csv.err;
  std::ofstream(folder / "mine.csv") << "precious";
  EXPECT_NE(ask(folder, {"queue", "--file", file, "export", "abcdef", "-o", folder / "mine.csv"}).status, 0) << "no such queue";
  EXPECT_EQ(read_text(folder / "mine.csv"), "precious");
  EXPECT_EQ(ask(folder, {"queue", "--file", file, "export", end, "-o", folder / "mine.csv"}).status, 0);
  EXPECT_EQ(read_text(folder / "mine.csv"), csv.out);
  EXPECT_EQ(ask(folder, {"queue", "--file", file, "drop", end, "--yes"}).status, 0);
  EXPECT_THAT(ask(folder, {"queue", "--file", file}).out, HasSubstr("nothing waits"));
}

}  // namespace
}  // namespace vz::e2e
