// SPDX-License-Identifier: GPL-3.0-or-later
#include "config/reader.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace vz::config {
namespace {

struct Outcome {
  Document document;
  std::vector<Problem> problems;

  std::vector<Problem> of(Problem::Severity severity) const {
    std::vector<Problem> out;
    for (const auto& problem : problems)
      if (problem.severity == severity) out.push_back(problem);
    return out;
  }
  std::vector<Problem> errors() const { return of(Problem::Severity::error); }
  std::vector<Problem> warnings() const { return of(Problem::Severity::warning); }
};

Outcome read_all(std::string_view text) {
  Problems problems;
  Outcome out;
  out.document = read(text, problems);
  out.problems = problems.take();
  return out;
}

/// The value of a text that must be read without a word.
Value quiet(std::string_view text) {
  const Outcome out = read_all(text);
  EXPECT_TRUE(out.problems.empty()) << text << "\n" << (out.problems.empty() ? "" : out.problems[0].text);
  EXPECT_TRUE(out.document.readable) << text;
  return out.document.value;
}

/// The value of a text that is read with exactly one warning, which contains `words`.
Value warned(std::string_view text, std::string_view words) {
  const Outcome out = read_all(text);
  EXPECT_TRUE(out.errors().empty()) << text << "\n" << (out.errors().empty() ? "" : out.errors()[0].text);
  EXPECT_EQ(out.warnings().size(), 1u) << text;
  if (!out.warnings().empty()) {
    EXPECT_NE(out.warnings()[0].text.find(words), std::string::npos) << out.warnings()[0].text;
  }
  return out.document.value;
}

/// Exactly one error, at that place, with these words.
void refused(std::string_view text, unsigned line, unsigned column, std::string_view words) {
  const auto errors = read_all(text).errors();
  ASSERT_EQ(errors.size(), 1u) << text << "\n" << (errors.size() > 1 ? errors[0].text + "\n" + errors[1].text : "");
  EXPECT_EQ(errors[0].position.line, line) << text << "\n" << errors[0].text;
  EXPECT_EQ(errors[0].position.column, column) << text << "\n" << errors[0].text;
  EXPECT_NE(errors[0].text.find(words), std::string::npos) << text << "\n" << errors[0].text;
}

TEST(ReaderDialect, PlainJson) {
  const Value value = quiet(R"({"a": [1, -2, 0.5, "x", true, false, null], "b": {"c": {}}, "d": []})");
  EXPECT_EQ(value.dump(), R"({"a":[1,-2,0.5,"x",true,false,null],"b":{"c":{}},"d":[]})");
}

TEST(ReaderDialect, CommentsAnywhere) {
  EXPECT_EQ(quiet("// a\n/* b\n */ { /*c*/ \"a\" /*d*/ : // e\n 1 /*f*/ , /*g*/ \"b\": [ /*h*/ ] } // i").dump(),
            R"({"a":1,"b":[]})");
  EXPECT_EQ(quiet("{\"a\": \"// no /* comment */\"}")["a"], "// no /* comment */");
}

TEST(ReaderDialect, AfterTheEnd) {
  EXPECT_TRUE(quiet("{}\n\n  \n// comment\n/* and\n another */\n").empty());
  EXPECT_TRUE(quiet("{} /* begins here\n ends here */ // and more\n").empty());
  EXPECT_TRUE(warned("{} garbage } \" /*\n", "has ended here").empty());
  EXPECT_TRUE(warned("{} /* begins\n ends */ garbage\n", "has ended here").empty());
  refused("{}\n{}", 2, 1, "extra data after end of configuration");
  refused("{\n}\n}\n", 3, 1, "ended in line 2 column 1");
  refused("{}\n# comment\n", 2, 1, "extra data after end of configuration");
}

TEST(ReaderDialect, TrailingCommas) {
  EXPECT_EQ(quiet("{\"a\": [1, 2, ], }").dump(), R"({"a":[1,2]})");
  refused("[1,,2]", 1, 4, "second comma");
  refused("[,]", 1, 2, "comma before the first entry");
  refused("{,}", 1, 2, "comma before the first entry");
}

TEST(ReaderDialect, Quotes) {
  EXPECT_EQ(quiet("{'a': 'it\"s', \"b\": \"it's\", 'c': 'it\\'s'}").dump(), R"({"a":"it\"s","b":"it's","c":"it's"})");
}

