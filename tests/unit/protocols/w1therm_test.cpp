// SPDX-License-Identifier: GPL-3.0-or-later
#include <gtest/gtest.h>

#include "protocols/w1therm/session.hpp"

namespace vz::w1therm {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::string_view kYes = "72 01 4b 46 7f ff 0e 10 57 : crc=57 YES";

TEST(W1Answer, GoodAndBadOnes) {
  EXPECT_EQ(read_answer(kYes, "72 01 4b 46 7f ff 0e 10 57 t=23125").millidegrees, 23125);
  EXPECT_EQ(read_answer(kYes, "5e ff 4b 46 7f ff 02 10 a1 t=-10125").millidegrees, -10125);
  EXPECT_EQ(read_answer(kYes, "00 00 4b 46 7f ff 0c 10 xx t=0").millidegrees, 0);
  EXPECT_EQ(read_answer("72 01 : crc=58 NO", "72 01 t=23125").fault, FaultKind::check_value);
  EXPECT_EQ(read_answer("00 00 00 00 00 00 00 00 00 : crc=00 YES", "00 t=0").fault, FaultKind::check_value);
  EXPECT_EQ(read_answer(kYes, "72 01").fault, FaultKind::truncated);
  EXPECT_EQ(read_answer(kYes, "t=").fault, FaultKind::grammar);
  EXPECT_EQ(read_answer(kYes, "t=12x").fault, FaultKind::grammar);
  EXPECT_EQ(read_answer(kYes, "t=125001").fault, FaultKind::implausible);
  for (const char* bad : {"72 01", "t=", "t=12x", "t=125001"}) EXPECT_FALSE(read_answer(kYes, bad).millidegrees) << bad;
}

class ThermSessionTest : public testing::Test {
 protected:
  /// One read of the bus, a minute after the one before: "28-a=23.125 ...", each a thousandth of its millidegrees.
  std::string read(std::initializer_list<std::pair<std::string, int>> sensors) {
    std::string records;
    for (const auto& [name, value] : sensors) records += fmt::format("@{}\n={}\n=72 t={}\n", name, kYes, value);
    return feed(records);
  }
  std::string feed(const std::string& records) {
    now_.mono += minutes{1};
    now_.wall += minutes{1};
    out_.clear();
    session_.begin(now_, out_);
    EXPECT_EQ(out_.actions.size(), 1U);
    out_.clear();
    const std::string whole = records + ".\n";
    session_.received(std::as_bytes(std::span{whole}), now_, now_.mono, out_);
    EXPECT_TRUE(out_.cycle_done);
    std::string text;
    for (const auto& reading : out_.readings) {
      const auto age = std::chrono::duration_cast<minutes>(now_.wall - reading.stamp).count();
      text += fmt::format("{}={}{} ", reading.identifier.text(), reading.value, age == 0 ? "" : fmt::format(" ({} min ago)", age));
    }
    return text;
  }
  [[nodiscard]] int faults(FaultKind kind) const {
    return static_cast<int>(std::count_if(out_.faults.begin(), out_.faults.end(), [&](const Fault& f) { return f.kind == kind; }));
  }

  Instant now_{MonoTime{seconds{100}}, WallTime{seconds{1'700'000'000}}};
  ThermSession session_;
  SessionOut out_;
};

TEST_F(ThermSessionTest, AllSensorsThatAreThere) {
  EXPECT_EQ(read({{"28-a", 23125}, {"28-b", -500}}), "28-a=23.125 28-b=-0.5 ");
  EXPECT_EQ(out_.telegrams, 1U);
  EXPECT_EQ(out_.not_before, now_.mono + seconds{1});
  EXPECT_EQ(read({{"28-a", 23125}, {"28-b", -500}, {"10-c", 1000}}), "28-a=23.125 28-b=-0.5 10-c=1 ");
  EXPECT_TRUE(out_.faults.empty());
}

TEST_F(ThermSessionTest, AMissingSensorIsAFaultForADay) {
  read({{"28-a", 1000}, {"28-b", 1000}});
  read({{"28-a", 1000}});
  ASSERT_EQ(faults(FaultKind::silence), 1);
  EXPECT_EQ(out_.faults[0].detail, "sensor 28-b is no longer on the bus");
  EXPECT_EQ(out_.telegrams, 1U);
  now_.mono += std::chrono::hours{25};
  read({{"28-a", 1000}});
  EXPECT_EQ(faults(FaultKind::silence), 0);
}

TEST_F(ThermSessionTest, AnEmptyBusIsAFault) {
  EXPECT_EQ(feed(""), "");
  EXPECT_EQ(faults(FaultKind::silence), 1);
}

TEST_F(ThermSessionTest, AFaultySensorCostsItselfOnly) {
  EXPECT_EQ(feed(fmt::format("@28-a\n=72 : crc=58 NO\n=72 t=1\n@28-b\n={}\n=72 t=2000\n@28-c\n?sensor 28-c cannot be read\n", kYes)),
            "28-b=2 ");
  EXPECT_EQ(faults(FaultKind::check_value), 1);
  EXPECT_EQ(faults(FaultKind::silence), 1);
}

TEST_F(ThermSessionTest, ThePowerOnValueIsRefused) {
  EXPECT_EQ(read({{"28-a", 21000}}), "28-a=21 ");
  EXPECT_EQ(read({{"28-a", 85000}}), "");
  EXPECT_TRUE(out_.faults.empty()) << "not yet";
  EXPECT_EQ(read({{"28-a", 21500}}), "28-a=21.5 ");
  EXPECT_EQ(faults(FaultKind::implausible), 1);
}

TEST_F(ThermSessionTest, NeighboursConfirmAHotOne) {
  EXPECT_EQ(read({{"28-a", 84500}}), "28-a=84.5 ");
  EXPECT_EQ(read({{"28-a", 85000}}), "28-a=85 ");
  EXPECT_EQ(read({{"28-b", 85000}, {"28-a", 86000}}), "28-a=86 ");
  EXPECT_EQ(read({{"28-b", 80000}, {"28-a", 86000}}), "28-b=85 (1 min ago) 28-b=80 28-a=86 ");
  EXPECT_EQ(faults(FaultKind::implausible), 0);
}

TEST_F(ThermSessionTest, ASensorThatAlwaysSaysItIsNeverBelieved) {
  int faulty = 0;
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(read({{"28-a", 85000}}), "");
    faulty += faults(FaultKind::implausible);
  }
  EXPECT_EQ(faulty, 9);
}

}  // namespace
}  // namespace vz::w1therm
