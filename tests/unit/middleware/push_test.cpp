// SPDX-License-Identifier: GPL-3.0-or-later
// Pushing readings: every row of the table of what the original answers.
#include <limits>

#include "unit/middleware/api_fixture.hpp"

namespace vz::middleware {
namespace {

using nlohmann::json;

class Push : public ApiTest {};

TEST_F(Push, StoresABatch) {
  expect_rows(push(kMeter, "[ [ 1700000000000, 132.149 ], [ 1700000060000, 132.150 ] ]"), 2);
  EXPECT_EQ(stored(kMeter), json::parse("[[1700000000000,132.149],[1700000060000,132.15]]"));
}

TEST_F(Push, KeepsEveryBit) {
  push(kMeter, "[[1,132.14912345678901],[2,123456789.123456789],[3,0.30000000000000004]]");
  EXPECT_EQ(stored(kMeter), json::parse("[[1,132.14912345678901],[2,123456789.123456789],[3,0.30000000000000004]]"));
}

TEST_F(Push, RepliesAsJsonThatAnyPageMayRead) {
  const auto reply = push(kMeter, "[[1,1]]");
  EXPECT_EQ(reply.content_type, "application/json");
  EXPECT_EQ(reply.rows, 1);
}

TEST_F(Push, AnswersBelowAllPrefixes) {
  int ms = 0;
  for (const std::string prefix : {"/middleware.php", "/middleware", "/api", "/middleware.php/", "//middleware.php//",
                                   "/volkszaehler.org/htdocs/middleware.php"}) {
    Request request;
    request.method = "POST";
    request.path = prefix + "/data/" + kMeter + ".json";
    request.body = fmt::format("[[{},1]]", ++ms);
    expect_rows(api_.handle(request), 1);
  }
  Request request;
  request.method = "POST";
  for (const std::string path : {"/data/", "/middlewareX/data/", "/apis/data/"}) {
    request.path = path + kMeter + ".json";
    EXPECT_EQ(api_.handle(request).status, 404) << path;
  }
}

TEST_F(Push, TakesTheUuidInUpperCaseAndAsParameter) {
  create("type=voltage,title=U,uuid=abcdefab-0000-0000-0000-000000000000");
  expect_rows(push("ABCDEFAB-0000-0000-0000-000000000000", "[[1,230]]"), 1);
  expect_rows(send("POST", "/data.json?uuid=abcdefab-0000-0000-0000-000000000000", "[[2,231]]"), 1);
}

TEST_F(Push, KnowsNoSuchUuid) {
  EXPECT_EQ(failure(push(kUnknown, "[[1,1]]"), "Exception"), fmt::format("No entity with UUID '{}'", kUnknown));
}

TEST_F(Push, RefusesAMalformedUuid) { EXPECT_EQ(failure(push("abc", "[[1,1]]"), "Exception"), "Invalid UUID abc"); }

TEST_F(Push, TakesTheTitleOfAPublicChannel) {
  create("type=voltage,title=Open,public=1");
  create("type=voltage,title=Hidden");
  expect_rows(push("Open", "[[1,230]]"), 1);
  EXPECT_EQ(failure(push("Hidden", "[[1,230]]"), "Exception"), "Invalid UUID Hidden");
}

// The trap: HTTP 200 and rows 1 for a body that could not be read.
TEST_F(Push, AnswersAnUndecodableBodyWithABogusRow) {
  const std::string gzip("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x8b\x8e\x05\x00", 14);
  const std::string bodies[] = {"[[1700000000000, 1",
                                "garbage",
                                "[[1700000000000, NaN]]",
                                "null",
                                "",
                                "\xEF\xBB\xBF[[1700000000000,1]]",
                                gzip,
                                "[[1700000000000,1],]",
                                "[[1,1]]x",
                                "[[1,\"\xff\"]]",
                                "{\"a\":1",
                                std::string(600, '[') + std::string(600, ']')};
  for (const auto& body : bodies) {
    expect_rows(push(kMeter, body), 1);
    EXPECT_EQ(stored(kMeter), json::array({json::array({kNow, 1})})) << body;
    send("DELETE", fmt::format("/data/{}.json?from=0", kMeter));
  }
}

TEST_F(Push, DoesNotSeeTheBodyOfAMultipartForm) {
  expect_rows(send("POST", fmt::format("/data/{}.json", kMeter), "[[5,5],[6,6]]", "multipart/form-data; boundary=x"),
              1);
  EXPECT_EQ(stored(kMeter), json::array({json::array({kNow, 1})}));
}

TEST_F(Push, ReadsJsonWhateverTheContentType) {
  expect_rows(send("POST", fmt::format("/data/{}.json", kMeter), "[[5,5]]", "application/x-www-form-urlencoded"), 1);
  expect_rows(send("POST", fmt::format("/data/{}.json", kMeter), "[[6,6]]", ""), 1);
  EXPECT_EQ(stored(kMeter), json::parse("[[5,5],[6,6]]"));
}

TEST_F(Push, TakesOneTupleAsParameters) {
  const auto target = fmt::format("/data/{}.json", kMeter);
  expect_rows(send("POST", target + "?ts=1000&value=1.5"), 1);
  expect_rows(send("POST", target, "ts=2000&value=2.5", "application/x-www-form-urlencoded"), 1);
  expect_rows(get(target + "?operation=add&ts=3000&value=3.5"), 1);
  expect_rows(get(target + "?operation=ADD&ts=@4&value=4.5"), 1);
  expect_rows(send("POST", target + "?ts=now&value=5.5"), 1);
  expect_rows(send("POST", target + "?ts=6000"), 1);
  expect_rows(send("POST", target + "?value=7.5"), 1);
  EXPECT_EQ(stored(kMeter), json::parse("[[1000,1.5],[2000,2.5],[3000,3.5],[4000,4.5],[6000,1],"
                                        "[1800000000000,5.5],[1800000000123,7.5]]"));
  EXPECT_EQ(failure(send("POST", target + "?ts=someday"), "Exception"), "Invalid time format: 'someday'");
  failure(send("POST", target + "?ts=1&value=abc"), "DriverException");
}

TEST_F(Push, RefusesJsonOfAnotherShape) {
  EXPECT_EQ(failure(push(kMeter, R"({"data":[[1,1]]})"), "Error"), "Cannot use object of type stdClass as array");
  EXPECT_EQ(failure(push(kMeter, "42"), "TypeError"),
            "array_reduce(): Argument #1 ($array) must be of type array, int given");
  EXPECT_EQ(failure(push(kMeter, "[1700000000000, 5.5]"), "TypeError"),
            "array_merge(): Argument #2 must be of type array, int given");
  EXPECT_EQ(failure(push(kMeter, "[null]"), "TypeError"),
            "array_merge(): Argument #2 must be of type array, null given");
  EXPECT_EQ(failure(push(kMeter, R"([{"timestamp":1}])"), "TypeError"),
            "array_merge(): Argument #2 must be of type array, stdClass given");
  failure(push(kMeter, "[[1,[2]]]"), "ErrorException");
  EXPECT_EQ(stored(kMeter), json::array());
}

TEST_F(Push, RefusesAnEmptyList) {
  EXPECT_THAT(failure(push(kMeter, "[]"), "SyntaxErrorException"), ::testing::HasSubstr("SQLSTATE[42000]"));
  failure(push(kMeter, "[[]]"), "SyntaxErrorException");
}

TEST_F(Push, RefusesOneOrThreeElements) {
  EXPECT_THAT(failure(push(kMeter, "[[1]]"), "DriverException"), ::testing::HasSubstr("SQLSTATE[HY093]"));
  failure(push(kMeter, "[[1,2,3]]"), "DriverException");
  EXPECT_EQ(stored(kMeter), json::array());
}

// The trap: the elements are flattened and paired anew.
TEST_F(Push, StoresGarbageOfTwoTriples) {
  expect_rows(push(kMeter, "[[1,2,3],[4,5,6]]"), 3);
  EXPECT_EQ(stored(kMeter), json::parse("[[1,2],[3,4],[5,6]]"));
}

TEST_F(Push, TakesNumbersInQuotes) {
  expect_rows(push(kMeter, R"([["1700000000000","132.149"],[" 5 ","+1e2"]])"), 2);
  EXPECT_EQ(stored(kMeter), json::parse("[[5,100],[1700000000000,132.149]]"));
}

TEST_F(Push, RefusesWhatIsNoNumber) {
  failure(push(kMeter, R"([[1,"abc"]])"), "DriverException");
  failure(push(kMeter, R"([[1,"132,149"]])"), "DriverException");
  failure(push(kMeter, R"([["now",1]])"), "DriverException");
  failure(push(kMeter, "[[1,1e400]]"), "DriverException");
  failure(push(kMeter, R"([[1,"1e400"]])"), "DriverException");
  failure(push(kMeter, "[[1,false]]"), "DriverException");
  failure(push(kMeter, "[[9223372036854775808,1]]"), "DriverException");
  failure(push(kMeter, "[[1e30,1]]"), "DriverException");
  EXPECT_THAT(failure(push(kMeter, "[[1,null]]"), "NotNullConstraintViolationException"),
              ::testing::HasSubstr("1048 Column 'value' cannot be null"));
  EXPECT_THAT(failure(push(kMeter, "[[null,1]]"), "NotNullConstraintViolationException"),
              ::testing::HasSubstr("1048 Column 'timestamp' cannot be null"));
  EXPECT_EQ(stored(kMeter), json::array());
}

TEST_F(Push, RefusesTheWholeBatchForOneBadValue) {
  failure(push(kMeter, R"([[1,1],[2,"x"],[3,3]])"), "DriverException");
  EXPECT_EQ(stored(kMeter), json::array());
}

TEST_F(Push, TakesTrueForOne) {
  expect_rows(push(kMeter, "[[1,true]]"), 1);
  EXPECT_EQ(stored(kMeter), json::parse("[[1,1]]"));
}

TEST_F(Push, DoesNotLookAtTheTime) {
  expect_rows(push(kMeter, "[[1700000000,1],[0,2],[-5,3],[4070908800000,4]]"), 4);
  EXPECT_EQ(stored(kMeter), json::parse("[[-5,3],[0,2],[1700000000,1],[4070908800000,4]]"));
}

TEST_F(Push, RoundsAStampToWholeMilliseconds) {
  expect_rows(push(kMeter, R"([[1700000000000.7,1],["1700000000005.5",2]])"), 2);
  EXPECT_EQ(stored(kMeter), json::parse("[[1700000000001,1],[1700000000006,2]]"));
}

TEST_F(Push, KeepsANegativeValue) {
  expect_rows(push(kMeter, "[[1,-5.5]]"), 1);
  EXPECT_EQ(stored(kMeter), json::parse("[[1,-5.5]]"));
}

TEST_F(Push, RefusesPut) {
  failure(send("PUT", fmt::format("/data/{}.json", kMeter), "[[1,1]]"), "ErrorException");
  EXPECT_EQ(stored(kMeter), json::array());
}

TEST_F(Push, RefusesAGroup) {
  create("type=group,title=House,uuid=33333333-3333-3333-3333-333333333333");
  EXPECT_EQ(failure(push("33333333-3333-3333-3333-333333333333", "[[1,1]]"), "Exception"),
            "Adding data is only supported for channels");
}

TEST_F(Push, RefusesADuplicateInTheWordsOfTheOriginal) {
  push(kMeter, "[[1700000000000,1]]");
  const auto reply = push(kMeter, "[[1700000000000, 10]]");
  EXPECT_EQ(reply.status, 400);
  EXPECT_EQ(reply.body,
            R"({"version":"0.3","exception":{"message":"An exception occurred while executing 'INSERT INTO data )"
            R"((channel_id, timestamp, value) VALUES (1,?,?)' with params [1700000000000, 10]:\n\nSQLSTATE[23000]: )"
            R"(Integrity constraint violation: 1062 Duplicate entry '1-1700000000000' for key 'PRIMARY'",)"
            R"("type":"UniqueConstraintViolationException","code":0}})");
}

TEST_F(Push, RefusesABatchWithOneDuplicateAsAWhole) {
  push(kMeter, "[[2,2]]");
  EXPECT_THAT(failure(push(kMeter, "[[1,1],[2,2.5],[3,3]]"), "UniqueConstraintViolationException"),
              ::testing::HasSubstr("VALUES (1,?,?), (1,?,?), (1,?,?)' with params [1, 1, 2, 2.5, 3, 3]"));
  EXPECT_EQ(stored(kMeter), json::parse("[[2,2]]"));
}

TEST_F(Push, RefusesADuplicateWithinTheBody) {
  failure(push(kMeter, "[[1,1],[1,2]]"), "UniqueConstraintViolationException");
  failure(push(kMeter, "[[1,1],[1,1]]"), "UniqueConstraintViolationException");
  EXPECT_EQ(stored(kMeter), json::array());
}

TEST_F(Push, HasOneKeyForEachChannel) {
  expect_rows(push(kMeter, "[[1,1]]"), 1);
  expect_rows(push(kSensor, "[[1,2]]"), 1);
  EXPECT_THAT(failure(push(kSensor, "[[1,2]]"), "UniqueConstraintViolationException"),
              ::testing::HasSubstr("Duplicate entry '2-1'"));
}

TEST_F(Push, SkipsDuplicatesIfAsked) {
  push(kMeter, "[[2,2]]");
  expect_rows(push(kMeter, "[[1,1],[2,99],[3,3]]", "?options=skipduplicates"), 2);
  expect_rows(push(kMeter, "[[1,1],[2,99],[3,3]]", "?options=SkipDuplicates"), 0);
  expect_rows(push(kMeter, "[[3,0],[4,4]]", "?options[]=raw&options[]=skipduplicates"), 1);
  EXPECT_EQ(stored(kMeter), json::parse("[[1,1],[2,2],[3,3],[4,4]]"));
}

TEST_F(Push, KnowsNoListOfOptionsWithCommas) {
  push(kMeter, "[[2,2]]");
  failure(push(kMeter, "[[2,2]]", "?options=raw,skipduplicates"), "UniqueConstraintViolationException");
}

// The trap: INSERT IGNORE says nothing about values it had to bend.
TEST_F(Push, BendsBadValuesWhenSkippingDuplicates) {
  expect_rows(push(kMeter, R"([[1,"abc"],[2,null],[3,"12abc"],[4,false]])", "?options=skipduplicates"), 4);
  EXPECT_EQ(stored(kMeter), json::parse("[[1,0],[2,0],[3,12],[4,0]]"));
}

TEST_F(Push, AnswersTooManyTuplesWithAnHtmlPage) {
  std::string body = "[[0,0]";
  for (std::size_t i = 1; i <= kMaxTuples; ++i) body += fmt::format(",[{},1]", i);
  const auto reply = push(kMeter, body + "]");
  EXPECT_EQ(reply.status, 500);
  EXPECT_EQ(reply.content_type, "text/html");
  EXPECT_EQ(stored(kMeter), json::array());
}

class PhpPrecision : public ApiTest {
 protected:
  PhpPrecision() : ApiTest(Precision::php) {}
};

TEST_F(PhpPrecision, KeepsFourteenDigits) {
  push(kMeter, "[[1,132.14912345678901],[2,123456789.123456789]]");
  EXPECT_EQ(stored(kMeter), json::parse("[[1,132.14912345679],[2,123456789.12346]]"));
}

TEST_F(Push, IsToldFromARead) {
  Request request;
  request.method = "POST";
  request.path = fmt::format("/middleware.php/data/{}.json", kMeter);
  EXPECT_TRUE(is_push(request));
  request.method = "GET";
  EXPECT_FALSE(is_push(request));
  request.query.add("operation", "add");
  EXPECT_TRUE(is_push(request));
  request.path = "/middleware.php/channel.json";
  EXPECT_FALSE(is_push(request));
}

}  // namespace
}  // namespace vz::middleware