TEST(ReaderDialect, LiteralsInAnyCase) {
  EXPECT_EQ(quiet("[True, FALSE, tRuE, NULL, Null]").dump(), "[true,false,true,null,null]");
}

TEST(ReaderDialect, Numbers) {
  EXPECT_EQ(quiet("[01, -01, 007]").dump(), "[1,-1,7]");
  const Value reals = quiet("[5., 1e5, 1E+2, 1e-2, 1e, 1e+, -0.0, 12.50]");
  for (const auto& real : reals) EXPECT_TRUE(real.is_number_float());
  EXPECT_EQ(reals.dump(), "[5.0,100000.0,100.0,0.01,1.0,1.0,-0.0,12.5]");
  const Value odd = quiet("[NaN, nan, Infinity, -infinity, INFINITY]");
  EXPECT_TRUE(std::isnan(odd[0].get<double>()));
  EXPECT_TRUE(std::isnan(odd[1].get<double>()));
  EXPECT_EQ(odd[2].get<double>(), std::numeric_limits<double>::infinity());
  EXPECT_EQ(odd[3].get<double>(), -std::numeric_limits<double>::infinity());
  EXPECT_EQ(odd[4].get<double>(), std::numeric_limits<double>::infinity());
}

TEST(ReaderDialect, NumbersSaturate) {
  const Value value =
      quiet("[99999999999999999999, -99999999999999999999, 9223372036854775807, 1e999, -1e999, 1e-999, 0.00e-999]");
  EXPECT_EQ(value[0].get<std::int64_t>(), std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(value[1].get<std::int64_t>(), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(value[2].get<std::int64_t>(), std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(value[3].get<double>(), std::numeric_limits<double>::infinity());
  EXPECT_EQ(value[4].get<double>(), -std::numeric_limits<double>::infinity());
  EXPECT_EQ(value[5].get<double>(), 0.0);
  EXPECT_EQ(value[6].get<double>(), 0.0);
}

TEST(ReaderDialect, NumbersRefused) {
  refused("[+1]", 1, 2, "without the +");
  refused("[.5]", 1, 2, "0 before the point");
  refused("[0x10]", 1, 2, "hexadecimal");
  refused("[--1]", 1, 2, "\"--1\" is not a number");
  refused("[1.2.3]", 1, 2, "is not a number");
  refused("[12abc]", 1, 2, "must stand in quotes");
  refused("[192.168.0.1:7000]", 1, 2, "\"192.168.0.1:7000\" is not a number");
  refused("{\"a\": 0,5}", 1, 9, "decimal point");
}

TEST(ReaderDialect, Strings) {
  EXPECT_EQ(quiet("[\"a\tb\nc\"]")[0], "a\tb\nc");
  EXPECT_EQ(quiet(R"(["\"\\\/\b\f\n\r\t"])")[0], "\"\\/\b\f\n\r\t");
  EXPECT_EQ(quiet(R"(["\u00e4\u20AC\ud83d\ude00"])")[0], "\u00e4\u20ac\U0001F600");
  EXPECT_EQ(quiet(R"(["\ud83dx", "\ude00", "\ud83d\u0041"])").dump(), "[\"\uFFFDx\",\"\uFFFD\",\"\uFFFDA\"]");
  EXPECT_EQ(warned(R"(["a\u0000b"])", "ends there")[0], "a");
  refused(R"(["a\qb"])", 1, 4, "backslash twice");
  refused(R"(["\u12g4"])", 1, 3, "four hexadecimal digits");
}

TEST(ReaderDialect, InvalidUtf8StaysAsItIs) {
  EXPECT_EQ(warned("[\"a\xE4z\"]", "not valid UTF-8")[0].get<std::string>(), "a\xE4z");
  EXPECT_TRUE(quiet("{} // \xE4\xF6\xFC in a comment").empty());
}

TEST(ReaderDialect, DuplicateKeys) {
  const Value value = warned("{\"a\": 1, \"b\": 2, \"a\": 3}", "\"a\" stands twice");
  EXPECT_EQ(value.dump(), R"({"a":3,"b":2})");
  const Outcome out = read_all("{\"a\": 1,\n\"a\": 3}");
  EXPECT_EQ(find(out.document, "a")->value.line, 2u);
  EXPECT_NE(out.problems[0].text.find("line 1"), std::string::npos);
}

TEST(ReaderDialect, ByteOrderMark) {
  EXPECT_EQ(warned("\xEF\xBB\xBF{\"a\": 1}", "byte order mark").dump(), R"({"a":1})");
  EXPECT_EQ(find(read_all("\xEF\xBB\xBF{}").document, "")->value.column, 1u);
  refused("\xFF\xFE{\0}\0", 1, 1, "UTF-16");
}

TEST(ReaderDialect, WhiteSpace) {
  EXPECT_TRUE(quiet("\r\n\t {\r\n}\r\n").empty());
  EXPECT_TRUE(warned("{\xC2\xA0\xC2\xA0}", "invisible character").empty());
  refused("{\f}", 1, 2, "0x0c");
  refused("{\v}", 1, 2, "0x0b");
}

TEST(ReaderDialect, NulHidesTheRestOfItsLine) {
  using namespace std::string_view_literals;
  EXPECT_EQ(warned("{\"a\": 1}\n\0\0\0\0\0"sv, "NUL").dump(), R"({"a":1})");
  EXPECT_EQ(warned("{\"a\": 1,\0 garbage\n\"b\": 2}"sv, "NUL").dump(), R"({"a":1,"b":2})");
  EXPECT_EQ(warned("[\"a\0b\nc\"]"sv, "NUL")[0], "a\nc");
  EXPECT_FALSE(read_all("\0"sv).document.readable);
}

TEST(ReaderErrors, MissingComma) {
  refused("{\n  \"a\": 1\n  \"b\": 2\n}", 2, 9, "comma is missing here, before \"b\" in line 3");
  refused("[1 2]", 1, 3, "comma is missing");
  refused("[{} {}]", 1, 4, "comma is missing");
}

TEST(ReaderErrors, MissingQuote) {
  refused("{\n \"log\": \"/var/log,\n \"retry\": 5\n}", 2, 9, "closing quote seems to be missing");
  refused("{\"a\": \"abc, \"b\": \"x\"}", 1, 7, "closing quote seems to be missing");
  refused("{\"a: 1, \"b\": 2}", 1, 10, "is a closing quote missing");
  refused("{\"a\": \"abc\n}", 1, 7, "never closed");
}

TEST(ReaderErrors, MissingColon) {
  refused("{\"a\" 1}", 1, 6, "where a colon was expected");
  refused("{\"a\" = 1}", 1, 6, "a colon was expected");
  refused("{\"a\"}", 1, 5, "where a colon was expected");
}

TEST(ReaderErrors, Brackets) {
  refused("{\"a\": [1, 2}", 1, 12, "the [ of line 1 column 7 is still open");
  refused("[{\"a\": 1]", 1, 9, "the { of line 1 column 2 is still open");
  refused("{\n\"a\": [\n", 3, 1,
          "missing closing braces/parens? Still open at the end of the file: the [ of line 2, the { of line 1");
}

TEST(ReaderErrors, EndOfFile) {
  refused("", 1, 1, "configuration file incomplete");
  refused("  // nothing\n", 2, 1, "configuration file incomplete");
  refused("{\"a\"", 1, 5, "configuration file incomplete");
  refused("{\"a\":", 1, 6, "configuration file incomplete");
  refused("{ /* never closed\n\n}", 1, 3, "never closed");
  refused("{} /* never closed\n\n}", 1, 4, "never closed");
}

TEST(ReaderErrors, UnquotedText) {
  refused("{a: 1}", 1, 2, "the name \"a\" must stand in quotes");
  refused("{\"protocol\": d0}", 1, 14, "\"d0\" must stand in quotes");
  refused("{\"device\": /dev/ttyUSB0}", 1, 12, "\"/dev/ttyUSB0\" must stand in quotes");
  refused("{\"middleware\": http://localhost/middleware.php}", 1, 16, "must stand in quotes");
  refused("{\"protocol\": d0\", \"a\": 1}", 1, 14, "an opening quote is missing before \"d0\"");
  refused("{\"enabled\": yes}", 1, 13, "a switch is true or false");
}

TEST(ReaderErrors, NamesWhatWasPasted) {
  refused("{\u201Ca\u201D: 1}", 1, 2, "typographic quote");
  refused("{# comment\n}", 1, 2, "comments begin with //");
  refused("{ /* a /* b */ */ }", 1, 16, "cannot be nested");
  refused("<html>", 1, 1, "web page");
  refused("{\"meters\": {{}}}", 1, 13, "an entry of an object has a name");
}

TEST(ReaderErrors, ShowNoSecrets) {
  for (const std::string_view text :
       {"{\"pass\" \"geheimnis\"}", "[\"a\" \"geheimnis\"]", "{\"uuid\": 01234567-89ab-geheimnis}",
        "{\"uuid\": abcdef01-2345-6789-geheimnis}", "{\"pass\": geheimnis}", "{\"secretKey\": geheimnis\"}",
        "{\"token\": 0geheimnis}", "{\"url\": http://u:geheimnis@h/}"}) {
    const Outcome out = read_all(text);
    EXPECT_FALSE(out.errors().empty());
    for (const auto& problem : out.problems)
      EXPECT_EQ(problem.text.find("geheimnis"), std::string::npos) << problem.text;
  }
}

TEST(ReaderErrors, ShowNoPartOfASecretThatEndedTooSoon) {
  for (const std::string_view text :
       {R"({"password": "ab"geheim1"})", R"({"password": "ab" geheim "x"})", R"({"pass": x geheim})",
        R"({"pass": x geheim geheim: geheim, "user": "u"})", R"({"pass": x"geheim, "user": "u"})", R"({"pass": x,geheim})",
        R"({"pass": x}geheim})", R"([{"pass": x}geheim, geheim])", R"({"pass": x "geheim" geheim})", R"({"pass": 12 0geheim})",
        R"({"pass": x}} geheim)", R"({"pass": x 'geheim', 'geheim'})", "{\"pass\": \"x\ny\"geheim\"}"}) {
    const Outcome out = read_all(text);
    EXPECT_FALSE(out.errors().empty()) << text;
    for (const auto& problem : out.problems) {
      EXPECT_EQ(problem.text.find("geheim"), std::string::npos) << text << ": " << problem.text;
      EXPECT_EQ(problem.position.path.find("geheim"), std::string::npos) << text << ": " << problem.position.path;
    }
  }
  EXPECT_EQ(read_all(R"({"pass": "a\geheim"})").errors().at(0).text.find("\\g"), std::string::npos);
}

