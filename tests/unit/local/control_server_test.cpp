// SPDX-License-Identifier: GPL-3.0-or-later
// The control socket and its client, on a real socket in a folder of its own.
#include "local/control_server.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include "local/control_client.hpp"
#include "local/status_json.hpp"
#include "unit/local/control_fixture.hpp"

namespace vz::local {
namespace {

using Kind = ControlRequest::Kind;
using std::chrono::seconds;
using test::FakeLine;
using ::testing::HasSubstr;

/// A connection that says what it likes.
class Raw {
 public:
  explicit Raw(const std::string& path) : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    EXPECT_EQ(::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    const timeval patience{20, 0};
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  }
  bool say(std::string_view text) const {
    return ::send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size());
  }
  /// The next line; what there was if the server closed instead.
  std::string hear() {
    while (in_.find('\n') == std::string::npos) {
      std::array<char, 4096> buffer;
      const ssize_t count = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
      if (count <= 0) return std::exchange(in_, {});
      in_.append(buffer.data(), static_cast<std::size_t>(count));
    }
    const std::size_t end = in_.find('\n');
    std::string line = in_.substr(0, end);
    in_.erase(0, end + 1);
    return line;
  }
  void close() { fd_.reset(); }

 private:
  platform::Fd fd_;
  std::string in_;
};

class ControlServerTest : public testing::Test {
 protected:
  ControlServerTest() {
    outbox_.on_push([] {});
    const auto opened = server_.open(path());
    EXPECT_TRUE(opened) << opened.error().text();
    thread_ = std::jthread([this](const std::stop_token& stop) { server_.run(stop); });
  }
  std::string path() const { return folder_ / "run/control.sock"; }
  ControlClient connect() const {
    auto client = ControlClient::connect(path());
    if (!client) throw std::runtime_error(client.error().text());
    return std::move(*client);
  }
  static ControlRequest lend(std::string device) {
    ControlRequest request;
    request.kind = Kind::lend;
    request.device = std::move(device);
    return request;
  }
  /// Waits until the server has handled what happened before: it answers in order.
  void settle() { (void)connect().ask({}); }

