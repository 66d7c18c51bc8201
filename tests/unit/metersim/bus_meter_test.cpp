// SPDX-License-Identifier: GPL-3.0-or-later
#include "tools/metersim/bus_meter.hpp"

#include <gtest/gtest.h>

#include "tools/metersim/settings.hpp"

namespace vz::metersim {
namespace {

using namespace std::chrono_literals;

std::string hex(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) text += fmt::format("{:02X}", static_cast<unsigned char>(c));
  return text;
}
std::string bytes(std::initializer_list<int> values) {
  std::string text;
  for (const int value : values) text.push_back(static_cast<char>(value));
  return text;
}

BusSettings settings(BusSettings::Role role = BusSettings::Role::answers) {
  BusSettings result;
  result.role = role;
  result.period = 10s;
  result.local_time = [](WallTime) {
    std::tm time{};
    time.tm_year = 123;
    time.tm_mon = 10;
    time.tm_mday = 14;
    return time;
  };
  return result;
}

/// The meter, and a line on which everything is said at once.
class Line {
 public:
  explicit Line(BusSettings setup) : meter(std::move(setup)) { meter.start(now, out); }

  std::string say(std::string_view text) {
    for (const char byte : text) {
      meter.received({.byte = byte, .start = now.mono, .end = now.mono, .baud = meter.baud()}, now, out);
    }
    return heard();
  }
  /// What the meter has to say, and lets it finish.
  std::string heard() {
    if (!out.send) return {};
    const std::string text = std::exchange(out.send, std::nullopt)->bytes;
    meter.transmission_began(now, out);
    meter.transmission_ended(now, out);
    return hex(text);
  }
  std::string wait() {
    if (!meter.timer()) return {};
    now.mono = std::max(now.mono, *meter.timer());
    meter.timer_expired(now, out);
    return heard();
  }
  unsigned readouts() {
    unsigned count = 0;
    for (const Event& event : out.events) count += event.name == "readout" ? 1 : 0;
    return count;
  }