TEST(ReaderErrors, HideNothingBehindASecret) {
  refused("{\"pass\": \"x\"\n  \"user\": \"u\"}", 1, 13, "before \"user\" in line 2");
  refused("{\"pass\": \"x\", \"user\": who}", 1, 23, "the text \"who\" must stand in quotes");
  refused("{\"pass\": \"x\",\n  user: \"u\"}", 2, 3, "the name \"user\" must stand in quotes");
}

TEST(ReaderErrors, SeveralAtOnce) {
  const auto errors = read_all("{\n  # one\n  a: 1\n  \"b\": yes\n}").errors();
  ASSERT_EQ(errors.size(), 4u);
  EXPECT_EQ(errors[0].position.line, 2u);
  EXPECT_EQ(errors[1].position.line, 3u);
  EXPECT_EQ(errors[2].position.line, 3u);
  EXPECT_EQ(errors[3].position.line, 4u);
  EXPECT_EQ(errors[3].position.path, "b");
}

TEST(ReaderErrors, BadEntriesAreMarked) {
  const Outcome out = read_all("{\"a\": 0x1, \"b\": 2}");
  EXPECT_TRUE(out.document.readable);
  EXPECT_TRUE(find(out.document, "a")->damaged);
  EXPECT_FALSE(find(out.document, "b")->damaged);
}

