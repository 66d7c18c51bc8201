// SPDX-License-Identifier: GPL-3.0-or-later
#include "tools/metersim/telegram.hpp"

#include <gtest/gtest.h>

#include <map>

namespace vz::metersim {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;

std::tm moment() {
  std::tm time{};
  time.tm_year = 125;
  time.tm_mon = 2;
  time.tm_mday = 4;
  time.tm_hour = 5;
  time.tm_min = 6;
  time.tm_sec = 7;
  return time;
}

std::string value(const Readout& readout, const std::string& address) {
  for (const auto& [name, text] : readout.values) {
    if (name == address) return text;
  }
  return "(none)";
}

Registers registers(std::string block, const std::vector<Counter>& counters = {},
                    Registers::Clock clock = Registers::Clock::stands) {
  auto made = Registers::make(std::move(block), counters, clock);
  EXPECT_TRUE(made) << made.error().text();
  return *made;
}

TEST(BlockCheck, KnownMessages) {
  EXPECT_EQ(block_check("B0\x03"), 0x71);
  EXPECT_EQ(block_check("R1\x02"
                        "00000034()\x03"),
            0x64);
  EXPECT_EQ(block_check("1.8.0(00132.149*kWh)\x03"), 0x67);
}

TEST(P1Crc, KnownText) { EXPECT_EQ(p1_crc("123456789"), 0xBB3D); }

TEST(Frame, Mt372BlockHasBcc09) {
  const Telegram telegram = mt372();
  const DataMessage message = frame(telegram, telegram.block);
  EXPECT_EQ(message.bytes.size(), 215U);
  EXPECT_EQ(message.bytes.front(), kStx);
  EXPECT_EQ(message.bytes.substr(message.bytes.size() - 2), "\x03\x09");
  EXPECT_EQ(message.bytes.substr(message.block_begin, message.block_end - message.block_begin), telegram.block);
}

TEST(Frame, P1CrcCoversTheIdentification) {
  Telegram telegram{.identification = "/ISk5\\2MT382-1000",
                    .lead = {},
                    .block = "\r\n1-0:1.7.0(01.193*kW)\r\n!\r\n",
                    .check = Check::crc16};
  const DataMessage message = frame(telegram, telegram.block);
  const std::string body = "/ISk5\\2MT382-1000\r\n\r\n1-0:1.7.0(01.193*kW)\r\n!";
  ASSERT_TRUE(message.bytes.starts_with(body));
  EXPECT_EQ(message.bytes.substr(body.size()), fmt::format("{:04X}\r\n", p1_crc(body)));
  EXPECT_TRUE(check_holds(message.bytes, Check::crc16));
}

TEST(CheckHolds, RefusesWhatDoesNotFit) {
  EXPECT_TRUE(
      check_holds("\x02"
                  "1.8.0(00132.149*kWh)\x03\x67",
                  Check::bcc));
  EXPECT_FALSE(
      check_holds("\x02"
                  "1.8.0(00132.148*kWh)\x03\x67",
                  Check::bcc));
  EXPECT_FALSE(check_holds("1.8.0(00132.149*kWh)\x03\x67", Check::bcc));
  EXPECT_FALSE(
      check_holds("\x02"
                  "1.8.0(00132.149*kWh)\x03",
                  Check::bcc));
  EXPECT_FALSE(check_holds("", Check::bcc));
  EXPECT_FALSE(check_holds("", Check::crc16));
  EXPECT_TRUE(check_holds("anything", Check::none));
}

TEST(ParseTelegram, GoesThereAndBack) {
  const Telegram meter = mt372();
  const std::string raw = meter.identification + "\r\n" + frame(meter, meter.block).bytes;
  const auto parsed = parse_telegram(raw);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->identification, meter.identification);
  EXPECT_EQ(parsed->block, meter.block);
  EXPECT_EQ(parsed->check, Check::bcc);
}

struct ParseCase {
  std::string raw;
  std::string identification;
  std::string lead;
  std::string block;
  Check check;
};

TEST(ParseTelegram, Forms) {
  const ParseCase cases[] = {
      {"\x02"
       "A(1)\r\n!\r\n\x03\x20",
       "", "", "A(1)\r\n!\r\n", Check::bcc},
      {"\r\n/ABC5x\r\n?\x02"
       "A(1)!\r\n\x03\x20rest",
       "/ABC5x", "?", "A(1)!\r\n", Check::bcc},
      {"/ABC5x\r\n\x02"
       "A(1)\r\n!\r\n",
       "/ABC5x", "", "A(1)\r\n!\r\n", Check::bcc},
      {"/ABC5x\r\n\r\nA(1)\r\n!\r\n", "/ABC5x", "", "\r\nA(1)\r\n!\r\n", Check::none},
      {"/ABC5x\r\nA(a!b)\r\n!\r\n/ABC5x\r\nB(2)\r\n!\r\n", "/ABC5x", "", "A(a!b)\r\n!\r\n", Check::none},
      {"/ABC5x\n\nA(1)\n!1a2F\n", "/ABC5x", "", "\nA(1)\n!\r\n", Check::crc16},
      {"/ABC5x\r\nA(1)!", "/ABC5x", "", "A(1)!", Check::none},
  };
  for (const ParseCase& one : cases) {
    SCOPED_TRACE(one.raw);
    const auto parsed = parse_telegram(one.raw);
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->identification, one.identification);
    EXPECT_EQ(parsed->lead, one.lead);
    EXPECT_EQ(parsed->block, one.block);
    EXPECT_EQ(parsed->check, one.check);
  }
}

