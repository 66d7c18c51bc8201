// SPDX-License-Identifier: GPL-3.0-or-later
// The random walk: bounds, pace, and that no two meters walk the same way.
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "protocols/random/session.hpp"
#include "vz/protocol.hpp"

namespace vz {
namespace protocols {
extern const Protocol random_protocol;
}
namespace {

using std::chrono::seconds;

constexpr Instant kStart{MonoTime{seconds{100}}, WallTime{seconds{1'700'000'000}}};

std::vector<double> walk(random::Bounds bounds, Instant now, int steps) {
  random::RandomSession session{bounds};
  SessionOut out;
  session.opened(now, out);
  std::vector<double> values;
  for (int i = 0; i < steps; ++i) {
    out.clear();
    session.begin(now, out);
    values.push_back(out.readings.at(0).value);
  }
  return values;
}

Options options(std::optional<double> min, std::optional<double> max) {
  Options result;
  result.set("min", min.value_or(0.0), min ? std::optional{Position{}} : std::nullopt);
  result.set("max", max.value_or(40.0), max ? std::optional{Position{}} : std::nullopt);
  return result;
}

/// A value of the first cycles of a meter with these options.
std::vector<double> values(std::optional<double> min, std::optional<double> max, std::vector<Problem>& problems) {
  const Options given = options(min, max);
  ProblemSink sink{given, problems};
  const auto source = protocols::random_protocol.make(given, sink);
  SessionOut out;
  source->session->opened(kStart, out);
  for (int i = 0; i < 1000; ++i) source->session->begin(kStart, out);
  std::vector<double> result;
  for (const auto& reading : out.readings) result.push_back(reading.value);
  return result;
}

TEST(Random, AReadingACycleNotOftenerThanOnceASecond) {
  random::RandomSession session{{}};
  EXPECT_TRUE(session.pulls());
  SessionOut out;
  session.opened(kStart, out);
  session.begin(kStart, out);
  ASSERT_EQ(out.readings.size(), 1U);
  EXPECT_EQ(out.readings[0].identifier, Identifier{});
  EXPECT_EQ(out.readings[0].stamp, kStart.wall);
  EXPECT_EQ(out.telegrams, 1U);
  EXPECT_TRUE(out.cycle_done);
  EXPECT_EQ(out.not_before, kStart.mono + seconds{1});
}

TEST(Random, StartsNearTwentyAndStaysBetweenItsBounds) {
  const auto values = walk({0.0, 40.0}, kStart, 100'000);
  EXPECT_NEAR(values[0], 20.0, 6.0);
  EXPECT_GE(*std::min_element(values.begin(), values.end()), 0.0);
  EXPECT_LE(*std::max_element(values.begin(), values.end()), 40.0);
  EXPECT_LT(*std::min_element(values.begin(), values.end()), 5.0) << "it should get about";
  EXPECT_GT(*std::max_element(values.begin(), values.end()), 35.0);
}

TEST(Random, BoundsWithoutTwentyAreKept) {
  for (const double value : walk({100.0, 100.5}, kStart, 1000)) {
    EXPECT_GE(value, 100.0);
    EXPECT_LE(value, 100.5);
  }
  for (const double value : walk({-7.0, -7.0}, kStart, 10)) EXPECT_EQ(value, -7.0);
}

TEST(Random, StepsAreNormal) {
  const auto values = walk({-1e9, 1e9}, kStart, 100'000);
  double sum = 0.0;
  double squares = 0.0;
  for (std::size_t i = 1; i < values.size(); ++i) {
    const double step = values[i] - values[i - 1];
    sum += step;
    squares += step * step;
  }
  const auto count = static_cast<double>(values.size() - 1);
  EXPECT_NEAR(sum / count, 0.0, 0.02);
  EXPECT_NEAR(squares / count, 1.0, 0.02);
}

TEST(Random, MetersOfOneSecondWalkTheirOwnWays) {
  Instant later = kStart;
  later.mono += std::chrono::nanoseconds{1};
  EXPECT_EQ(walk({}, kStart, 10), walk({}, kStart, 10));
  EXPECT_NE(walk({}, kStart, 10), walk({}, later, 10));
}

TEST(Random, BoundsTheWrongWayRoundAreToldAndExchanged) {
  std::vector<Problem> problems;
  for (const double value : values(30.0, 10.0, problems)) {
    EXPECT_GE(value, 10.0);
    EXPECT_LE(value, 30.0);
  }
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_EQ(problems[0].severity, Problem::Severity::warning);
  EXPECT_NE(problems[0].text.find("exchanged"), std::string::npos);
}

TEST(Random, OneBoundAloneMovesTheOther) {
  std::vector<Problem> problems;
  for (const double value : values(100.0, std::nullopt, problems)) EXPECT_GE(value, 100.0);
  for (const double value : values(std::nullopt, -50.0, problems)) EXPECT_LE(value, -50.0);
  EXPECT_TRUE(problems.empty());
}

}  // namespace
}  // namespace vz
