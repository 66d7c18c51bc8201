// SPDX-License-Identifier: GPL-3.0-or-later
#include <nlohmann/json.hpp>

#include "vz/sink.hpp"

namespace vz::sinks {
extern const SinkType volkszaehler_sink;
}

namespace vz {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr const char* kUuid = "01234567-89ab-cdef-0123-456789abcdef";
constexpr const char* kMiddleware = "http://127.0.0.1/middleware.php";

struct Made {
  std::unique_ptr<Sink> sink;
  std::vector<Problem> problems;
};

Made make(const std::string& middleware, std::int64_t timeout = 30, const std::string& uuid = kUuid) {
  Options options;
  options.set("middleware", middleware, Position{3, 5, "middleware"});
  options.set("timeout", timeout);
  Made made;
  ProblemSink problems{options, made.problems};
  made.sink = sinks::volkszaehler_sink.make(
      options, {.user_agent = "vzlogger/0.9.0 (libcurl/7.88.1 OpenSSL/3.0.19)", .uuid = uuid}, problems);
  return made;
}

std::vector<QueuedReading> readings(std::size_t count, bool repeat = false) {
  std::vector<QueuedReading> out;
  for (std::size_t i = 0; i < count; ++i) {
    out.push_back({.sequence = i + 1,
                   .stamp = WallTime{std::chrono::milliseconds{1700000000000 + static_cast<long long>(i) * 1000}},
                   .value = 100.0 + static_cast<double>(i),
                   .repeat = repeat});
  }
  return out;
}

// --- the request ---

TEST(VolkszaehlerRequest, IsTheOldOne) {
  const std::vector<QueuedReading> batch{
      {.sequence = 1, .stamp = WallTime{std::chrono::milliseconds{1795342572270}}, .value = 132.15}};
  const HttpRequest request = make(kMiddleware).sink->encode(batch);
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.url, "http://127.0.0.1/middleware.php/data/01234567-89ab-cdef-0123-456789abcdef.json");
  EXPECT_THAT(request.headers, ElementsAre("Content-type: application/json", "Accept: application/json",
                                           "User-Agent: vzlogger/0.9.0 (libcurl/7.88.1 OpenSSL/3.0.19)"));
  EXPECT_EQ(request.body, "[ [ 1795342572270, 132.15 ] ]");
  EXPECT_EQ(request.timeout, std::chrono::seconds{30});
}

TEST(VolkszaehlerRequest, HoldsManyReadings) {
  std::vector<QueuedReading> batch = readings(3);
  batch[1].value = 0.00001;
  batch[2].value = -12.5;
  EXPECT_EQ(make(kMiddleware).sink->encode(batch).body,
            "[ [ 1700000000000, 100.0 ], [ 1700000001000, 1e-05 ], [ 1700000002000, -12.5 ] ]");
}

TEST(VolkszaehlerRequest, IsPlainConcatenation) {
  EXPECT_EQ(make("http://h/api/", 30, "ABC").sink->encode(readings(1)).url, "http://h/api//data/ABC.json");
  EXPECT_EQ(make("h/middleware.php", 30, "ABC").sink->encode(readings(1)).url, "h/middleware.php/data/ABC.json");
}

TEST(VolkszaehlerRequest, AsksToSkipDuplicatesIfOneIsARepeat) {
  std::vector<QueuedReading> batch = readings(3);
  batch[2].repeat = true;
  EXPECT_EQ(make(kMiddleware).sink->encode(batch).url,
            "http://127.0.0.1/middleware.php/data/01234567-89ab-cdef-0123-456789abcdef.json?options=skipduplicates");
  EXPECT_THAT(make("http://h/x?a=b").sink->encode(batch).url, testing::EndsWith("&options=skipduplicates"));
}

TEST(VolkszaehlerRequest, TakesTheTimeout) {
  EXPECT_EQ(make(kMiddleware, 5).sink->encode(readings(1)).timeout, std::chrono::seconds{5});
  EXPECT_EQ(make(kMiddleware, 0).sink->encode(readings(1)).timeout, std::chrono::seconds{0});
  EXPECT_EQ(make(kMiddleware).sink->max_batch(), 256U);
}