TEST(ParseTelegram, SaysWhatIsMissing) {
  for (const std::string& raw : {""s, "/ABC5x\r\n"s,
                                 "/ABC5x\r\n\x02"
                                 "A(1)\r\n"s,
                                 "/ABC5x\r\nA(1)\r\n"s, std::string(kMaxTelegram + 1, 'x')}) {
    const auto parsed = parse_telegram(raw);
    ASSERT_FALSE(parsed);
    EXPECT_FALSE(parsed.error().what.empty());
    EXPECT_FALSE(parsed.error().remedy.empty());
  }
}

TEST(Reduced, LeavesIndicatorModeTariff) {
  EXPECT_EQ(reduced("1-0:1.8.0*255"), "1.8.0");
  EXPECT_EQ(reduced("1.8.0&01"), "1.8.0");
  EXPECT_EQ(reduced("F.F"), "F.F");
}

TEST(RegistersTest, StepsKeepTheFormat) {
  const auto bank = registers(mt372().block, {{"1.8.0", 0.001, Counter::Per::readout}});
  const Readout first = bank.render(1, 0s, moment());
  EXPECT_EQ(first.block, mt372().block);
  EXPECT_EQ(value(bank.render(2, 0s, moment()), "1.8.0"), "00132.150");
  EXPECT_EQ(value(bank.render(868, 0s, moment()), "1.8.0"), "00133.016");
  EXPECT_EQ(value(bank.render(868, 0s, moment()), "1.8.1"), "00132.149");
  EXPECT_EQ(bank.render(868, 0s, moment()).block.size(), first.block.size());
}

TEST(RegistersTest, BinaryFractionsLoseNothing) {
  const auto bank = registers("1.8.0(00.00*kWh)!", {{"1.8.0", 0.29, Counter::Per::readout}});
  EXPECT_EQ(value(bank.render(2, 0s, moment()), "1.8.0"), "00.29");
  EXPECT_EQ(value(bank.render(101, 0s, moment()), "1.8.0"), "29.00");
}

TEST(RegistersTest, EveryReadoutHasItsOwnValue) {
  const auto bank = registers(mt372().block, {{"1.8.0", 0.001, Counter::Per::readout}});
  std::map<std::string, int> seen;
  for (std::uint64_t n = 1; n <= 20000; ++n) ++seen[value(bank.render(n, 0s, moment()), "1.8.0")];
  EXPECT_EQ(seen.size(), 20000U);
}

TEST(RegistersTest, RatesRunByTime) {
  const auto bank = registers("1-0:1.8.0*255(0999.5*kWh)\r\n!\r\n", {{"1.8.0", 2, Counter::Per::hour}});
  EXPECT_EQ(value(bank.render(9, 0min, moment()), "1-0:1.8.0*255"), "0999.5");
  EXPECT_EQ(value(bank.render(9, 29min, moment()), "1-0:1.8.0*255"), "1000.4");
  EXPECT_EQ(value(bank.render(9, 30min, moment()), "1-0:1.8.0*255"), "1000.5");
}

TEST(RegistersTest, RollsOverAndRunsBackwards) {
  const auto up = registers("1.8.0(99.9*kWh)!", {{"1.8.0", 0.2, Counter::Per::readout}});
  EXPECT_EQ(value(up.render(2, 0s, moment()), "1.8.0"), "00.1");
  const auto down = registers("1.8.0(00,1*kWh)!", {{"1.8.0", -0.2, Counter::Per::readout}});
  EXPECT_EQ(value(down.render(2, 0s, moment()), "1.8.0"), "99,9");
}

TEST(RegistersTest, SeveralSetsInALineAndFurtherValues) {
  const auto bank = registers("6.8(001*kWh)6.26(00.1*m3)(x)\r\n0.2.0((ER11))\r\n1.6.1(2.0*kW)(2104070015)\r\n!\r\n");
  const Readout readout = bank.render(1, 0s, moment());
  EXPECT_EQ(value(readout, "6.8"), "001");
  EXPECT_EQ(value(readout, "6.26"), "00.1");
  EXPECT_EQ(value(readout, "0.2.0"), "(ER11");
  EXPECT_EQ(value(readout, "1.6.1"), "2.0");
  EXPECT_EQ(readout.values.size(), 4U);
}

TEST(RegistersTest, ClockFollowsTheTime) {
  const std::string block =
      "0.9.1(175102)\r\n0.9.2(120619)\r\n1-0:0.9.1(1185411)\r\n0.9.2*1(2012-06-19)\r\n0-0:1.0.0(101209113020W)\r\n!"
      "\r\n";
  std::tm time = moment();
  time.tm_isdst = 1;
  const Readout readout = registers(block, {}, Registers::Clock::runs).render(1, 0s, time);
  EXPECT_EQ(value(readout, "0.9.1"), "050607");
  EXPECT_EQ(value(readout, "0.9.2"), "250304");
  EXPECT_EQ(value(readout, "1-0:0.9.1"), "1050607");
  EXPECT_EQ(value(readout, "0.9.2*1"), "2025-03-04");
  EXPECT_EQ(value(readout, "0-0:1.0.0"), "250304050607S");
  EXPECT_EQ(registers(block).render(1, 0s, time).block, block);
}

TEST(RegistersTest, RefusesCountersThatCannotRun) {
  for (const char* const address : {"9.9.9", "0.0.0", "C.1.1", "0.2.0"}) {
    const auto made = Registers::make("0.0.0(12:30)\r\nC.1.1()\r\n0.2.0(1234567890123456789)\r\n!\r\n",
                                      {{address, 1, Counter::Per::hour}}, Registers::Clock::stands);
    ASSERT_FALSE(made) << address;
    EXPECT_NE(made.error().where.find(address), std::string::npos);
  }
}

}  // namespace
}  // namespace vz::metersim
