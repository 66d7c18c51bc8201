// SPDX-License-Identifier: GPL-3.0-or-later
#include "platform/serial_transport.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include "platform/serial_ports.hpp"
#include "support/pty.hpp"

namespace vz {
namespace {

using test::Pty;
using Kind = ReadResult::Kind;

constexpr LineSettings k8n1{9600, CharacterFormat::n8};
constexpr LineSettings k7e1{300, CharacterFormat::e7};

MonoTime soon() { return std::chrono::steady_clock::now() + std::chrono::seconds{20}; }

std::string all_bytes() {
  std::string bytes;
  for (int c = 0; c < 256; ++c) bytes.push_back(static_cast<char>(c));
  return bytes;
}

std::unique_ptr<Transport> open(const Pty& pty, LineSettings line = k8n1) {
  auto transport = SerialTransport::open(pty.path(), line);
  EXPECT_TRUE(transport) << transport.error().text();
  return transport ? std::move(*transport) : nullptr;
}

std::string read(Transport& transport, std::size_t size, Wake& wake) {
  std::string bytes;
  std::array<std::byte, 64> buffer{};
  while (bytes.size() < size) {
    const ReadResult result = transport.read(buffer, MonoTime{}, soon(), wake);
    if (result.kind != Kind::bytes) break;
    for (std::size_t i = 0; i < result.count; ++i) bytes.push_back(static_cast<char>(buffer[i]));
  }
  return bytes;
}

ReadResult read_until(Transport& transport, MonoTime deadline, Wake& wake, MonoTime not_before = {}) {
  std::array<std::byte, 64> buffer{};
  return transport.read(buffer, not_before, deadline, wake);
}

Expected<void> write(Transport& transport, std::string_view text, MonoTime deadline, Wake& wake) {
  return transport.write(std::as_bytes(std::span{text}), deadline, wake);
}

// Everything a terminal may do to bytes, switched on.
void make_hostile(int fd) {
  termios settings{};
  ASSERT_EQ(::tcgetattr(fd, &settings), 0);
  settings.c_iflag |= ICRNL | IGNCR | INLCR | ISTRIP | IXON | IXOFF | IXANY | IUCLC;
  settings.c_oflag |= OPOST | ONLCR | OLCUC;
  settings.c_lflag |= ECHO | ISIG | ICANON | IEXTEN;
  ::tcsetattr(fd, TCSANOW, &settings);
}

class AnyFormat : public testing::TestWithParam<CharacterFormat> {};

TEST_P(AnyFormat, AllBytesPassUnchanged) {
  Pty pty;
  make_hostile(pty.slave());
  const auto transport = open(pty, {9600, GetParam()});
  ASSERT_TRUE(transport);
  Wake wake;
  // with parity there are no characters above 7F: a pty hands on what would be their parity bit (see EighthBitFilter)
  const bool parity = GetParam() == CharacterFormat::e7 || GetParam() == CharacterFormat::o7;
  const std::string bytes = parity ? all_bytes().substr(0, 128) : all_bytes();
  pty.send(bytes);
  EXPECT_EQ(read(*transport, bytes.size(), wake), bytes);
  ASSERT_TRUE(write(*transport, bytes, soon(), wake));
  EXPECT_EQ(pty.receive(bytes.size()), bytes);
}

TEST(SerialTransport, ParityThatAPtyHandsOnIsTakenAway) {
  Pty pty;
  const auto transport = open(pty, {300, CharacterFormat::e7});
  ASSERT_TRUE(transport);
  Wake wake;
  pty.send("\xAF\xC9\x53\x4B\x35\x8D\x0A");  // "/ISK5" CR LF
  EXPECT_EQ(read(*transport, 7, wake), "/ISK5\r\n");
  ASSERT_TRUE(write(*transport, "\x06" "050\r\n", soon(), wake));
  EXPECT_EQ(pty.receive(6), "\x06\x30\x35\x30\x8D\x0A");
}

INSTANTIATE_TEST_SUITE_P(Formats, AnyFormat,
                         testing::Values(CharacterFormat::n8, CharacterFormat::n7, CharacterFormat::e7,
                                         CharacterFormat::o7));

TEST(SerialTransport, NothingIsEchoed) {
  Pty pty;
  make_hostile(pty.slave());
  const auto transport = open(pty);
  Wake wake;
  pty.send("abc");
  EXPECT_EQ(read(*transport, 3, wake), "abc");
  pollfd set{pty.master(), POLLIN, 0};
  EXPECT_EQ(::poll(&set, 1, 0), 0);
}

TEST(SerialTransport, DropsWhatCameBeforeItWasOpened) {
  Pty pty;
  pty.send("stale\n");
  const auto transport = open(pty);
  Wake wake;
  pty.send("fresh");
  EXPECT_EQ(read(*transport, 5, wake), "fresh");
}

TEST(SerialTransport, SetsTheSpeed) {
  Pty pty;
  const auto transport = open(pty, k7e1);
  termios settings{};
  ::tcgetattr(pty.slave(), &settings);
  EXPECT_EQ(::cfgetospeed(&settings), static_cast<speed_t>(B300));
  EXPECT_NE(settings.c_iflag & PARMRK, 0U);
  pty.send("/ISK5");
  ASSERT_TRUE(transport->set_line({9600, CharacterFormat::n8}));
  ::tcgetattr(pty.slave(), &settings);
  EXPECT_EQ(::cfgetospeed(&settings), static_cast<speed_t>(B9600));
  EXPECT_EQ(settings.c_iflag & PARMRK, 0U);
  Wake wake;
  EXPECT_EQ(read(*transport, 5, wake), "/ISK5");  // what was received before stays
}

TEST(SerialTransport, RefusesAnUnknownSpeed) {
  Pty pty;
  const auto transport = SerialTransport::open(pty.path(), {9601, CharacterFormat::n8});
  ASSERT_FALSE(transport);
  EXPECT_THAT(transport.error().text(), testing::AllOf(testing::HasSubstr("9601"), testing::HasSubstr("4800, 9600")));
  EXPECT_TRUE(SerialTransport::open(pty.path(), k8n1));  // and gives the device back
}

TEST(SerialTransport, ASecondOpenIsRefusedUntilTheFirstIsClosed) {
  Pty pty;
  auto first = open(pty);
  const auto second = SerialTransport::open(pty.path(), k8n1);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, EBUSY);
  EXPECT_EQ(second.error().where, pty.path());
  EXPECT_THAT(second.error().text(), testing::HasSubstr("two meters have the same `device`"));
  first.reset();
  EXPECT_TRUE(SerialTransport::open(pty.path(), k8n1));
}

TEST(SerialTransport, NamesTheProgramThatHoldsTheDevice) {
  Pty pty;
  int tell[2];
  ASSERT_EQ(::pipe(tell), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const int fd = ::open(pty.path().c_str(), O_RDWR | O_NOCTTY);
    const char ready = ::flock(fd, LOCK_EX) == 0 ? 'y' : 'n';
    static_cast<void>(::write(tell[1], &ready, 1) == 1);
    for (;;) ::pause();
  }
  char ready = 0;
  ASSERT_EQ(::read(tell[0], &ready, 1), 1);
  ASSERT_EQ(ready, 'y');
  const auto transport = SerialTransport::open(pty.path(), k8n1);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  ::close(tell[0]);
  ::close(tell[1]);
  ASSERT_FALSE(transport);
  EXPECT_EQ(transport.error().code, EBUSY);
  EXPECT_THAT(transport.error().text(), testing::HasSubstr(fmt::format("(process {})", child)));
}

TEST(SerialTransport, ACrashDoesNotLeaveAPtyExclusive) {
  Pty pty;
  const pid_t child = ::fork();
  if (child == 0) {
    const auto transport = SerialTransport::open(pty.path(), k8n1);
    ::_exit(transport ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_EQ(status, 0);
  int exclusive = -1;
  ASSERT_EQ(::ioctl(pty.slave(), TIOCGEXCL, &exclusive), 0);
  EXPECT_EQ(exclusive, 0);
  EXPECT_TRUE(SerialTransport::open(pty.path(), k8n1));
}

TEST(SerialTransport, PutsTheSettingsBack) {
  Pty pty;
  make_hostile(pty.slave());
  termios before{};
  termios after{};
  ::tcgetattr(pty.slave(), &before);
  open(pty, k7e1).reset();
  ::tcgetattr(pty.slave(), &after);
  EXPECT_EQ(after.c_iflag, before.c_iflag);
  EXPECT_EQ(after.c_oflag, before.c_oflag);
  EXPECT_EQ(after.c_lflag, before.c_lflag);
  EXPECT_EQ(after.c_cflag, before.c_cflag);
  EXPECT_EQ(::cfgetospeed(&after), ::cfgetospeed(&before));
}

TEST(SerialTransport, AWakeUpEndsARead) {
  Pty pty;
  const auto transport = open(pty);
  Wake wake;
  std::jthread other{[&] { wake.wake(); }};
  EXPECT_EQ(read_until(*transport, MonoTime::max(), wake).kind, Kind::woken);
  EXPECT_EQ(read_until(*transport, MonoTime::max(), wake).kind, Kind::woken);  // until it is cleared
  other.join();
  wake.clear();
  pty.send("x");
  EXPECT_EQ(read_until(*transport, soon(), wake).kind, Kind::bytes);
}

TEST(SerialTransport, AWakeUpEndsTheTimeInWhichNothingIsRead) {
  Pty pty;
  const auto transport = open(pty);
  Wake wake;
  pty.send("x");
  std::jthread other{[&] { wake.wake(); }};
  EXPECT_EQ(read_until(*transport, MonoTime::max(), wake, MonoTime::max()).kind, Kind::woken);
}

TEST(SerialTransport, NothingIsReadTooEarly) {
  Pty pty;
  const auto transport = open(pty);
  Wake wake;
  pty.send("x");
  const MonoTime now = std::chrono::steady_clock::now();
  EXPECT_EQ(read_until(*transport, now, wake, now + std::chrono::hours{1}).kind, Kind::timeout);
  EXPECT_EQ(read_until(*transport, MonoTime{}, wake, now + std::chrono::hours{1}).kind, Kind::timeout);
  const MonoTime start = now + std::chrono::milliseconds{5};
  EXPECT_EQ(read_until(*transport, soon(), wake, start).kind, Kind::bytes);
  EXPECT_GE(std::chrono::steady_clock::now(), start);
}

TEST(SerialTransport, TheDeadlineEndsARead) {
  Pty pty;
  const auto transport = open(pty);
  Wake wake;
  EXPECT_EQ(read_until(*transport, std::chrono::steady_clock::now() + std::chrono::milliseconds{2}, wake).kind,
            Kind::timeout);
  EXPECT_EQ(read_until(*transport, MonoTime{}, wake).kind, Kind::timeout);
  pty.send("x");
  EXPECT_EQ(read_until(*transport, MonoTime{}, wake).kind, Kind::bytes);  // what is there is taken even so
}

TEST(SerialTransport, AHangUpCloses) {
  Pty pty;
  const auto transport = open(pty);
  Wake wake;
  pty.hang_up();
  for (int i = 0; i < 2; ++i) {
    const ReadResult result = read_until(*transport, soon(), wake);
    ASSERT_EQ(result.kind, Kind::closed);
    ASSERT_TRUE(result.error);
    EXPECT_EQ(result.error->where, pty.path());
    EXPECT_FALSE(result.error->what.empty());
  }
  const auto written = write(*transport, "x", soon(), wake);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, EIO);
}

TEST(SerialTransport, AHangUpEndsARunningRead) {
  Pty pty;
  const auto transport = open(pty);
  Wake wake;
  std::jthread other{[&] { pty.hang_up(); }};
  EXPECT_EQ(read_until(*transport, soon(), wake).kind, Kind::closed);
}

TEST(SerialTransport, DiscardDropsOnlyWhatHasCome) {
  Pty pty;
  const auto transport = open(pty, k7e1);
  Wake wake;
  pty.send("old\xFF");
  transport->discard_input();
  pty.send("new");
  EXPECT_EQ(read(*transport, 3, wake), "new");
}

TEST(SerialTransport, ALineThatTakesNothingIsAnErrorAndDoesNotHoldUpTheClose) {
  Pty pty;
  auto transport = open(pty);
  Wake wake;
  const std::string much(1024 * 1024, 'x');
  const auto late = write(*transport, much, MonoTime{}, wake);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, ETIMEDOUT);
  EXPECT_EQ(late.error().where, pty.path());
  wake.wake();
  const auto woken = write(*transport, much, MonoTime::max(), wake);
  ASSERT_FALSE(woken);
  EXPECT_EQ(woken.error().code, ECANCELED);
  transport.reset();
}

TEST(SerialTransport, NoSuchDevice) {
  const auto transport = SerialTransport::open("/dev/no-such-device", k8n1);
  ASSERT_FALSE(transport);
  EXPECT_EQ(transport.error().code, ENOENT);
  EXPECT_EQ(transport.error().where, "/dev/no-such-device");
  EXPECT_THAT(transport.error().what, testing::HasSubstr("No such file or directory"));
  EXPECT_THAT(transport.error().remedy, testing::HasSubstr("serial"));
}

TEST(SerialTransport, NotASerialDevice) {
  const auto transport = SerialTransport::open("/dev/null", k8n1);
  ASSERT_FALSE(transport);
  EXPECT_EQ(transport.error().code, ENOTTY);
  EXPECT_EQ(transport.error().what, "is not a serial device");
}

}  // namespace
}  // namespace vz