TEST(ReaderBounds, Depth) {
  EXPECT_TRUE(read_all(std::string(kMaxDepth, '[') + std::string(kMaxDepth, ']')).errors().empty());
  refused(std::string(kMaxDepth + 1, '['), 1, kMaxDepth + 1, "inside each other");
  refused(std::string(100000, '['), 1, kMaxDepth + 1, "inside each other");
}

TEST(ReaderBounds, Size) {
  refused(std::string(kMaxFile + 1, ' '), 1, 1, "has at most");
  EXPECT_TRUE(quiet("{}" + std::string(kMaxFile - 2, ' ')).empty());
}

TEST(ReaderBounds, ManyProblemsAreCounted) {
  std::string text = "{";
  for (int i = 0; i < 50000; ++i) text += "\"a\":1,";
  text += "}";
  const auto warnings = read_all(text).warnings();
  ASSERT_EQ(warnings.size(), Problems::kMaxKept + 1);
  EXPECT_EQ(warnings.back().text, "and 49899 more warnings");
}

TEST(ReaderBounds, ManyKeysTakeLinearTime) {
  std::string text = "{";
  for (int i = 0; i < 80000; ++i) text += fmt::format("\"{}\":1,", i);
  text += "}";
  EXPECT_EQ(quiet(text).size(), 80000u);  // quadratic, this would take minutes
}

