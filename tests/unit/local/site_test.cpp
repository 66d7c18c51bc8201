// SPDX-License-Identifier: GPL-3.0-or-later
// What becomes of a request, and the old replies character for character.
#include "local/site.hpp"

#include "local/json.hpp"
#include "local/target.hpp"
#include "unit/local/board_fixture.hpp"

namespace vz::local {
namespace {

class SiteTest : public testing::Test {
 protected:
  [[nodiscard]] Site site(bool index = true, bool cors = false) const {
    return Site({.version = "0.8.10", .index = index, .cors = cors}, board_,
                {.metrics = [] { return Reply{200, "text/plain", "metrics"}; },
                 .health = [] { return Reply{503, "text/plain", "ill"}; }});
  }
  [[nodiscard]] Reply reply(const std::string& target, std::string_view method = "GET", bool index = true) const {
    const Site with = site(index);
    const Answer answer = with.answer({method, target});
    if (const auto* direct = std::get_if<Reply>(&answer)) return *direct;
    return with.readings(std::get<Readings>(answer).scope);
  }
  [[nodiscard]] Readings readings(const std::string& target, std::string_view method = "GET") const {
    const Answer answer = site().answer({method, target});
    const auto* found = std::get_if<Readings>(&answer);
    if (found != nullptr) return *found;
    ADD_FAILURE() << target << ": " << std::get<Reply>(answer).body;
    return {};
  }
  const std::string a_ = std::string{"/"} + kUuidA;
  const std::string b_ = std::string{"/"} + kUuidB;
  Meters meters_;
  HandClock clock_;
  ReadingBoard board_{meters_.all, -1, clock_};
};

TEST_F(SiteTest, OneChannelAsTheOldDaemonSaidIt) {
  meters_.all[1].channels.pop_back();  // the second channel of that uuid
  ReadingBoard board(meters_.all, -1, clock_);
  read(board, meters_[0], kNow, 22.84421746951406);
  const Site site({.version = "0.8.10", .index = false, .cors = false}, board, {});
  const auto answer = std::get<Readings>(site.answer({"GET", a_}));
  const Reply reply = site.readings(answer.scope);
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.content_type, "application/json");
  EXPECT_EQ(reply.body,
            "{ \"version\": \"0.8.10\", \"generator\": \"vzlogger\", \"data\": [ { \"uuid\": "
            "\"550e8400-e29b-11d4-a716-446655440000\", \"obis\": \"NilIdentifier\", \"last\": 1795343270485, \"interval\": 1, "
            "\"protocol\": \"random\", \"tuples\": [ [ 1795343270485, 22.84421746951406 ] ] } ] }");
}

TEST_F(SiteTest, TheMeasuredReplyOfAD0Meter) {
  read(board_, meters_[1], 1795344010066, 132.155);
  EXPECT_EQ(reply(b_).body,
            "{ \"version\": \"0.8.10\", \"generator\": \"vzlogger\", \"data\": [ { \"uuid\": "
            "\"01234567-89ab-cdef-0123-456789abcdef\", \"obis\": \"ObisIdentifier:1-0:1.8.0*255\", \"last\": 1795344010066, "
            "\"interval\": -1, \"protocol\": \"d0\", \"tuples\": [ [ 1795344010066, 132.155 ] ] } ] }");
}

TEST_F(SiteTest, IndexHasEveryChannelInOrderAndNoTuplesWhereThereAreNone) {
  read(board_, meters_[1], kNow, 1);
  const Reply index = reply("/");
  EXPECT_EQ(index.status, 200);
  const std::string a = "{ \"uuid\": \"550e8400-e29b-11d4-a716-446655440000\", \"obis\": ";
  EXPECT_EQ(index.body,
            "{ \"version\": \"0.8.10\", \"generator\": \"vzlogger\", \"data\": [ " + a +
                "\"NilIdentifier\", \"last\": 0, \"interval\": 1, \"protocol\": \"random\" }, { \"uuid\": "
                "\"01234567-89ab-cdef-0123-456789abcdef\", \"obis\": \"ObisIdentifier:1-0:1.8.0*255\", \"last\": "
                "1795343270485, \"interval\": -1, \"protocol\": \"d0\", \"tuples\": [ [ 1795343270485, 1.0 ] ] }, " +
                a + "\"StringIdentifier:\", \"last\": 0, \"interval\": -1, \"protocol\": \"d0\" } ] }");
}

TEST_F(SiteTest, IndexThatIsSwitchedOff) {
  const Reply index = reply("/", "GET", false);
  EXPECT_EQ(index.status, 404);
  EXPECT_EQ(index.body,
            "{ \"version\": \"0.8.10\", \"generator\": \"vzlogger\", \"data\": [ ], \"exception\": { \"message\": "
            "\"channel index is disabled\", \"code\": 0 } }");
  EXPECT_EQ(reply(a_, "GET", false).status, 200);
}

TEST_F(SiteTest, WhatIsNotThere) {
  for (const std::string target : {"/01234567-89ab-cdef-0123-456789abcdee", "//", "/favicon.ico", "/metrics/"}) {
    const Reply none = reply(target);
    EXPECT_EQ(none.status, 404) << target;
    EXPECT_EQ(none.body, "{ \"version\": \"0.8.10\", \"generator\": \"vzlogger\", \"data\": [ ] }") << target;
    EXPECT_EQ(none.body.size(), 61U);
  }
  EXPECT_EQ(reply(a_ + ".json").status, 404);
  EXPECT_EQ(reply(a_ + "/").status, 404);
}

TEST_F(SiteTest, NoChannelsNoIndex) {
  const ReadingBoard nothing({}, -1, clock_);
  const Site site({.version = "1", .index = true, .cors = false}, nothing, {});
  EXPECT_EQ(std::get<Reply>(site.answer({"GET", "/"})).status, 404);
  EXPECT_EQ(std::get<Reply>(site.answer({"GET", "/metrics"})).status, 404);
}

TEST_F(SiteTest, OtherMethods) {
  for (const std::string_view method : {"POST", "PUT", "DELETE", "OPTIONS", "get", "BREW", ""}) {
    const Reply refused = reply("/", method);
    EXPECT_EQ(refused.status, 405) << method;
    EXPECT_EQ(refused.content_type, "text/text");
    EXPECT_EQ(refused.body, "not implemented\n");
  }
  EXPECT_EQ(reply(a_, "HEAD").status, 200);
  EXPECT_EQ(std::get<Reply>(site(true, true).answer({"OPTIONS", a_})).status, 204);
}

TEST_F(SiteTest, FurtherPages) {
  EXPECT_EQ(reply("/metrics").body, "metrics");
  EXPECT_EQ(reply("/metrics?x=1", "HEAD").body, "metrics");
  EXPECT_EQ(reply("/healthz").status, 503);
}

TEST_F(SiteTest, CometWaitsForTheNextReading) {
  const Readings waiting = readings(b_ + "?mode=comet");
  EXPECT_TRUE(waiting.wait);
  EXPECT_EQ(waiting.seen, board_.news(waiting.scope));
  read(board_, meters_[0], kNow, 1);
  EXPECT_EQ(waiting.seen, board_.news(waiting.scope));  // of another channel
  read(board_, meters_[1], kNow, 1);
  EXPECT_NE(waiting.seen, board_.news(waiting.scope));
  EXPECT_TRUE(readings("/?mode=comet").wait);
  EXPECT_TRUE(readings("/?x&mode=c%6fmet&mode=no").wait);
}

TEST_F(SiteTest, EverythingElseDoesNotWait) {
  for (const std::string query : {"", "?", "?mode=", "?mode=Comet", "?mode=push", "?comet", "?since=abc", "?mode=&mode=comet"})
    EXPECT_FALSE(readings(a_ + query).wait) << query;
  EXPECT_FALSE(readings(a_ + "?mode=comet", "HEAD").wait);
}

TEST_F(SiteTest, CometSinceAnswersAtOnceIfSomethingYoungerIsThere) {
  read(board_, meters_[1], kNow, 1);
  EXPECT_FALSE(readings(b_ + "?mode=comet&since=1795343270484").wait);
  EXPECT_TRUE(readings(b_ + "?mode=comet&since=1795343270485").wait);
  const Reply wrong = reply(b_ + "?mode=comet&since=yesterday");
  EXPECT_EQ(wrong.status, 400);
  EXPECT_NE(wrong.body.find("\"exception\": { \"message\": \"since takes a time stamp in milliseconds\""), std::string::npos);
}

TEST_F(SiteTest, UnreadableTargets) {
  for (const std::string target : {"/%", "/%4", "/%4x", "/%00", "/a%0ab", "/?%", "x", "*", "", "?", "/\x01"})
    EXPECT_EQ(reply(target).status, 400) << target;
  EXPECT_EQ(reply("/" + std::string(kMaxTarget, 'a')).status, 414);
  EXPECT_EQ(reply("http://host:1" + a_).status, 200);
  EXPECT_EQ(reply("http://host").status, 200);
}

TEST_F(SiteTest, TheLogShowsNoUuid) {
  EXPECT_EQ(site().describe({"GET", a_ + "?mode=comet"}), "Local request received: method=GET url=/...440000 mode=comet");
  EXPECT_EQ(site().describe({"GET", "/"}), "Local request received: method=GET url=/ mode=(null)");
  const std::string stranger = site().describe({"GET", "/99999999-89ab-cdef-0123-456789abcdef"});
  EXPECT_EQ(stranger.find("99999999"), std::string::npos) << stranger;
  EXPECT_LT(site().describe({std::string(5000, 'G'), "/" + std::string(1000, 'a')}).size(), 300U);
}

TEST(Target, Arguments) {
  const auto target = parse_target("/a+b%20c?x=1+2&&=3&y&z==%3d");
  ASSERT_TRUE(target);
  EXPECT_EQ(target->path, "/a+b c");
  ASSERT_EQ(target->arguments.size(), 4U);
  EXPECT_EQ(*target->argument("x"), "1 2");
  EXPECT_EQ(*target->argument(""), "3");
  EXPECT_EQ(*target->argument("y"), "");
  EXPECT_EQ(*target->argument("z"), "==");
  EXPECT_EQ(target->argument("w"), nullptr);
}

TEST(Json, StringsAreEscaped) {
  std::string out;
  append_json_string(out, "a\"b\\c\x01\xc3\xa4");
  EXPECT_EQ(out, "\"a\\\"b\\\\c\\u0001\xc3\xa4\"");
}

}  // namespace
}  // namespace vz::local
