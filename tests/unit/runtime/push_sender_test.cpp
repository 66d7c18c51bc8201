// SPDX-License-Identifier: GPL-3.0-or-later
// Push targets on a fake clock and a scripted HTTP client.
#include "runtime/push_sender.hpp"

#include "unit/runtime/uploader_world.hpp"

namespace vz {
namespace {

using namespace std::chrono_literals;
using test::FakeClock;
using test::FakeHttp;
using test::KeptLog;

constexpr const char* kA = "http://u:secret@a:5582";
constexpr const char* kB = "http://b:5582";

HttpReply answered(long status, std::string body = {}) {
  HttpReply reply;
  reply.status = status;
  reply.body = std::move(body);
  return reply;
}

enum class Left { no, maybe };
HttpReply unanswered(std::string error, Left left = Left::no) {
  HttpReply reply;
  reply.error = std::move(error);
  reply.maybe_delivered = left == Left::maybe;
  return reply;
}

class Push : public testing::Test {
 protected:
  Push() {
    http_.server = [this](const HttpRequest& request) { return answers_[request.url]; };
    channel_.uuid = "01234567-89ab-cdef-0123-456789abcdef";
    answers_[kA].reply.status = 200;
    answers_[kB].reply.status = 200;
  }
  PushSender sender(std::vector<std::string> urls = {kA, kB}, std::size_t most = 10'000) {
    return PushSender(http_, clock_, log_, {.urls = std::move(urls), .user_agent = "x", .max_waiting = most});
  }
  void read(PushSender& sender, long long ms) {
    sender.raw(channel_, Reading{{}, 1.5, {}, WallTime{std::chrono::milliseconds{ms}}});
  }
  void run(PushSender& sender, MonoDuration length) {
    const auto end = clock_.passed + length;
    bool over = false;
    http_.at(end, [&] { over = true; });
    while (!over) sender.step();
  }
  std::vector<std::string> bodies(const std::string& url) const {
    std::vector<std::string> out;
    for (const auto& start : http_.starts)
      if (start.request.url == url) out.push_back(start.request.body);
    return out;
  }
  static std::uint64_t counter(const ServiceReport& report, std::string_view name) {
    for (const auto& [key, value] : report.counters)
      if (key == name) return value;
    return 999;
  }
  static std::string body(const std::string& tuples) {
    return "{ \"data\": [ { \"uuid\": \"01234567-89ab-cdef-0123-456789abcdef\", \"tuples\": [ " + tuples + " ] } ] }";
  }
  FakeClock clock_;
  KeptLog log_;
  FakeHttp http_{clock_};
  ChannelSettings channel_;
  std::map<std::string, test::Answer> answers_;
};

TEST_F(Push, EachReadingGoesToEachTargetOnce) {
  auto push = sender();
  read(push, 1);
  run(push, 1s);
  read(push, 2);
  run(push, 1s);
  for (const char* url : {kA, kB}) EXPECT_EQ(bodies(url), (std::vector{body("[ 1, 1.5 ]"), body("[ 2, 1.5 ]")})) << url;
  const auto report = push.report(0);
  EXPECT_EQ(report.name, "push http://a:5582");
  EXPECT_TRUE(report.working);
  EXPECT_EQ(counter(report, "documents"), 2U);
  EXPECT_EQ(counter(report, "readings"), 2U);
  EXPECT_EQ(counter(report, "waiting"), 0U);
  EXPECT_TRUE(log_.lines.empty());
}

TEST_F(Push, ReadingsWithoutAStampAreLeftOut) {
  auto push = sender();
  ReadingTap& tap = push;
  tap.raw_unstamped(channel_, Reading{{}, 1.5, {}, WallTime{}}, clock_.now());
  run(push, 1s);
  EXPECT_TRUE(http_.starts.empty());
}

TEST_F(Push, TargetsThatLookAlikeHaveNamesOfTheirOwn) {
  const auto push = sender({"http://h/?key=1", "http://h/?key=2", "http://u:p@h/?key=3", "http://other/"});
  EXPECT_EQ(push.report(0).name, "push " + redacted("http://h/?key=1"));
  EXPECT_EQ(push.report(1).name, push.report(0).name + " (2)");
  EXPECT_EQ(push.report(2).name, push.report(0).name + " (3)");
  EXPECT_EQ(push.report(3).name, "push " + redacted("http://other/"));
}

TEST_F(Push, WhatComesMeanwhileGoesWithTheNextDocument) {
  auto push = sender();
  answers_[kA].takes = 10s;
  read(push, 1);
  http_.at(clock_.passed + 1s, [&] { read(push, 2); });
  http_.at(clock_.passed + 2s, [&] { read(push, 3); });
  run(push, 30s);
  EXPECT_EQ(bodies(kA), (std::vector{body("[ 1, 1.5 ]"), body("[ 2, 1.5 ], [ 3, 1.5 ]")}));
  EXPECT_EQ(bodies(kB), (std::vector{body("[ 1, 1.5 ]"), body("[ 2, 1.5 ]"), body("[ 3, 1.5 ]")}));  // not delayed
}

TEST_F(Push, WhatNeverLeftWaitsForTheTarget) {
  auto push = sender({kA});
  answers_[kA].reply = unanswered("Couldn't connect to server");
  read(push, 1);
  run(push, 300ms);
  read(push, 2);
  run(push, 60s);
  const auto tries = http_.starts.size();
  EXPECT_GE(tries, 4U);
  EXPECT_LE(tries, 10U);  // not for each reading, and ever more rarely
  EXPECT_EQ(log_.texts(Level::alert),
            (std::vector<std::string>{"CURL: http://a:5582 Couldn't connect to server. Is the push server running there? "
                                      "Otherwise remove it from \"push\" in the configuration."}));
  EXPECT_FALSE(push.report(0).working);
  EXPECT_NE(push.report(0).trouble, "");
  answers_[kA].reply = answered(200);
  run(push, 100s);
  EXPECT_EQ(bodies(kA).back(), body("[ 1, 1.5 ], [ 2, 1.5 ]"));
  EXPECT_TRUE(push.report(0).working);
  EXPECT_EQ(counter(push.report(0), "dropped"), 0U);
  EXPECT_EQ(log_.texts(Level::info).size(), 1U);
}

TEST_F(Push, WhatMayHaveArrivedIsNotSentAgain) {
  auto push = sender({kA});
  answers_[kA].reply = unanswered("timeout", Left::maybe);
  read(push, 1);
  run(push, 1s);
  answers_[kA].reply = answered(500, "no\nwith 01234567-89ab-cdef-0123-456789abcdef");
  read(push, 2);
  run(push, 1s);
  answers_[kA].reply = answered(204);
  read(push, 3);
  run(push, 1s);
  EXPECT_EQ(bodies(kA), (std::vector{body("[ 1, 1.5 ]"), body("[ 2, 1.5 ]"), body("[ 3, 1.5 ]")}));
  EXPECT_EQ(counter(push.report(0), "failed"), 2U);
  const auto alerts = log_.texts(Level::alert);
  ASSERT_EQ(alerts.size(), 2U);
  EXPECT_EQ(alerts[1], "CURL Error from url http://a:5582: 500 no with ...abcdef");
}

TEST_F(Push, TheQueueIsBounded) {
  auto push = sender({kA, kB}, 3);
  answers_[kA].reply = unanswered("no route");
  for (int i = 1; i <= 10; ++i) {
    read(push, i);
    run(push, 10ms);
  }
  EXPECT_EQ(counter(push.report(0), "dropped"), 7U);
  EXPECT_EQ(counter(push.report(0), "waiting"), 3U);
  EXPECT_EQ(counter(push.report(1), "readings"), 10U);
  answers_[kA].reply = answered(200);
  run(push, 100s);
  EXPECT_EQ(bodies(kA).back(), body("[ 8, 1.5 ], [ 9, 1.5 ], [ 10, 1.5 ]"));
  EXPECT_EQ(counter(push.report(0), "readings") + counter(push.report(0), "dropped"), 10U);
  EXPECT_EQ(log_.texts(Level::warning),
            (std::vector<std::string>{
                "more than 3 readings wait for http://a:5582: the oldest are dropped; told once an hour at most"}));
}

TEST_F(Push, DroppedWhileUnderWayIsCountedOnce) {
  auto push = sender({kA}, 2);
  answers_[kA].takes = 1s;
  answers_[kA].reply = unanswered("no route");
  read(push, 1);
  read(push, 2);
  http_.at(clock_.passed + 100ms, [&] { read(push, 3); });
  run(push, 1100ms);
  EXPECT_EQ(counter(push.report(0), "dropped"), 1U);
  EXPECT_EQ(counter(push.report(0), "waiting"), 2U);
}

TEST_F(Push, WhatHasNoTimeIsLeftOutAndCounted) {
  auto push = sender({kA});
  push.raw_unstamped({}, {}, {});
  push.raw_unstamped({}, {}, {});
  read(push, 1);
  run(push, 1s);
  EXPECT_EQ(counter(push.report(0), "unstamped"), 2U);
  EXPECT_EQ(counter(push.report(0), "readings"), 1U);
  EXPECT_EQ(http_.starts.size(), 1U);
}

TEST_F(Push, ALongBacklogGoesInPieces) {
  auto push = sender({kA});
  for (std::size_t i = 0; i < PushSender::kMaxDocument + 1; ++i) read(push, static_cast<long long>(i));
  run(push, 1s);
  EXPECT_EQ(http_.starts.size(), 2U);
  EXPECT_EQ(counter(push.report(0), "readings"), PushSender::kMaxDocument + 1);
}

TEST_F(Push, AStopDoesNotWait) {
  auto push = sender({kA});
  answers_[kA].takes = 1h;
  read(push, 1);
  push.step();
  std::stop_source stop;
  stop.request_stop();
  push.run(stop.get_token());
  EXPECT_EQ(http_.under_way(), 0U);
}

}  // namespace
}  // namespace vz
