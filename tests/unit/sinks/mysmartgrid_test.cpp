// SPDX-License-Identifier: GPL-3.0-or-later
#include "sinks/mysmartgrid/digest.hpp"
#include "vz/sink.hpp"

namespace vz::sinks {
extern const SinkType mysmartgrid_sink;
}

namespace vz {
namespace {

using testing::Contains;
using testing::HasSubstr;

struct Given {
  Options options;
  explicit Given(const char* type) {
    options.set("middleware", std::string("http://127.0.0.1/"));
    options.set("secretKey", std::string("57c56da4-5932497c-bd806cb2-10c0b891"));
    options.set("device", std::string("ab-cd"));
    options.set("type", std::string(type));
    options.set("interval", std::int64_t{300});
    options.set("scaler", std::int64_t{1000});
    options.set("timeout", std::int64_t{30});
    options.set("name", std::string{});
    options.set("ssl_verifypeer", true);
  }
  std::vector<Problem> problems;
  std::unique_ptr<Sink> make() {
    ProblemSink sink(options, problems);
    return sinks::mysmartgrid_sink.make(
        options, {.user_agent = "vzlogger/0.9", .uuid = "01234567-89ab-cdef-0123-456789abcdef"}, sink);
  }
};

QueuedReading reading(long long second, double value) {
  return {.sequence = 1, .stamp = WallTime{std::chrono::seconds{second}}, .value = value};
}

const HttpReply kGood{.status = 200, .error = {}, .body = "{}"};
const HttpReply kBad{.status = 500, .error = {}, .body = R"({"response":"out of order"})"};

TEST(MysmartgridDigest, AsMeasured) {
  EXPECT_EQ(sinks::mysmartgrid::digest("secret", "Test"), "fdaa1009d29b3de5e4fa6b0f31226ead23e34c25");
  EXPECT_EQ(sinks::mysmartgrid::digest("57c56da45932497cbd806cb210c0b891", R"({ "key": "57c56da45932497cbd806cb210c0b891" })"),
            "ecb75bc69a0ff28d92de6fc4b79a70454c81ca78");
}

TEST(MysmartgridDevice, NamesItsKeyFirstAndThenLives) {
  const auto sink = Given("device").make();
  const std::vector<QueuedReading> batch{reading(1700000000, 1)};
  const HttpRequest first = sink->encode(batch);
  EXPECT_EQ(first.url, "http://127.0.0.1/device/0123456789abcdef0123456789abcdef");
  EXPECT_EQ(first.body, R"({ "key": "57c56da45932497cbd806cb210c0b891" })");
  EXPECT_THAT(first.headers, Contains("X-Digest: ecb75bc69a0ff28d92de6fc4b79a70454c81ca78"));
  EXPECT_EQ(sink->classify(kBad, batch).verdict, Verdict::keep);
  EXPECT_EQ(sink->encode(batch).body, first.body) << "until it was accepted";
  EXPECT_EQ(sink->classify(kGood, batch).verdict, Verdict::accepted);
  EXPECT_TRUE(first.secret) << "it must not be logged";
  EXPECT_THAT(sink->encode(batch).body, HasSubstr("\"uptime\": 1"));
  EXPECT_FALSE(sink->encode(batch).secret);
  EXPECT_EQ(sink->pace(), std::chrono::seconds{300});
}

TEST(MysmartgridSensor, SendsDifferencesToTheFirstValue) {
  const auto sink = Given("sensor").make();
  const std::vector<QueuedReading> first{reading(1700000000, 1.0), reading(1700000001, 1.5), reading(1700000003, 2.0)};
  const HttpRequest request = sink->encode(first);
  EXPECT_EQ(request.url, "http://127.0.0.1/sensor/0123456789abcdef0123456789abcdef");
  EXPECT_EQ(request.body, R"({ "measurements": [ [ 1700000001, 500 ], [ 1700000003, 1000 ] ] })");
}

TEST(MysmartgridSensor, AFailedMessageIsSentAgainWhole) {
  const auto sink = Given("sensor").make();
  const std::vector<QueuedReading> batch{reading(1700000000, 1.0), reading(1700000001, 1.5)};
  const std::string body = sink->encode(batch).body;
  EXPECT_THAT(sink->classify(kBad, batch).message, HasSubstr("out of order"));
  EXPECT_EQ(sink->encode(batch).body, body);
  EXPECT_EQ(sink->classify(kGood, batch).verdict, Verdict::accepted);
  EXPECT_EQ(sink->encode(std::vector{reading(1700000001, 9.0), reading(1700000002, 3.0)}).body,
            R"({ "measurements": [ [ 1700000002, 2000 ] ] })")
      << "one value a second";
}

TEST(MysmartgridSensor, ACounterThatBeginsAtNothingLosesNothing) {
  const auto sink = Given("sensor").make();
  EXPECT_EQ(sink->encode(std::vector{reading(1, 0.0), reading(2, 0.0), reading(3, 2.0), reading(4, 3.0)}).body,
            R"({ "measurements": [ [ 2, 0 ], [ 3, 2000 ], [ 4, 3000 ] ] })");
}

TEST(MysmartgridSensor, SmallStepsAddUp) {
  const auto sink = Given("sensor").make();
  // less than 1 after the scaler, one message each
  std::string last;
  for (int i = 0; i <= 30; ++i) {
    const std::vector batch{reading(100 + i, 0.0001 * i)};
    last = sink->encode(batch).body;
    EXPECT_EQ(sink->classify(kGood, batch).verdict, Verdict::accepted);
  }
  EXPECT_EQ(last, R"({ "measurements": [ [ 130, 3 ] ] })");
}

TEST(MysmartgridSensor, NegativeValuesHaveABaseToo) {
  const auto sink = Given("sensor").make();
  EXPECT_EQ(sink->encode(std::vector{reading(1, -5.0), reading(2, -4.5)}).body, R"({ "measurements": [ [ 2, 500 ] ] })");
}

TEST(MysmartgridSensor, TheLargestValuesDoNotOverflow) {
  const auto sink = Given("sensor").make();
  EXPECT_THAT(sink->encode(std::vector{reading(1, 1.0), reading(2, 1e300)}).body, HasSubstr("[ 2, 8999999999999000 ]"));
}

TEST(MysmartgridRegistration, NeedsAName) {
  EXPECT_FALSE(Given("sensor").make()->registration().has_value());
  Given given("sensor");
  given.options.set("name", std::string("1-0-8"));
  const auto requests = given.make()->registration();
  ASSERT_TRUE(requests.has_value());
  ASSERT_EQ(requests->size(), 3U);
  EXPECT_EQ((*requests)[0].url, "http://127.0.0.1/device/abcd");
  EXPECT_TRUE((*requests)[0].secret);
  EXPECT_EQ((*requests)[2].body, R"({ "config": { "device": "abcd", "function": "108", "enable": 1 } })");
}

}  // namespace
}  // namespace vz
