// SPDX-License-Identifier: GPL-3.0-or-later
#include "config/edit.hpp"

namespace vz::config {
namespace {

TEST(Edit, AValueIsReplacedAndNothingElse) {
  constexpr std::string_view kText = R"(// mine
{
  'meters' : [ { "channels": [ { "uuid": 'old' /* the one */, "x": 01 }, ] } ],  // the end
}
)";
  const auto changed = with_value(kText, "meters[0].channels[0].uuid", "new");
  ASSERT_TRUE(changed) << changed.error().text();
  EXPECT_EQ(*changed, R"(// mine
{
  'meters' : [ { "channels": [ { "uuid": "new" /* the one */, "x": 01 }, ] } ],  // the end
}
)");
}

TEST(Edit, NumbersAndWordsAreReplacedToTheirEnd) {
  EXPECT_EQ(with_value("{\"a\":12}", "a", "x").value(), "{\"a\":\"x\"}");
  EXPECT_EQ(with_value("{\"a\": true, \"b\": 1}", "a", false).value(), "{\"a\": false, \"b\": 1}");
  EXPECT_EQ(with_value("[1,2// two\n]", "[1]", 3).value(), "[1,3// two\n]");
}

TEST(Edit, WhatIsNotThereCannotBeReplaced) {
  EXPECT_FALSE(with_value("{\"a\":1}", "b", "x"));
  EXPECT_FALSE(with_value("{\"a\":{}}", "a", "x"));
  EXPECT_FALSE(with_value("{\"a\":", "a", "x"));
}

TEST(Edit, AnElementGoesToTheEndAndIsIndentedLikeItsNeighbours) {
  constexpr std::string_view kText = R"({
  "channels": [
      { "a": 1 }  // first
      // nothing more
  ]
})";
  EXPECT_EQ(with_element(kText, "channels", {{"b", 2}}).value(), R"({
  "channels": [
      { "a": 1 },  // first
      // nothing more
      {
        "b": 2
      }
  ]
})");
}

TEST(Edit, ACommaThatIsThereIsEnough) {
  EXPECT_EQ(with_element("{ \"c\": [\n  1,\n] }", "c", 2).value(), "{ \"c\": [\n  1,\n  2\n] }");
}

TEST(Edit, AnEmptyArrayIsFilled) {
  EXPECT_EQ(with_element("{\n  \"c\": []\n}", "c", 2).value(), "{\n  \"c\": [\n    2\n  ]\n}");
  EXPECT_EQ(with_element("{\n  \"c\": [ // none\n  ]\n}", "c", 2).value(), "{\n  \"c\": [ // none\n    2\n  ]\n}");
}

TEST(Edit, AnArrayOnOneLineStaysReadable) {
  EXPECT_EQ(with_element("{\n  \"c\": [ {\"a\": [\"]\"]} ]\n}", "c", 2).value(),
            "{\n  \"c\": [ {\"a\": [\"]\"]},\n    2\n  ]\n}");
}

/// As `vzlogger probe` adds a meter.
std::string with_meter(std::string_view text) {
  const auto result = with_written_element(text, "meters", "    { \"protocol\": \"random\" /* made up */ }");
  return result ? *result : "refused: " + result.error().what;
}

TEST(Edit, AWrittenElementGoesInAsItIs) {
  EXPECT_EQ(with_meter("{\n  \"meters\": [\n    { \"protocol\": \"s0\" } // the old one\n  ]\n}\n"),
            "{\n  \"meters\": [\n    { \"protocol\": \"s0\" }, // the old one\n    { \"protocol\": \"random\" /* made up */ }\n  ]\n}\n");
  EXPECT_EQ(with_meter("{ \"meters\": [ /* none [ yet */ ] }"),
            "{ \"meters\": [ /* none [ yet */\n  { \"protocol\": \"random\" /* made up */ }\n] }");
  EXPECT_EQ(with_meter("{\"meters\":[{\"a\":1},\n]}"), "{\"meters\":[{\"a\":1},\n  { \"protocol\": \"random\" /* made up */ }\n]}");
  EXPECT_EQ(with_meter("{\"meters\":[{\"a\":\"]\\\"]\", 'b': '}' } // ]\n]}"),
            "{\"meters\":[{\"a\":\"]\\\"]\", 'b': '}' }, // ]\n  { \"protocol\": \"random\" /* made up */ }\n]}");
  for (const char* odd : {"{}", "{\"meters\": {}}", "{\"meters\": [ }", ""}) EXPECT_TRUE(with_meter(odd).starts_with("refused")) << odd;
}

TEST(Edit, AMemberIsAddedInTheObjectsOwnForm) {
  EXPECT_EQ(with_member("{ \"a\": 1 } // x", "", "b", "y").value(), "{ \"a\": 1, \"b\": \"y\" } // x");
  EXPECT_EQ(with_member("{\n  \"a\": 1  // one\n}", "", "b", 2).value(), "{\n  \"a\": 1,  // one\n  \"b\": 2\n}");
  EXPECT_FALSE(with_member("{ \"a\": 1 }", "", "a", 2)) << "it is there";
}

TEST(Edit, OfWhatCannotBeReadNothingIsChanged) {
  EXPECT_FALSE(with_element("{ \"c\": [1 2] }", "c", 2));
  EXPECT_FALSE(with_element("{ \"c\": 1 }", "c", 2));
  EXPECT_FALSE(with_element("{ \"c\": [1] ", "c", 2));
}

}  // namespace
}  // namespace vz::config
