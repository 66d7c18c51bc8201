// SPDX-License-Identifier: GPL-3.0-or-later
#include "cli/probe/plan.hpp"

#include "core/endpoint_options.hpp"

namespace vz::cli {
namespace {

using namespace std::chrono_literals;
using Kind = ProbeStep::Kind;
using Line = ProbePlan::Line;
using Asking = ProbePlan::Asking;

/// What a step takes when nothing is heard: listening its patience, asking about three seconds.
MonoDuration length(const ProbeStep& step) { return step.kind == Kind::listen ? step.patience : MonoDuration{3s}; }

std::vector<ProbeStep> silent_run(ProbePlan plan) {
  std::vector<ProbeStep> steps;
  MonoDuration elapsed{};
  for (int i = 0; i < 100; ++i) {
    const ProbeStep step = plan.next(Heard::silence, elapsed);
    if (step.kind == Kind::done) return steps;
    steps.push_back(step);
    elapsed += length(step);
  }
  ADD_FAILURE() << "no end";
  return steps;
}

TEST(ProbePlan, TheCommonMetersComeFirst) {
  const auto steps = silent_run({Line::serial, Asking::allowed, 60s});
  ASSERT_GE(steps.size(), 3u);
  EXPECT_EQ(steps[0].kind, Kind::listen);
  EXPECT_EQ(steps[0].baud, 9600u);
  EXPECT_LE(steps[0].patience, 3s) << "a meter that is asked must not wait long";
  ASSERT_EQ(steps[1].kind, Kind::ask);
  EXPECT_EQ(steps[1].approach->baud, 300u);
  EXPECT_EQ(steps[1].approach->pullseq(), "2F3F210D0A");
  EXPECT_EQ(steps[1].approach->ackseq, "auto");
}

TEST(ProbePlan, KeepsToItsBudget) {
  MonoDuration all{};
  const auto steps = silent_run({Line::serial, Asking::allowed, 60s});
  for (const ProbeStep& step : steps) all += length(step);
  EXPECT_LE(all, 63s) << "the last step may have begun just before";
  EXPECT_TRUE(std::any_of(steps.begin(), steps.end(), [](const ProbeStep& s) {
    return s.kind == Kind::ask && s.approach->wake_up_nuls > 60;
  })) << "battery meters are woken up, too";
}

TEST(ProbePlan, NotAllowedToAskItOnlyListens) {
  for (const ProbeStep& step : silent_run({Line::serial, Asking::not_allowed, 60s})) EXPECT_EQ(step.kind, Kind::listen);
}

TEST(ProbePlan, WhatComesByItselfIsSoughtAtAllSpeedsAndNothingIsSent) {
  ProbePlan plan(Line::serial, Asking::allowed, 1000s);
  ASSERT_EQ(plan.next(Heard::silence, 0s).baud, 9600u);
  std::vector<unsigned> speeds;
  MonoDuration elapsed{};
  for (int i = 0; i < 10; ++i) {
    const ProbeStep step = plan.next(Heard::noise, elapsed += 1s);
    ASSERT_EQ(step.kind, Kind::listen);
    EXPECT_GE(step.patience, 10s) << "the next telegram may be ten seconds away";
    speeds.push_back(step.baud);
  }
  EXPECT_EQ(speeds[0], 115200u) << "9600 has been ruled out";
  for (const unsigned baud : {300u, 2400u, 4800u, 19200u, 9600u})
    EXPECT_NE(std::find(speeds.begin(), speeds.end(), baud), speeds.end()) << baud;
}

TEST(ProbePlan, TheNoiseItselfSpeaksForASpeed) {
  const auto after = [](std::vector<unsigned> ratios) {
    ProbePlan plan(Line::serial, Asking::allowed, 1000s);
    plan.next(Heard::silence, 0s);
    ProbeStep step;
    for (const unsigned slower : ratios) step = plan.next(Heard::noise, 1s, slower);
    return step.baud;
  };
  EXPECT_EQ(after({1}), 115200u) << "not slower than 9600";
  EXPECT_EQ(after({2}), 4800u);
  EXPECT_EQ(after({4}), 2400u);
  EXPECT_EQ(after({9}), 300u) << "at least nine times slower, of which 300 is the usual one";
  EXPECT_EQ(after({1, 6}), 19200u) << "a sixth of 115200";
}

TEST(ProbePlan, NoiseBehindARequestRulesOutNoSpeed) {
  ProbePlan plan(Line::serial, Asking::allowed, 60s);
  plan.next(Heard::silence, 0s);
  ASSERT_EQ(plan.next(Heard::silence, 3s).kind, Kind::ask);
  const ProbeStep step = plan.next(Heard::noise, 6s);
  EXPECT_EQ(step.kind, Kind::listen);
  EXPECT_EQ(step.baud, 9600u);
}

TEST(ProbePlan, NoiseThatHasGoneIsForgotten) {
  ProbePlan plan(Line::serial, Asking::allowed, 1000s);
  plan.next(Heard::silence, 0s);
  ASSERT_EQ(plan.next(Heard::noise, 1s).kind, Kind::listen);
  EXPECT_EQ(plan.next(Heard::silence, 12s).kind, Kind::ask) << "the search goes on where it was";
}

TEST(ProbePlan, AMeterThatGreetsButSaysNoMoreIsAskedInOtherWaysAtOnce) {
  ProbePlan plan(Line::serial, Asking::allowed, 60s);
  plan.next(Heard::silence, 0s);
  ASSERT_EQ(plan.next(Heard::silence, 3s).kind, Kind::ask);
  std::vector<std::string_view> acks;
  std::vector<std::string> requests;
  Heard heard = Heard::greeting;
  for (int i = 0; i < 3; ++i) {
    const ProbeStep step = plan.next(heard, 6s + i * 3s);
    ASSERT_EQ(step.kind, Kind::ask);
    acks.push_back(step.approach->ackseq);
    requests.push_back(step.approach->pullseq());
    heard = Heard::greeting;
  }
  EXPECT_EQ(acks[0], "063030300D0A") << "stay at 300 baud";
  EXPECT_EQ(requests[2], "2F3F210D0A00000000000000000000063030300D0A") << "the trick with NULs";
  EXPECT_EQ(plan.next(Heard::greeting, 20s).kind, Kind::listen) << "and then the search goes on";
}

TEST(ProbePlan, OverANetworkThereAreNoSpeeds) {
  ProbePlan plan(Line::network, Asking::allowed, 60s);
  plan.next(Heard::silence, 0s);
  const ProbeStep step = plan.next(Heard::noise, 3s);
  ASSERT_EQ(step.kind, Kind::ask);
  EXPECT_EQ(step.approach->ackseq, "063030300D0A") << "the other side would not follow a change of speed";
}

TEST(ProbePlan, EveryApproachIsAMeterSection) {
  for (const Approach& approach : all_approaches()) {
    EXPECT_EQ(check_baud(std::int64_t{approach.baud}), "") << approach.name;
    EXPECT_EQ(approach.pullseq().size() % 2, 0u) << approach.name;
    EXPECT_EQ(approach.pullseq().find_first_not_of("0123456789abcdefABCDEF"), std::string::npos) << approach.name;
  }
}

}  // namespace
}  // namespace vz::cli
