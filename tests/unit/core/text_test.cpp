// SPDX-License-Identifier: GPL-3.0-or-later
// ASCII, UTF-8, hexadecimal digits and uuids.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "core/ascii.hpp"
#include "core/hex.hpp"
#include "core/utf8.hpp"
#include "core/uuid.hpp"

namespace vz {
namespace {

constexpr std::string_view kUuid = "01234567-89ab-CDEF-0123-456789abcdef";

TEST(Ascii, KnowsEveryByte) {
  for (int i = 0; i < 256; ++i) {
    const char c = static_cast<char>(i);
    const bool small = i >= 'a' && i <= 'z';
    const bool capital = i >= 'A' && i <= 'Z';
    EXPECT_EQ(is_digit(c), i >= '0' && i <= '9') << i;
    EXPECT_EQ(is_letter(c), small || capital) << i;
    EXPECT_EQ(lower(c), capital ? static_cast<char>(i + 32) : c) << i;
    EXPECT_EQ(upper(c), small ? static_cast<char>(i - 32) : c) << i;
    const auto digit = std::string_view{"0123456789abcdef"}.find(lower(c));
    EXPECT_EQ(hex_value(c), digit == std::string_view::npos ? -1 : static_cast<int>(digit)) << i;
  }
}

TEST(Ascii, LetterCaseDoesNotCount) {
  EXPECT_TRUE(equal_ignoring_case("Content-Type", "content-TYPE"));
  EXPECT_FALSE(equal_ignoring_case("abc", "ab"));
  EXPECT_FALSE(equal_ignoring_case("@", "`"));  // a letter's distance apart, but no letters
  EXPECT_FALSE(equal_ignoring_case("\xC4", "\xE4"));
  EXPECT_TRUE(starts_ignoring_case("<HTML>", "<html"));
  EXPECT_FALSE(starts_ignoring_case("<h", "<html"));
  EXPECT_EQ(lower("ÄB1"), "Äb1");
  EXPECT_EQ(upper("äb1"), "äB1");
}

TEST(Utf8, OnlyWellFormed) {
  EXPECT_TRUE(is_utf8("aä€\U0001F600"));
  for (const std::string bad : {"\x80", "\xC0\x80", "\xC3", "\xE0\x80\x80", "\xED\xA0\x80", "\xF0\x80\x80\x80",
                                "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF"})
    EXPECT_FALSE(is_utf8(bad));
}

TEST(Uuid, HasItsShape) {
  EXPECT_TRUE(is_uuid(kUuid));
  const std::string longer = fmt::format("{}0", kUuid);
  EXPECT_FALSE(is_uuid(longer));
  EXPECT_TRUE(begins_with_uuid(longer));
  for (std::size_t i = 0; i < kUuidLength; ++i) {
    std::string text{kUuid};
    text[i] = is_uuid_dash(i) ? '0' : 'g';
    EXPECT_FALSE(begins_with_uuid(text)) << text;
    EXPECT_FALSE(begins_with_uuid(kUuid.substr(0, i))) << i;
  }
}

TEST(Uuid, IsShownByItsTail) {
  EXPECT_EQ(uuid_tail(kUuid), "...abcdef");
  EXPECT_EQ(uuid_tail("ab"), "...ab");
  EXPECT_EQ(uuid_tail(""), "...");
  EXPECT_EQ(uuid_tail("0123456789\n\x1b\x7f\xC3\xA4z"), "...?????z");
  EXPECT_EQ(without_uuids(fmt::format("/data/{}.json", kUuid)), "/data/...abcdef.json");
  EXPECT_EQ(without_uuids("/data/abc.json"), "/data/abc.json");
}

}  // namespace
}  // namespace vz
