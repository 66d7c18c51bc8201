// SPDX-License-Identifier: GPL-3.0-or-later
#include "config/insert_meter.hpp"

namespace vz::config {
namespace {

using ::testing::HasSubstr;

constexpr std::string_view kNew = "    { \"protocol\": \"random\" }";

std::string inserted(std::string_view text) {
  const auto result = insert_meter(text, kNew);
  return result ? *result : "refused: " + result.error().what;
}

TEST(InsertMeter, PutsItBehindTheLastOne) {
  EXPECT_EQ(inserted("{\n  \"meters\": [\n    { \"protocol\": \"s0\" } // the old one\n  ]\n}\n"),
            "{\n  \"meters\": [\n    { \"protocol\": \"s0\" },\n    { \"protocol\": \"random\" } // the old one\n  ]\n}\n");
}

TEST(InsertMeter, IntoAnEmptyArray) {
  EXPECT_EQ(inserted("{ \"meters\": [] }"), "{ \"meters\": [\n    { \"protocol\": \"random\" }\n  ] }");
  EXPECT_EQ(inserted("{ \"meters\": [ /* none [ yet */ ] }"),
            "{ \"meters\": [\n    { \"protocol\": \"random\" } /* none [ yet */ ] }");
}

TEST(InsertMeter, NoSecondCommaBehindATrailingOne) {
  EXPECT_EQ(inserted("{\"meters\":[{\"a\":1},\n]}"), "{\"meters\":[{\"a\":1},\n    { \"protocol\": \"random\" }\n]}");
}

TEST(InsertMeter, BracketsInTextsAndCommentsAreNone) {
  EXPECT_EQ(inserted("{\"meters\":[{\"a\":\"]\\\"]\", 'b': '}' } // ]\n]}"),
            "{\"meters\":[{\"a\":\"]\\\"]\", 'b': '}' },\n    { \"protocol\": \"random\" } // ]\n]}");
}

TEST(InsertMeter, RefusesWhatItDoesNotUnderstand) {
  EXPECT_THAT(inserted("{}"), HasSubstr("no array"));
  EXPECT_THAT(inserted("{\"meters\": {}}"), HasSubstr("no array"));
  EXPECT_THAT(inserted("{\"meters\": [ }"), HasSubstr("refused"));
  EXPECT_THAT(inserted(""), HasSubstr("refused"));
}

}  // namespace
}  // namespace vz::config
