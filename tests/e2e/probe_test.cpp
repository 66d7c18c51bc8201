// SPDX-License-Identifier: GPL-3.0-or-later
// vzlogger probe against simulated meters that are found quickly; tests/bench/probe.py has them all.
#include "e2e/stage.hpp"

namespace vz::e2e {
namespace {

using ::testing::HasSubstr;

struct Meter {
  const char* name;
  std::vector<std::string> arguments;
  Json expected;  ///< part of the section
};

std::string telegram(std::string_view name) { return fmt::format("{}/tests/golden/d0/{}/input.bin", VZ_SOURCE_DIR, name); }

class Probe : public ::testing::TestWithParam<Meter> {};
INSTANTIATE_TEST_SUITE_P(
    Meters, Probe,
    ::testing::Values(
        Meter{"Mt372", {"--recovery", "0"}, {{"protocol", "d0"}, {"baudrate", 300}, {"parity", "7e1"}, {"pullseq", "2F3F210D0A"}, {"ackseq", "auto"}}},
        Meter{"Mt372EchoOddParity", {"--recovery", "0", "--echo", "--format", "8n1", "--parity-bit", "--odd"},
              {{"protocol", "d0"}, {"baudrate", 300}, {"parity", "7o1"}}},
        Meter{"PushEvenParity", {"--telegram", telegram("push_mode_d"), "--mode", "push", "--period", "1", "--format", "8n1", "--parity-bit"},
              {{"protocol", "d0"}, {"baudrate", 9600}, {"parity", "7e1"}}},
        Meter{"PushAt2400", {"--telegram", telegram("push_mode_d"), "--mode", "D", "--period", "2", "--format", "8n1", "--parity-bit"},
              {{"protocol", "d0"}, {"baudrate", 2400}, {"parity", "7e1"}}},
        Meter{"P1", {"--telegram", telegram("p1_gas"), "--period", "1"}, {{"protocol", "d0"}, {"baudrate", 115200}, {"parity", "8n1"}}},
        Meter{"Sml", {"--meter", "ehz", "--period", "1"}, {{"protocol", "sml"}, {"baudrate", 9600}, {"parity", "8n1"}}}),
    [](const auto& one) { return std::string{one.param.name}; });

TEST_P(Probe, FindsItAndTheSectionRuns) {
  const Folder folder;
  std::vector<std::string> arguments{"--pty", folder / "meter", "--speed", "real"};
  arguments.insert(arguments.end(), GetParam().arguments.begin(), GetParam().arguments.end());
  Sim sim(folder, "sim", arguments);
  Process probe({program("vzlogger"), "probe", folder / "meter", "--json", "--write", folder / "found.conf"}, plain());
  const auto exit = probe.wait_exit(seconds{60});
  ASSERT_EQ(exit, (Exit{.status = 0, .signal = 0})) << probe.output(Stream::err);
  const Json result = Json::parse(probe.output());
  for (const auto& [key, value] : GetParam().expected.items()) EXPECT_EQ(result["section"][key], value) << key;
  EXPECT_FALSE(result["readout"]["registers"].empty());

  Process daemon({program("vzlogger"), "-f", "-v", "15", "-c", folder / "found.conf"}, in_folder(folder, {}));
  EXPECT_TRUE(daemon.wait_for_line("Adding reading", Stream::out, seconds{30})) << daemon.output() << daemon.output(Stream::err);
  daemon.send(SIGTERM);
  EXPECT_EQ(daemon.wait_exit(), (Exit{.status = 0, .signal = 0}));
}

TEST(ProbeCommand, ShowsTheHandshakeAndPutsTheMeterIntoAConfiguration) {
  const Folder folder;
  Sim sim(folder, "sim", {"--pty", folder / "meter", "--speed", "real"});
  std::ofstream(folder / "my.conf") << "{\n  // mine\n  \"meters\": [\n    { \"enabled\": false, \"protocol\": \"random\" }\n  ]\n}\n";
  Process probe({program("vzlogger"), "probe", folder / "meter", "--write", folder / "my.conf"}, plain());
  ASSERT_EQ(probe.wait_exit(seconds{60}), (Exit{.status = 0, .signal = 0})) << probe.output(Stream::err);
  const std::string out = probe.output();
  EXPECT_THAT(out, HasSubstr("> /?!<CR><LF>"));
  EXPECT_THAT(out, HasSubstr("< /ISK5\\2MT372-0002<CR><LF>"));
  EXPECT_THAT(out, HasSubstr("> <ACK>050<CR><LF>"));
  EXPECT_THAT(out, HasSubstr("Iskraemeco, MT372-0002"));
  EXPECT_THAT(out, HasSubstr("energy drawn, total"));
  const std::string written = read_text(folder / "my.conf");
  EXPECT_THAT(written, HasSubstr("// mine"));
  EXPECT_THAT(written, HasSubstr("\"random\" },\n"));
  EXPECT_THAT(written, HasSubstr("\"ackseq\": \"auto\""));
}

TEST(ProbeCommand, BorrowsTheLineOfARunningDaemonAndGivesItBack) {
  const Folder folder;
  Sim sim(folder, "sim", {"--pty", folder / "meter", "--speed", "real", "--meter", "ehz", "--period", "0.5"});
  test::ProcessOptions options = in_folder(folder, {});
  options.environment.emplace_back("RUNTIME_DIRECTORY", folder.path().string());
  const Json meter{{"enabled", true}, {"protocol", "sml"}, {"device", folder / "meter"}, {"channels", Json::array({channel(uuid(1), "")})}};
  Process daemon({program("vzlogger"), "-f", "-v", "15", "-c", write_config(folder, config(Json::array({meter})))}, options);
  ASSERT_TRUE(daemon.wait_for_line("Adding reading"));
  for (const std::vector<std::string>& command :
       {std::vector<std::string>{"probe", folder / "meter"}, {"read", "-c", folder / "vzlogger.conf"}}) {
    std::vector<std::string> arguments{program("vzlogger")};
    arguments.insert(arguments.end(), command.begin(), command.end());
    Process borrower(arguments, options);
    EXPECT_EQ(borrower.wait_exit(), (Exit{.status = 0, .signal = 0})) << borrower.output(Stream::err);
    EXPECT_THAT(borrower.output(Stream::err), HasSubstr("borrowed from the running daemon, which does not read mtr0"));
    EXPECT_THAT(borrower.output(), HasSubstr("1-0:1.8.0"));
    EXPECT_TRUE(daemon.wait_for_line("is back", Stream::err));
    while (daemon.wait_for_line("Adding reading", Stream::out, milliseconds{0})) {  // those of before
    }
    EXPECT_TRUE(daemon.wait_for_line("Adding reading"));
  }
  daemon.send(SIGTERM);
  EXPECT_EQ(daemon.wait_exit(), (Exit{.status = 0, .signal = 0}));
}

TEST(ProbeCommand, SaysSoWhenNothingIsThere) {
  const Folder folder;
  Sim sim(folder, "sim", {"--pty", folder / "meter", "--faults", "silence", "--fault-rate", "1"});
  Process probe({program("vzlogger"), "probe", folder / "meter", "--limit", "3"}, plain());
  EXPECT_EQ(probe.wait_exit(), (Exit{.status = 1, .signal = 0}));
  EXPECT_THAT(probe.output(), HasSubstr("no meter found"));
}

TEST(ProbeCommand, WrongPlaces) {
  Process missing({program("vzlogger"), "probe", "/dev/does-not-exist"}, plain());
  EXPECT_EQ(missing.wait_exit(), (Exit{.status = 69, .signal = 0}));
  Process word({program("vzlogger"), "probe", "nonsense"}, plain());
  EXPECT_EQ(word.wait_exit(), (Exit{.status = 64, .signal = 0}));
}

TEST(ProbeCommand, CtrlCEndsItAtOnce) {
  const Folder folder;
  Sim sim(folder, "sim", {"--pty", folder / "meter", "--faults", "silence", "--fault-rate", "1"});
  Process probe({program("vzlogger"), "probe", folder / "meter"}, plain());
  ASSERT_TRUE(probe.wait_for_line("listening", Stream::err));
  probe.send(SIGINT);
  EXPECT_TRUE(probe.wait_exit(seconds{2}));
}

}  // namespace
}  // namespace vz::e2e