TEST(VolkszaehlerEndpoint, IsALastingNameWithoutSecrets) {
  const auto endpoint = [](const char* text) { return make(text).sink->endpoint(); };
  EXPECT_EQ(endpoint("http://localhost/middleware.php"), "http://localhost/middleware.php");
  EXPECT_EQ(endpoint("localhost/middleware.php"), "http://localhost/middleware.php");
  EXPECT_EQ(endpoint("HTTP://LocalHost/middleware.php/"), "http://localhost/middleware.php");
  EXPECT_EQ(endpoint("https://name:pass@word@h:8443/Api?key=secret#x"), "https://h:8443/Api");
  EXPECT_EQ(endpoint("http://[::1]:80/api"), "http://[::1]:80/api");
  EXPECT_EQ(endpoint("name:secret@h"), "http://h");
}

// --- options ---

TEST(VolkszaehlerOptions, RefuseWhatCanNeverBeSent) {
  for (const char* text : {"", "http://", "http:///middleware.php", "ftp://h/middleware.php", "http://h/a b",
                           "http://h/\n", "file:///etc/passwd", "http://user:pw@/x", ":80"}) {
    const Made made = make(text);
    EXPECT_EQ(made.sink, nullptr) << text;
    ASSERT_EQ(made.problems.size(), 1U) << text;
    EXPECT_EQ(made.problems[0].severity, Problem::Severity::error);
    EXPECT_EQ(made.problems[0].position.line, 3U);
    EXPECT_THAT(made.problems[0].text, HasSubstr("http://localhost/middleware.php")) << "says what would be right";
  }
}

TEST(VolkszaehlerOptions, WarnOfWhatIsHardlyMeant) {
  for (const char* text :
       {"localhost/middleware.php", "http://localhost", "http://localhost/", "http://h/middleware.php?x"}) {
    const Made made = make(text);
    EXPECT_NE(made.sink, nullptr) << text;
    ASSERT_EQ(made.problems.size(), 1U) << text;
    EXPECT_EQ(made.problems[0].severity, Problem::Severity::warning);
  }
  for (const char* text :
       {"http://localhost/middleware.php", "https://u:p@demo.example.org/api", "http://h/middleware"}) {
    EXPECT_THAT(make(text).problems, IsEmpty()) << text;
  }
}

TEST(VolkszaehlerOptions, NeverShowTheCredentials) {
  for (const char* text : {"ftp://name:sesame@h/", "name:sesame@h", "http://name:sesame@h/#", "http://name:sesame@/"}) {
    for (const Problem& problem : make(text).problems) EXPECT_THAT(problem.text, Not(HasSubstr("sesame")));
  }
}

TEST(VolkszaehlerOptions, TableHasTheOldOptions) {
  std::vector<std::string_view> names;
  for (const OptionSpec& option : sinks::volkszaehler_sink.options) {
    names.push_back(option.name);
    EXPECT_FALSE(option.help.empty());
  }
  EXPECT_THAT(names, ElementsAre("middleware", "timeout"));
  const OptionSpec& middleware = sinks::volkszaehler_sink.options[0];
  EXPECT_TRUE(middleware.required);
  EXPECT_THAT(middleware.check(std::string{kMiddleware}), IsEmpty());
  EXPECT_THAT(middleware.check(std::string{"gopher://h"}), Not(IsEmpty()));
  EXPECT_EQ(sinks::volkszaehler_sink.options[1].default_text, "30");
  EXPECT_EQ(sinks::volkszaehler_sink.options[1].min, 0);
}

// --- replies ---

Judgement judge(long status, const std::string& body, const std::vector<QueuedReading>& batch) {
  HttpReply reply;
  reply.status = status;
  reply.body = body;
  return make(kMiddleware).sink->classify(reply, batch);
}

std::string exception(const std::string& type, const std::string& message) {
  return nlohmann::json{{"version", "0.3"}, {"exception", {{"message", message}, {"type", type}, {"code", 0}}}}.dump();
}

const std::string kDuplicate = exception("UniqueConstraintViolationException",
                                         "An exception occurred while executing 'INSERT INTO data (channel_id, "
                                         "timestamp, value) VALUES (36,?,?)' with params "
                                         "[1700000000000, 10]:\n\nSQLSTATE[23000]: Integrity constraint violation: "
                                         "1062 Duplicate entry '36-1700000000000' for "
                                         "key 'PRIMARY'");

