// SPDX-License-Identifier: GPL-3.0-or-later
#include "sinks/push/document.hpp"

namespace vz::sinks::push {
namespace {

WallTime at(long long ms) { return WallTime{std::chrono::milliseconds{ms}}; }

TEST(PushDocument, GroupsReadingsByUuid) {
  const std::vector<PushReading> readings{{"aa", at(1), 1.0}, {"bb", at(2), 132.15}, {"aa", at(3), -0.5}};
  EXPECT_EQ(document(readings),
            "{ \"data\": [ { \"uuid\": \"aa\", \"tuples\": [ [ 1, 1.0 ], [ 3, -0.5 ] ] }, "
            "{ \"uuid\": \"bb\", \"tuples\": [ [ 2, 132.15 ] ] } ] }");
}

TEST(PushDocument, HeadersAreThoseOfTheMiddleware) {
  const std::vector<PushReading> readings{{"aa", at(1), 1.0}};
  const auto made = request("http://u:p@host:5582/x?y", "vzlogger/1", readings);
  EXPECT_EQ(made.method, "POST");
  EXPECT_EQ(made.url, "http://u:p@host:5582/x?y");
  EXPECT_EQ(made.headers, (std::vector<std::string>{"Content-type: application/json", "Accept: application/json",
                                                    "User-Agent: vzlogger/1"}));
  EXPECT_EQ(made.body, "{ \"data\": [ { \"uuid\": \"aa\", \"tuples\": [ [ 1, 1.0 ] ] } ] }");
  EXPECT_EQ(made.timeout, std::chrono::seconds{30});
}

}  // namespace
}  // namespace vz::sinks::push
