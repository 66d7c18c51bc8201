// SPDX-License-Identifier: GPL-3.0-or-later
// The simulator on real file descriptors: a pseudo-terminal and a TCP port of the loopback.
#include "tools/metersim/simulator.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "tools/metersim/meter.hpp"

namespace vz::metersim {
namespace {

using namespace std::chrono_literals;

class SystemClock final : public Clock {
 public:
  [[nodiscard]] Instant now() const override {
    return {std::chrono::steady_clock::now(),
            std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now())};
  }
};

MeterSettings quick_mt372() {
  MeterSettings settings;
  settings.telegram = mt372();
  settings.counters = {{"1.8.0", 0.001, Counter::Per::readout}};
  settings.clock = Registers::Clock::stands;
  settings.reaction = {};
  settings.hangup_time = {};
  settings.local_time = [](WallTime) { return std::tm{}; };
  return settings;
}

std::string temporary(const std::string& name) {
  return testing::TempDir() + name + "." + std::to_string(::getpid()) + "." +
         testing::UnitTest::GetInstance()->current_test_info()->name();
}

/// A running simulator; ends with stop().
class Running {
 public:
  Running(MeterSettings settings, std::unique_ptr<Port> port, LineSetup setup)
      : meter_(std::move(*Meter::make(std::move(settings)))), port_(std::move(port)), log_path_(temporary("log")) {
    EXPECT_TRUE(journal_.open(log_path_));
    auto opened = port_->open();
    EXPECT_TRUE(opened) << opened.error().text();
    name_ = port_->name();
    thread_ = std::thread([this, setup] {
      const auto done = Simulator(meter_, *port_, journal_, clock_, setup).run(stop_);
      EXPECT_TRUE(done) << done.error().text();
    });
  }
  ~Running() {
    stop();
    std::filesystem::remove(log_path_);
    ::close(stop_);
  }
  void stop() {
    const std::uint64_t one = 1;
    EXPECT_EQ(::write(stop_, &one, sizeof one), static_cast<ssize_t>(sizeof one));
    join();
  }
  void join() {
    if (thread_.joinable()) thread_.join();
    port_.reset();
  }
  [[nodiscard]] const std::string& name() const { return name_; }
  /// The log, after the end.
  [[nodiscard]] std::vector<nlohmann::json> log(const std::string& event) const {
    std::vector<nlohmann::json> found;
    std::ifstream file(log_path_);
    for (std::string line; std::getline(file, line);) {
      auto json = nlohmann::json::parse(line);
      EXPECT_TRUE(json.contains("mono_ms") && json.contains("wall_ms")) << line;
      if (json["event"] == event) found.push_back(std::move(json));
    }
    return found;
  }

