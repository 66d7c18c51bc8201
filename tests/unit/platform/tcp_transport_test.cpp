// SPDX-License-Identifier: GPL-3.0-or-later
#include "platform/tcp_transport.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <csignal>
#include <cstring>
#include <latch>
#include <thread>

#include "platform/resolver.hpp"
#include "platform/transport_factory.hpp"

namespace vz {
namespace {

using platform::Fd;
using platform::LookupResult;
using platform::Resolver;
using platform::SocketAddress;
using Kind = ReadResult::Kind;

MonoTime soon() { return std::chrono::steady_clock::now() + std::chrono::seconds{20}; }

LookupResult no_lookup(const std::string& host, const std::string&) {
  ADD_FAILURE() << "a look-up was started for " << host;
  return {EAI_FAIL, 0, {}};
}

SocketAddress loopback(int port) {
  SocketAddress address;
  sockaddr_in in{};
  in.sin_family = AF_INET;
  in.sin_port = htons(static_cast<std::uint16_t>(port));
  in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::memcpy(&address.storage, &in, sizeof in);
  address.length = sizeof in;
  return address;
}

/// A listening socket on a free port of the loopback interface.
class Listener {
 public:
  explicit Listener(int family = AF_INET, int backlog = 8) : fd_(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_storage storage{};
    socklen_t size = family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
    storage.ss_family = static_cast<sa_family_t>(family);
    if (family == AF_INET) {
      reinterpret_cast<sockaddr_in*>(&storage)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    } else {
      reinterpret_cast<sockaddr_in6*>(&storage)->sin6_addr = in6addr_loopback;
    }
    auto* const name = reinterpret_cast<sockaddr*>(&storage);
    usable_ = fd_ && ::bind(fd_.get(), name, size) == 0 && ::listen(fd_.get(), backlog) == 0;
    ::getsockname(fd_.get(), name, &size);
    port_ = ntohs(family == AF_INET ? reinterpret_cast<sockaddr_in*>(&storage)->sin_port
                                    : reinterpret_cast<sockaddr_in6*>(&storage)->sin6_port);
  }
  [[nodiscard]] bool usable() const { return usable_; }
  [[nodiscard]] int port() const { return port_; }
  [[nodiscard]] Fd accept() const {
    pollfd set{fd_.get(), POLLIN, 0};
    ::poll(&set, 1, 20'000);
    return Fd{::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC)};
  }
  void close() { fd_.reset(); }

