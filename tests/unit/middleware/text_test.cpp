// SPDX-License-Identifier: GPL-3.0-or-later
// Numbers, JSON, times and parameters as PHP writes and reads them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/uuid.hpp"
#include "tools/middleware/json_out.hpp"
#include "tools/middleware/properties.hpp"
#include "tools/middleware/request.hpp"
#include "tools/middleware/time_text.hpp"

namespace vz::middleware {
namespace {

TEST(PhpNumber, IsTheShortestThatReadsBack) {
  const std::pair<double, const char*> cases[] = {{0, "0"},
                                                  {-0.0, "-0"},
                                                  {500, "500"},
                                                  {0.1, "0.1"},
                                                  {132.149, "132.149"},
                                                  {1e15, "1000000000000000"},
                                                  {1e17, "1.0e+17"},
                                                  {1.5e300, "1.5e+300"},
                                                  {0.0001, "0.0001"},
                                                  {0.00001, "1.0e-5"},
                                                  {1.0 / 3, "0.3333333333333333"},
                                                  {-1000.12345, "-1000.12345"},
                                                  {1700000000000.7, "1700000000000.7"}};
  for (const auto& [value, text] : cases) EXPECT_EQ(php_number(value), text);
  EXPECT_EQ(php_number(std::nan("")), "null");
}

TEST(PhpText, HasFourteenDigits) {
  const std::pair<double, const char*> cases[] = {{123456789.123456789, "123456789.12346"},
                                                  {0.1, "0.1"},
                                                  {1e14, "1.0E+14"},
                                                  {99999999999999, "99999999999999"},
                                                  {1e25, "1.0E+25"},
                                                  {0.000012, "1.2E-5"},
                                                  {-0.5, "-0.5"},
                                                  {1700003600000, "1700003600000"}};
  for (const auto& [value, text] : cases) EXPECT_EQ(php_text(value), text);
}

TEST(PhpRound, SeesTheDecimalHalf) {
  EXPECT_EQ(round3(1.0005), 1.001);
  EXPECT_EQ(round3(-1.0005), -1.001);
  EXPECT_EQ(round3(1.00049), 1.0);
  EXPECT_EQ(round3(-375.061725), -375.062);
  EXPECT_EQ(round3(1e17), 1e17);
  EXPECT_EQ(round3(1e-9), 0.0);
  EXPECT_TRUE(std::isinf(round3(INFINITY)));
}

TEST(PhpJson, EscapesAsPhpDoes) {
  EXPECT_EQ(php_json("a/b\"\\\n\t\x01 Zähler \xF0\x9F\x92\xA1"), R"("a\/b\"\\\n\t\u0001 Z\u00e4hler \ud83d\udca1")");
  EXPECT_EQ(php_json(std::string("\xff\xc3")), R"("\ufffd\ufffd")");
  EXPECT_EQ(php_json(Json{{"b", 1}, {"a", {true, nullptr, 0.5}}, {"c", Json::object()}}),
            R"({"b":1,"a":[true,null,0.5],"c":{}})");
}

TEST(PhpNumeric, ReadsWhatMySqlReads) {
  EXPECT_EQ(php_numeric("132.149"), 132.149);
  EXPECT_EQ(php_numeric(" +1e3 "), 1000);
  EXPECT_EQ(php_numeric("-.5"), -0.5);
  EXPECT_EQ(php_numeric("5."), 5);
  EXPECT_EQ(php_numeric("1e-400"), 0);
  EXPECT_TRUE(std::isinf(php_numeric("1e400").value()));
  for (const char* text : {"", " ", "abc", "1,5", "0x10", "inf", "nan", "1 2", "++1", "1e"})
    EXPECT_FALSE(php_numeric(text)) << text;
}

TEST(Params, FollowPhp) {
  const auto params = Params::parse("a=1&a=2&list[]=x&list%5B%5D=y%20z&empty&t=Z%C3%A4hler+A&bad=%zz&=v");
  EXPECT_EQ(params.get("a"), "2");
  EXPECT_EQ(params.list("list"), (std::vector<std::string>{"x", "y z"}));
  EXPECT_EQ(params.list("a"), (std::vector<std::string>{"2"}));
  EXPECT_EQ(params.get("empty"), "");
  EXPECT_EQ(params.get("t"), "Zähler A");
  EXPECT_EQ(params.get("bad"), "%zz");
  EXPECT_FALSE(params.get("missing"));
  EXPECT_TRUE(params.list("missing").empty());
}

TEST(Params, AreAThousandAtMost) {
  std::string text = "first=1";
  for (int i = 0; i < 2000; ++i) text += "&a=" + std::to_string(i);
  const auto params = Params::parse(text);
  EXPECT_EQ(std::distance(params.begin(), params.end()), 1000);
  EXPECT_EQ(params.get("first"), "1");
}

TEST(Uuid, IsShortenedForLogs) {
  EXPECT_TRUE(is_uuid("0123abcd-89AB-cdef-0123-456789abcdef"));
  EXPECT_FALSE(is_uuid("0123abcd-89AB-cdef-0123-456789abcdeg"));
  EXPECT_FALSE(is_uuid("01234567"));
  EXPECT_EQ(without_uuids("/data/01234567-89ab-cdef-0123-456789abcdef.json"), "/data/...abcdef.json");
  EXPECT_EQ(without_uuids("/data/abc.json"), "/data/abc.json");
}

class Times : public ::testing::Test {
 protected:
  // Saturday 2023-11-18 10:20:30.456 UTC
  static constexpr std::int64_t kNowSeconds = 1'700'302'830;
  static std::optional<double> seconds(std::string_view text) {
    const auto ms = parse_time(text, WallTime{std::chrono::milliseconds{kNowSeconds * 1000 + 456}}, Zone::utc);
    if (!ms) return std::nullopt;
    return *ms / 1000;
  }
};

TEST_F(Times, AreReadAsStrtotimeDoes) {
  constexpr double kMidnight = 1'700'265'600;
  constexpr double kDay = 86400;
  EXPECT_EQ(seconds("1700000000000"), 1'700'000'000);
  EXPECT_EQ(seconds("now"), kNowSeconds);
  EXPECT_EQ(seconds("today"), kMidnight);
  EXPECT_EQ(seconds("yesterday"), kMidnight - kDay);
  EXPECT_EQ(seconds("Tomorrow"), kMidnight + kDay);
  EXPECT_EQ(seconds("noon"), kMidnight + kDay / 2);
  EXPECT_EQ(seconds("@1700000000"), 1'700'000'000);
  EXPECT_EQ(seconds("@-5"), -5);
  EXPECT_EQ(seconds("2023-11-17"), kMidnight - kDay);
  EXPECT_EQ(seconds("17.11.2023 12:30"), kMidnight - kDay + 12.5 * 3600);
  EXPECT_EQ(seconds("2023-11-17T12:30:15Z"), kMidnight - kDay + 12.5 * 3600 + 15);
  EXPECT_EQ(seconds("2023-11-17T12:30:15.250+01:00"), kMidnight - kDay + 11.5 * 3600 + 15);
  EXPECT_EQ(seconds("yesterday 06:00"), kMidnight - kDay + 6 * 3600);
  EXPECT_EQ(seconds("-1 day"), kNowSeconds - kDay);
  EXPECT_EQ(seconds(" 1 day"), kNowSeconds + kDay);  // a + that a URL lost
  EXPECT_EQ(seconds("2 hours ago"), kNowSeconds - 7200);
  EXPECT_EQ(seconds("now - 90 minutes"), kNowSeconds - 5400);
  EXPECT_EQ(seconds("3 weeks ago"), kNowSeconds - 21 * kDay);
  EXPECT_EQ(seconds("last month"), kNowSeconds - 31 * kDay);
  EXPECT_EQ(seconds("next year"), kNowSeconds + 366 * kDay);
  EXPECT_EQ(seconds("first day of this month midnight"), kMidnight - 17 * kDay);
  EXPECT_EQ(seconds("last day of last month"), kNowSeconds - 18 * kDay);
  for (const char* text : {"", " ", "soon", "2023-13-01", "25:00 pm", "1 parsec", "-", "@", "12:99", "-5"})
    EXPECT_FALSE(seconds(text)) << text;
}

TEST_F(Times, AreGrouped) {
  const auto same = [](Group group, std::int64_t a, std::int64_t b) {
    return group_key(group, a, Zone::utc) == group_key(group, b, Zone::utc);
  };
  constexpr std::int64_t kMonday = 1'699'833'600'000;  // 2023-11-13 00:00 UTC
  constexpr std::int64_t kDay = 86'400'000;
  EXPECT_TRUE(same(Group::week, kMonday, kMonday + 7 * kDay - 1));
  EXPECT_FALSE(same(Group::week, kMonday, kMonday - 1));
  EXPECT_TRUE(same(Group::day, kMonday, kMonday + kDay - 1));
  EXPECT_FALSE(same(Group::day, kMonday, kMonday - 1));
  EXPECT_FALSE(same(Group::hour, kMonday, kMonday + 3'600'000));
  EXPECT_TRUE(same(Group::quarter, kMonday, kMonday + 899'999));
  EXPECT_FALSE(same(Group::minute, kMonday, kMonday + 60'000));
  EXPECT_FALSE(same(Group::second, kMonday, kMonday - 1));
  EXPECT_TRUE(same(Group::month, kMonday, kMonday + 17 * kDay));
  EXPECT_FALSE(same(Group::month, kMonday, kMonday + 18 * kDay));
  EXPECT_TRUE(same(Group::year, kMonday, kMonday + 30 * kDay));
  EXPECT_FALSE(parse_group("fortnight"));
  EXPECT_EQ(parse_group("15m"), Group::quarter);
}

}  // namespace
}  // namespace vz::middleware
