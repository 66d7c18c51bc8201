// SPDX-License-Identifier: GPL-3.0-or-later
#include "config/schema.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>

#include "compat/fake_registry.hpp"
#include "config/tables.hpp"

namespace vz::config {
namespace {

constexpr OptionSpec kTable[] = {
    {.name = "device", .type = OptionType::string, .help = "serial device", .required = true},
    {.name = "speed",
     .type = OptionType::integer,
     .unit = "Bd",
     .default_text = "9600",
     .help = "a | b",
     .min = 50,
     .max = 115200},
    {.name = "parity",
     .type = OptionType::string,
     .default_text = "\"7e1\"",
     .help = "format",
     .choices = "7e1|8n1",
     .aliases = "par|p"},
    {.name = "max", .type = OptionType::real, .help = "bound", .min = 0.5},
};

TEST(Schema, Markdown) {
  EXPECT_EQ(option_table_markdown(kTable),
            "| Option | Type | Default | Allowed | Meaning |\n"
            "| --- | --- | --- | --- | --- |\n"
            "| `device` | text | required |  | serial device |\n"
            "| `speed` | whole number, Bd | `9600` | 50 to 115200 | a \\| b |\n"
            "| `parity` | text | `\"7e1\"` | `7e1`, `8n1` | format (old name: par, p) |\n"
            "| `max` | number with point |  | at least 0.5 | bound |\n");
}

TEST(Schema, PlainText) {
  EXPECT_EQ(option_table_text(kTable),
            "  device                  text, required\n"
            "                          serial device\n"
            "  speed                   whole number in Bd, 50 to 115200, default 9600\n"
            "                          a | b\n"
            "  parity                  text, 7e1, 8n1, default \"7e1\"\n"
            "                          format (old name: par, p)\n"
            "  max                     number with point, at least 0.5\n"
            "                          bound\n");
  EXPECT_EQ(sink_help(fake::kNullSink), "null: nothing\n\nIt has no options of its own.\n");
  EXPECT_TRUE(protocol_help(fake::kD0Protocol).starts_with("d0: DLMS/IEC 62056-21 plaintext protocol\n\n  host "));
}

TEST(Schema, HasEverySectionAndOption) {
  const auto schema = nlohmann::json::parse(json_schema(fake::registry()));
  EXPECT_EQ(schema["$schema"], "http://json-schema.org/draft-07/schema#");
  for (const auto& spec : general_options())
    EXPECT_TRUE(schema["properties"].contains(std::string{spec.name})) << spec.name;
  for (const auto section : general_sections())
    EXPECT_TRUE(schema["properties"].contains(std::string{section})) << section;
  const auto& meter = schema["definitions"]["meter"];
  EXPECT_EQ(meter["required"], nlohmann::json::array({"protocol"}));
  EXPECT_EQ(meter["allOf"].size(), fake::registry().protocols.size());
  for (const auto& rule : meter["allOf"]) {
    for (const auto& spec : meter_options())
      EXPECT_TRUE(rule["then"]["properties"].contains(std::string{spec.name})) << spec.name;
    EXPECT_TRUE(rule["then"]["properties"].contains("channels"));
    EXPECT_EQ(rule["then"]["additionalProperties"], false);
  }
  EXPECT_EQ(meter["allOf"][0]["if"]["properties"]["protocol"]["pattern"], "^([fF][iI][lL][eE])$");
  EXPECT_EQ(meter["allOf"][0]["then"]["required"], nlohmann::json::array({"path"}));
  EXPECT_EQ(meter["allOf"][0]["if"]["required"], nlohmann::json::array({"protocol"}));
  EXPECT_EQ(meter["properties"]["interval"]["default"], -1);
  const auto& apis = schema["definitions"]["channel"]["allOf"];
  EXPECT_FALSE(apis[0]["if"].contains("required")) << "volkszaehler is what counts without an api";
  EXPECT_TRUE(apis[1]["if"].contains("required"));
  EXPECT_EQ(schema["definitions"]["local"]["properties"]["port"]["maximum"], 65535.0);
  const auto& d0 = meter["allOf"][5]["then"]["properties"];
  EXPECT_EQ(d0["parity"]["anyOf"][0]["enum"], (nlohmann::json::array({"8n1", "7n1", "7e1", "7o1"})));
  EXPECT_EQ(d0["baudrate"]["description"], "first speed [Bd]");
  const std::regex pattern(d0["parity"]["anyOf"][1]["pattern"].get<std::string>());
  EXPECT_TRUE(std::regex_search("7E1", pattern));
  EXPECT_FALSE(std::regex_search("7e12", pattern));
}

TEST(Schema, OfAnEmptyRegistry) { EXPECT_TRUE(nlohmann::json::accept(json_schema({}))); }

TEST(Tables, AreInOrder) {
  for (const auto table :
       {general_options(), local_options(), push_options(), mqtt_options(), meter_options(), channel_options()})
    EXPECT_TRUE(table_defects(table).empty()) << table_defects(table)[0];
}

TEST(Tables, TheManualShowsThoseOfMqtt) {
  std::ifstream file(VZ_SOURCE_DIR "/docs/mqtt.md");
  const std::string page{std::istreambuf_iterator<char>(file), {}};
  const std::string table = option_table_markdown(mqtt_options());
  EXPECT_NE(page.find(table), std::string::npos) << "docs/mqtt.md has to show:\n" << table;
}

TEST(Tables, TheManualHasTheTableOfTheLocalInterface) {
  std::ifstream file(VZ_SOURCE_DIR "/docs/local-http.md");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  EXPECT_NE(text.find(option_table_markdown(local_options())), std::string::npos)
      << "docs/local-http.md should have\n" << option_table_markdown(local_options());
}

TEST(Tables, DefectsAreFound) {
  constexpr OptionSpec bad[] = {
      {.name = "a", .type = OptionType::integer, .default_text = "1.5", .help = "x"},
      {.name = "b", .type = OptionType::integer, .default_text = "5", .help = "x", .max = 4},
      {.name = "c", .default_text = "\"z\"", .help = "x", .choices = "x|y"},
      {.name = "d", .default_text = "unquoted", .help = "x"},
      {.name = "e", .default_text = "\"\"", .help = "x", .required = true},
      {.name = "f"},
      {.name = "g", .help = "x", .aliases = "f"},
      {.name = "h", .type = OptionType::integer, .help = "x", .min = 2, .max = 1},
  };
  EXPECT_EQ(table_defects(bad),
            (std::vector<std::string>{"a: its default is no value of its type", "b: its default is not allowed",
                                      "c: its default is not allowed", "d: its default is no value of its type",
                                      "e: is required and has a default", "f: has no help", "h: its range is empty",
                                      "f: stands twice"}));
}

TEST(Tables, DefaultValues) {
  const auto value = [](OptionType type, std::string_view text) {
    return default_value({.name = "x", .type = type, .default_text = text});
  };
  EXPECT_EQ(value(OptionType::integer, "-1"), OptionValue{std::int64_t{-1}});
  EXPECT_EQ(value(OptionType::real, "0"), OptionValue{0.0});
  EXPECT_EQ(value(OptionType::real, "0.5"), OptionValue{0.5});
  EXPECT_EQ(value(OptionType::boolean, "true"), OptionValue{true});
  EXPECT_EQ(value(OptionType::string, "\"\""), OptionValue{std::string{}});
  EXPECT_EQ(value(OptionType::string, ""), OptionValue{});
}

}  // namespace
}  // namespace vz::config