 private:
  Fd fd_;
  int port_ = 0;
  bool usable_ = false;
};

/// A port where nobody listens.
int closed_port() { return Listener{}.port(); }

class Tcp : public testing::Test {
 protected:
  std::unique_ptr<Transport> open(int port, const std::string& host = "127.0.0.1") {
    auto transport = TcpTransport::open({host, std::to_string(port)}, resolver_, soon(), wake_);
    EXPECT_TRUE(transport) << transport.error().text();
    return transport ? std::move(*transport) : nullptr;
  }
  ReadResult read(Transport& transport, MonoTime deadline, MonoTime not_before = {}) {
    return transport.read(buffer_, not_before, deadline, wake_);
  }
  std::string read_text(Transport& transport, std::size_t size) {
    std::string text;
    while (text.size() < size) {
      const ReadResult result = read(transport, soon());
      if (result.kind != Kind::bytes) break;
      for (std::size_t i = 0; i < result.count; ++i) text.push_back(static_cast<char>(buffer_[i]));
    }
    return text;
  }
  static void send(const Fd& fd, std::string_view text) {
    ASSERT_EQ(::send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
  }
  Resolver resolver_{no_lookup};
  Wake wake_;
  std::array<std::byte, 64> buffer_{};
};

TEST_F(Tcp, CarriesBytesBothWays) {
  const Listener listener;
  const auto transport = open(listener.port());
  const Fd peer = listener.accept();
  std::string bytes;
  for (int c = 0; c < 256; ++c) bytes.push_back(static_cast<char>(c));
  send(peer, bytes);
  EXPECT_EQ(read_text(*transport, 256), bytes);
  ASSERT_TRUE(transport->write(std::as_bytes(std::span{bytes}), soon(), wake_));
  std::string got(256, '\0');
  EXPECT_EQ(::recv(peer.get(), got.data(), got.size(), MSG_WAITALL), 256);
  EXPECT_EQ(got, bytes);
  EXPECT_TRUE(transport->set_line({300, CharacterFormat::e7}));
}

TEST_F(Tcp, Ipv6WithAndWithoutBrackets) {
  const Listener listener{AF_INET6};
  if (!listener.usable()) GTEST_SKIP() << "no IPv6 here";
  EXPECT_TRUE(open(listener.port(), "::1"));
  EXPECT_TRUE(open(listener.port(), "[::1]"));
}

TEST_F(Tcp, TheEndOfThePeerCloses) {
  const Listener listener;
  const auto transport = open(listener.port());
  {
    const Fd peer = listener.accept();
    send(peer, "last");
  }
  EXPECT_EQ(read_text(*transport, 4), "last");
  const ReadResult result = read(*transport, soon());
  ASSERT_EQ(result.kind, Kind::closed);
  EXPECT_EQ(result.error->where, fmt::format("127.0.0.1:{}", listener.port()));
  EXPECT_EQ(result.error->what, "the peer closed the connection");
}

TEST_F(Tcp, AResetClosesAndKillsNobody) {
  std::signal(SIGPIPE, SIG_DFL);
  const Listener listener;
  const auto transport = open(listener.port());
  {
    const Fd peer = listener.accept();
    const linger now{1, 0};
    ::setsockopt(peer.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
  }
  const ReadResult result = read(*transport, soon());
  ASSERT_EQ(result.kind, Kind::closed);
  EXPECT_EQ(result.error->code, ECONNRESET);
  for (int i = 0; i < 3; ++i) {
    const auto written = transport->write(std::as_bytes(std::span{"x", 1}), soon(), wake_);
    ASSERT_FALSE(written);
    EXPECT_EQ(written.error().code, EPIPE);
  }
}

TEST_F(Tcp, WakeUpDeadlineAndNotBefore) {
  const Listener listener;
  const auto transport = open(listener.port());
  const Fd peer = listener.accept();
  EXPECT_EQ(read(*transport, MonoTime{}).kind, Kind::timeout);
  {
    std::jthread other{[&] { wake_.wake(); }};
    EXPECT_EQ(read(*transport, MonoTime::max()).kind, Kind::woken);
  }
  wake_.clear();
  send(peer, "x");
  const MonoTime now = std::chrono::steady_clock::now();
  EXPECT_EQ(read(*transport, now, now + std::chrono::hours{1}).kind, Kind::timeout);
  EXPECT_EQ(read(*transport, soon()).kind, Kind::bytes);
}

TEST_F(Tcp, DiscardsInput) {
  const Listener listener;
  const auto transport = open(listener.port());
  const Fd peer = listener.accept();
  send(peer, std::string(10'000, 'o'));
  ASSERT_EQ(read(*transport, soon()).kind, Kind::bytes);
  transport->discard_input();
  send(peer, "new");
  EXPECT_EQ(read_text(*transport, 3), "new");
}

TEST_F(Tcp, APeerThatTakesNothingIsAnError) {
  const Listener listener;
  const auto transport = open(listener.port());
  const Fd peer = listener.accept();
  const std::vector<std::byte> much(32 * 1024 * 1024);
  const auto late = transport->write(much, MonoTime{}, wake_);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, ETIMEDOUT);
  wake_.wake();
  const auto woken = transport->write(much, MonoTime::max(), wake_);
  ASSERT_FALSE(woken);
  EXPECT_EQ(woken.error().code, ECANCELED);
}

TEST_F(Tcp, Refused) {
  const int port = closed_port();
  const auto transport = TcpTransport::open({"127.0.0.1", std::to_string(port)}, resolver_, soon(), wake_);
  ASSERT_FALSE(transport);
  EXPECT_EQ(transport.error().code, ECONNREFUSED);
  EXPECT_EQ(transport.error().where, fmt::format("127.0.0.1:{}", port));
}

TEST_F(Tcp, TriesTheNextAddress) {
  const Listener listener;
  const int nobody = closed_port();
  Resolver resolver{[&](const std::string&, const std::string&) {
    return LookupResult{0, 0, {loopback(nobody), loopback(listener.port())}};
  }};
  EXPECT_TRUE(TcpTransport::open({"meter.example", "1"}, resolver, soon(), wake_));
}

/// A listener whose queue is full: connecting to it takes for ever.
class DeafListener {
 public:
  DeafListener() {
    for (int i = 0; i < 8; ++i) {
      Fd fd{::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
      const SocketAddress address = loopback(listener_.port());
      ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address.storage), address.length);
      fillers_.push_back(std::move(fd));
    }
  }
  [[nodiscard]] int port() const { return listener_.port(); }

 private:
  Listener listener_{AF_INET, 0};
  std::vector<Fd> fillers_;
};

TEST_F(Tcp, ConnectingEndsAtTheDeadlineAndWithAWakeUp) {
  const DeafListener deaf;
  const TcpPeer peer{"127.0.0.1", std::to_string(deaf.port())};
  const auto late =
      TcpTransport::open(peer, resolver_, std::chrono::steady_clock::now() + std::chrono::milliseconds{5}, wake_);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, ETIMEDOUT);
  std::jthread other{[&] { wake_.wake(); }};
  const auto woken = TcpTransport::open(peer, resolver_, soon(), wake_);
  ASSERT_FALSE(woken);
  EXPECT_EQ(woken.error().code, ECANCELED);
}

TEST_F(Tcp, AnAddressThatHangsLeavesTimeForTheNext) {
  const DeafListener deaf;
  const Listener listener;
  Resolver resolver{[&](const std::string&, const std::string&) {
    return LookupResult{0, 0, {loopback(deaf.port()), loopback(listener.port())}};
  }};
  const MonoTime deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds{400};
  EXPECT_TRUE(TcpTransport::open({"meter.example", "1"}, resolver, deadline, wake_));
}

// ---- name look-ups

TEST(ResolverTest, NumbersNeedNoLookUp) {
  Resolver resolver{no_lookup};
  const Wake wake;
  for (const char* host : {"127.0.0.1", "::1", "[::1]", "[fe80::1]"}) {
    const auto addresses = resolver.resolve({host, "80"}, soon(), wake);
    ASSERT_TRUE(addresses) << addresses.error().text();
    EXPECT_EQ(addresses->size(), 1U);
  }
  EXPECT_EQ(resolver.pending(), 0U);
}

TEST(ResolverTest, ChecksThePort) {
  Resolver resolver{no_lookup};
  const Wake wake;
  for (const char* port : {"", "0", "65536", "99999999999999999999"}) {
    const auto addresses = resolver.resolve({"127.0.0.1", port}, soon(), wake);
    ASSERT_FALSE(addresses) << port;
    EXPECT_THAT(addresses.error().text(), testing::HasSubstr(fmt::format("\"{}\" is no port", port)));
  }
}

TEST(ResolverTest, LooksUpNames) {
  Resolver resolver{[](const std::string& host, const std::string& port) {
    EXPECT_EQ(host, "meter.example");
    EXPECT_EQ(port, "7331");
    return LookupResult{0, 0, {loopback(7331)}};
  }};
  const Wake wake;
  for (int i = 0; i < 100; ++i) {
    const auto addresses = resolver.resolve({"meter.example", "7331"}, soon(), wake);
    ASSERT_TRUE(addresses);
    EXPECT_EQ(addresses->size(), 1U);
  }
  EXPECT_EQ(resolver.pending(), 0U);
}

TEST(ResolverTest, ExplainsFailures) {
  int code = EAI_NONAME;
  Resolver resolver{[&](const std::string&, const std::string&) { return LookupResult{code, ENOMEM, {}}; }};
  const Wake wake;
  const auto told = [&] { return resolver.resolve({"meter.example", "1"}, soon(), wake).error().text(); };
  EXPECT_THAT(told(), testing::AllOf(testing::HasSubstr("meter.example:1"), testing::HasSubstr("no address is known"),
                                     testing::HasSubstr("getent ahosts")));
  code = EAI_AGAIN;
  EXPECT_THAT(told(), testing::HasSubstr("no name server answered"));
  code = EAI_SYSTEM;
  EXPECT_THAT(told(), testing::HasSubstr("Cannot allocate memory"));
  code = 0;  // success without an address
  EXPECT_THAT(told(), testing::HasSubstr("no address is known"));
}

TEST(ResolverTest, AWakeUpLeavesALookUpBehindWhichIsTakenUpAgain) {
  std::latch go{1};
  std::atomic<int> calls = 0;
  Resolver resolver{[&](const std::string&, const std::string&) {
                      ++calls;
                      go.wait();
                      return LookupResult{0, 0, {loopback(1)}};
                    },
                    std::chrono::seconds{20}};
  const TcpPeer peer{"slow.example", "1"};
  Wake wake;
  wake.wake();
  const auto woken = resolver.resolve(peer, soon(), wake);
  ASSERT_FALSE(woken);
  EXPECT_EQ(woken.error().code, ECANCELED);
  wake.clear();
  const auto late = resolver.resolve(peer, MonoTime{}, wake);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, ETIMEDOUT);
  EXPECT_EQ(resolver.pending(), 1U);
  std::jthread other{[&] { go.count_down(); }};
  EXPECT_TRUE(resolver.resolve(peer, soon(), wake));
  EXPECT_LE(calls, 2);  // 2 only if the first had ended just before the last request
  EXPECT_EQ(resolver.pending(), 0U);
}

TEST(ResolverTest, OneLookUpServesSeveralMeters) {
  std::latch go{1};
  std::atomic<int> calls = 0;
  Resolver resolver{[&](const std::string&, const std::string&) {
    ++calls;
    go.wait();
    return LookupResult{0, 0, {loopback(1)}};
  }};
  Wake impatient;
  impatient.wake();
  EXPECT_FALSE(resolver.resolve({"slow.example", "1"}, soon(), impatient));  // runs on
  std::vector<std::jthread> meters;
  std::atomic<int> served = 0;
  for (int i = 0; i < 4; ++i) {
    meters.emplace_back([&] {
      const Wake wake;
      if (resolver.resolve({"slow.example", "1"}, soon(), wake)) ++served;
    });
  }
  go.count_down();
  meters.clear();
  EXPECT_EQ(served, 4);
  EXPECT_EQ(resolver.pending(), 0U);
}

TEST(ResolverTest, HangingLookUpsAreBounded) {
  std::latch go{1};
  Resolver resolver{[&](const std::string&, const std::string&) {
                      go.wait();
                      return LookupResult{EAI_AGAIN, 0, {}};
                    },
                    std::chrono::seconds{20}};
  Wake impatient;
  impatient.wake();
  for (std::size_t i = 0; i < Resolver::kMaxLookups + 5; ++i) {
    const auto result = resolver.resolve({fmt::format("host{}.example", i), "1"}, soon(), impatient);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, i < Resolver::kMaxLookups ? ECANCELED : EAGAIN);
  }
  EXPECT_EQ(resolver.pending(), Resolver::kMaxLookups);
  go.count_down();
}

[[noreturn]] void end_with_a_straggler() {
  {
    const auto never_ends = [](const std::string&, const std::string&) -> LookupResult {
      for (;;) ::pause();
    };
    Resolver resolver{never_ends, MonoDuration::zero()};
    Wake impatient;
    impatient.wake();
    static_cast<void>(resolver.resolve({"slow.example", "1"}, soon(), impatient));
  }
  ::_exit(0);
}

TEST(ResolverDeathTest, AStragglerDoesNotHoldUpTheEndOfTheProcess) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(end_with_a_straggler(), testing::ExitedWithCode(0), "");
}