TEST(VolkszaehlerReply, RowsAreCounted) {
  EXPECT_EQ(judge(200, R"({"version":"0.3","rows":2})", readings(2)).verdict, Verdict::accepted);
  EXPECT_THAT(judge(200, R"({"version":"0.3","rows":2})", readings(2)).message, IsEmpty());

  const Judgement fewer = judge(200, R"({"version":"0.3","rows":1})", readings(2));
  EXPECT_EQ(fewer.verdict, Verdict::keep);
  EXPECT_TRUE(fewer.repeat);
  EXPECT_EQ(fewer.retry, Retry::soon);
  EXPECT_THAT(fewer.message, AllOf(HasSubstr("stored 1 rows where 2 were sent"), HasSubstr("...abcdef")));

  const Judgement more = judge(200, R"({"version":"0.3","rows":3})", readings(2));
  EXPECT_EQ(more.verdict, Verdict::accepted);
  EXPECT_THAT(more.message, HasSubstr("stored 3 rows where 2 were sent"));
}

TEST(VolkszaehlerReply, RepeatsMayBeThereAlready) {
  std::vector<QueuedReading> batch = readings(3);
  batch[0].repeat = true;
  EXPECT_EQ(judge(200, R"({"rows":2})", batch).verdict, Verdict::accepted);
  const Judgement fewer = judge(200, R"({"rows":1})", batch);
  EXPECT_EQ(fewer.verdict, Verdict::keep) << "two were sent for the first time";
  EXPECT_TRUE(fewer.repeat);
  batch[1].repeat = batch[2].repeat = true;
  EXPECT_EQ(judge(200, R"({"rows":0})", batch).verdict, Verdict::accepted);
}

TEST(VolkszaehlerReply, OtherReceiversNeedNotCount) {
  for (const char* body : {"", "OK", "{}", "[]", "null", "true", "17", R"({"version":"0.3"})", R"({"rows":null})",
                           R"({"rows":"2"})", R"({"rows":{}})", R"({"exception":null})", "\xff\xfe", R"({"rows":)"}) {
    for (const long status : {200L, 201L, 202L, 204L}) {
      const Judgement judgement = judge(status, body, readings(2));
      EXPECT_EQ(judgement.verdict, Verdict::accepted) << status << body;
      EXPECT_THAT(judgement.message, IsEmpty());
    }
  }
}

TEST(VolkszaehlerReply, AWebPageIsNoReceipt) {
  const Judgement judgement =
      judge(200, "\n <!DOCTYPE html><html><head><title>Log in</title></head></html>", readings(1));
  EXPECT_EQ(judgement.verdict, Verdict::keep);
  EXPECT_EQ(judgement.retry, Retry::rarely);
  EXPECT_THAT(judgement.message, AllOf(HasSubstr("Log in"), HasSubstr("web page"), Not(HasSubstr("<"))));
}

TEST(VolkszaehlerReply, WarningsInFrontOfTheReplyAreOverlooked) {
  const std::string warning = "<br />\n<b>Deprecated</b>: foo in <b>/var/www/x.php</b> on line <b>3</b><br />\n";
  EXPECT_EQ(judge(200, warning + R"({"version":"0.3","rows":2})", readings(2)).verdict, Verdict::accepted);
  EXPECT_EQ(judge(200, warning + R"({"version":"0.3","rows":1})", readings(2)).verdict, Verdict::keep);
  EXPECT_EQ(judge(400, warning + kDuplicate, readings(2)).retry, Retry::halve);
}

TEST(VolkszaehlerReply, AnExceptionInA200IsAnError) {
  const Judgement judgement = judge(200, exception("Exception", "No entity with UUID 'x'"), readings(1));
  EXPECT_EQ(judgement.verdict, Verdict::keep);
  EXPECT_EQ(judgement.retry, Retry::rarely);
}

TEST(VolkszaehlerReply, DuplicatesAreSentAgainAsRepeats) {
  const Judgement judgement = judge(400, kDuplicate, readings(5));
  EXPECT_EQ(judgement.verdict, Verdict::keep);
  EXPECT_EQ(judgement.retry, Retry::halve) << "at once, not after a pause";
  EXPECT_TRUE(judgement.repeat);
  EXPECT_THAT(judgement.message, HasSubstr("already"));

  const Judgement single = judge(400, kDuplicate, readings(1));
  EXPECT_EQ(single.retry, Retry::halve);
  EXPECT_TRUE(single.repeat);
}

