// SPDX-License-Identifier: GPL-3.0-or-later
#include "tools/metersim/settings.hpp"

#include <gtest/gtest.h>

#include <fstream>

namespace vz::metersim {
namespace {

using namespace std::chrono_literals;

RunSettings parse(std::vector<std::string> arguments) {
  auto parsed = parse_command_line(std::move(arguments));
  if (auto* setup = std::get_if<RunSettings>(&parsed)) return std::move(*setup);
  ADD_FAILURE() << std::get<CommandEnd>(parsed).text;
  return {};
}

CommandEnd refuse(std::vector<std::string> arguments) {
  auto parsed = parse_command_line(std::move(arguments));
  if (auto* end = std::get_if<CommandEnd>(&parsed)) return *end;
  ADD_FAILURE() << "taken";
  return {};
}

std::string file_with(const std::string& name, const std::string& bytes) {
  const std::string path = testing::TempDir() + name;
  std::ofstream(path, std::ios::binary) << bytes;
  return path;
}

TEST(CommandLine, DefaultsAreTheMt372OnARealLine) {
  const RunSettings setup = parse({"--pty", "/tmp/x"});
  EXPECT_EQ(setup.meter.mode, Mode::c);
  EXPECT_EQ(setup.meter.telegram.identification, "/ISK5\\2MT372-0002");
  EXPECT_EQ(setup.meter.initial_baud, 300U);
  EXPECT_EQ(setup.meter.reaction, MonoDuration{200ms});
  EXPECT_EQ(setup.meter.recovery, MonoDuration{3s});
  EXPECT_EQ(setup.meter.no_ack, NoAck::silent);
  EXPECT_EQ(setup.meter.address, "58231541");
  EXPECT_EQ(setup.meter.counters.size(), 2U);
  EXPECT_EQ(setup.line.pace, Pace::real);
  EXPECT_EQ(setup.line.baud_check, BaudCheck::strict);
  EXPECT_TRUE(Meter::make(setup.meter));
}

TEST(CommandLine, StrictBaudIsForRealPtysUnlessSaidOtherwise) {
  EXPECT_EQ(parse({"--pty", "x", "--no-strict-baud"}).line.baud_check, BaudCheck::off);
  EXPECT_EQ(parse({"--pty", "x", "--speed", "unlimited"}).line.baud_check, BaudCheck::off);
  EXPECT_EQ(parse({"--pty", "x", "--speed", "unlimited", "--strict-baud"}).line.baud_check, BaudCheck::strict);
  EXPECT_EQ(parse({"--tcp", "0"}).line.baud_check, BaudCheck::off);
  EXPECT_NE(refuse({"--tcp", "0", "--strict-baud"}).exit_code, 0);
}

TEST(CommandLine, RecoveryGoesWithTheSpeed) {
  EXPECT_EQ(parse({"--tcp", "0", "--speed", "unlimited"}).meter.recovery, MonoDuration{0s});
  EXPECT_EQ(parse({"--tcp", "0", "--speed", "unlimited", "--recovery", "1.5"}).meter.recovery, MonoDuration{1500ms});
}

TEST(CommandLine, TcpEndpoints) {
  struct Case {
    const char* text;
    const char* address;
    const char* port;
  };
  for (const Case& one :
       {Case{"7000", "127.0.0.1", "7000"}, Case{"0.0.0.0:0", "0.0.0.0", "0"}, Case{"[::1]:7000", "::1", "7000"}}) {
    const RunSettings setup = parse({"--tcp", one.text});
    EXPECT_EQ(setup.tcp_address, one.address);
    EXPECT_EQ(setup.tcp_port, one.port);
  }
  for (const char* const wrong : {"x", "70000", ":7000", "localhost:", "localhost:http"})
    EXPECT_NE(refuse({"--tcp", wrong}).exit_code, 0) << wrong;
}

TEST(CommandLine, ATelegramFileSaysWhatItIs) {
  const std::string quick = file_with("quick.bin",
                                      "/ISk5MT174\r\n\x02"
                                      "1.8.0(0001.0*kWh)\r\n!\r\n\x03x");
  RunSettings setup = parse({"--telegram", quick, "--tcp", "0"});
  EXPECT_EQ(setup.meter.mode, Mode::c);
  EXPECT_EQ(setup.meter.reaction, MonoDuration{20ms});
  EXPECT_EQ(setup.meter.recovery, MonoDuration{0s});
  EXPECT_EQ(setup.meter.no_ack, NoAck::go_on);
  EXPECT_TRUE(setup.meter.counters.empty());
  EXPECT_EQ(setup.meter.telegram.check, Check::bcc);
  EXPECT_EQ(parse({"--telegram", quick, "--tcp", "0", "--check", "none"}).meter.telegram.check, Check::none);

  const std::string p1 = file_with("p1.txt", "/KFM5KAIFA\r\n\r\n1-0:1.8.1(000000.1*kWh)\r\n!ABCD\r\n");
  setup = parse({"--telegram", p1, "--tcp", "0"});
  EXPECT_EQ(setup.meter.mode, Mode::push);
  EXPECT_EQ(setup.meter.initial_baud, 115200U);
  EXPECT_EQ(setup.meter.form, ByteForm::eight);

  const std::string bare = file_with("bare.bin",
                                     "\x02"
                                     "1.8.0(0001.0*kWh)\r\n!\r\n\x03x");
  EXPECT_FALSE(Meter::make(parse({"--telegram", bare, "--tcp", "0"}).meter));
  EXPECT_TRUE(Meter::make(parse({"--telegram", bare, "--tcp", "0", "--identification", "/ABC4x"}).meter));
  EXPECT_EQ(parse({"--telegram", bare, "--tcp", "0", "--mode", "d"}).meter.initial_baud, 2400U);
  EXPECT_EQ(parse({"--telegram", bare, "--tcp", "0", "--mode", "push"}).meter.initial_baud, 9600U);
}

TEST(CommandLine, EightBitCharactersNeedAnEightBitLine) {
  const std::string eight = file_with("eight.bin", "/ABC5x\r\n1.8.0(0001.0*\xC2\xB0)\r\n!\r\n");
  EXPECT_NE(refuse({"--telegram", eight, "--tcp", "0"}).text.find("8n1"), std::string::npos);
  EXPECT_EQ(parse({"--telegram", eight, "--tcp", "0", "--format", "8n1"}).meter.form, ByteForm::eight);
  EXPECT_EQ(parse({"--tcp", "0", "--format", "8n1", "--parity-bit"}).meter.form, ByteForm::parity);
  EXPECT_EQ(parse({"--tcp", "0", "--format", "8n1", "--parity-bit", "--odd"}).meter.form, ByteForm::odd);
  EXPECT_NE(refuse({"--tcp", "0", "--parity-bit"}).exit_code, 0);
  EXPECT_NE(refuse({"--tcp", "0", "--odd"}).exit_code, 0);
}

TEST(CommandLine, AnSmlMeterPushesUnlessItIsAsked) {
  RunSettings setup = parse({"--tcp", "0", "--meter", "ehz"});
  EXPECT_EQ(setup.meter.telegram.check, Check::sml);
  EXPECT_EQ(setup.meter.mode, Mode::push);
  EXPECT_EQ(setup.meter.initial_baud, 9600U);
  EXPECT_EQ(setup.meter.form, ByteForm::eight);
  EXPECT_TRUE(setup.meter.counters.empty());
  EXPECT_TRUE(Meter::make(setup.meter));
  setup = parse({"--tcp", "0", "--meter", "ehz", "--mode", "A"});
  EXPECT_TRUE(Meter::make(setup.meter));
  EXPECT_EQ(setup.meter.initial_baud, 9600U);
  EXPECT_FALSE(Meter::make(parse({"--tcp", "0", "--meter", "ehz", "--mode", "C"}).meter));
  EXPECT_NE(refuse({"--tcp", "0", "--meter", "ehz", "--check", "bcc"}).exit_code, 0);
}

TEST(CommandLine, CountersReplaceTheDefaults) {
  const RunSettings setup = parse({"--tcp", "0", "--count", "1.8.0=2.5", "--step", "1.8.2=+0.5"});
  ASSERT_EQ(setup.meter.counters.size(), 3U);
  EXPECT_EQ(setup.meter.counters[0].per, Counter::Per::hour);
  EXPECT_EQ(setup.meter.counters[0].amount, 2.5);
  EXPECT_EQ(setup.meter.counters[1].address, "1.8.2");
  EXPECT_EQ(setup.meter.counters[1].amount, 0.5);
  EXPECT_EQ(setup.meter.counters[2].address, "1.8.1");
  const RunSettings frozen = parse({"--tcp", "0", "--frozen"});
  EXPECT_TRUE(frozen.meter.counters.empty());
  EXPECT_EQ(frozen.meter.clock, Registers::Clock::stands);
  for (const char* const wrong : {"1.8.0", "=1", "1.8.0=", "1.8.0=x", "1.8.0=1x", "1.8.0=nan", "1.8.0=inf"}) {
    EXPECT_NE(refuse({"--tcp", "0", "--count", wrong}).exit_code, 0) << wrong;
  }
  EXPECT_NE(refuse({"--tcp", "0", "--count", "1.8.0=1", "--step", "1.8.0=1"}).exit_code, 0);
}

TEST(CommandLine, Faults) {
  const RunSettings setup = parse({"--tcp", "0", "--faults", "flip,lost", "--fault-rate", "0.25", "--seed", "7"});
  EXPECT_EQ(setup.meter.faults.kinds, (std::vector{LineFault::flip, LineFault::lost}));
  EXPECT_EQ(setup.meter.faults.rate, 0.25);
  EXPECT_EQ(setup.meter.faults.seed, 7U);
  EXPECT_NE(refuse({"--tcp", "0", "--faults", "flop"}).text.find("flip"), std::string::npos);
}

TEST(CommandLine, HelpAndErrors) {
  EXPECT_EQ(refuse({"--help"}).exit_code, 0);
  EXPECT_NE(refuse({"--help"}).text.find("vzmetersim --pty"), std::string::npos);
  EXPECT_EQ(refuse({"--version"}).exit_code, 0);
  EXPECT_NE(refuse({}).exit_code, 0);
  EXPECT_NE(refuse({"--tcp", "0", "--pty", "x"}).exit_code, 0);
  EXPECT_NE(refuse({"--tcp", "0", "--bogus"}).exit_code, 0);
  const CommandEnd missing = refuse({"--tcp", "0", "--telegram", "/nonexistent/file"});
  EXPECT_NE(missing.exit_code, 0);
  EXPECT_NE(missing.text.find("/nonexistent/file"), std::string::npos);
}

}  // namespace
}  // namespace vz::metersim