// ---- factory

TEST(SystemTransportFactoryTest, NoTransportOnlyWaits) {
  SystemTransportFactory factory{no_lookup};
  Wake wake;
  const auto transport = factory.open(NoTransport{}, {}, MonoTime{}, wake);
  ASSERT_TRUE(transport);
  std::array<std::byte, 4> buffer{};
  EXPECT_EQ((*transport)->read(buffer, MonoTime{}, MonoTime{}, wake).kind, Kind::timeout);
  EXPECT_TRUE((*transport)->write(buffer, MonoTime{}, wake));
  EXPECT_TRUE((*transport)->set_line({}));
  (*transport)->discard_input();
  std::jthread other{[&] { wake.wake(); }};
  EXPECT_EQ((*transport)->read(buffer, MonoTime{}, MonoTime::max(), wake).kind, Kind::woken);
}

TEST(SystemTransportFactoryTest, OpensByKind) {
  SystemTransportFactory factory{no_lookup};
  Wake wake;
  const Listener listener;
  EXPECT_TRUE(factory.open(TcpPeer{"127.0.0.1", std::to_string(listener.port())}, {}, soon(), wake));
  const auto serial = factory.open(SerialPort{"/dev/no-such-device"}, {}, soon(), wake);
  ASSERT_FALSE(serial);
  EXPECT_EQ(serial.error().code, ENOENT);
}

TEST(EndpointText, AllKinds) {
  EXPECT_EQ(text(Endpoint{SerialPort{"/dev/ttyUSB0"}}), "/dev/ttyUSB0");
  EXPECT_EQ(text(Endpoint{TcpPeer{"meter.local", "7331"}}), "meter.local:7331");
  EXPECT_EQ(text(Endpoint{TcpPeer{"::1", "7331"}}), "[::1]:7331");
  EXPECT_EQ(text(Endpoint{TcpPeer{"[::1]", "7331"}}), "[::1]:7331");
  EXPECT_EQ(text(Endpoint{NoTransport{}}), "(no device)");
}

}  // namespace
}  // namespace vz