TEST(VolkszaehlerReply, ADuplicateThatShouldHaveBeenSkippedIsNeverDropped) {
  const Judgement judgement = judge(400, kDuplicate, readings(1, true));
  EXPECT_EQ(judgement.verdict, Verdict::keep);
  EXPECT_EQ(judgement.retry, Retry::rarely);
  EXPECT_THAT(judgement.message, HasSubstr("skipduplicates"));
  EXPECT_EQ(judge(400, kDuplicate, readings(4, true)).retry, Retry::halve);
}

TEST(VolkszaehlerReply, AnUnknownUuidIsExplained) {
  const Judgement judgement =
      judge(400, exception("Exception", "No entity with UUID '01234567-89AB-cdef-0123-456789abcdef'"), readings(1));
  EXPECT_EQ(judgement.verdict, Verdict::keep);
  EXPECT_EQ(judgement.retry, Retry::rarely);
  EXPECT_FALSE(judgement.repeat);
  EXPECT_EQ(
      judgement.message,
      "CURL Error from middleware: 'Exception': 'No entity with UUID '...abcdef'', HTTP 400 from "
      "http://127.0.0.1/middleware.php; this middleware has no channel ...abcdef: copy the uuid from the frontend (the "
      "(i) beside the channel) into the configuration, or create the channel there");
  EXPECT_EQ(judge(400, exception("Exception", "Invalid UUID abc"), readings(1)).retry, Retry::rarely);
  EXPECT_THAT(judge(400, exception("Exception", "Adding data is only supported for channels"), readings(1)).message,
              HasSubstr("is a group"));
}

TEST(VolkszaehlerReply, TroubleOfTheDatabasePasses) {
  const std::pair<const char*, const char*> cases[] = {
      {"ConnectionException", "An exception occurred in driver: SQLSTATE[HY000] [2002] Connection refused"},
      {"Doctrine\\DBAL\\Exception\\ConnectionException", "SQLSTATE[HY000] [1045] Access denied"},
      {"DriverException", "SQLSTATE[HY000]: General error: 2006 MySQL server has gone away"},
      {"DriverException", "SQLSTATE[HY000]: General error: 1114 The table 'data' is full"},
      {"DeadlockException", "SQLSTATE[40001]: Serialization failure: 1213 Deadlock found"},
      {"LockWaitTimeoutException", "SQLSTATE[HY000]: General error: 1205 Lock wait timeout exceeded"},
      {"PDOException", "SQLSTATE[HY000] [2002] No such file or directory"},
  };
  for (const auto& [type, message] : cases) {
    for (const std::size_t count : {1U, 100U}) {
      const Judgement judgement = judge(400, exception(type, message), readings(count));
      EXPECT_EQ(judgement.verdict, Verdict::keep) << message;
      EXPECT_EQ(judgement.retry, Retry::soon) << message;
    }
  }
  const std::string refused = exception("ConnectionException", "SQLSTATE[HY000] [2002] Connection refused");
  EXPECT_THAT(judge(400, refused, readings(1)).message, HasSubstr("'ConnectionException': 'SQLSTATE[HY000] [2002]"));
  EXPECT_FALSE(judge(400, refused, readings(1)).repeat);
}

TEST(VolkszaehlerReply, ValuesThatAreRefusedAreSearchedFor) {
  const std::pair<const char*, const char*> cases[] = {
      {"DriverException", "An exception occurred while executing 'INSERT ...': something about the data"},
      {"DriverException",
       "SQLSTATE[22003]: Numeric value out of range: 1264 Out of range value for column 'timestamp'"},
      {"DriverException", "SQLSTATE[HY000]: General error: 1366 Incorrect double value: 'abc' for column 'value'"},
      {"DriverException", "SQLSTATE[01000]: Warning: 1265 Data truncated for column 'value' at row 1"},
      {"DriverException", "SQLSTATE[HY093]: Invalid parameter number"},
      {"NotNullConstraintViolationException", "SQLSTATE[23000]: 1048 Column 'value' cannot be null"},
      {"TypeError", "Unsupported operand types: string * int"},
  };
  for (const auto& [type, message] : cases) {
    const Judgement many = judge(400, exception(type, message), readings(2));
    EXPECT_EQ(many.verdict, Verdict::keep) << message;
    EXPECT_EQ(many.retry, Retry::halve) << message;
    EXPECT_FALSE(many.repeat) << message;
    const Judgement one = judge(400, exception(type, message), readings(1));
    EXPECT_EQ(one.verdict, Verdict::rejected) << message;
    EXPECT_THAT(one.message, HasSubstr("the reading itself is refused"));
  }
}

