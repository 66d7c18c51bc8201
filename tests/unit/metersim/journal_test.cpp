// SPDX-License-Identifier: GPL-3.0-or-later
#include "tools/metersim/journal.hpp"

#include <gtest/gtest.h>

namespace vz::metersim {
namespace {

using namespace std::chrono_literals;
using Json = nlohmann::ordered_json;

const Instant kAt{MonoTime{12345678us}, WallTime{1700000000123ms}};

TEST(JsonLine, HasBothTimesAndTheFields) {
  const auto line = json_line({"ident_sent", kAt, {}});
  EXPECT_EQ(line, R"({"event":"ident_sent","mono_ms":12345.678,"wall_ms":1700000000123})");
  const auto json = Json::parse(json_line({"fault", kAt, {{"kind", "flip"}}}));
  EXPECT_EQ(json["kind"], "flip");
}

TEST(JsonLine, SurvivesWhatIsNotUtf8) {
  EXPECT_NO_THROW({ EXPECT_EQ(Json::parse(json_line({"x", kAt, {{"v", "\xFF"}}}))["event"], "x"); });
}

TEST(ProgressLine, SaysWhatMatters) {
  EXPECT_EQ(progress_line(
                {"readout", kAt, {{"n", 3}, {"repeat", 0}, {"values", {{"1.8.0", "00132.151"}}}, {"damaged", false}}}),
            "readout 3: 1.8.0 = 00132.151");
  EXPECT_NE(progress_line({"readout", kAt, {{"n", 3}, {"repeat", 1}, {"values", Json::object()}, {"damaged", true}}})
                .find("damaged"),
            std::string::npos);
  EXPECT_NE(progress_line({"ignored_request", kAt, {{"reason", "recovering"}}}).find("recovering"), std::string::npos);
  EXPECT_EQ(progress_line({"block_first_byte", kAt, {{"n", 3}}}), "");
}

TEST(JournalTest, SaysWhyItCannotWrite) {
  Journal journal(Journal::Progress::quiet);
  const auto opened = journal.open("/nonexistent/log");
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().where, "/nonexistent/log");
}

}  // namespace
}  // namespace vz::metersim