  test::Folder folder_;
  test::KeptLog log_;
  SystemClock clock_;
  DurableOutbox outbox_{clock_, log_, {}, system_files()};
  FakeLine line_{0, SerialPort{"/dev/null"}};
  ControlServer server_{[] {
                          StatusReport report;
                          report.version = "1.2.3";
                          return report;
                        },
                        OutboxDesk{outbox_, {}, [](const QueueName&) { return std::optional<std::string>{}; }},
                        {&line_},
                        clock_,
                        log_};
  std::jthread thread_;
};

TEST(ControlPath, IsInTheFirstFolder) {
  EXPECT_EQ(control_path(nullptr), "/run/vzlogger/control.sock");
  EXPECT_EQ(control_path(""), "/run/vzlogger/control.sock");
  EXPECT_EQ(control_path("/run/a:/run/b"), "/run/a/control.sock");
}

TEST_F(ControlServerTest, TellsTheStatus) {
  auto client = connect();
  for (int i = 0; i < 3; ++i) {
    const auto answer = client.ask({});
    ASSERT_TRUE(answer) << answer.error().text();
    EXPECT_EQ(report_from((*answer)["status"])->version, "1.2.3");
  }
}

TEST_F(ControlServerTest, OnlyOwnerAndGroupMayConnect) {
  struct stat info {};
  ASSERT_EQ(::stat(path().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777U, 0660U);
  ASSERT_EQ(::stat((folder_ / "run").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0007U, 0U);
}

TEST_F(ControlServerTest, BadRequestsAreAnsweredAndForgotten) {
  Raw raw(path());
  ASSERT_TRUE(raw.say("nonsense\n{\"request\":\"frob\"}\n{\"request\":\"queues\"}\n"));
  EXPECT_THAT(raw.hear(), HasSubstr("JSON object"));
  EXPECT_THAT(raw.hear(), HasSubstr("this daemon knows"));
  EXPECT_EQ(raw.hear(), R"({"ok":true,"queues":[]})");
}

TEST_F(ControlServerTest, ARequestMayComeInPieces) {
  Raw raw(path());
  for (const char c : std::string_view{"{\"request\":\"queues\"}\n"}) ASSERT_TRUE(raw.say({&c, 1}));
  EXPECT_EQ(raw.hear(), R"({"ok":true,"queues":[]})");
}

TEST_F(ControlServerTest, AnEndlessRequestEndsTheConnection) {
  Raw raw(path());
  const std::string part(4096, 'x');
  while (raw.say(part)) {
  }
  EXPECT_TRUE(ControlClient::connect(path())) << "the others are served";
  settle();
}

TEST_F(ControlServerTest, TheNumberOfClientsIsBounded) {
  std::vector<ControlClient> clients;
  for (std::size_t i = 0; i < ControlServer::kMaxClients; ++i) {
    clients.push_back(connect());
    ASSERT_TRUE(clients.back().ask({}));
  }
  const auto refused = connect().ask({});
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().text(), HasSubstr("too many"));
  clients.pop_back();
  auto again = connect().ask({});
  for (int i = 0; i < 1000 && !again; ++i) again = connect().ask({});  // the end of the other one has to be noticed
  EXPECT_TRUE(again);
}

TEST_F(ControlServerTest, ALineIsLentOnceItIsClosed) {
  line_.be_slow();
  Raw raw(path());
  ASSERT_TRUE(raw.say(request_line(lend("/dev/null")) + "\n"));
  while (line_.held() != Hold::lent) settle();
  line_.close_now();
  EXPECT_THAT(raw.hear(), HasSubstr("\"meters\":[0]"));
}

TEST_F(ControlServerTest, TheEndOfTheBorrowerGivesTheLineBack) {
  {
    const auto borrowed = BorrowedLine::borrow(path(), "/dev/null");
    ASSERT_TRUE(borrowed) << borrowed.error().text();
    EXPECT_EQ(borrowed->meters(), std::vector<int>{0});
    EXPECT_EQ(line_.held(), Hold::lent);
  }
  for (int i = 0; i < 1000 && line_.held() != Hold::none; ++i) settle();
  EXPECT_EQ(line_.held(), Hold::none);
}

TEST_F(ControlServerTest, ALoanIsRenewedUntilTheDaemonEnds) {
  auto borrowed = BorrowedLine::borrow(path(), "/dev/null", std::chrono::seconds{60});
  ASSERT_TRUE(borrowed) << borrowed.error().text();
  EXPECT_FALSE(borrowed->disturbed());
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(borrowed->renew());
  EXPECT_EQ(line_.held(), Hold::lent);
  thread_.request_stop();
  thread_.join();
  EXPECT_TRUE(borrowed->disturbed());
  EXPECT_FALSE(borrowed->renew());
}

TEST_F(ControlServerTest, ABorrowerThatEndsWhileItWaitsIsForgotten) {
  line_.be_slow();
  Raw raw(path());
  ASSERT_TRUE(raw.say(request_line(lend("/dev/null")) + "\n"));
  while (line_.held() != Hold::lent) settle();
  raw.close();
  for (int i = 0; i < 1000 && line_.held() != Hold::none; ++i) settle();
  EXPECT_EQ(line_.held(), Hold::none);
}

TEST_F(ControlServerTest, WithoutADaemonThereIsNothingToBorrow) {
  const auto borrowed = BorrowedLine::borrow(folder_ / "nobody.sock", "/dev/null");
  ASSERT_TRUE(borrowed);
  EXPECT_TRUE(borrowed->meters().empty());
}

TEST_F(ControlServerTest, PausesAndResumes) {
  ControlRequest request;
  request.kind = Kind::pause;
  request.meter = 0;
  ASSERT_TRUE(connect().ask(request));
  EXPECT_EQ(line_.held(), Hold::paused) << "it lasts longer than the connection";
  request.kind = Kind::resume;
  ASSERT_TRUE(connect().ask(request));
  EXPECT_EQ(line_.held(), Hold::none);
}

TEST_F(ControlServerTest, TwoDaemonsAreToldApart) {
  ControlServer second{[] { return StatusReport{}; },
                       OutboxDesk{outbox_, {}, [](const QueueName&) { return std::optional<std::string>{}; }},
                       {},
                       clock_,
                       log_};
  const auto opened = second.open(path());
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error().text(), HasSubstr("another vzlogger"));
  settle();  // the first one still answers
}

TEST_F(ControlServerTest, AStopRemovesTheSocketWhoeverIsConnected) {
  auto client = connect();
  ASSERT_TRUE(client.ask({}));
  thread_.request_stop();
  thread_.join();
  const auto refused = ControlClient::connect(path());
  ASSERT_FALSE(refused);
  EXPECT_TRUE(no_daemon(refused.error()));
  EXPECT_THAT(refused.error().text(), HasSubstr("no vzlogger daemon answers"));
  EXPECT_FALSE(client.ask({}));
}

TEST(ControlServer, ReplacesWhatADeadDaemonLeft) {
  const test::Folder folder;
  test::KeptLog log;
  SystemClock clock;
  DurableOutbox outbox{clock, log, {}, system_files()};
  const std::string path = folder / "control.sock";
  {
    platform::Fd dead{::socket(AF_UNIX, SOCK_STREAM, 0)};
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    ASSERT_EQ(::bind(dead.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  }
  EXPECT_TRUE(no_daemon(ControlClient::connect(path).error()));
  ControlServer server{[] { return StatusReport{}; },
                       OutboxDesk{outbox, {}, [](const QueueName&) { return std::optional<std::string>{}; }},
                       {},
                       clock,
                       log};
  EXPECT_TRUE(server.open(path));
  EXPECT_TRUE(ControlClient::connect(path));
}

TEST(ControlServer, LeavesAloneWhatIsNoSocket) {
  const test::Folder folder;
  test::KeptLog log;
  SystemClock clock;
  DurableOutbox outbox{clock, log, {}, system_files()};
  std::ofstream(folder / "control.sock") << "precious";
  ControlServer server{[] { return StatusReport{}; },
                       OutboxDesk{outbox, {}, [](const QueueName&) { return std::optional<std::string>{}; }},
                       {},
                       clock,
                       log};
  const auto opened = server.open(folder / "control.sock");
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error().text(), HasSubstr("no socket"));
  EXPECT_TRUE(std::filesystem::is_regular_file(folder / "control.sock"));
  EXPECT_FALSE(server.open(folder / "missing/deep/control.sock"));
  EXPECT_FALSE(server.open(folder / std::string(200, 'x')));
}

}  // namespace
}  // namespace vz::local
