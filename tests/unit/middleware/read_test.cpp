// SPDX-License-Identifier: GPL-3.0-or-later
// Reading data back: tuples, neighbours, sums and options.
#include "unit/middleware/api_fixture.hpp"

namespace vz::middleware {
namespace {

using nlohmann::json;

class Read : public ApiTest {
 protected:
  json data(const std::string& uuid, const std::string& query) {
    const auto reply = get("/data/" + uuid + ".json?" + query);
    EXPECT_EQ(reply.status, 200) << reply.body;
    return json::parse(reply.body)["data"];
  }
  json tuples(const std::string& uuid, const std::string& query) { return data(uuid, query)["tuples"]; }
  /// Readings at kT + minutes.
  void push_minutes(const std::string& uuid, const std::vector<std::pair<int, double>>& readings) {
    std::string body;
    for (const auto& [minute, value] : readings)
      body += fmt::format("{}[{},{}]", body.empty() ? "[" : ",", kT + minute * 60'000, value);
    ASSERT_EQ(push(uuid, body + "]").status, 200);
  }
};

std::string at(int minutes) { return fmt::format("{}", kT + minutes * 60'000); }
/// The minutes of the tuples' stamps.
std::vector<int> minutes(const json& tuples) {
  std::vector<int> out;
  for (const auto& tuple : tuples) out.push_back(static_cast<int>((tuple[0].get<std::int64_t>() - kT) / 60'000));
  return out;
}
using Minutes = std::vector<int>;

TEST_F(Read, ElectricMeterAsTheOriginalWritesIt) {
  push(kMeter, "[[1700000000000,132.149],[1700003600000,132.649]]");
  const auto reply = get(fmt::format("/data/{}.json?from=1700000000000&to=1700003600000", kMeter));
  EXPECT_EQ(
      reply.body,
      R"({"version":"0.3","data":{"tuples":[[1700003600000,500,1]],"uuid":"11111111-1111-1111-1111-111111111111",)"
      R"("from":1700000000000,"to":1700003600000,"min":[1700003600000,500],"max":[1700003600000,500],)"
      R"("average":500,"consumption":500,"rows":2}})");
  EXPECT_EQ(reply.rows, 2);
}

TEST_F(Read, OneRowIsOnlyABase) {
  push(kMeter, "[[1700000000000,5]]");
  EXPECT_EQ(get(fmt::format("/data/{}.json?from=0", kMeter)).body,
            R"({"version":"0.3","data":{"tuples":[],"uuid":"11111111-1111-1111-1111-111111111111",)"
            R"("from":1700000000000,"to":1700000000000,"average":0,"consumption":0,"rows":1}})");
}

TEST_F(Read, NothingIsZero) {
  EXPECT_EQ(get(fmt::format("/data/{}.json", kMeter)).body,
            R"({"version":"0.3","data":{"tuples":[],"uuid":"11111111-1111-1111-1111-111111111111","from":0,"to":0,)"
            R"("average":0,"consumption":0,"rows":0}})");
}

TEST_F(Read, PowerSensor) {
  push(kSensor, fmt::format("[[{},0],[{},250],[{},-1000.12345]]", kT, kT + kHour, kT + 2 * kHour));
  const auto series = data(kSensor, "from=" + at(0));
  EXPECT_EQ(series["tuples"], json::array({{kT + kHour, 250, 1}, {kT + 2 * kHour, -1000.123, 1}}));
  EXPECT_EQ(series["average"], -375.062);
  EXPECT_EQ(series["consumption"], -750.123);
  EXPECT_EQ(series["min"], json::array({kT + 2 * kHour, -1000.123}));
  EXPECT_EQ(series["max"], json::array({kT + kHour, 250}));
}

TEST_F(Read, ResolutionIsUnitsPerKilowattHour) {
  create("type=electric meter,title=Wh,resolution=1000,uuid=33333333-3333-3333-3333-333333333333");
  const std::string wh = "33333333-3333-3333-3333-333333333333";
  push_minutes(wh, {{0, 1000}, {60, 1250}});
  EXPECT_EQ(tuples(wh, "from=0")[0][1], 250);
  push_minutes(kMeter, {{0, 1000}, {60, 1250}});
  EXPECT_EQ(tuples(kMeter, "from=0")[0][1], 250'000);
}

TEST_F(Read, AFallingCounterGivesNegativePower) {
  push_minutes(kMeter, {{0, 10}, {60, 9}});
  EXPECT_EQ(tuples(kMeter, "from=0")[0][1], -1000);
  EXPECT_EQ(data(kMeter, "from=0")["consumption"], -1000);
}

TEST_F(Read, ImpulsesCountTowardsTheRowBefore) {
  create("type=power,title=S0,resolution=2000,uuid=33333333-3333-3333-3333-333333333333");
  const std::string s0 = "33333333-3333-3333-3333-333333333333";
  push_minutes(s0, {{0, 1}, {1, 1}, {3, 1}});
  const auto series = data(s0, "from=0");
  EXPECT_EQ(series["tuples"][0][1], 30);  // 0.5 Wh in a minute
  EXPECT_EQ(series["tuples"][1][1], 15);
  EXPECT_EQ(series["consumption"], 1);
  EXPECT_EQ(series["average"], 20);
}

TEST_F(Read, OtherUnitsAreNotScaled) {
  create("type=gas meter,title=Gas,resolution=1,uuid=33333333-3333-3333-3333-333333333333");
  const std::string gas = "33333333-3333-3333-3333-333333333333";
  push_minutes(gas, {{0, 100}, {30, 101}});
  EXPECT_EQ(tuples(gas, "from=0")[0][1], 2);  // m3/h
  EXPECT_EQ(data(gas, "from=0")["consumption"], 1);
}

TEST_F(Read, ATypeWithoutConsumptionHasNone) {
  create("type=voltage,title=U,uuid=33333333-3333-3333-3333-333333333333");
  push_minutes("33333333-3333-3333-3333-333333333333", {{0, 230}, {1, 231}, {2, 232}});
  const auto series = data("33333333-3333-3333-3333-333333333333", "from=0");
  EXPECT_FALSE(series.contains("consumption"));
  EXPECT_EQ(series["average"], 231.5);
}

TEST_F(Read, AddsOneNeighbourOnEachSide) {
  push_minutes(kMeter, {{0, 0}, {1, 1}, {2, 2}, {3, 3}, {4, 4}, {5, 5}});
  EXPECT_EQ(minutes(tuples(kMeter, "from=" + at(2) + "&to=" + at(3))), (Minutes{1, 2, 3, 4}));
  EXPECT_EQ(minutes(tuples(kMeter, "from=" + at(2) + "&to=" + at(3) + "&options=exact")), (Minutes{3}));
  EXPECT_EQ(data(kMeter, "from=" + at(2) + "&to=" + at(3) + "&options=exact")["from"], kT + 120'000);
  EXPECT_EQ(minutes(tuples(kMeter, "from=" + at(1) + "&to=" + at(5))), (Minutes{1, 2, 3, 4, 5}));
}

TEST_F(Read, GivesTheLastTupleFromNow) {
  push_minutes(kMeter, {{0, 0}, {1, 1}, {2, 2}});
  EXPECT_EQ(minutes(tuples(kMeter, "from=now")), (Minutes{2}));
  EXPECT_EQ(minutes(tuples(kMeter, "")), (Minutes{2}));  // without from: the last day, which has none
}

TEST_F(Read, BeginsADayBeforeIfNotTold) {
  push_minutes(kMeter, {{0, 0}, {1000, 1}, {2000, 2}, {3000, 3}, {4000, 4}});
  EXPECT_EQ(minutes(tuples(kMeter, "to=" + at(3500) + "&options=exact")), (Minutes{}));
  EXPECT_EQ(data(kMeter, "to=" + at(3500) + "&options=exact")["rows"], 1);
  EXPECT_EQ(minutes(tuples(kMeter, "to=" + at(3400) + "&options=exact")), (Minutes{3000}));
}

TEST_F(Read, GivesStoredValuesRaw) {
  push_minutes(kMeter, {{0, 1.00004}, {1, 2.00051}, {2, 3.5}});
  const auto series = data(kMeter, "from=0&options=raw");
  EXPECT_EQ(series["tuples"], json::array({{kT + 60'000, 2.001, 1}, {kT + 120'000, 3.5, 1}}));
  EXPECT_EQ(tuples(kMeter, "from=0&options=RAW"), series["tuples"]);
}

TEST_F(Read, GivesConsumptionPerInterval) {
  push_minutes(kMeter, {{0, 1}, {60, 1.5}, {120, 1.75}});
  EXPECT_EQ(tuples(kMeter, "from=0&options=consumption"),
            json::array({{kT + kHour, 500, 1}, {kT + 2 * kHour, 250, 1}}));
  // the interval that ends at `to` is left out
  EXPECT_EQ(minutes(tuples(kMeter, "from=0&to=" + at(120) + "&options=consumption")), (Minutes{60}));
  EXPECT_EQ(minutes(tuples(kMeter, "from=" + at(0) + "&to=" + at(60) + "&options[]=consumption&options[]=exact")),
            (Minutes{}));
  push_minutes(kSensor, {{0, 0}, {30, 100}});
  EXPECT_EQ(tuples(kSensor, "from=0&options=consumption")[0][1], 50);
}

TEST_F(Read, PutsRowsTogetherForFewTuples) {
  push_minutes(kMeter, {{0, 0}, {1, 1}, {2, 2}, {3, 4}, {4, 8}});
  const auto series = data(kMeter, "from=0&tuples=2");
  EXPECT_EQ(minutes(series["tuples"]), (Minutes{2, 4}));
  EXPECT_EQ(series["tuples"][0][2], 2);
  EXPECT_EQ(series["tuples"][0][1], 60'000);
  EXPECT_EQ(series["tuples"][1][1], 180'000);
  EXPECT_EQ(series["rows"], 5);
  EXPECT_EQ(minutes(tuples(kMeter, "from=0&tuples=1")), (Minutes{4}));
  EXPECT_EQ(tuples(kMeter, "from=0&tuples=4").size(), 4U);
  push_minutes(kSensor, {{0, 0}, {1, 100}, {4, 200}});
  EXPECT_EQ(tuples(kSensor, "from=0&tuples=1")[0][1], 175);  // weighted with time
}

TEST_F(Read, GroupsByTime) {
  push_minutes(kMeter, {{0, 0}, {10, 1}, {60, 2}, {70, 3}, {120, 5}});
  const auto series = data(kMeter, "from=0&group=hour");
  // kT is 22:13:20; the first group is the base of the second
  EXPECT_EQ(minutes(series["tuples"]), (Minutes{70, 120}));
  EXPECT_EQ(series["tuples"][0][1], 2000);
  EXPECT_EQ(series["tuples"][0][2], 2);
  EXPECT_EQ(series["rows"], 3);
  EXPECT_EQ(series["from"], kT + 600'000);
  EXPECT_EQ(tuples(kMeter, "from=0&group=day&options=consumption")[0][1], 2000);
  EXPECT_EQ(failure(get(fmt::format("/data/{}.json?group=fortnight", kMeter)), "Exception"), "Unknown group");
}

TEST_F(Read, RefusesFromAfterTo) {
  EXPECT_EQ(failure(get(fmt::format("/data/{}.json?from=2&to=1", kMeter)), "Exception"), "From is larger than to");
  EXPECT_EQ(failure(get(fmt::format("/data/{}.json?from=soon", kMeter)), "Exception"), "Invalid time format: 'soon'");
  EXPECT_EQ(failure(get(fmt::format("/data/{}.json?from=1", kUnknown)), "Exception"),
            fmt::format("No entity with UUID '{}'", kUnknown));
}

TEST_F(Read, SeveralChannelsAtOnce) {
  push_minutes(kMeter, {{0, 0}, {60, 1}});
  push_minutes(kSensor, {{0, 0}, {60, 5}});
  const auto list =
      json::parse(get(fmt::format("/data.json?uuid[]={}&uuid[]={}&from=0", kMeter, kSensor)).body)["data"];
  ASSERT_EQ(list.size(), 2U);
  EXPECT_EQ(list[0]["uuid"], kMeter);
  EXPECT_EQ(list[1]["tuples"][0][1], 5);
  EXPECT_TRUE(json::parse(get(fmt::format("/data.json?uuid[]={}&from=0", kMeter)).body)["data"].is_array());
  EXPECT_TRUE(json::parse(get(fmt::format("/data.json?uuid={}&from=0", kMeter)).body)["data"].is_object());
  failure(get("/data.json"), "Exception");
}

TEST_F(Read, AsCsvAndText) {
  push(kMeter, "[[1700000000000,132.149],[1700003600000,132.649]]");
  const auto csv = get(fmt::format("/data/{}.csv?from=0", kMeter));
  EXPECT_EQ(csv.content_type, "text/csv");
  EXPECT_THAT(csv.body, ::testing::HasSubstr("# consumption: 500\n# rows: 2\n1700003600000;500;1\n"));
  const auto text = get(fmt::format("/data/{}.txt?from=0", kMeter));
  EXPECT_EQ(text.content_type, "text/plain");
  EXPECT_EQ(text.body, "500 W");
  const auto wrong = get("/data/abc.csv");
  EXPECT_EQ(wrong.status, 400);
  EXPECT_EQ(wrong.body, "Exception# [0]:Invalid UUID abc\n");
  EXPECT_EQ(get("/channel.txt").status, 400);
}

TEST_F(Read, DeletesRows) {
  push_minutes(kMeter, {{0, 0}, {1, 1}, {2, 2}, {3, 3}, {4, 4}});
  const auto target = fmt::format("/data/{}.json", kMeter);
  expect_rows(send("DELETE", target + "?ts=" + at(0)), 1);
  expect_rows(send("DELETE", target + "?ts=" + at(0)), 0);
  expect_rows(send("DELETE", target + "?from=" + at(1) + "&to=" + at(2)), 2);  // both ends
  expect_rows(get(target + "?operation=delete&from=" + at(4)), 1);
  EXPECT_EQ(stored(kMeter), json::array({{kT + 180'000, 3}}));
  EXPECT_EQ(failure(send("DELETE", target), "Exception"), "Missing timestamp (ts, from, to)");
  EXPECT_EQ(failure(send("DELETE", target + "?from=2&to=1"), "Exception"), "From is larger than to");
}

TEST_F(Read, VirtualChannelsAndGroupsHaveNoDataHere) {
  create("type=virtualsensor,title=V,unit=W,rule=val(in1),in1=" + std::string(kMeter) +
         ",uuid=33333333-3333-3333-3333-333333333333");
  failure(get("/data/33333333-3333-3333-3333-333333333333.json"), "Exception");
  create("type=group,title=G,uuid=44444444-4444-4444-4444-444444444444");
  failure(get("/data/44444444-4444-4444-4444-444444444444.json"), "Exception");
}

}  // namespace
}  // namespace vz::middleware
