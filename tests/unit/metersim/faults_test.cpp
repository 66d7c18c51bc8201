// SPDX-License-Identifier: GPL-3.0-or-later
#include "tools/metersim/faults.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <set>

namespace vz::metersim {
namespace {

const DataMessage& page() {
  static const DataMessage message = frame(mt372(), mt372().block);
  return message;
}

DataMessage p1() {
  const Telegram telegram{.identification = "/KFM5KAIFA-METER",
                          .lead = {},
                          .block = "\r\n1-0:1.8.1(000000.123*kWh)\r\n!\r\n",
                          .check = Check::crc16};
  return frame(telegram, telegram.block);
}

unsigned differing_bits(std::string_view a, std::string_view b) {
  unsigned count = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    count += static_cast<unsigned>(std::popcount(static_cast<unsigned char>(a[i] ^ b[i])));
  return count;
}

/// Calls `look` with the outcomes of many seeds.
template <typename Look>
void each_seed(LineFault fault, const DataMessage& message, ByteForm form, Look look) {
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    SCOPED_TRACE(seed);
    Random random{seed};
    look(damage(fault, message, form, random));
  }
}

TEST(Names, AllFaultsHaveOne) {
  for (const auto* const name : {"flip", "flip2", "digit", "lost", "truncate", "badbcc", "silence", "slow", "hangup"}) {
    const auto fault = parse_fault(name);
    ASSERT_TRUE(fault) << name;
    EXPECT_EQ(text(*fault), name);
    EXPECT_NE(fault_names().find(name), std::string::npos);
  }
  EXPECT_FALSE(parse_fault("flop"));
}

TEST(Flip, ChangesOneBitThatTheBccSees) {
  std::set<std::size_t> places;
  each_seed(LineFault::flip, page(), ByteForm::seven, [&](const Damage& result) {
    ASSERT_EQ(result.bytes.size(), page().bytes.size());
    EXPECT_EQ(differing_bits(result.bytes, page().bytes), 1U);
    EXPECT_TRUE(result.damaged);
    EXPECT_FALSE(result.check_holds);
    for (const char c : result.bytes) EXPECT_LT(static_cast<unsigned char>(c), 0x80);
    places.insert(result.position);
  });
  EXPECT_TRUE(places.contains(0));                        // STX
  EXPECT_TRUE(places.contains(page().bytes.size() - 1));  // BCC
}

TEST(Flip2, ChangesTwoBitsAndMayCheatTheBcc) {
  int cheats = 0;
  each_seed(LineFault::flip2, page(), ByteForm::seven, [&](const Damage& result) {
    ASSERT_EQ(result.bytes.size(), page().bytes.size());
    EXPECT_EQ(differing_bits(result.bytes, page().bytes), 2U);
    EXPECT_EQ(result.check_holds, check_holds(result.bytes, Check::bcc));
    cheats += result.check_holds ? 1 : 0;
  });
  EXPECT_GT(cheats, 0);
  EXPECT_LT(cheats, 250);
}

TEST(Flip2, NeverUndoesItself) {
  const DataMessage one{.bytes = "A", .checked_from = 0, .block_begin = 0, .block_end = 1, .check = Check::none};
  each_seed(LineFault::flip2, one, ByteForm::seven,
            [&](const Damage& result) { EXPECT_EQ(differing_bits(result.bytes, one.bytes), 2U); });
}

TEST(Digit, ChangesOneDigitOfAValueAndKeepsTheBcc) {
  each_seed(LineFault::digit, page(), ByteForm::seven, [&](const Damage& result) {
    ASSERT_EQ(result.bytes.size(), page().bytes.size());
    const std::size_t at = result.position;
    EXPECT_NE(result.bytes[at], page().bytes[at]);
    EXPECT_TRUE(result.bytes[at] >= '0' && result.bytes[at] <= '9');
    const std::size_t open = page().bytes.rfind('(', at);
    EXPECT_LT(page().bytes.rfind(')', at) + 1, open + 1);  // within brackets
    EXPECT_EQ(result.bytes.back(), page().bytes.back());
    EXPECT_FALSE(result.check_holds);
  });
}

TEST(Lost, LeavesOneByteOut) {
  each_seed(LineFault::lost, page(), ByteForm::seven, [&](const Damage& result) {
    std::string expected = page().bytes;
    expected.erase(result.position, 1);
    EXPECT_EQ(result.bytes, expected);
  });
}

TEST(Truncate, KeepsTheBeginning) {
  each_seed(LineFault::truncate, page(), ByteForm::seven, [&](const Damage& result) {
    EXPECT_FALSE(result.bytes.empty());
    EXPECT_LT(result.bytes.size(), page().bytes.size());
    EXPECT_TRUE(page().bytes.starts_with(result.bytes));
    EXPECT_FALSE(result.hang_up);
    EXPECT_FALSE(result.check_holds);
  });
}

TEST(Hangup, EndsWithinTheMessage) {
  each_seed(LineFault::hangup, page(), ByteForm::seven, [&](const Damage& result) {
    EXPECT_TRUE(page().bytes.starts_with(result.bytes));
    EXPECT_LT(result.bytes.size(), page().bytes.size());
    EXPECT_TRUE(result.hang_up);
    EXPECT_TRUE(result.damaged);
  });
}

TEST(BadBcc, ChangesTheCheckValueOnly) {
  each_seed(LineFault::badbcc, page(), ByteForm::seven, [&](const Damage& result) {
    EXPECT_EQ(result.bytes.substr(0, 214), page().bytes.substr(0, 214));
    EXPECT_NE(result.bytes.back(), page().bytes.back());
  });
  each_seed(LineFault::badbcc, p1(), ByteForm::eight, [&](const Damage& result) {
    EXPECT_EQ(result.bytes.substr(0, result.bytes.rfind('!')), p1().bytes.substr(0, p1().bytes.rfind('!')));
    EXPECT_FALSE(result.check_holds);
  });
}

TEST(Slow, IsLateButWhole) {
  each_seed(LineFault::slow, page(), ByteForm::seven, [&](const Damage& result) {
    EXPECT_EQ(result.bytes, page().bytes);
    EXPECT_FALSE(result.damaged);
    EXPECT_TRUE(result.check_holds);
    ASSERT_TRUE(result.gap_at);
    EXPECT_GT(*result.gap_at, 0U);
    EXPECT_LT(*result.gap_at, page().bytes.size());
  });
}

TEST(P1, FlipsAreSeenByTheCrc) {
  each_seed(LineFault::flip, p1(), ByteForm::eight, [&](const Damage& result) {
    EXPECT_EQ(differing_bits(result.bytes, p1().bytes), 1U);
    EXPECT_FALSE(result.check_holds);
  });
}

TEST(WithoutCheckValue, BadBccAndDigitStillDamage) {
  DataMessage bare{
      .bytes = "F.F(x)\r\n!\r\n", .checked_from = 0, .block_begin = 0, .block_end = 11, .check = Check::none};
  for (const LineFault fault : {LineFault::badbcc, LineFault::digit}) {
    each_seed(fault, bare, ByteForm::seven,
              [&](const Damage& result) { EXPECT_EQ(differing_bits(result.bytes, bare.bytes), 1U); });
  }
}

TEST(Parity, IsThatOfTheLine) {
  EXPECT_EQ(static_cast<unsigned char>(with_even_parity('/')), 0xAF);
  EXPECT_EQ(static_cast<unsigned char>(with_even_parity('!')), 0x21);
  EXPECT_EQ(static_cast<unsigned char>(with_even_parity('\r')), 0x8D);
  EXPECT_EQ(with_even_parity(static_cast<char>(0xAF)), with_even_parity('/'));
}

TEST(Parity, AFlipIsWrongAndAReplacedDigitIsRight) {
  const std::string whole = with_even_parity(page().bytes);
  each_seed(LineFault::flip, page(), ByteForm::parity, [&](const Damage& result) {
    EXPECT_EQ(differing_bits(result.bytes, whole), 1U);
    EXPECT_NE(with_even_parity(result.bytes), result.bytes);
    EXPECT_FALSE(result.check_holds);
  });
  each_seed(LineFault::digit, page(), ByteForm::parity, [&](const Damage& result) {
    EXPECT_EQ(with_even_parity(result.bytes), result.bytes);
    EXPECT_NE(result.bytes, whole);
  });
}

TEST(FaultPlan, SameSeedSameFaults) {
  const FaultPlan plan{.kinds = {LineFault::flip, LineFault::lost, LineFault::slow}, .rate = 0.5, .seed = 42};
  FaultPlan other = plan;
  other.seed = 43;
  int same_as_other = 0;
  for (std::uint64_t n = 1; n <= 1000; ++n) {
    Random a = plan.random(n);
    Random b = plan.random(n);
    Random c = other.random(n);
    const auto fault = plan.pick(a);
    EXPECT_EQ(fault, plan.pick(b));
    if (fault) {
      EXPECT_EQ(damage(*fault, page(), ByteForm::seven, a).bytes, damage(*fault, page(), ByteForm::seven, b).bytes);
    }
    same_as_other += fault == other.pick(c) ? 1 : 0;
  }
  EXPECT_LT(same_as_other, 600);
}

TEST(FaultPlan, RateAndKindsAreKept) {
  const FaultPlan plan{.kinds = {LineFault::flip, LineFault::lost}, .rate = 0.2, .seed = 1};
  std::map<LineFault, int> seen;
  int faulty = 0;
  for (std::uint64_t n = 1; n <= 10000; ++n) {
    Random random = plan.random(n);
    if (const auto fault = plan.pick(random)) ++faulty, ++seen[*fault];
  }
  EXPECT_NEAR(faulty, 2000, 200);
  EXPECT_EQ(seen.size(), 2U);
  EXPECT_NEAR(seen[LineFault::flip], faulty / 2, 150);

  for (const FaultPlan& never :
       {FaultPlan{.kinds = {}, .rate = 1, .seed = 1}, FaultPlan{.kinds = {LineFault::flip}, .rate = 0, .seed = 1}}) {
    Random random = never.random(1);
    EXPECT_FALSE(never.pick(random));
  }
}

}  // namespace
}  // namespace vz::metersim