TEST(ReaderPositions, OfEveryValueAndKey) {
  const Outcome out =
      read_all("{\n  \"meters\": [\n    {\"uuid\": \"x\"},\n    { \"odd key\": [ 1, {\"a\": 2} ] }\n  ]\n}");
  const auto at = [&](std::string_view path) {
    const Mark* mark = find(out.document, path);
    return mark == nullptr
               ? std::string{"none"}
               : fmt::format("{}:{} {}:{}", mark->key.line, mark->key.column, mark->value.line, mark->value.column);
  };
  EXPECT_EQ(at(""), "1:1 1:1");
  EXPECT_EQ(at("meters"), "2:3 2:13");
  EXPECT_EQ(at("meters[0]"), "3:5 3:5");
  EXPECT_EQ(at("meters[0].uuid"), "3:6 3:14");
  EXPECT_EQ(at("meters[1][\"odd key\"]"), "4:7 4:18");
  EXPECT_EQ(at("meters[1][\"odd key\"][1].a"), "4:24 4:29");
  EXPECT_EQ(at("meters[2]"), "none");
  EXPECT_EQ(at("meter"), "none");
  EXPECT_EQ(at("meters[0].uuid.x"), "none");
}

TEST(ReaderPositions, ProblemsNameTheirPath) {
  const auto errors = read_all("{\"meters\": [{}, {\"channels\": [{\"uuid\": +1}]}]}").errors();
  ASSERT_EQ(errors.size(), 1u);
  EXPECT_EQ(errors[0].position.path, "meters[1].channels[0].uuid");
}

}  // namespace
}  // namespace vz::config