TEST(VolkszaehlerReply, AnUnknownExceptionNeverRejects) {
  for (const char* type :
       {"", "Exception", "Error", "SyntaxErrorException", "ForeignKeyConstraintViolationException"}) {
    const Judgement judgement = judge(400, exception(type, "SQLSTAT who knows"), readings(1));
    EXPECT_EQ(judgement.verdict, Verdict::keep) << type;
    EXPECT_EQ(judgement.retry, Retry::rarely) << type;
  }
  EXPECT_EQ(judge(500, exception("Error", "Class not found"), readings(1)).retry, Retry::soon);
}

TEST(VolkszaehlerReply, OddExceptionsDoNotCrash) {
  for (const char* body :
       {R"({"exception":{}})", R"({"exception":[]})", R"({"exception":{"type":null,"message":null}})",
        R"({"exception":{"type":7,"message":["x"]}})", R"({"exception":"text"})", R"({"exception":true})",
        R"({"exception":{"message":")", R"({"exception":{"type":"Uni)", R"(["exception"])",
        "{\"exception\":{\"message\":\"\xff\"}}"}) {
    for (const long status : {200L, 400L, 500L}) {
      const Judgement judgement = judge(status, body, readings(1));
      EXPECT_NE(judgement.verdict, Verdict::rejected) << body;
    }
    EXPECT_EQ(judge(400, body, readings(1)).verdict, Verdict::keep) << body;
  }
}

TEST(VolkszaehlerReply, AReplyThatWasCutOffIsStillUnderstood) {
  const std::string cut = kDuplicate.substr(0, kDuplicate.size() - 30);
  EXPECT_EQ(judge(400, cut, readings(5)).retry, Retry::halve);
  EXPECT_TRUE(judge(400, cut, readings(5)).repeat);
}

TEST(VolkszaehlerReply, NoAnswerIsTriedAgain) {
  HttpReply reply;
  reply.error = "Couldn't connect to server";
  Judgement judgement = make("http://name:secret@h/middleware.php").sink->classify(reply, readings(1));
  EXPECT_EQ(judgement.verdict, Verdict::keep);
  EXPECT_EQ(judgement.retry, Retry::soon);
  EXPECT_FALSE(judgement.repeat);
  EXPECT_EQ(judgement.message,
            "CURL: Couldn't connect to server (http://h/middleware.php); is the web server running, and "
            "are host and port in `middleware` right?");
  reply.error = "Timeout was reached";
  reply.maybe_delivered = true;
  judgement = make(kMiddleware).sink->classify(reply, readings(1));
  EXPECT_EQ(judgement.retry, Retry::soon);
  EXPECT_TRUE(judgement.repeat);
  reply.error.clear();
  EXPECT_THAT(make(kMiddleware).sink->classify(reply, readings(1)).message, HasSubstr("no answer"));
}

TEST(VolkszaehlerReply, ErrorsOfTheWebServer) {
  const std::string page = "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>";
  struct Case {
    long status;
    std::size_t count;
    Retry retry;
    bool repeat;
    const char* hint;
  };
  const Case cases[] = {
      {502, 200, Retry::soon, true, "Bad Gateway"},
      {503, 200, Retry::soon, true, ""},
      {504, 200, Retry::soon, true, ""},
      {500, 1, Retry::soon, true, "error log"},
      {500, 200, Retry::halve, true, "too many"},
      {408, 1, Retry::soon, true, ""},
      {429, 1, Retry::soon, false, "fewer requests"},
      {413, 200, Retry::halve, false, "200 readings are too many"},
      {413, 1, Retry::rarely, false, "client_max_body_size"},
      {401, 1, Retry::rarely, false, "a name and a password"},
      {403, 1, Retry::rarely, false, "does not allow"},
      {404, 1, Retry::rarely, false, "is the path right?"},
      {405, 1, Retry::rarely, false, "is the path right?"},
      {400, 1, Retry::rarely, false, "`middleware`"},
      {418, 1, Retry::rarely, false, "`middleware`"},
      {301, 1, Retry::rarely, false, "redirects"},
      {302, 1, Retry::rarely, false, "redirects"},
      {307, 1, Retry::rarely, false, "https://"},
      {100, 1, Retry::soon, true, ""},
      {999, 1, Retry::soon, true, ""},
  };
  for (const Case& expected : cases) {
    const Judgement judgement = judge(expected.status, page, readings(expected.count));
    EXPECT_EQ(judgement.verdict, Verdict::keep) << expected.status;
    EXPECT_EQ(judgement.retry, expected.retry) << expected.status;
    EXPECT_EQ(judgement.repeat, expected.repeat) << expected.status;
    EXPECT_THAT(judgement.message, AllOf(HasSubstr(std::to_string(expected.status)), HasSubstr(expected.hint),
                                         HasSubstr(kMiddleware), Not(HasSubstr("<"))));
  }
  EXPECT_EQ(judge(400, exception("Exception", "Maximum message size exceeded"), readings(9)).retry, Retry::halve);
  EXPECT_EQ(judge(400, exception("Exception", "Maximum message size exceeded"), readings(1)).retry, Retry::rarely);
}

TEST(VolkszaehlerReply, TheHintOfAWrongPathNamesTheUsualOne) {
  HttpReply reply;
  reply.status = 404;
  EXPECT_THAT(make("http://h/vz").sink->classify(reply, readings(1)).message, HasSubstr("/middleware.php"));
}

TEST(VolkszaehlerReply, ForeignTextIsMadeFitForALine) {
  std::string body = "<html><style>p{}</style><script>alert(1)</script>\r\n<body>\n\x1b[31mIt\tbroke \xff\xc3\xa4 ";
  body += std::string(5000, 'x') + "</body></html>";
  const std::string message = judge(503, body, readings(1)).message;
  EXPECT_THAT(message, HasSubstr("[31mIt broke ?\xc3\xa4 xxx"));
  EXPECT_THAT(message, Not(HasSubstr("alert")));
  EXPECT_LT(message.size(), 400U);
  for (const char c : message) EXPECT_GE(static_cast<unsigned char>(c), 0x20U);
  EXPECT_NO_THROW(nlohmann::json(message).dump()) << "is UTF-8";
}

TEST(VolkszaehlerReply, NoMessageHoldsAFullUuid) {
  const std::string other = "67d38f40-e65d-11f1-ad72-157646da63bf";
  const std::string text = std::string{"gone: /data/"} + kUuid + ".json and " + other;
  for (const std::string& body : {text, "<p>" + text + "</p>", exception("Exception", text), exception(text, text)}) {
    for (const long status : {200L, 302L, 400L, 404L, 413L, 500L}) {
      for (const std::size_t count : {1U, 100U}) {
        const std::string message = judge(status, body, readings(count)).message;
        EXPECT_THAT(message, AllOf(Not(HasSubstr(kUuid)), Not(HasSubstr(other))));
      }
    }
  }
  HttpReply reply;
  reply.error = text;
  EXPECT_THAT(make(kMiddleware).sink->classify(reply, readings(1)).message, Not(HasSubstr(kUuid)));
}

/// Any bytes as a reply: never a crash, never a rejection, never bytes that do not belong into a log.
TEST(VolkszaehlerReply, TakesAnyBytes) {
  std::uint64_t state = 1;
  const auto random = [&state] { return state = state * 6364136223846793005U + 1442695040888963407U, state >> 33U; };
  const std::string pool =
      "{}[]\",:<>/!-\\ntruefalsl0123456789 exceptionrowsversiontypemessageSQLSTATE[\xff\xc3\xa4\x01";
  for (int i = 0; i < 20'000; ++i) {
    std::string body = i % 3 == 0 ? kDuplicate : std::string{};
    if (i % 3 == 1) body = R"({"version":"0.3","rows":)";
    for (std::uint64_t n = random() % 60; n > 0; --n) {
      const char c = pool[random() % pool.size()];
      if (body.empty())
        body += c;
      else
        body.insert(random() % body.size(), 1, c);
    }
    const long status = std::array{200L, 400L, 500L, 0L}[random() % 4];
    const Judgement judgement = judge(status, body, readings(1 + random() % 40));
    EXPECT_NE(judgement.verdict, Verdict::rejected);
    EXPECT_NO_THROW(nlohmann::json(judgement.message).dump());
  }
}

}  // namespace
}  // namespace vz
