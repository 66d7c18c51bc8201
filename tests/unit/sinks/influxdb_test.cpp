// SPDX-License-Identifier: GPL-3.0-or-later
#include "sinks/influxdb/line_protocol.hpp"
#include "vz/sink.hpp"

namespace vz::sinks {
extern const SinkType influxdb_sink;
}

namespace vz {
namespace {

using sinks::influxdb::append_field;
using sinks::influxdb::escaped_measurement;
using sinks::influxdb::escaped_tags;
using sinks::influxdb::measurement_doubt;
using sinks::influxdb::tags_doubt;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr const char* kUuid = "01234567-89ab-cdef-0123-456789abcdef";

/// The options as the configuration's reader hands them over: the table's defaults, then what the test says.
struct Given {
  Options options;
  Given() {
    set("host", "http://127.0.0.1:8086");
    set("database", "vzlogger");
    for (const char* name : {"organization", "token", "username", "password", "tags"}) set(name, "");
    set("measurement_name", "vzlogger");
    options.set("send_uuid", true);
    options.set("max_batch_inserts", std::int64_t{4500});
    options.set("timeout", std::int64_t{30});
    options.set("ssl_verifypeer", true);
  }
  Given& set(const char* name, const std::string& value) {
    options.set(name, value);
    return *this;
  }
  std::vector<Problem> problems;
  std::unique_ptr<Sink> make() {
    ProblemSink sink(options, problems);
    return sinks::influxdb_sink.make(options, {.user_agent = "vzlogger/0.9", .uuid = kUuid}, sink);
  }
};

std::vector<QueuedReading> readings(std::size_t count) {
  std::vector<QueuedReading> out;
  for (std::size_t i = 0; i < count; ++i)
    out.push_back({.sequence = i + 1,
                   .stamp = WallTime{std::chrono::milliseconds{1700000000000 + static_cast<long long>(i)}},
                   .value = 1.5 + static_cast<double>(i)});
  return out;
}

std::string field(double value) {
  std::string out;
  append_field(out, value);
  return out;
}

TEST(InfluxdbRequest, OfTheFirstVersion) {
  const HttpRequest request = Given().make()->encode(readings(2));
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.url, "http://127.0.0.1:8086/write?db=vzlogger&precision=ms");
  EXPECT_EQ(request.body,
            "vzlogger,uuid=01234567-89ab-cdef-0123-456789abcdef value=1.500000 1700000000000\n"
            "vzlogger,uuid=01234567-89ab-cdef-0123-456789abcdef value=2.500000 1700000000001\n");
  EXPECT_THAT(request.headers, Not(Contains(StartsWith("Authorization"))));
  EXPECT_EQ(request.tls, TlsCheck::full);
}

TEST(InfluxdbRequest, OfTheSecondVersion) {
  Given given;
  given.set("organization", "my org").set("database", "a/b").set("token", "secret");
  const HttpRequest request = given.make()->encode(readings(1));
  EXPECT_EQ(request.url, "http://127.0.0.1:8086/api/v2/write?org=my%20org&bucket=a%2Fb&precision=ms");
  EXPECT_THAT(request.headers, Contains("Authorization: Token secret"));
}

TEST(InfluxdbRequest, AUserNameComesBeforeAToken) {
  Given given;
  given.set("token", "secret").set("username", "Aladdin").set("password", "open sesame");
  const HttpRequest request = given.make()->encode(readings(1));
  EXPECT_THAT(request.headers, Contains("Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="));  // RFC 7617's example
  EXPECT_THAT(request.headers, Not(Contains(HasSubstr("secret"))));
  ASSERT_EQ(given.problems.size(), 1U);
  EXPECT_THAT(given.problems[0].text, HasSubstr("`token` is not used"));
}

TEST(InfluxdbRequest, TagsAndMeasurementAreEscapedOnce) {
  Given given;
  given.set("measurement_name", "my meter").set("tags", R"(room=living room,already=a\ b)");
  given.options.set("send_uuid", false);
  EXPECT_EQ(given.make()->encode(readings(1)).body,
            "my\\ meter,room=living\\ room,already=a\\ b value=1.500000 1700000000000\n");
  EXPECT_TRUE(given.problems.empty());
}

TEST(InfluxdbRequest, ATrailingSlashOfTheHostIsLeftOut) {
  EXPECT_EQ(Given().set("host", "https://h/path/").make()->encode(readings(1)).url,
            "https://h/path/write?db=vzlogger&precision=ms");
}

TEST(InfluxdbSink, SeriesTellChannelsWithTheSameUuidApart) {
  EXPECT_EQ(Given().make()->series(), "");
  EXPECT_EQ(Given().set("tags", "a=b").make()->series(), "vzlogger,a=b");
  EXPECT_EQ(Given().set("measurement_name", "x").make()->series(), "x");
}

TEST(InfluxdbSink, TheEndpointNamesNoSecret) {
  const std::string endpoint =
      Given().set("host", "http://user:pw@Host:8086").set("password", "pw").set("token", "tok").make()->endpoint();
  EXPECT_EQ(endpoint, "http://host:8086/write?db=vzlogger");
}

TEST(InfluxdbSink, OddSizesAreReplacedWithAWord) {
  Given given;
  given.options.set("max_batch_inserts", std::int64_t{0});
  EXPECT_EQ(given.make()->max_batch(), 4500U);
  ASSERT_EQ(given.problems.size(), 1U);
  EXPECT_EQ(given.problems[0].severity, Problem::Severity::warning);
}

TEST(InfluxdbField, HasSixDecimalsUnlessTheyAreNotEnough) {
  EXPECT_EQ(field(1.5), "1.500000");
  EXPECT_EQ(field(-3.25), "-3.250000");
  EXPECT_EQ(field(0.0), "0.000000");
  EXPECT_EQ(field(14872329.0), "14872329.000000");
  for (const double value : {1e-7, 3.146317922304658, 1e300, -1.0 / 3, 123456789.1234567})
    EXPECT_EQ(std::stod(field(value)), value) << field(value);
}

TEST(InfluxdbLine, Escapes) {
  EXPECT_EQ(escaped_measurement("a,b c"), R"(a\,b\ c)");
  EXPECT_EQ(escaped_measurement(R"(a\,b)"), R"(a\,b)");
  EXPECT_EQ(escaped_tags("a=b=c,d=e f"), R"(a=b\=c,d=e\ f)");
  EXPECT_EQ(escaped_tags(""), "");
}

TEST(InfluxdbLine, DoubtsAreTold) {
  EXPECT_EQ(measurement_doubt("vzlogger"), "");
  EXPECT_NE(measurement_doubt(""), "");
  EXPECT_NE(measurement_doubt("#x"), "");
  EXPECT_NE(measurement_doubt("x\ny"), "");
  EXPECT_EQ(tags_doubt("a=b,c=d"), "");
  EXPECT_NE(tags_doubt("a"), "");
  EXPECT_NE(tags_doubt("a="), "");
  EXPECT_NE(tags_doubt("a=b,"), "");
}

Judgement judge(long status, const std::string& body, std::size_t sent = 2) {
  return Given().make()->classify({.status = status, .error = {}, .body = body}, readings(sent));
}

TEST(InfluxdbReply, NoContentIsSuccess) { EXPECT_EQ(judge(204, "").verdict, Verdict::accepted); }

TEST(InfluxdbReply, AWebPageIsNot) {
  const Judgement judgement = judge(200, "<html><title>Log in</title></html>");
  EXPECT_EQ(judgement.verdict, Verdict::keep);
  EXPECT_THAT(judgement.message, HasSubstr("Log in"));
}

TEST(InfluxdbReply, PointsBeyondTheRetentionPolicyAreFoundAndRejected) {
  const std::string body = R"({"error":"partial write: points beyond retention policy dropped=1"})";
  EXPECT_EQ(judge(400, body).retry, Retry::halve);
  const Judgement judgement = judge(400, body, 1);
  EXPECT_EQ(judgement.verdict, Verdict::rejected);
  EXPECT_THAT(judgement.message, HasSubstr("beyond retention policy"));
}

TEST(InfluxdbReply, TroubleOfTheSeriesWaitsForTheUser) {
  for (const char* words : {"field type conflict: input field \\\"value\\\"", "unable to parse 'x'", "max-series-per-database limit"}) {
    const Judgement judgement = judge(400, fmt::format(R"({{"error":"{}"}})", words), 1);
    EXPECT_EQ(judgement.verdict, Verdict::keep) << words;
    EXPECT_EQ(judgement.retry, Retry::rarely) << words;
  }
  EXPECT_EQ(judge(401, R"({"code":"unauthorized","message":"unauthorized access"})").retry, Retry::rarely);
}

TEST(InfluxdbReply, AMissingDatabaseIsWaitedFor) {
  const Judgement judgement = judge(404, R"({"error":"database not found: \"vzlogger\""})");
  EXPECT_EQ(judgement.verdict, Verdict::keep);
  EXPECT_EQ(judgement.retry, Retry::soon);
  EXPECT_THAT(judgement.message, HasSubstr("create the database"));
}

TEST(InfluxdbReply, AnAddressWithoutInfluxdbIsNoMissingDatabase) {
  for (const char* body : {"404 page not found\n", "<html><head><title>404 Not Found</title></head></html>"}) {
    const Judgement judgement = judge(404, body);
    EXPECT_EQ(judgement.verdict, Verdict::keep) << body;
    EXPECT_EQ(judgement.retry, Retry::rarely) << body;
    EXPECT_THAT(judgement.message, HasSubstr("is there an InfluxDB")) << body;
  }
}

TEST(InfluxdbReply, ServerTroublePasses) {
  for (const long status : {429L, 500L, 503L}) {
    EXPECT_EQ(judge(status, "").verdict, Verdict::keep);
    EXPECT_EQ(judge(status, "").retry, Retry::soon);
  }
}

TEST(InfluxdbReply, NoAnswerSaysWhatToCheck) {
  const Judgement judgement =
      Given().make()->classify({.status = 0, .error = "Failed to connect to 127.0.0.1 port 8086", .body = {}}, readings(1));
  EXPECT_EQ(judgement.verdict, Verdict::keep);
  EXPECT_THAT(judgement.message, HasSubstr("`host`"));
}

}  // namespace
}  // namespace vz
