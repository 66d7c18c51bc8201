// SPDX-License-Identifier: GPL-3.0-or-later
#include "local/control_protocol.hpp"

namespace vz::local {
namespace {

using Kind = ControlRequest::Kind;
using ::testing::HasSubstr;

std::string problem(std::string_view line) {
  const auto request = parse_request(line);
  return request ? "" : request.error().what;
}

TEST(ControlProtocol, ReadsWhatItWrites) {
  ControlRequest request;
  request.kind = Kind::retarget;
  request.after = 77;
  request.max = 5;
  request.ids = {1, 9'223'372'036'854'775'807};
  request.queue = {"...a1b2c3", "middle"};
  request.to = {"chn4", ""};
  request.meter = 3;
  request.device = "/dev/ttyUSB0";
  request.limit = std::chrono::seconds{60};
  const auto back = parse_request(request_line(request));
  ASSERT_TRUE(back);
  EXPECT_EQ(request_line(*back), request_line(request));
  EXPECT_EQ(back->kind, Kind::retarget);
  EXPECT_EQ(back->ids, request.ids);
  EXPECT_EQ(back->queue.endpoint, "middle");
  EXPECT_EQ(back->to.channel, "chn4");
  EXPECT_EQ(back->meter, 3);
}

TEST(ControlProtocol, UsualValues) {
  const auto request = parse_request(R"({"request":"rejected"})");
  ASSERT_TRUE(request);
  EXPECT_EQ(request->kind, Kind::rejected);
  EXPECT_EQ(request->max, 100U);
  EXPECT_EQ(request->limit, kLendFor);
}

TEST(ControlProtocol, SaysWhatIsWrong) {
  EXPECT_THAT(problem(""), HasSubstr("JSON object"));
  EXPECT_THAT(problem("[]"), HasSubstr("JSON object"));
  EXPECT_THAT(problem("{}"), HasSubstr("'request'"));
  EXPECT_THAT(problem(R"({"request":7})"), HasSubstr("'request'"));
  EXPECT_THAT(problem(R"({"request":"frob"})"), HasSubstr("status, queues"));
  EXPECT_THAT(problem(R"({"request":"requeue"})"), HasSubstr("'ids' is missing"));
  EXPECT_THAT(problem(R"({"request":"requeue","ids":[-1]})"), HasSubstr("'ids'"));
  EXPECT_THAT(problem(R"({"request":"requeue","ids":[9223372036854775808]})"), HasSubstr("'ids'"));
  EXPECT_THAT(problem(R"({"request":"rejected","max":1001})"), HasSubstr("'max'"));
  EXPECT_THAT(problem(R"({"request":"rejected","max":18446744073709551615})"), HasSubstr("'max'"));
  EXPECT_THAT(problem(R"({"request":"rejected","after":-1})"), HasSubstr("'after'"));
  EXPECT_THAT(problem(R"({"request":"drop","queue":"x"})"), HasSubstr("'queue'"));
  EXPECT_THAT(problem(R"({"request":"drop"})"), HasSubstr("'queue' is missing"));
  EXPECT_THAT(problem(R"({"request":"retarget","queue":{"channel":"abcdef"}})"), HasSubstr("'to' is missing"));
  EXPECT_THAT(problem(R"({"request":"pause"})"), HasSubstr("'meter' is missing"));
  EXPECT_THAT(problem(R"({"request":"pause","meter":1.5})"), HasSubstr("'meter'"));
  EXPECT_THAT(problem(R"({"request":"lend"})"), HasSubstr("'device' is missing"));
  EXPECT_THAT(problem(R"({"request":"lend","device":"x","seconds":3601})"), HasSubstr("'seconds'"));
  EXPECT_THAT(problem(std::string(kMaxRequest + 1, ' ')), HasSubstr("too long"));
}

TEST(ControlProtocol, Answers) {
  EXPECT_EQ(good_answer().dump(), R"({"ok":true})");
  EXPECT_EQ(bad_answer({.what = "no", .where = "/x", .remedy = "yes"}).dump(),
            R"({"ok":false,"error":"/x: no","remedy":"yes"})");
}

}  // namespace
}  // namespace vz::local
