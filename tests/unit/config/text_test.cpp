// SPDX-License-Identifier: GPL-3.0-or-later
#include "config/text.hpp"

#include <gtest/gtest.h>

namespace vz::config {
namespace {

TEST(ConfigText, ShownIsOneSafeLine) {
  EXPECT_EQ(shown("abc"), "\"abc\"");
  EXPECT_EQ(shown("a\nb\x1b\x7f"), "\"a\\x0ab\\x1b\\x7f\"");
  EXPECT_EQ(shown("\xE4z"), "\"\uFFFDz\"");
  EXPECT_EQ(shown("äöü", 4), "\"äö...\"");
  EXPECT_EQ(shown("äöü", 3), "\"ä...\"");
  EXPECT_EQ(shown(std::string(1000, 'x'), 5), "\"xxxxx...\"");
}

TEST(ConfigText, UrlsLoseTheirCredentials) {
  EXPECT_EQ(without_credentials("http://u:p@h/x@y"), "http://***@h/x@y");
  EXPECT_EQ(without_credentials("http://u:p@w@h"), "http://***@h");
  EXPECT_EQ(without_credentials("http://h/x@y"), "http://h/x@y");
  EXPECT_EQ(without_credentials("a@b"), "a@b");
  EXPECT_EQ(without_credentials("http://u:p/w@h/x"), "http://***@h/x");
  EXPECT_EQ(without_credentials("http://h:8080/x@y"), "http://h:8080/x@y");
  EXPECT_EQ(without_credentials("u:p@h/x"), "***@h/x");
}

TEST(ConfigText, Closest) {
  const std::string_view names[] = {"interval", "enabled", "read_timeout", "uuid", "pass"};
  EXPECT_EQ(closest("intervall", names), "interval");
  EXPECT_EQ(closest("inetrval", names), "interval");
  EXPECT_EQ(closest("ENABLED", names), "enabled");
  EXPECT_EQ(closest("timeout", names), "read_timeout");
  EXPECT_EQ(closest("password", names), "pass");
  EXPECT_EQ(closest("uid", names), "uuid");
  EXPECT_EQ(closest("xyzzy", names), "");
  EXPECT_EQ(closest("", names), "");
  EXPECT_EQ(closest(std::string(100000, 'i'), names), "");
}

TEST(ConfigText, SplitAndJoin) {
  EXPECT_EQ(split("a|b||c", '|'), (std::vector<std::string_view>{"a", "b", "", "c"}));
  EXPECT_TRUE(split("", '|').empty());
  const std::string_view parts[] = {"a", "b", "c"};
  EXPECT_EQ(join(parts, ", ", " or "), "a, b or c");
  EXPECT_EQ(join({}, ", ", " or "), "");
}

}  // namespace
}  // namespace vz::config