 private:
  SystemClock clock_;
  Meter meter_;
  std::unique_ptr<Port> port_;
  std::string name_;
  std::string log_path_;
  Journal journal_{Journal::Progress::quiet};
  int stop_ = ::eventfd(0, EFD_CLOEXEC);
  std::thread thread_;
};

/// The reader's side.
class Reader {
 public:
  explicit Reader(int fd) : fd_(fd) { EXPECT_GE(fd_, 0); }
  ~Reader() { ::close(fd_); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  void send(std::string_view bytes) const {
    ASSERT_EQ(::write(fd_, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  }
  /// Exactly `count` bytes; fewer if the line goes away or nothing comes for ten seconds.
  [[nodiscard]] std::string receive(std::size_t count) const {
    std::string bytes;
    while (bytes.size() < count) {
      pollfd one{.fd = fd_, .events = POLLIN, .revents = 0};
      if (::poll(&one, 1, 10000) <= 0) break;
      std::string piece(count - bytes.size(), '\0');
      const ssize_t got = ::read(fd_, piece.data(), piece.size());
      if (got <= 0) break;
      bytes.append(piece, 0, static_cast<std::size_t>(got));
    }
    return bytes;
  }
  void set_speed(speed_t speed) const {
    termios settings{};
    ASSERT_EQ(::tcgetattr(fd_, &settings), 0);
    ::cfmakeraw(&settings);
    ::cfsetspeed(&settings, speed);
    ASSERT_EQ(::tcsetattr(fd_, TCSANOW, &settings), 0);
  }
  std::string read_out() const {
    send("/?!\r\n");
    EXPECT_EQ(receive(19), "/ISK5\\2MT372-0002\r\n");
    send(
        "\x06"
        "050\r\n");
    return receive(215);
  }

 private:
  int fd_;
};

int connect_to(const std::string& name) {
  const auto colon = name.rfind(':');
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(std::stoi(name.substr(colon + 1))));
  ::inet_pton(AF_INET, name.substr(0, colon).c_str(), &address.sin_addr);
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  EXPECT_EQ(::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  return fd;
}

int open_tty(const std::string& path) { return ::open(path.c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC); }

constexpr LineSetup kUnlimited{.pace = Pace::unlimited, .baud_check = BaudCheck::off, .echo = Echo::off};

TEST(Tcp, ServesReadouts) {
  MeterSettings settings = quick_mt372();
  settings.readouts = 3;
  Running running(settings, make_tcp("127.0.0.1", "0"), kUnlimited);
  {
    const Reader reader(connect_to(running.name()));
    EXPECT_EQ(reader.read_out(), frame(mt372(), mt372().block).bytes);
    reader.send("\x15");
    EXPECT_EQ(reader.receive(215), frame(mt372(), mt372().block).bytes);
    EXPECT_NE(reader.read_out().find("1.8.0(00132.150*kWh)"), std::string::npos);
    EXPECT_NE(reader.read_out().find("1.8.0(00132.151*kWh)"), std::string::npos);
    reader.send("\x06");
    running.join();  // by itself
  }
  const auto readouts = running.log("readout");
  ASSERT_EQ(readouts.size(), 4U);
  EXPECT_EQ(readouts[3]["n"], 3);
  EXPECT_EQ(readouts[3]["values"]["1.8.0"], "00132.151");
  EXPECT_EQ(running.log("request_complete").size(), 3U);
  EXPECT_EQ(running.log("connected").size(), 1U);
}

TEST(Tcp, OneReaderAtATimeAndTheNextAfterIt) {
  Running running(quick_mt372(), make_tcp("127.0.0.1", "0"), kUnlimited);
  {
    const Reader first(connect_to(running.name()));
    EXPECT_EQ(first.read_out().size(), 215U);
    const Reader second(connect_to(running.name()));
    EXPECT_EQ(second.receive(1), "");
  }
  const Reader third(connect_to(running.name()));
  EXPECT_EQ(third.read_out().size(), 215U);
  running.stop();
  EXPECT_EQ(running.log("refused").size(), 1U);
}

TEST(Tcp, HangupEndsTheConnectionAndComesBackOnTheSamePort) {
  MeterSettings settings = quick_mt372();
  settings.faults = {.kinds = {LineFault::hangup}, .rate = 1, .seed = 1};
  settings.readouts = 2;
  Running running(settings, make_tcp("127.0.0.1", "0"), kUnlimited);
  {
    const Reader reader(connect_to(running.name()));
    EXPECT_LT(reader.read_out().size(), 215U);
  }
  // it is away for an instant only, but it is away
  for (;;) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port =
        htons(static_cast<std::uint16_t>(std::stoi(running.name().substr(running.name().rfind(':') + 1))));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) {
      const Reader reader(fd);
      EXPECT_LT(reader.read_out().size(), 215U);
      break;
    }
    ::close(fd);
    std::this_thread::yield();
  }
  running.join();
  EXPECT_EQ(running.log("hangup").size(), 2U);
  EXPECT_EQ(running.log("return").size(), 1U);
}

TEST(Tcp, EchoReturnsWhatTheReaderSends) {
  LineSetup setup = kUnlimited;
  setup.echo = Echo::on;
  Running running(quick_mt372(), make_tcp("127.0.0.1", "0"), setup);
  const Reader reader(connect_to(running.name()));
  reader.send("/?!\r\n");
  EXPECT_EQ(reader.receive(24), "/?!\r\n/ISK5\\2MT372-0002\r\n");
}

TEST(Tcp, PushesToWhoeverConnects) {
  MeterSettings settings = quick_mt372();
  settings.mode = Mode::push;
  settings.initial_baud = 9600;
  settings.period = 1ms;
  Running running(settings, make_tcp("127.0.0.1", "0"), kUnlimited);
  const Reader reader(connect_to(running.name()));
  const std::string two = reader.receive(2 * 234);
  EXPECT_TRUE(two.starts_with("/ISK5"));
  EXPECT_NE(two.find("1.8.0(00132.150*kWh)"), std::string::npos);
}

TEST(Tcp, SaysWhyItCannotListen) {
  const auto first = make_tcp("127.0.0.1", "0");
  ASSERT_TRUE(first->open());
  const auto second = make_tcp("127.0.0.1", first->name().substr(first->name().rfind(':') + 1));
  const auto opened = second->open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, EADDRINUSE);
  EXPECT_FALSE(opened.error().remedy.empty());
}

TEST(PtyTest, ServesReadersThatComeAndGo) {
  const std::string link = temporary("meter");
  Running running(quick_mt372(), make_pty(link, 300), kUnlimited);
  EXPECT_EQ(running.name(), link);
  for (int i = 0; i < 2; ++i) {
    const Reader reader(open_tty(link));
    EXPECT_EQ(reader.read_out().size(), 215U);
  }
  running.stop();
  EXPECT_FALSE(std::filesystem::exists(std::filesystem::symlink_status(link)));
  EXPECT_EQ(running.log("readout").size(), 2U);
}

TEST(PtyTest, StartsRawAtTheMetersSpeed) {
  const std::string link = temporary("meter");
  const auto port = make_pty(link, 300);
  ASSERT_TRUE(port->open());
  const int fd = open_tty(link);
  termios settings{};
  ASSERT_EQ(::tcgetattr(fd, &settings), 0);
  EXPECT_EQ(::cfgetospeed(&settings), static_cast<speed_t>(B300));
  EXPECT_EQ(settings.c_iflag & (ICRNL | IXON), 0U);
  EXPECT_EQ(settings.c_lflag & (ECHO | ICANON), 0U);
  ::cfsetspeed(&settings, B9600);
  ASSERT_EQ(::tcsetattr(fd, TCSANOW, &settings), 0);
  EXPECT_EQ(port->peer_speeds().sends, 9600U);
  EXPECT_EQ(port->peer_speeds().receives, 9600U);
  ::close(fd);
}

TEST(PtyTest, AReaderAtTheWrongSpeedIsNotUnderstood) {
  LineSetup setup = kUnlimited;
  setup.baud_check = BaudCheck::strict;
  setup.echo = Echo::on;  // shows that the meter has heard a character
  const std::string link = temporary("meter");
  Running running(quick_mt372(), make_pty(link, 300), setup);
  const Reader reader(open_tty(link));
  reader.set_speed(B1200);
  reader.send("/?!\r\n");
  EXPECT_EQ(reader.receive(5), "/?!\r\n");
  reader.set_speed(B300);
  reader.send("/?!\r\n");
  EXPECT_EQ(reader.receive(24), "/?!\r\n/ISK5\\2MT372-0002\r\n");
  running.stop();
  const auto mismatches = running.log("baud_mismatch");
  ASSERT_GE(mismatches.size(), 1U);
  EXPECT_EQ(mismatches[0]["direction"], "received");
  EXPECT_EQ(mismatches[0]["peer"], 1200);
}

TEST(PtyTest, AReaderThatStaysAtTheFirstSpeedGetsGarbage) {
  LineSetup setup = kUnlimited;
  setup.baud_check = BaudCheck::strict;
  const std::string link = temporary("meter");
  Running running(quick_mt372(), make_pty(link, 300), setup);
  const Reader reader(open_tty(link));
  reader.set_speed(B300);
  reader.send("/?!\r\n");
  EXPECT_EQ(reader.receive(19), "/ISK5\\2MT372-0002\r\n");
  reader.send(
      "\x06"
      "050\r\n");
  const std::string garbage = reader.receive(5);
  EXPECT_EQ(garbage.size(), 5U);
  EXPECT_FALSE(frame(mt372(), mt372().block).bytes.starts_with(garbage));
  running.stop();
  const auto mismatches = running.log("baud_mismatch");
  ASSERT_EQ(mismatches.size(), 1U);
  EXPECT_EQ(mismatches[0]["direction"], "sent");
  EXPECT_EQ(mismatches[0]["line"], 9600);
  EXPECT_EQ(mismatches[0]["peer"], 300);
}

TEST(PtyTest, HangupIsSeenAndTheLinkComesBack) {
  const std::string link = temporary("meter");
  MeterSettings settings = quick_mt372();
  settings.faults = {.kinds = {LineFault::hangup}, .rate = 1, .seed = 1};
  Running running(settings, make_pty(link, 300), kUnlimited);
  {
    const Reader reader(open_tty(link));
    EXPECT_LT(reader.read_out().size(), 215U);
  }
  int fd = -1;
  while ((fd = open_tty(link)) < 0) std::this_thread::yield();
  const Reader again(fd);
  EXPECT_LT(again.read_out().size(), 215U);
  running.stop();
  EXPECT_EQ(running.log("hangup").size(), 2U);
}

TEST(PtyTest, WhatNobodyFetchesCanBeDropped) {
  const std::string link = temporary("meter");
  const auto port = make_pty(link, 300);
  ASSERT_TRUE(port->open());
  EXPECT_FALSE(port->discard_unread());
  EXPECT_EQ(port->write("old"), 3U);
  const Reader reader(open_tty(link));
  pollfd one{.fd = open_tty(link), .events = POLLIN, .revents = 0};
  EXPECT_EQ(::poll(&one, 1, 10000), 1);
  ::close(one.fd);
  EXPECT_TRUE(port->discard_unread());
  EXPECT_EQ(port->write("new"), 3U);
  EXPECT_EQ(reader.receive(3), "new");
}

TEST(PtyTest, NeverReplacesAFile) {
  const std::string link = temporary("meter");
  std::ofstream(link) << "precious";
  const auto port = make_pty(link, 300);
  const auto opened = port->open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().where, link);
  EXPECT_TRUE(std::filesystem::is_regular_file(link));
  std::filesystem::remove(link);
}

TEST(PtyTest, ReplacesAStaleLinkAndLeavesAnothersAlone) {
  const std::string link = temporary("meter");
  std::filesystem::create_symlink("/nonexistent", link);
  auto first = make_pty(link, 300);
  ASSERT_TRUE(first->open());
  auto second = make_pty(link, 300);
  ASSERT_TRUE(second->open());
  const auto target = std::filesystem::read_symlink(link);
  first.reset();
  EXPECT_EQ(std::filesystem::read_symlink(link), target);
  second.reset();
  EXPECT_FALSE(std::filesystem::exists(std::filesystem::symlink_status(link)));
}

}  // namespace
}  // namespace vz::metersim
