// SPDX-License-Identifier: GPL-3.0-or-later
// Channels and groups: making, listing, reading, changing and deleting them.
#include "core/uuid.hpp"
#include "tools/middleware/entity_types.hpp"
#include "unit/middleware/api_fixture.hpp"

namespace vz::middleware {
namespace {

using ::testing::HasSubstr;

class Entities : public ApiTest {
 protected:
  std::string refusal(const std::string& query) { return failure(send("POST", "/channel.json?" + query), "Exception"); }
  std::string made(const std::string& query) {
    const auto reply = send("POST", "/channel.json?" + query);
    EXPECT_EQ(reply.status, 200) << reply.body;
    return parsed(reply)["entity"]["uuid"];
  }
};

TEST_F(Entities, MakesAChannelAndShowsPropertiesAsSent) {
  const auto reply = send("POST",
                          "/channel.json?operation=add&type=electric+meter&title=Zaehler+A&resolution=1&public=1&"
                          "style=steps&cost=0.0003&initialconsumption=1000");
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body,
            R"({"version":"0.3","entity":{"uuid":"00000000-0000-4000-8000-000000000001","type":"electric meter",)"
            R"("title":"Zaehler A","resolution":"1","public":"1","style":"steps","cost":"0.0003",)"
            R"("initialconsumption":"1000"}})");
  EXPECT_EQ(get("/channel/00000000-0000-4000-8000-000000000001.json").body,
            R"({"version":"0.3","entity":{"uuid":"00000000-0000-4000-8000-000000000001","type":"electric meter",)"
            R"("cost":0.0003,"initialconsumption":1000,"public":true,"resolution":1,"style":"steps",)"
            R"("title":"Zaehler A"}})");
}

TEST_F(Entities, MakesAChannelFromAFormAndByGet) {
  EXPECT_EQ(
      send("POST", "/channel.json", "type=voltage&title=Z%C3%A4hler+1", "application/x-www-form-urlencoded").status,
      200);
  EXPECT_EQ(get("/channel.json?operation=add&type=voltage&title=U").status, 200);
}

TEST_F(Entities, DoesNotReadJsonForANewChannel) {
  EXPECT_EQ(failure(send("POST", "/channel.json", R"({"type":"voltage","title":"U"})"), "Exception"),
            "Missing entity type");
}

TEST_F(Entities, RefusesInTheWordsOfTheOriginal) {
  EXPECT_EQ(refusal(""), "Missing entity type");
  EXPECT_EQ(refusal("type=foo&title=x"), "Unknown entity type: 'foo'");
  EXPECT_EQ(refusal("type=electric+meter&title=x"), "Entity 'electric meter' requires property: 'resolution'");
  EXPECT_EQ(refusal("type=electric+meter"), "Entity 'electric meter' requires properties: 'title, resolution'");
  EXPECT_EQ(refusal("type=voltage&title=x&foo=1"), "Unknown property: 'foo'");
  EXPECT_EQ(refusal("type=voltage&title=x&uuid=" + std::string(kUnknown)), "Unknown property: 'uuid'");
  EXPECT_EQ(refusal("type=electric+meter&title=x&resolution=0"), "Invalid property value: '0'");
  EXPECT_EQ(refusal("type=electric+meter&title=x&resolution=1&unit=W"),
            "Property 'unit' is not valid for entity 'electric meter'");
  EXPECT_EQ(refusal("type=voltage&title=x&unit=W&rule=1"),
            "Properties 'unit, rule' are not valid for entity 'voltage'");
  EXPECT_EQ(refusal("type=voltage&title=x&cost=0.3"), "Property 'cost' is not valid for entity 'voltage'");
  EXPECT_EQ(refusal("type=voltage&title=x&color="), "Entity has no property: 'color'");
}

TEST_F(Entities, TakesTheSmallestResolution) { made("type=electric+meter&title=x&resolution=0.000001"); }

TEST_F(Entities, ListsPublicChannelsOnly) {
  EXPECT_EQ(get("/channel.json").body, R"({"version":"0.3","channels":[]})");
  const auto open = made("type=voltage&title=Open&public=1");
  made("type=voltage&title=Closed&public=0");
  send("POST", "/group.json?title=House&public=1");
  const auto channels = parsed(get("/channel.json"))["channels"];
  ASSERT_EQ(channels.size(), 1U);
  EXPECT_EQ(channels[0]["uuid"], open);
  EXPECT_EQ(channels[0]["public"], true);
  EXPECT_EQ(parsed(get("/entity.json"))["entities"].size(), 2U);
  EXPECT_EQ(get(fmt::format("/channel/{}.json", kMeter)).status, 200);
  EXPECT_EQ(parsed(get("/channel.json?uuid=" + open))["entity"]["title"], "Open");
}

TEST_F(Entities, ChangesAndDeletesProperties) {
  const auto target = "/channel/" + made("type=voltage&title=U&color=red&public=1") + ".json";
  const auto reply = send("PATCH", target + "?title=New+title&color=&description=a/b");
  EXPECT_EQ(reply.status, 200);
  auto entity = parsed(get(target))["entity"];
  EXPECT_EQ(entity["title"], "New title");
  EXPECT_EQ(entity["description"], "a/b");
  EXPECT_FALSE(entity.contains("color"));
  EXPECT_THAT(get(target).body, HasSubstr(R"(a\/b)"));
  EXPECT_EQ(failure(send("PATCH", target + "?title="), "Exception"), "Entity 'voltage' requires property: 'title'");
  EXPECT_EQ(parsed(get(target))["entity"]["title"], "New title");
  EXPECT_EQ(get(target + "?operation=edit&title=By+GET").status, 200);
  EXPECT_EQ(parsed(get(target))["entity"]["title"], "By GET");
}

TEST_F(Entities, DeletesAChannelWithItsData) {
  push(kMeter, "[[1,1]]");
  const auto target = fmt::format("/channel/{}.json", kMeter);
  EXPECT_EQ(send("DELETE", target).body, R"({"version":"0.3"})");
  EXPECT_EQ(failure(get(target), "Exception"), fmt::format("No entity with UUID '{}'", kMeter));
  EXPECT_EQ(parsed(get("/capabilities/database.json"))["capabilities"]["database"]["data"]["rows"], 0);
}

TEST_F(Entities, HasGroups) {
  const std::string group = parsed(send("POST", "/group.json?title=House"))["entity"]["uuid"];
  const auto target = "/group/" + group + ".json";
  EXPECT_EQ(failure(send("POST", target), "Exception"), "Missing child UUID(s) to add");
  EXPECT_EQ(send("POST", target + "?uuid=" + kMeter).status, 200);
  EXPECT_EQ(send("POST", target + "?uuid=" + group).status, 200);  // a group in itself is shown once
  const auto children = parsed(get(target))["entity"]["children"];
  ASSERT_EQ(children.size(), 1U);
  EXPECT_EQ(children[0]["uuid"], kMeter);
  EXPECT_EQ(failure(get("/channel/" + group + ".json"), "Exception"),
            fmt::format("Entity is not a channel: '{}'", group));
  EXPECT_EQ(failure(get(fmt::format("/group/{}.json", kMeter)), "Exception"),
            fmt::format("Entity is not a group: '{}'", kMeter));
  EXPECT_EQ(send("DELETE", target + "?uuid=" + kMeter).status, 200);
  EXPECT_FALSE(parsed(get(target))["entity"].contains("children"));
  EXPECT_EQ(send("DELETE", target).status, 200);
  failure(get(target), "Exception");
  EXPECT_EQ(get(fmt::format("/channel/{}.json", kMeter)).status, 200);
}

TEST_F(Entities, ShowsThoseOfAnOwner) {
  const std::string secret(32, 's');
  made("type=voltage&title=Mine&owner=" + secret);
  made("type=voltage&title=Other&owner=" + std::string(32, 'o'));
  const auto entities = parsed(get("/iot/" + secret + ".json"))["entities"];
  ASSERT_EQ(entities.size(), 1U);
  EXPECT_EQ(entities[0]["title"], "Mine");
  failure(get("/iot/short.json"), "Exception");
}

TEST_F(Entities, KnowsEveryTypeOfTheOriginal) {
  struct Expected {
    const char* name;
    const char* unit;
    double scale;
    const char* interpreter;
    const char* required;
    bool consumption;
  };
  const Expected table[] = {
      {"group", "", 1, "Aggregator", "", false},
      {"building", "", 1, "Aggregator", "", false},
      {"user", "", 1, "Aggregator", "", false},
      {"power", "W", 1000, "Impulse", "resolution", true},
      {"powersensor", "W", 1000, "Sensor", "", true},
      {"electric meter", "W", 1000, "Accumulator", "resolution", true},
      {"voltage", "V", 1, "Sensor", "", false},
      {"current", "A", 1, "Sensor", "", false},
      {"gas", "m³/h", 1, "Impulse", "resolution", true},
      {"gas sensor", "m³/h", 1, "Sensor", "resolution", true},
      {"gas meter", "m³/h", 1, "Accumulator", "resolution", true},
      {"heat", "W", 1000, "Impulse", "resolution", true},
      {"heatsensor", "W", 1000, "Sensor", "", true},
      {"heattotal", "W", 1000, "Accumulator", "resolution", true},
      {"temperature", "°C", 1, "Sensor", "", false},
      {"water", "l/h", 1, "Impulse", "resolution", true},
      {"flow", "m³/h", 1, "Sensor", "", true},
      {"watertotal", "l/h", 1, "Accumulator", "resolution", true},
      {"filllevel", "l", 1, "Sensor", "", false},
      {"workinghours", "", 1, "Impulse", "resolution", true},
      {"workinghourstotal", "", 1, "Accumulator", "resolution", true},
      {"workinghourssensor", "", 1000, "Sensor", "", true},
      {"valve", "%", 1, "Sensor", "", false},
      {"pressure", "hPa", 1, "Sensor", "", false},
      {"humidity", "%", 1, "Sensor", "", false},
      {"humidity absolute", "g/m³", 1, "Sensor", "", false},
      {"windspeed", "km/h", 1, "Sensor", "", false},
      {"fanspeed", "u/min", 1, "Sensor", "", false},
      {"luminosity", "cd", 1, "Sensor", "", false},
      {"illumination", "lx", 1, "Sensor", "", false},
      {"frequency", "Hz", 1, "Sensor", "", false},
      {"universalcounter", "", 1, "Impulse", "unit", true},
      {"universalsensor", "", 1, "Sensor", "unit", false},
      {"consumptionsensor", "", 1, "Sensor", "unit", true},
      {"virtualsensor", "", 1, "Virtual", "unit rule in1", false},
      {"virtualconsumption", "", 1, "Virtual", "unit rule in1", true},
      {"co2 concentration", "ppm", 1, "Sensor", "", false},
      {"particulate matter", "µg/m³", 1, "Sensor", "", false},
  };
  const auto definitions = parsed(get("/capabilities/definitions.json"))["capabilities"]["definitions"]["entities"];
  ASSERT_EQ(definitions.size(), std::size(table));
  for (std::size_t i = 0; i < std::size(table); ++i) {
    const auto& want = table[i];
    const auto& have = definitions[i];
    EXPECT_EQ(have["name"], want.name);
    EXPECT_EQ(have.value("unit", ""), want.unit) << want.name;
    EXPECT_EQ(have["scale"], want.scale) << want.name;
    EXPECT_EQ(have["interpreter"], fmt::format("Volkszaehler\\Interpreter\\{}Interpreter", want.interpreter));
    EXPECT_EQ(have["hasConsumption"], want.consumption) << want.name;
    std::string required;
    for (const auto& name : have["required"])
      if (name != "title") required += (required.empty() ? "" : " ") + name.get<std::string>();
    EXPECT_EQ(required, want.required) << want.name;
    EXPECT_EQ(have["required"][0], "title");
  }
}

TEST_F(Entities, SaysWhatItCan) {
  const auto all = parsed(get("/capabilities.json"))["capabilities"];
  EXPECT_TRUE(all.contains("configuration"));
  EXPECT_TRUE(all.contains("formats"));
  EXPECT_TRUE(all.contains("contexts"));
  EXPECT_TRUE(all["definitions"].contains("properties"));
  EXPECT_FALSE(all.contains("database"));
  EXPECT_EQ(parsed(get("/capabilities/formats.json"))["capabilities"].size(), 1U);
  EXPECT_EQ(failure(get("/capabilities/foo.json"), "Exception"), "Invalid capability identifier: 'foo'");
}

TEST_F(Entities, RefusesWhatItCannotRoute) {
  EXPECT_EQ(failure(get("/foo.json"), "Exception"), "Unknown context: 'foo'");
  EXPECT_EQ(failure(get("/channel"), "Exception"), "Missing format");
  EXPECT_EQ(failure(get("/channel.xml"), "Exception"), "Unknown format: 'xml'");
  EXPECT_EQ(failure(get("/.json"), "Exception"), "Missing context");
  EXPECT_EQ(failure(get(""), "Exception"), "Missing or invalid PATH_INFO");
  EXPECT_EQ(failure(send("POST", "/entity.json"), "Exception"), "Invalid context operation: 'add'");
  EXPECT_EQ(failure(send("PATCH", fmt::format("/data/{}.json", kMeter)), "Exception"),
            "Invalid context operation: 'edit'");
  failure(get("/channel.json?operation=frobnicate"), "ErrorException");
}

TEST_F(Entities, ChecksPropertyValues) {
  const auto good = [](const char* name, const char* value) { return check_property(name, value).has_value(); };
  EXPECT_TRUE(good("title", "A/B: 1-0:1.8.0*255"));
  EXPECT_TRUE(good("title", "Zähler (Keller) [1], Öl & Gas! + @home"));
  EXPECT_FALSE(good("title", "Nr. #1"));
  EXPECT_FALSE(good("title", "10 °C"));
  EXPECT_FALSE(good("title", "a<b"));
  EXPECT_FALSE(good("title", std::string(256, 'x').c_str()));
  EXPECT_TRUE(good("public", "true"));
  EXPECT_TRUE(good("public", "0"));
  EXPECT_FALSE(good("public", "maybe"));
  EXPECT_TRUE(good("linewidth", "10"));
  EXPECT_FALSE(good("linewidth", "11"));
  EXPECT_FALSE(good("linewidth", "1.5"));
  EXPECT_TRUE(good("fillstyle", "0.5"));
  EXPECT_FALSE(good("fillstyle", "1.1"));
  EXPECT_FALSE(good("resolution", "one"));
  EXPECT_FALSE(good("resolution", "1e400"));
  EXPECT_TRUE(good("style", "states"));
  EXPECT_FALSE(good("style", "lines steps"));
  EXPECT_TRUE(good("color", "Teal"));
  EXPECT_TRUE(good("color", "#ff0"));
  EXPECT_FALSE(good("color", "#ff00"));
  EXPECT_TRUE(good("yaxis", "auto"));
  EXPECT_TRUE(good("link", "https://example.org/x"));
  EXPECT_FALSE(good("link", "javascript:alert(1)"));
  EXPECT_TRUE(good("unit", "m³/h"));
  EXPECT_FALSE(good("unit", "litres"));
  EXPECT_TRUE(good("in1", kMeter));
  EXPECT_FALSE(good("in1", "x"));
}

TEST_F(Entities, AreMadeFromADescription) {
  EXPECT_EQ(api_.create_channel("type=voltage,title=A, b,uuid=ABCDEFAB-0000-0000-0000-000000000001").value(),
            "ABCDEFAB-0000-0000-0000-000000000001");
  EXPECT_EQ(parsed(get("/entity/abcdefab-0000-0000-0000-000000000001.json"))["entity"]["title"], "A, b");
  // once more: a program that is started again keeps its channels
  EXPECT_EQ(api_.create_channel("type=voltage,title=Other,uuid=ABCDEFAB-0000-0000-0000-000000000001").value(),
            "ABCDEFAB-0000-0000-0000-000000000001");
  EXPECT_EQ(parsed(get("/entity/abcdefab-0000-0000-0000-000000000001.json"))["entity"]["title"], "A, b");
  EXPECT_EQ(api_.create_channel("type=voltage").value(), "00000000-0000-4000-8000-000000000001");
  EXPECT_EQ(parsed(get("/entity/00000000-0000-4000-8000-000000000001.json"))["entity"]["title"], "voltage");
}

TEST_F(Entities, AreNotMadeFromAWrongDescription) {
  EXPECT_THAT(api_.create_channel("title=x").error().text(), HasSubstr("no type"));
  EXPECT_THAT(api_.create_channel("type=foo").error().text(), HasSubstr("Unknown entity type: 'foo'"));
  EXPECT_THAT(api_.create_channel("type=voltage,uuid=x").error().text(), HasSubstr("uuid"));
  const auto clash = api_.create_channel("type=voltage,uuid=" + std::string(kMeter)).error().text();
  EXPECT_THAT(clash, HasSubstr("belongs to a channel of type 'electric meter'"));
  EXPECT_THAT(clash, ::testing::Not(HasSubstr(kMeter)));
}

TEST_F(Entities, GetRandomUuids) {
  const auto uuid = Middleware::random_uuid();
  EXPECT_TRUE(is_uuid(uuid)) << uuid;
  EXPECT_NE(uuid, Middleware::random_uuid());
}

}  // namespace
}  // namespace vz::middleware
