// SPDX-License-Identifier: GPL-3.0-or-later
#include "tools/middleware/faults.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vz::middleware {
namespace {

/// Answers each push as if three rows were stored, and counts.
struct Stored {
  int calls = 0;
  Reply operator()(const Request&) {
    ++calls;
    Reply reply;
    reply.body = R"({"version":"0.3","rows":3})";
    reply.rows = 3;
    return reply;
  }
};

struct Answered {
  Reply reply;
  int stored = 0;
};

Answered answer(const std::string& spec) {
  auto plan = FaultPlan::parse(spec, 1).value();
  Stored stored;
  auto reply = plan.answer({}, std::ref(stored));
  return {std::move(reply), stored.calls};
}

TEST(Faults, AnswerInsteadOfStoring) {
  const auto e500 = answer("e500");
  EXPECT_EQ(e500.reply.status, 500);
  EXPECT_EQ(e500.reply.content_type, "text/html");
  EXPECT_EQ(e500.stored, 0);
  const auto too_large = answer("html413");
  EXPECT_EQ(too_large.reply.status, 413);
  EXPECT_EQ(too_large.stored, 0);
  const auto down = answer("e400db");
  EXPECT_EQ(down.reply.status, 400);
  EXPECT_EQ(down.reply.body,
            R"({"version":"0.3","exception":{"message":"An exception occurred in driver: SQLSTATE[HY000] [2002] )"
            R"(Connection refused","type":"ConnectionException","code":0}})");
  EXPECT_EQ(down.stored, 0);
  const auto hang = answer("hang");
  EXPECT_EQ(hang.reply.delivery, Delivery::hang);
  EXPECT_EQ(hang.stored, 0);
}

TEST(Faults, StoreAndThenMisbehave) {
  const auto lost = answer("lost-reply");
  EXPECT_EQ(lost.reply.delivery, Delivery::close);
  EXPECT_EQ(lost.stored, 1);
  const auto fewer = answer("short-rows");
  EXPECT_EQ(fewer.reply.body, R"({"version":"0.3","rows":2})");
  EXPECT_EQ(fewer.stored, 1);
  const auto slow = answer("slow=250");
  EXPECT_EQ(slow.reply.delay, std::chrono::milliseconds{250});
  EXPECT_EQ(slow.reply.status, 200);
  EXPECT_EQ(slow.stored, 1);
}

TEST(Faults, CombineSlowWithTheFirstOther) {
  const auto both = answer("e500,slow=250,e400db");
  EXPECT_EQ(both.reply.status, 500);
  EXPECT_EQ(both.reply.delay, std::chrono::milliseconds{250});
}

TEST(Faults, NeverOrAlwaysOrInBetween) {
  EXPECT_EQ(answer("e500:0").reply.status, 200);
  EXPECT_EQ(answer("e500:1").reply.status, 500);
  EXPECT_EQ(answer("").reply.status, 200);
  const auto failures = [](std::uint64_t seed) {
    auto plan = FaultPlan::parse("e500:0.25", seed).value();
    std::string out;
    for (int i = 0; i < 1000; ++i) out += plan.answer({}, Stored{}).status == 500 ? '1' : '0';
    return out;
  };
  EXPECT_EQ(failures(7), failures(7));
  EXPECT_NE(failures(7), failures(8));
  const auto drawn = failures(7);
  EXPECT_NEAR(static_cast<double>(std::count(drawn.begin(), drawn.end(), '1')), 250, 60);
}

TEST(Faults, RefuseWhatTheyDoNotKnow) {
  for (const char* spec : {"e501", "e500:2", "e500:x", "e500:-0.1", "e500:nan", "slow", "slow=x", "slow=-1", "e500=5",
                           "slow=99999999999", "e500,,hang"})
    EXPECT_FALSE(FaultPlan::parse(spec, 1)) << spec;
  EXPECT_THAT(FaultPlan::parse("e501", 1).error().text(), ::testing::HasSubstr("lost-reply"));
}

}  // namespace
}  // namespace vz::middleware