  BusMeter meter;
  MeterOut out;
  Instant now{MonoTime{1000s}, WallTime{1700000000s}};
};

const std::string kReset = bytes({0x10, 0x40, 0x01, 0x41, 0x16});
const std::string kRequest1 = bytes({0x10, 0x7B, 0x01, 0x7C, 0x16});
const std::string kRequest0 = bytes({0x10, 0x5B, 0x01, 0x5C, 0x16});

TEST(BusMeter, AnswersAndRepeatsByTheFrameCountBit) {
  Line line{settings()};
  EXPECT_EQ(line.say(kReset), "E5");
  const std::string first = line.say(kRequest1);
  EXPECT_TRUE(first.starts_with("68313168080172785634124304010201000000066D000000EE2B000403")) << first;
  EXPECT_EQ(line.say(kRequest1), first);
  const std::string second = line.say(kRequest0);
  EXPECT_NE(second, first);
  EXPECT_EQ(line.say(bytes({0x10, 0x5B, 0x02, 0x5D, 0x16})), "") << "another's address";
  EXPECT_EQ(line.say(bytes({0x10, 0x7B, 0x01, 0x7D, 0x16})), "") << "a wrong check sum";
  EXPECT_EQ(line.meter.readouts(), 2U);
}

TEST(BusMeter, IsSelectedByItsNumber) {
  Line line{settings()};
  const auto selection = [](int digits, int sum) {
    return bytes({0x68, 0x0B, 0x0B, 0x68, 0x53, 0xFD, 0x52, digits, 0x56, 0x34, 0x12, 0xFF, 0xFF, 0xFF, 0xFF, sum, 0x16});
  };
  const std::string request = bytes({0x10, 0x7B, 0xFD, 0x78, 0x16});
  EXPECT_EQ(line.say(request), "");
  EXPECT_EQ(line.say(selection(0x77, 0xB1)), "");
  EXPECT_EQ(line.say(selection(0x78, 0xB2)), "E5");
  EXPECT_TRUE(line.say(request).starts_with("68"));
  EXPECT_EQ(line.say(selection(0xF8, 0x32)), "E5") << "F is any digit";
}

TEST(BusMeter, SendsByItselfAfterALinkReset) {
  Line line{settings(BusSettings::Role::sends)};
  EXPECT_EQ(line.wait(), "1040F03016");
  EXPECT_EQ(line.say(bytes({0xE5})), "");
  const std::string first = line.wait();
  EXPECT_TRUE(first.starts_with("6831316873F05B7856341243040102")) << first;
  EXPECT_EQ(line.readouts(), 0U) << "not acknowledged yet";
  line.say(bytes({0xE5}));
  EXPECT_EQ(line.readouts(), 1U);
  EXPECT_TRUE(line.wait().starts_with("6831316853F05B")) << "the bit toggles";
}

TEST(BusMeter, RepeatsWhatNobodyAcknowledgesAndBeginsAnew) {
  Line line{settings(BusSettings::Role::sends)};
  line.wait();
  line.say(bytes({0xE5}));
  const std::string first = line.wait();
  EXPECT_EQ(line.wait(), first);
  EXPECT_EQ(line.wait(), first);
  EXPECT_EQ(line.wait(), "");
  EXPECT_EQ(line.wait(), "1040F03016");
}

TEST(BusMeter, NobodyListensNobodySends) {
  Line line{settings(BusSettings::Role::sends)};
  line.meter.set_listener(false, line.now);
  EXPECT_FALSE(line.meter.timer());
  line.meter.set_listener(true, line.now);
  EXPECT_EQ(line.wait(), "1040F03016");
}

TEST(BusMeter, EndsAfterSoManyReadouts) {
  auto setup = settings();
  setup.readouts = 1;
  Line line{std::move(setup)};
  line.say(kRequest1);
  EXPECT_FALSE(line.meter.finished());
  EXPECT_EQ(line.say(kRequest0), "") << "no other";
  EXPECT_TRUE(line.say(kRequest1).starts_with("68")) << "but the last one again";
  line.wait();
  EXPECT_TRUE(line.meter.finished());
}

RunSettings parse(std::vector<std::string> arguments) {
  auto parsed = parse_command_line(std::move(arguments));
  if (auto* setup = std::get_if<RunSettings>(&parsed)) return std::move(*setup);
  ADD_FAILURE() << std::get<CommandEnd>(parsed).text;
  return {};
}
bool refused(std::vector<std::string> arguments) {
  return std::holds_alternative<CommandEnd>(parse_command_line(std::move(arguments)));
}

TEST(BusCommandLine, TheKeyMeansMode5) {
  const std::string key = "000102030405060708090A0B0C0D0E0F";
  const auto setup = parse({"--tcp", "0", "--meter", "mbus", "--mode", "push", "--key", key, "--period", "1"});
  ASSERT_TRUE(setup.bus);
  EXPECT_EQ(setup.bus->role, BusSettings::Role::sends);
  EXPECT_EQ(setup.bus->protection, Protection::mode5);
  EXPECT_EQ(parse({"--tcp", "0", "--meter", "mbus", "--key", key, "--security", "7"}).bus->protection, Protection::mode7);
  const auto plain = parse({"--tcp", "0", "--meter", "mbus", "--address", "7"});
  EXPECT_EQ(plain.bus->protection, Protection::none);
  EXPECT_EQ(plain.bus->role, BusSettings::Role::answers);
  EXPECT_EQ(plain.bus->address, 7U);
}

TEST(BusCommandLine, RefusesWhatDoesNotFit) {
  EXPECT_TRUE(refused({"--tcp", "0", "--meter", "mbus", "--security", "5"}));
  EXPECT_TRUE(refused({"--tcp", "0", "--meter", "mbus", "--key", "0011"}));
  EXPECT_TRUE(refused({"--tcp", "0", "--meter", "mbus", "--address", "251"}));
  EXPECT_TRUE(refused({"--tcp", "0", "--meter", "mbus", "--mode", "C"}));
  EXPECT_TRUE(refused({"--tcp", "0", "--meter", "mbus", "--faults", "flip"}));
  EXPECT_TRUE(refused({"--tcp", "0", "--meter", "mbus", "--step", "2.8.0=1"}));
}

}  // namespace
}  // namespace vz::metersim
