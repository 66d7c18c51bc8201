// SPDX-License-Identifier: GPL-3.0-or-later
#include "runtime/uploader.hpp"

#include <cmath>
#include <condition_variable>
#include <limits>
#include <thread>

#include "unit/runtime/uploader_world.hpp"

namespace vz {
namespace {

using namespace test;
using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

/// The middleware has every reading that was pushed, once, in order.
void expect_delivered(const World& world, QueueId queue, int number) {
  const auto found = world.middleware.rows.find(uuid_of(number));
  const std::size_t stored = found == world.middleware.rows.end() ? 0 : found->second.size();
  const auto pushed = static_cast<std::size_t>(world.pushed.at(queue));
  ASSERT_EQ(stored, pushed);
  for (std::size_t i = 0; i < pushed; ++i) {
    ASSERT_EQ(found->second[i].stamp, kEpoch + static_cast<long long>(i) * 1000);
    ASSERT_EQ(found->second[i].value, 1000.0 + static_cast<double>(i));
  }
  EXPECT_EQ(world.outbox.stats(queue).waiting, 0U);
  EXPECT_EQ(world.outbox.stats(queue).accepted, pushed);
}

TEST(Uploader, SendsAReadingAtOnce) {
  World world;
  const QueueId queue = world.channel(1);
  world.http.at(2h, [&] { world.push(queue); });
  ASSERT_TRUE(world.run_until_idle());
  ASSERT_EQ(world.http.starts.size(), 1U);
  EXPECT_EQ(world.http.starts[0].when, 2h) << "without any delay";
  EXPECT_EQ(world.http.starts[0].request.body, "[ [ 1700000000000, 1000.0 ] ]");
  expect_delivered(world, queue, 1);
  EXPECT_THAT(world.log.lines, IsEmpty());
}

TEST(Uploader, DoesNotWakeWithoutACause) {
  World world;
  const QueueId queue = world.channel(1);
  for (int i = 0; i < 10; ++i) world.http.at(2h + i * 60s, [&] { world.push(queue); });
  const std::size_t before = world.http.waits;
  ASSERT_TRUE(world.run_until_idle());
  EXPECT_LE(world.http.waits - before, 31U) << "for a reading: the push, the end of the request, the next look";
  EXPECT_EQ(world.http.wakes, 10U);
  EXPECT_FALSE(world.uploader.step());
}

TEST(Uploader, APushDoesNotWakeWhatCannotSend) {
  World world;
  world.http.server = [](const HttpRequest&) { return Answer{no_answer("Couldn't connect to server", false)}; };
  const QueueId queue = world.channel(1);
  world.push(queue);
  world.run_for(100ms);
  const std::size_t wakes = world.http.wakes;
  for (int i = 0; i < 50; ++i) world.push(queue);
  EXPECT_EQ(world.http.wakes, wakes) << "the endpoint pauses";
}

TEST(Uploader, OutageLosesNothingAndIsToldOnce) {
  World world;
  bool down = true;
  world.http.server = [&](const HttpRequest& request) -> Answer {
    if (down) return {no_answer("Couldn't connect to server", false)};
    return {world.middleware.handle(request)};
  };
  const QueueId queue = world.channel(1);
  for (int i = 0; i < 180; ++i) world.http.at(2h + i * 1s, [&] { world.push(queue); });
  world.http.at(2h + 175s, [&] { down = false; });
  ASSERT_TRUE(world.run_until_idle());
  expect_delivered(world, queue, 1);
  EXPECT_LT(world.http.starts.size(), 15U) << "no request for each reading";
  for (std::size_t i = 1; i < 4; ++i) {
    EXPECT_GE(world.http.starts[i].when - world.http.starts[i - 1].when, 12s)
        << "a new reading does not shorten a pause";
  }

  EXPECT_THAT(world.log.texts(Level::alert),
              ElementsAre(HasSubstr("CURL: Couldn't connect to server (http://mw/middleware.php)")));
  EXPECT_THAT(world.log.texts(Level::info),
              ElementsAre(testing::MatchesRegex("Waiting 1[0-9] secs for next request due to previous failure"),
                          testing::MatchesRegex("delivering again to http://mw/middleware.php after [0-9]+ min, "
                                                "[0-9]+ readings were waiting")));
  EXPECT_EQ(world.log.lines.size(), 3U);
  for (const LogLine& line : world.log.lines) EXPECT_EQ(line.section, "chn1");
}

TEST(Uploader, BacksOffUpToACapAndStartsAnew) {
  World world{{.retry = 15s, .seed = 3}};
  bool down = true;
  world.http.server = [&](const HttpRequest& request) -> Answer {
    if (down) return {no_answer("Couldn't connect to server", false), 0ms};
    return {world.middleware.handle(request), 0ms};
  };
  const QueueId queue = world.channel(1);
  world.push(queue);
  world.run_for(1h);
  std::vector<MonoDuration> pauses;
  for (std::size_t i = 1; i < world.http.starts.size(); ++i) {
    pauses.push_back(world.http.starts[i].when - world.http.starts[i - 1].when);
  }
  ASSERT_GE(pauses.size(), 8U);
  for (const auto& [index, nominal] : {std::pair{0U, 15s}, {1U, 30s}, {2U, 60s}, {4U, 240s}, {5U, 300s}, {7U, 300s}}) {
    EXPECT_GE(pauses[index], nominal * 8 / 10 - 1s);
    EXPECT_LE(pauses[index], nominal * 12 / 10 + 1s);
  }
  down = false;
  ASSERT_TRUE(world.run_until_idle());
  down = true;
  const std::size_t before = world.http.starts.size();
  world.push(queue);
  world.run_for(1min);
  EXPECT_LE(world.http.starts[before + 1].when - world.http.starts[before].when, 18s);
}

TEST(Uploader, ALongOutageIsSummedUpOnceAnHour) {
  World world;
  world.http.server = [](const HttpRequest&) { return Answer{no_answer("Couldn't connect to server", false)}; };
  const QueueId queue = world.channel(1);
  world.push(queue);
  world.run_for(5h);
  EXPECT_EQ(world.log.texts(Level::alert).size(), 1U);
  const auto summaries = world.log.texts(Level::warning);
  EXPECT_GE(summaries.size(), 3U);
  EXPECT_LE(summaries.size(), 5U);
  EXPECT_THAT(summaries.at(0), AllOf(HasSubstr("still no delivery to http://mw/middleware.php after"),
                                     HasSubstr("tries failed, 1 readings waiting"), HasSubstr("Couldn't connect")));
}

TEST(Uploader, AnotherKindOfFailureIsToldOnceToo) {
  World world;
  int requests = 0;
  world.http.server = [&](const HttpRequest&) -> Answer {
    ++requests;
    if (requests % 2 == 0) return {http(503, "")};
    return {no_answer(fmt::format("Operation timed out after {} milliseconds", 30000 + requests), true)};
  };
  world.push(world.channel(1));
  world.run_for(30min);
  EXPECT_GT(requests, 6);
  EXPECT_THAT(world.log.texts(Level::alert), ElementsAre(HasSubstr("timed out"), HasSubstr("HTTP 503")));
}

TEST(Uploader, TroubleThatComesAndGoesDoesNotFloodTheLog) {
  World world{{.retry = 1s, .seed = 1}};
  bool fail = false;
  world.http.server = [&](const HttpRequest& request) -> Answer {
    fail = !fail;
    if (fail) return {no_answer("Couldn't connect to server", false)};
    return {world.middleware.handle(request)};
  };
  const QueueId queue = world.channel(1);
  for (int i = 0; i < 3600; ++i) world.http.at(2h + i * 1s, [&] { world.push(queue); });
  ASSERT_TRUE(world.run_until_idle());
  expect_delivered(world, queue, 1);
  EXPECT_GT(world.http.starts.size(), 1000U);
  EXPECT_LE(world.log.lines.size(), 3U * 11U);
}

TEST(Uploader, ALostReplyIsSentAgainAsARepeat) {
  World world;
  int lose = 2;
  world.http.server = [&](const HttpRequest& request) -> Answer {
    const HttpReply reply = world.middleware.handle(request);
    if (lose-- > 0) return {no_answer("Empty reply from server", true)};
    return {reply};
  };
  const QueueId queue = world.channel(1);
  world.push(queue, 3);
  ASSERT_TRUE(world.run_until_idle());
  expect_delivered(world, queue, 1);
  ASSERT_EQ(world.http.starts.size(), 3U);
  EXPECT_THAT(world.http.starts[0].request.url, testing::EndsWith(".json"));
  EXPECT_THAT(world.http.starts[1].request.url, testing::EndsWith("?options=skipduplicates"));
  world.push(queue);
  ASSERT_TRUE(world.run_until_idle());
  EXPECT_THAT(world.http.starts.back().request.url, testing::EndsWith(".json")) << "fresh ones are no repeats";
}

TEST(Uploader, WhatNeverLeftIsNoRepeat) {
  World world;
  int fail = 1;
  world.http.server = [&](const HttpRequest& request) -> Answer {
    if (fail-- > 0) return {no_answer("Couldn't connect to server", false)};
    return {world.middleware.handle(request)};
  };
  world.push(world.channel(1));
  ASSERT_TRUE(world.run_until_idle());
  EXPECT_THAT(world.http.starts.back().request.url, testing::EndsWith(".json"));
}

TEST(Uploader, DuplicatesCostNoPause) {
  World world;
  const QueueId queue = world.channel(1);
  // the middleware has every third one already, as after an import
  for (int i = 0; i < 1000; i += 3) {
    HttpRequest request =
        make_sink("http://mw/middleware.php", uuid_of(1))
            ->encode(std::vector{
                QueuedReading{.stamp = WallTime{std::chrono::milliseconds{kEpoch + i * 1000}}, .value = 1000.0 + i}});
    ASSERT_EQ(world.middleware.handle(request).status, 200);
  }
  world.push(queue, 1000);
  ASSERT_TRUE(world.run_until_idle());
  EXPECT_EQ(world.middleware.rows[uuid_of(1)].size(), 1000U);
  EXPECT_EQ(world.outbox.stats(queue).accepted, 1000U);
  EXPECT_LT(world.clock.passed, 1h + 10s) << "no pauses";
  EXPECT_LE(world.http.starts.size(), 14U) << "each batch once more, as a repeat";
  EXPECT_THAT(world.log.texts(Level::alert), IsEmpty());
  EXPECT_EQ(world.log.lines.size(), 1U) << "told once";
}

TEST(Uploader, ALyingDuplicateIsNeverDropped) {
  World world;
  bool lying = true;
  world.http.server = [&](const HttpRequest& request) -> Answer {
    if (lying) return {exception("UniqueConstraintViolationException", "SQLSTATE[23000]: 1062 Duplicate entry '1-1'")};
    return {world.middleware.handle(request)};
  };
  const QueueId queue = world.channel(1);
  world.push(queue, 20);
  world.http.at(world.clock.passed + 7s, [&] { lying = false; });
  ASSERT_TRUE(world.run_until_idle());
  expect_delivered(world, queue, 1);
  EXPECT_LT(world.http.starts.size(), 20U);
}

TEST(Uploader, AnUnknownUuidStopsOnlyItsOwnChannel) {
  World world;
  world.middleware.unknown.insert(uuid_of(1));
  const QueueId broken = world.channel(1);
  const QueueId healthy = world.channel(2);
  for (int i = 0; i < 3600; ++i) {
    world.http.at(2h + i * 1s, [&] {
      world.push(broken);
      world.push(healthy);
    });
  }
  world.run_for(2h + 1s);
  EXPECT_EQ(world.outbox.stats(broken).waiting, 3600U);
  expect_delivered(world, healthy, 2);
  std::size_t tries = 0;
  for (const auto& start : world.http.starts) tries += start.request.url.find(uuid_of(1)) != std::string::npos ? 1 : 0;
  EXPECT_LE(tries, 8U) << "1, 2, 4, 8, 16, 32 minutes";
  EXPECT_GE(tries, 5U);
  EXPECT_EQ(world.http.starts.size() - tries, 3600U) << "each reading of the healthy one at once";

  const auto alerts = world.log.texts(Level::alert);
  ASSERT_EQ(alerts.size(), 1U);
  EXPECT_THAT(alerts[0], AllOf(HasSubstr("has no channel ...000001"), HasSubstr("frontend")));
  EXPECT_EQ(world.log.lines.front().section, "chn1");

  const UploaderStatus status = world.uploader.status();
  EXPECT_THAT(status.endpoints.at(0).trouble, IsEmpty());
  EXPECT_THAT(status.channels.at(0).trouble, HasSubstr("No entity"));
  EXPECT_TRUE(status.channels.at(0).trouble_since.has_value());
  EXPECT_TRUE(status.channels.at(0).next_try.has_value());
  EXPECT_THAT(status.channels.at(1).trouble, IsEmpty());
  EXPECT_TRUE(status.channels.at(1).last_success.has_value());

  world.middleware.unknown.clear();
  ASSERT_TRUE(world.run_until_idle());
  expect_delivered(world, broken, 1);
  EXPECT_THAT(world.log.texts(Level::info), Contains(HasSubstr("delivering again after")));
}

TEST(Uploader, ASlowEndpointDoesNotDelayAFastOne) {
  World world;
  world.http.server = [&](const HttpRequest& request) -> Answer {
    const bool slow = request.url.starts_with("http://slow/");
    return {world.middleware.handle(request), slow ? MonoDuration{29s} : MonoDuration{2ms}};
  };
  const QueueId slow = world.channel(1, "http://slow/middleware.php");
  const QueueId fast = world.channel(2, "http://fast/middleware.php");
  for (int i = 0; i < 600; ++i) {
    world.http.at(2h + i * 1s, [&] {
      world.push(slow);
      world.push(fast);
    });
  }
  ASSERT_TRUE(world.run_until_idle());
  expect_delivered(world, slow, 1);
  expect_delivered(world, fast, 2);
  int sent = 0;
  for (const auto& start : world.http.starts) {
    if (!start.request.url.starts_with("http://fast/")) continue;
    EXPECT_EQ(start.when, 2h + sent++ * 1s);
  }
  EXPECT_EQ(sent, 600);
}

TEST(Uploader, ADeadEndpointDoesNotDelayALivingOne) {
  World world;
  world.http.server = [&](const HttpRequest& request) -> Answer {
    if (request.url.starts_with("http://dead/")) return {no_answer("Timeout was reached", true), 30s};
    return {world.middleware.handle(request)};
  };
  const QueueId dead = world.channel(1, "http://dead/middleware.php");
  const QueueId alive = world.channel(2, "http://alive/middleware.php");
  for (int i = 0; i < 100; ++i) {
    world.http.at(2h + i * 1s, [&] {
      world.push(dead);
      world.push(alive);
    });
  }
  world.run_for(2h);
  expect_delivered(world, alive, 2);
  EXPECT_EQ(world.outbox.stats(dead).waiting, 100U);
}

TEST(Uploader, ChannelsOfAnEndpointTakeTurns) {
  World world;
  const QueueId many = world.channel(1);
  const QueueId few = world.channel(2);
  world.push(many, 5000);
  world.push(few, 1);
  ASSERT_TRUE(world.run_until_idle());
  EXPECT_THAT(world.http.starts.at(1).request.url, HasSubstr(uuid_of(2)));
  expect_delivered(world, many, 1);
  expect_delivered(world, few, 2);
}

TEST(Uploader, FailureOfOneChannelAloneIsNotTheEndpoints) {
  World world;
  world.http.server = [&](const HttpRequest& request) -> Answer {
    if (request.url.find(uuid_of(1)) != std::string::npos) return {http(500, "")};
    return {world.middleware.handle(request)};
  };
  const QueueId broken = world.channel(1);
  const QueueId healthy = world.channel(2);
  for (int i = 0; i < 3600; ++i) {
    world.http.at(2h + i * 1s, [&] {
      world.push(broken);
      world.push(healthy);
    });
  }
  world.run_for(90min);
  const std::size_t before = world.http.starts.size();
  world.run_for(30min);
  EXPECT_GE(world.http.starts.size() - before, 1790U) << "each reading of the healthy one at once";
  EXPECT_LE(world.log.lines.size(), 25U);
  EXPECT_EQ(world.outbox.stats(healthy).waiting, 0U);
  EXPECT_EQ(world.outbox.stats(broken).rejected, 0U);
}

TEST(Uploader, HalvingFindsTheReadingThatIsTheCause) {
  World world;
  world.middleware.poison = {1000.0 + 777};
  const QueueId queue = world.channel(1);
  world.push(queue, 1500);
  ASSERT_TRUE(world.run_until_idle());
  EXPECT_EQ(world.outbox.stats(queue).rejected, 1U);
  EXPECT_EQ(world.outbox.stats(queue).accepted, 1499U);
  EXPECT_EQ(world.middleware.rows[uuid_of(1)].size(), 1499U);
  EXPECT_LT(world.http.starts.size(), 35U);
  EXPECT_LT(world.clock.passed, 1h + 1s) << "no pauses";
  EXPECT_THAT(
      world.log.texts(Level::error),
      ElementsAre(AllOf(HasSubstr("1 reading set aside (value=1777 ts=1700000777000)"), HasSubstr("Out of range"))));
}

TEST(Uploader, AReceiverThatRefusesEverythingDoesNotEmptyTheQueue) {
  World world;
  world.http.server = [](const HttpRequest&) { return Answer{exception("TypeError", "broken by an update")}; };
  const QueueId queue = world.channel(1);
  world.push(queue, 1000);
  world.run_for(24h);
  EXPECT_LE(world.outbox.stats(queue).rejected, 40U);
  EXPECT_GE(world.outbox.stats(queue).rejected, 4U) << "and yet none blocks the others for good";
  EXPECT_LE(world.log.lines.size(), 70U);
  world.http.server = [&](const HttpRequest& request) { return Answer{world.middleware.handle(request)}; };
  ASSERT_TRUE(world.run_until_idle());
  EXPECT_EQ(world.outbox.stats(queue).waiting, 0U);
}

TEST(Uploader, FindsTheSizeThatPasses) {
  World world;
  world.middleware.limit = 50;
  const QueueId queue = world.channel(1);
  world.push(queue, 5000);
  ASSERT_TRUE(world.run_until_idle());
  expect_delivered(world, queue, 1);
  EXPECT_LT(world.http.starts.size(), 5000U / 32U * 3 / 2);
  EXPECT_LT(world.clock.passed, 1h + 2s) << "no pauses";
  EXPECT_THAT(world.log.texts(Level::alert), IsEmpty());
}

TEST(Uploader, ASingleReadingThatIsTooBigWaits) {
  World world;
  world.middleware.limit = 0;
  const QueueId queue = world.channel(1);
  world.push(queue, 10);
  world.run_for(1h);
  EXPECT_EQ(world.outbox.stats(queue).waiting, 10U);
  EXPECT_LT(world.http.starts.size(), 15U);
  EXPECT_THAT(world.log.texts(Level::alert), ElementsAre(HasSubstr("client_max_body_size")));
}

TEST(Uploader, ABacklogIsDrainedBackToBack) {
  World world;
  const QueueId queue = world.channel(1);
  world.push(queue, 100'000);
  ASSERT_TRUE(world.run_until_idle());
  expect_delivered(world, queue, 1);
  EXPECT_LE(world.http.starts.size(), 395U) << "256 at a time, nearly from the start";
  EXPECT_EQ(world.clock.passed - 1h, 5ms * static_cast<int>(world.http.starts.size())) << "no gap between the requests";
}

TEST(Uploader, RequestsShrinkWhileRepliesAreSlow) {
  World world;
  world.http.server = [&](const HttpRequest& request) -> Answer {
    // 100 ms a reading
    const auto count = std::count(request.body.begin(), request.body.end(), '[') - 1;
    return {world.middleware.handle(request), count * MonoDuration{100ms}};
  };
  const QueueId queue = world.channel(1);
  world.push(queue, 2000);
  ASSERT_TRUE(world.run_until_idle());
  expect_delivered(world, queue, 1);
  const std::string& late = world.http.starts.at(world.http.starts.size() - 2).request.body;
  const auto size = std::count(late.begin(), late.end(), '[') - 1;
  EXPECT_GE(size, 8);
  EXPECT_LE(size, 40);
}

TEST(Uploader, AStopKeepsWhatIsUnderWayAsARepeat) {
  World world;
  world.http.server = [&](const HttpRequest& request) { return Answer{world.middleware.handle(request), 20s}; };
  const QueueId queue = world.channel(1);
  world.push(queue, 3);
  world.run_for(1s);
  EXPECT_TRUE(world.uploader.status().endpoints.at(0).sending);
  world.uploader.halt();
  EXPECT_EQ(world.http.under_way(), 0U);
  EXPECT_FALSE(world.uploader.status().endpoints.at(0).sending);
  std::vector<QueuedReading> left;
  world.outbox.peek(queue, 10, left);
  ASSERT_EQ(left.size(), 3U);
  for (const QueuedReading& reading : left) EXPECT_TRUE(reading.repeat);
  ASSERT_TRUE(world.run_until_idle()) << "and it can go on";
  expect_delivered(world, queue, 1);
}

TEST(Uploader, StampsOfABatchRise) {
  World world;
  const QueueId queue = world.channel(1);
  const auto at = [](long long ms) { return WallTime{std::chrono::milliseconds{kEpoch + ms}}; };
  for (const long long ms : {1000, 2000, 500, 600, 600}) world.outbox.push(queue, at(ms), static_cast<double>(ms));
  ASSERT_TRUE(world.run_until_idle());
  std::vector<std::string> bodies;
  for (const auto& start : world.http.starts) bodies.push_back(start.request.body);
  EXPECT_THAT(bodies, ElementsAre("[ [ 1700000001000, 1000.0 ], [ 1700000002000, 2000.0 ] ]",
                                  "[ [ 1700000000500, 500.0 ], [ 1700000000600, 600.0 ] ]",
                                  "[ [ 1700000000600, 600.0 ] ]", "[ [ 1700000000600, 600.0 ] ]"));
  EXPECT_EQ(world.outbox.stats(queue).waiting, 0U);
}

TEST(Uploader, WhatIsNoNumberIsSetAside) {
  World world;
  const QueueId queue = world.channel(1);
  const auto at = [](long long ms) { return WallTime{std::chrono::milliseconds{kEpoch + ms}}; };
  const double values[] = {std::nan(""), 1.0, std::numeric_limits<double>::infinity(), -HUGE_VAL, 2.0};
  for (int i = 0; i < 5; ++i) world.outbox.push(queue, at(i), values[i]);
  ASSERT_TRUE(world.run_until_idle());
  EXPECT_EQ(world.outbox.stats(queue).rejected, 3U);
  EXPECT_EQ(world.outbox.stats(queue).accepted, 2U);
  EXPECT_EQ(world.log.texts(Level::error).size(), 1U);
  EXPECT_EQ(world.middleware.rows[uuid_of(1)].size(), 2U);
}

TEST(Uploader, AWarningWithASuccessIsToldOnce) {
  World world;
  world.http.server = [](const HttpRequest&) { return Answer{http(200, R"({"rows":9})")}; };
  const QueueId queue = world.channel(1);
  for (int i = 0; i < 100; ++i) world.http.at(2h + i * 60s, [&] { world.push(queue); });
  ASSERT_TRUE(world.run_until_idle());
  EXPECT_EQ(world.outbox.stats(queue).accepted, 100U);
  EXPECT_THAT(world.log.texts(Level::warning),
              ElementsAre(HasSubstr("stored 9 rows"), HasSubstr("(59 more since the last message)")));
}

/// Its requests hold a key.
class KeySink final : public Sink {
 public:
  std::string endpoint() const override { return "http://keys"; }
  std::size_t max_batch() const override { return 10; }
  HttpRequest encode(std::span<const QueuedReading>) const override {
    return {.url = "http://keys", .headers = {}, .body = R"({ "key": "geheim" })", .secret = true};
  }
  Judgement classify(const HttpReply&, std::span<const QueuedReading>) const override {
    return {.verdict = Verdict::accepted, .message = {}};
  }
};

TEST(Uploader, AKeyIsShownAtNoLevel) {
  World world;
  world.log.verbosity = Level::finest;
  world.http.server = [](const HttpRequest&) { return Answer{http(200, "{}")}; };
  const QueueId queue = world.outbox.open({"http://keys", "u"});
  world.uploader.add(queue, std::make_unique<KeySink>(), "chn1", "...u");
  world.push(queue);
  ASSERT_TRUE(world.run_until_idle());
  EXPECT_EQ(world.outbox.stats(queue).accepted, 1U);
  for (const auto& line : world.log.lines) EXPECT_THAT(line.text, Not(HasSubstr("geheim")));
}

TEST(Uploader, TheDebugLevelShowsTheTraffic) {
  World world;
  world.log.verbosity = Level::debug;
  world.push(world.channel(1));
  ASSERT_TRUE(world.run_until_idle());
  EXPECT_THAT(world.log.texts(Level::debug),
              ElementsAre("==> number of tuples: 1", "JSON request body: [ [ 1700000000000, 1000.0 ] ]",
                          "CURL Request succeeded with code: 200"));
}

TEST(Uploader, NoLineAboveDebugHoldsASecret) {
  World world;
  int request_number = 0;
  world.http.server = [&](const HttpRequest& request) -> Answer {
    const HttpReply replies[] = {no_answer("failed: " + request.url.substr(30), true),
                                 http(404, "no " + request.url.substr(30)),
                                 exception("Exception", "No entity with UUID '" + uuid_of(1) + "'"),
                                 exception("DriverException", "data of " + uuid_of(1)), http(200, R"({"rows":7})")};
    return {replies[++request_number % 5]};
  };
  const QueueId queue = world.channel(1, "http://name:sesame@mw/middleware.php");
  world.push(queue, 30);
  world.run_for(24h);
  EXPECT_GT(world.log.lines.size(), 5U);
  for (const LogLine& line : world.log.lines) {
    EXPECT_THAT(line.text, AllOf(Not(HasSubstr("sesame")), Not(HasSubstr(uuid_of(1)))));
  }
  const UploaderStatus status = world.uploader.status();
  EXPECT_EQ(status.endpoints.at(0).endpoint, "http://mw/middleware.php");
}

TEST(Uploader, ChannelsOfOneMiddlewareShareALane) {
  World world;
  const QueueId a = world.channel(1, "http://mw/middleware.php");
  const QueueId b = world.channel(2, "http://mw/middleware.php/");
  const QueueId c = world.channel(3, "http://other/middleware.php");
  for (const QueueId queue : {a, b, c}) world.push(queue);
  ASSERT_TRUE(world.run_until_idle());
  const UploaderStatus status = world.uploader.status();
  ASSERT_EQ(status.endpoints.size(), 2U);
  EXPECT_EQ(status.channels.size(), 3U);
  EXPECT_EQ(status.endpoints[0].requests, 2U);
  EXPECT_EQ(status.endpoints[0].failures, 0U);
  EXPECT_EQ(status.channels[2].endpoint, "http://other/middleware.php");
  EXPECT_EQ(status.channels[2].queue.accepted, 1U);
}

TEST(Uploader, TwoChannelsOfOneQueueAreOne) {
  World world;
  const QueueId queue = world.channel(1);
  EXPECT_EQ(world.channel(1), queue);
  world.push(queue, 10);
  ASSERT_TRUE(world.run_until_idle());
  expect_delivered(world, queue, 1);
  EXPECT_EQ(world.uploader.status().channels.size(), 1U);
}

/// A client that answers from its own wait() and blocks in it like the real one, for the thread of run().
class BlockingHttp final : public HttpClient {
 public:
  void start(std::uint64_t id, std::uint32_t, HttpRequest request) override {
    const std::scoped_lock lock(mutex_);
    done_.push_back({id, middleware.handle(request)});
  }
  void wait(MonoTime, std::vector<HttpDone>& out) override {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return woken_ || !done_.empty(); });
    woken_ = false;
    out.swap(done_);
  }
  void wake() override {
    const std::scoped_lock lock(mutex_);
    woken_ = true;
    changed_.notify_all();
  }
  void abort_all() override {
    const std::scoped_lock lock(mutex_);
    done_.clear();
  }
  ModelMiddleware middleware;

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<HttpDone> done_;
  bool woken_ = false;
};

TEST(UploaderThread, MissesNoPushAndStops) {
  constexpr int kChannels = 3;
  constexpr int kEach = 3000;
  FakeClock clock;
  BlockingHttp http;
  RamOutbox outbox;
  KeptLog log;
  Uploader uploader{http, outbox, clock, log, {}};
  std::mutex mutex;
  std::condition_variable drained;
  outbox.on_push([&] { uploader.notify(); });
  std::vector<QueueId> queues;
  for (int i = 0; i < kChannels; ++i) {
    auto sink = make_sink("http://mw/middleware.php", uuid_of(i));
    queues.push_back(outbox.open({sink->endpoint(), uuid_of(i)}));
    uploader.add(queues.back(), std::move(sink), fmt::format("chn{}", i), "label");
  }
  std::jthread thread([&](std::stop_token stop) { uploader.run(stop); });
  std::vector<std::jthread> meters;
  for (const QueueId queue : queues) {
    meters.emplace_back([&, queue] {
      for (int i = 0; i < kEach; ++i) {
        outbox.push(queue, WallTime{std::chrono::milliseconds{kEpoch + i}}, i);
        // every now and then all of it has to be delivered by the pushes so far alone
        if (i % 500 != 499) continue;
        while (outbox.stats(queue).waiting > 0) std::this_thread::yield();
      }
    });
  }
  for (int i = 0; i < 100; ++i) static_cast<void>(uploader.status());
  meters.clear();
  thread.request_stop();
  thread.join();
  for (int i = 0; i < kChannels; ++i)
    EXPECT_EQ(http.middleware.rows[uuid_of(i)].size(), static_cast<std::size_t>(kEach));
}

TEST(UploaderThread, StopsWhileItWaits) {
  FakeClock clock;
  BlockingHttp http;
  RamOutbox outbox;
  KeptLog log;
  Uploader uploader{http, outbox, clock, log, {}};
  std::jthread thread([&](std::stop_token stop) { uploader.run(stop); });
  thread.request_stop();
  thread.join();
}

/// What the watchdog asks: a thread that hangs in encode() or in the outbox shows, one that waits for a reply does not.
TEST(Uploader, SaysWhetherItWorksOrWaits) {
  World world;
  const QueueId queue = world.channel(1);
  const auto is_stuck_a_minute_later = [&] {
    return world.uploader.heartbeat().stuck(world.clock.now().mono + 61s, 60s);
  };
  int working = 0;
  world.http.server = [&](const HttpRequest& request) {
    working += is_stuck_a_minute_later() ? 1 : 0;
    return Answer{.reply = world.middleware.handle(request), .takes = 10s};
  };
  bool waiting = false;
  world.http.at(world.clock.passed + 5s, [&] { waiting = !is_stuck_a_minute_later(); });
  world.push(queue, 3);
  ASSERT_TRUE(world.run_until_idle());
  EXPECT_EQ(working, 1);
  EXPECT_TRUE(waiting);
  EXPECT_FALSE(is_stuck_a_minute_later());
}

}  // namespace
}  // namespace vz
