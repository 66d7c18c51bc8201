// SPDX-License-Identifier: GPL-3.0-or-later
// From the meter into the database, all three programs as they are.
#include <regex>

#include "e2e/stage.hpp"

namespace vz::e2e {
namespace {

/// The page's configuration with nothing but uuid, device, URL and log replaced.
std::string page_config(const std::string& device, const std::string& url, const std::string& log) {
  std::string text = read_text(std::filesystem::path(VZ_SOURCE_DIR) / "etc/examples/mt372.conf");
  const std::pair<const char*, std::string> changes[] = {
      {"uuid", uuid(1)}, {"device", device}, {"middleware", url}, {"log", log}};
  for (const auto& [key, value] : changes)
    text = std::regex_replace(text, std::regex(fmt::format("(\"{}\": *)\"[^\"]*\"", key)), fmt::format("$1\"{}\"", value));
  return text;
}

TEST(Readings, PageConfigurationAtTheRealLineSpeed) {
  Folder folder;
  Middleware middleware(folder, {uuid(1)});
  middleware.start();
  Sim sim(folder, "sim", {"--pty", folder / "tty", "--speed", "real", "--recovery", "0", "--readouts", "2"});
  const auto daemon = run_daemon(folder, page_config(folder / "tty", middleware.url(), folder / "vzlogger.log"));
  ASSERT_TRUE(middleware.wait_rows(2)) << daemon->output() << daemon->output(Stream::err);
  EXPECT_EQ(sim.readouts().size(), 2U);
  expect_same(sim.readouts(), middleware.stored(uuid(1)));
  daemon->send(SIGTERM);
  EXPECT_EQ(daemon->wait_exit(), (Exit{.status = 0, .signal = 0}));
  const std::string log = read_text(folder / "vzlogger.log");
  EXPECT_EQ(occurrences(log, "Adding reading to queue (value=132.15 ts="), 2U) << log;
}

TEST(Readings, PageConfigurationManyReadouts) {
  Folder folder;
  Middleware middleware(folder, {uuid(1)});
  middleware.start();
  Sim sim(folder, "sim", {"--pty", folder / "tty", "--readouts", "8"});
  const auto daemon = run_daemon(folder, page_config(folder / "tty", middleware.url(), folder / "vzlogger.log"));
  ASSERT_TRUE(middleware.wait_rows(8)) << daemon->output() << daemon->output(Stream::err);
  expect_same(sim.readouts(), middleware.stored(uuid(1)), "1.8.0", kUnpacedPty);
}

/// Reads `readouts` times over `endpoint` and compares.
void expect_all_stored(std::vector<std::string> sim_arguments, const Json& changes, const std::string& code = "1.8.0",
                       std::size_t readouts = 4) {
  Folder folder;
  Middleware middleware(folder, {uuid(1)});
  middleware.start();
  for (std::string& argument : sim_arguments)
    if (argument == "TTY") argument = folder / "tty";
  sim_arguments.insert(sim_arguments.end(), {"--readouts", std::to_string(readouts)});
  Sim sim(folder, "sim", sim_arguments);
  Json meter = pulled(sim.endpoint(), Json::array({channel(uuid(1), middleware.url(), code)}));
  for (const auto& [key, value] : changes.items()) {
    if (value.is_null())
      meter.erase(key);
    else
      meter[key] = value;
  }
  const auto daemon = run_daemon(folder, config(Json::array({meter})));
  ASSERT_TRUE(middleware.wait_rows(readouts)) << daemon->output() << daemon->output(Stream::err);
  const auto sent = sim.readouts();
  EXPECT_EQ(sent.size(), readouts);
  expect_same(sent, middleware.stored(uuid(1)), code, sim.endpoint().starts_with('/') ? kUnpacedPty : kSlack);
}

TEST(Readings, OverTcp) { expect_all_stored({}, Json::object()); }
TEST(Readings, OverTcpIpv6) { expect_all_stored({"--tcp", "[::1]:0"}, Json::object()); }
TEST(Readings, WithEcho) {
  // the first data set of a readout is what an echo taken for data would cost
  expect_all_stored({"--pty", "TTY", "--echo", "--step", "F.97.0=1"}, Json::object(), "F.97.0");
}
TEST(Readings, WithEchoOverTcp) { expect_all_stored({"--echo"}, Json::object()); }
TEST(Readings, FixedAcknowledge) {
  expect_all_stored({"--pty", "TTY"}, {{"ackseq", "063035300d0a"}, {"baudrate_read", 9600}});
}
TEST(Readings, ModeA) {
  expect_all_stored({"--pty", "TTY", "--identification", "/ISK MT372", "--mode", "A"}, {{"ackseq", nullptr}});
}
TEST(Readings, ModeB) {
  expect_all_stored({"--pty", "TTY", "--identification", "/ISKEMT372", "--mode", "B"}, {{"ackseq", nullptr}});
}
TEST(Readings, PushWithCheckValue) {
  expect_all_stored({"--mode", "push", "--period", "0.2", "--check", "bcc"},
                    {{"pullseq", nullptr}, {"ackseq", nullptr}, {"interval", nullptr}, {"baudrate", 9600}});
}

std::string golden(std::string_view name) { return fmt::format("{}/tests/golden/d0/{}", VZ_SOURCE_DIR, name); }

TEST(Readings, PushedTelegramsOfP1) {
  const auto input = golden("p1_gas");
  std::string file;
  for (const auto& entry : std::filesystem::directory_iterator(input))
    if (entry.path().filename().string().starts_with("input")) file = entry.path().string();
  ASSERT_FALSE(file.empty());
  expect_all_stored({"--telegram", file, "--mode", "push", "--period", "0.2", "--step", "1-0:1.8.1=0.001"},
                    {{"pullseq", nullptr}, {"ackseq", nullptr}, {"interval", nullptr}, {"baudrate", 115200}, {"parity", "8n1"}},
                    "1-0:1.8.1");
}

TEST(Readings, SeveralMetersAndChannels) {
  Folder folder;
  std::vector<std::string> uuids;
  for (int i = 1; i <= 9; ++i) uuids.push_back(uuid(i));
  Middleware middleware(folder, uuids);
  middleware.start();
  std::vector<std::unique_ptr<Sim>> sims;
  Json meters = Json::array();
  const char* const kCodes[] = {"1.8.0", "1.8.1", "1.8.2"};
  for (int meter = 0; meter < 3; ++meter) {
    std::vector<std::string> arguments{"--readouts", "5"};
    for (const char* code : kCodes) arguments.insert(arguments.end(), {"--step", fmt::format("{}={}", code, meter + 1)});
    if (meter == 0) arguments.insert(arguments.end(), {"--pty", folder / "tty0"});
    sims.push_back(std::make_unique<Sim>(folder, fmt::format("sim{}", meter), arguments));
    Json channels = Json::array();
    for (int i = 0; i < 3; ++i) channels.push_back(channel(uuid(3 * meter + i + 1), middleware.url(), kCodes[i]));
    meters.push_back(pulled(sims.back()->endpoint(), channels));
  }
  const auto daemon = run_daemon(folder, config(meters));
  ASSERT_TRUE(middleware.wait_rows(45)) << daemon->output() << daemon->output(Stream::err);
  for (int meter = 0; meter < 3; ++meter) {
    for (int i = 0; i < 3; ++i) {
      SCOPED_TRACE(fmt::format("meter {} register {}", meter, kCodes[i]));
      expect_same(sims[static_cast<std::size_t>(meter)]->readouts(), middleware.stored(uuid(3 * meter + i + 1)), kCodes[i],
                  meter == 0 ? kUnpacedPty : kSlack);
    }
  }
}

/// Nine meters at once, each with one kind of fault in half of its readouts.
TEST(Readings, EachFaultCostsItsReadoutAndNoOther) {
  const char* const kKinds[] = {"flip", "digit", "lost", "truncate", "badbcc", "silence", "slow", "hangup"};
  Folder folder;
  std::vector<std::string> uuids;
  for (int i = 0; i < 8; ++i) uuids.push_back(uuid(i));
  Middleware middleware(folder, uuids);
  middleware.start();
  std::vector<std::unique_ptr<Sim>> sims;
  Json meters = Json::array();
  for (int i = 0; i < 8; ++i) {
    sims.push_back(std::make_unique<Sim>(
        folder, kKinds[i],
        std::vector<std::string>{"--faults", kKinds[i], "--fault-rate", "0.5", "--seed", std::to_string(20 + i),
                                 "--hangup-time", "0.1", "--readouts", "7"}));
    meters.push_back(pulled(sims.back()->endpoint(), Json::array({channel(uuid(i), middleware.url())})));
    meters.back()["read_timeout"] = 3;
  }
  const auto daemon = run_daemon(folder, config(meters, 5));
  std::size_t wanted = 0;
  for (const auto& sim : sims) {
    ASSERT_TRUE(sim->process().wait_exit(seconds{40})) << daemon->output() << daemon->output(Stream::err);
    wanted += sim->whole_readouts().size();
  }
  ASSERT_TRUE(middleware.wait_rows(wanted)) << daemon->output() << daemon->output(Stream::err);
  daemon->send(SIGTERM);
  EXPECT_EQ(daemon->wait_exit(), (Exit{.status = 0, .signal = 0}));
  for (int i = 0; i < 8; ++i) {
    SCOPED_TRACE(kKinds[i]);
    const Sim& sim = *sims[static_cast<std::size_t>(i)];
    EXPECT_GE(sim.events("fault").size(), 2U);
    EXPECT_GE(sim.whole_readouts().size(), 2U);
    expect_same(sim.whole_readouts(), middleware.stored(uuid(i)));
  }
}

}  // namespace
}  // namespace vz::e2e
