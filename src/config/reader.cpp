// SPDX-License-Identifier: GPL-3.0-or-later
#include "config/reader.hpp"

#include <fmt/format.h>

#include <charconv>
#include <limits>
#include <string>
#include <unordered_map>

#include "config/text.hpp"
#include "core/ascii.hpp"
#include "core/utf8.hpp"

namespace vz::config {
namespace {

constexpr std::size_t kMaxShown = 16;  // bytes of a value without quotes, which may be a uuid or a key
constexpr const char* kHidden = "***";  // instead of what may be a secret, or a part of one
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr std::string_view kNoBreakSpace = "\xC2\xA0";

constexpr bool is_name_letter(char c) { return is_letter(c) || c == '_'; }
constexpr bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

bool is_typographic_quote(std::string_view text) {
  for (const std::string_view quote : {"\u201C", "\u201D", "\u201E", "\u2018", "\u2019", "\u201A", "\u00AB", "\u00BB"})
    if (text.starts_with(quote)) return true;
  return false;
}

/// Out of range of a double: the text is a well-formed number without sign.
double saturated(std::string_view token) {
  const std::size_t exponent = token.find_first_of("eE");
  const bool tiny =
      exponent != std::string_view::npos ? token.substr(exponent + 1).starts_with('-') : token.starts_with('0');
  return tiny ? 0.0 : std::numeric_limits<double>::infinity();
}

/// The value of a whole number, saturated, or of a real one; empty if `token` is neither.
std::optional<Value> number_of(std::string_view token) {
  const bool negative = token.starts_with('-');
  std::string_view rest = token.substr(negative ? 1 : 0);
  if (equal_ignoring_case(rest, "infinity"))
    return Value(negative ? -std::numeric_limits<double>::infinity() : std::numeric_limits<double>::infinity());
  if (!negative && equal_ignoring_case(rest, "nan")) return Value(std::numeric_limits<double>::quiet_NaN());

  std::size_t i = 0;
  const auto digits = [&] {
    while (i < rest.size() && is_digit(rest[i])) ++i;
  };
  digits();
  if (i == 0) return std::nullopt;
  if (i == rest.size()) {
    std::int64_t whole = 0;
    if (std::from_chars(token.data(), token.data() + token.size(), whole).ec == std::errc::result_out_of_range)
      whole = negative ? std::numeric_limits<std::int64_t>::min() : std::numeric_limits<std::int64_t>::max();
    return Value(whole);
  }
  if (rest[i] == '.') {
    ++i;
    digits();
  }
  if (i < rest.size() && (rest[i] == 'e' || rest[i] == 'E')) {
    ++i;
    if (i < rest.size() && (rest[i] == '+' || rest[i] == '-')) ++i;
    digits();
  }
  if (i != rest.size()) return std::nullopt;
  double real = 0.0;
  if (std::from_chars(rest.data(), rest.data() + rest.size(), real).ec == std::errc::result_out_of_range)
    real = saturated(rest);
  return Value(negative ? -real : real);
}

void append_utf8(std::string& out, unsigned code) {
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xC0 | (code >> 6));
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    out += static_cast<char>(0xE0 | (code >> 12));
    out += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | (code >> 18));
    out += static_cast<char>(0x80 | ((code >> 12) & 0x3F));
    out += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  }
}

/// A recursive descent parser; recursion ends at kMaxDepth. Functions that return bool give up with false, after having
/// reported why.
class Parser {
 public:
  Parser(std::string_view text, Problems& problems) : text_(text), problems_(problems) {}

  bool document(Value& value, Mark& mark);

 private:
  struct Open {
    char bracket;
    Place place;
  };

  [[nodiscard]] bool end() const { return at_ >= text_.size(); }
  [[nodiscard]] char peek() const { return end() ? '\0' : text_[at_]; }
  [[nodiscard]] std::string_view rest() const { return text_.substr(std::min(at_, text_.size())); }
  [[nodiscard]] Place here() const { return {line_, static_cast<unsigned>(at_ - line_start_ + 1)}; }
  [[nodiscard]] Position position(Place place) const { return {place.line, place.column, path_}; }
  void step();
  void step_to(std::size_t at) {
    while (at_ < at && !end()) step();
  }
  void skip_line() {
    while (!end() && peek() != '\n') step();
  }
  void skip_nul();

  void error(Place place, std::string text) { problems_.error(position(place), std::move(text)); }
  void warning(Place place, std::string text) { problems_.warning(position(place), std::move(text)); }
  bool give_up(Place place, std::string text) {
    error(place, std::move(text));
    return false;
  }
  bool give_up_incomplete();
  [[nodiscard]] std::string found() const;
  /// What stands here belongs to a secret value, or may be the rest of one: a quote or a blank ended it too soon.
  [[nodiscard]] bool hidden() const { return secret_ || secret_line_ == line_; }
  [[nodiscard]] std::string hint() const;

  bool skip_space();
  bool comment();
  void head();
  bool tail();

  bool value(Value& out, Mark& mark);
  bool object(Value& out, Mark& mark);
  bool member(Value::object_t& members, Mark& mark, std::unordered_map<std::string, std::size_t>& index);
  bool key(std::string& out);
  bool array(Value& out, Mark& mark);
  bool after_element(char closing, Place open, bool& closed);
  bool string(std::string& out);
  void escape(std::string& out);
  bool hex4(unsigned& code);
  [[nodiscard]] std::string unquoted(std::string_view token) const;
  void number(Value& out, Mark& mark);
  void word(Value& out, Mark& mark);
  [[nodiscard]] std::size_t word_end(std::string_view stop) const;

  std::string_view text_;
  Problems& problems_;
  std::size_t at_ = 0;
  std::size_t line_start_ = 0;
  unsigned line_ = 1;
  std::string path_;
  bool secret_ = false;       ///< the name of the value says that it is one
  unsigned secret_line_ = 0;  ///< where the last one ended, until a member that is well-formed begins; 0: none
  std::vector<Open> open_;
  Place last_end_;             ///< where the last value ended
  Place last_string_;          ///< where the last string began
  bool after_string_ = false;  ///< the last value was a string
  bool ran_over_ = false;      ///< ... that contains a line break
  bool nul_told_ = false;
  bool odd_space_told_ = false;
};

void Parser::step() {
  if (text_[at_] == '\n') {
    ++line_;
    line_start_ = at_ + 1;
  }
  ++at_;
}

/// A NUL hides the rest of its line, as it always did: what a power cut leaves at the end of a file.
void Parser::skip_nul() {
  if (!nul_told_) warning(here(), "a NUL byte; the rest of this line is ignored (was the file damaged?)");
  nul_told_ = true;
  skip_line();
}

std::string Parser::found() const {
  if (end()) return "the end of the file";
  const char c = peek();
  if (hidden() && std::string_view{"{}[],:"}.find(c) == std::string_view::npos) return shown(kHidden);
  if (is_name_letter(c) || is_digit(c)) {
    std::size_t stop = at_;
    while (stop < text_.size() && stop < at_ + 21 && (is_name_letter(text_[stop]) || is_digit(text_[stop]))) ++stop;
    return shown(text_.substr(at_, stop - at_), 20);
  }
  if (c == '"' || c == '\'') {
    // A name helps to find the place; a text may be a password.
    const std::string_view near = rest().substr(0, 40);
    const std::size_t close = near.find(c, 1);
    const std::size_t colon = close == std::string_view::npos ? close : near.find_first_not_of(" \t", close + 1);
    if (colon == std::string_view::npos || near[colon] != ':') return "a text in quotes";
    return shown(near.substr(1, close - 1));
  }
  const auto byte = static_cast<unsigned char>(c);
  const std::size_t length = utf8_length(rest());
  if (length == 0 || byte < 0x20 || byte == 0x7f) return fmt::format("the byte 0x{:02x}", byte);
  return fmt::format("\"{}\"", text_.substr(at_, length));
}

/// The likely cause when nothing sensible can stand here.
std::string Parser::hint() const {
  if (is_typographic_quote(rest())) return "; this is a typographic quote, only the plain \" (or ') works";
  if (rest().starts_with("*/")) return "; the comment ended already: comments cannot be nested";
  if (peek() == '/') return "; a comment begins with // or /*";
  if (peek() == '<') return "; is this really a configuration file, not a web page?";
  return {};
}

bool Parser::give_up_incomplete() {
  std::string text = "configuration file incomplete, missing closing braces/parens?";
  if (open_.empty()) text += " The file has no content but comments and blanks";
  const char* separator = " Still open at the end of the file: ";
  for (auto open = open_.rbegin(); open != open_.rend(); ++open) {
    text += fmt::format("{}the {} of line {}", separator, open->bracket, open->place.line);
    separator = ", ";
  }
  path_.clear();
  return give_up(here(), std::move(text));
}

bool Parser::comment() {
  if (rest().starts_with("//")) {
    skip_line();
    return true;
  }
  const Place begin = here();
  const std::size_t close = text_.find("*/", at_ + 2);
  if (close == std::string_view::npos)
    return give_up(begin, "the comment that begins here with /* is never closed with */");
  step_to(close + 2);
  return true;
}

bool Parser::skip_space() {
  while (!end()) {
    if (is_space(peek())) {
      step();
    } else if (peek() == '\0') {
      skip_nul();
    } else if (rest().starts_with("//") || rest().starts_with("/*")) {
      if (!comment()) return false;
    } else if (peek() == '#') {
      error(here(), "found a # comment; comments begin with // or stand between /* and */");
      skip_line();
    } else if (rest().starts_with(kNoBreakSpace) || rest().starts_with(kByteOrderMark)) {
      if (!odd_space_told_)
        warning(here(), "an invisible character that is not a plain blank (copied from a web page?); taken as a blank");
      odd_space_told_ = true;
      step_to(at_ + utf8_length(rest()));
    } else {
      break;
    }
  }
  return true;
}

void Parser::head() {
  if (!text_.starts_with(kByteOrderMark)) return;
  warning({1, 1}, "the file begins with a byte order mark, which is ignored; better save it as UTF-8 without one");
  at_ = line_start_ = kByteOrderMark.size();
}

bool Parser::tail() {
  path_.clear();
  const Place last = last_end_;
  unsigned closing_line = line_;
  while (true) {
    while (!end() && (is_space(peek()) || peek() == '\0')) peek() == '\0' ? skip_nul() : step();
    if (end()) return true;
    if (rest().starts_with("//") || rest().starts_with("/*")) {
      const bool same_line = line_ == closing_line;
      if (!comment()) return false;
      if (same_line) closing_line = line_;
    } else if (line_ == closing_line) {
      warning(here(),
              fmt::format("the configuration has ended here; the rest of the line, from {} on, is ignored", found()));
      skip_line();
    } else {
      return give_up(here(), fmt::format("extra data after end of configuration: found {}, but the configuration ended "
                                         "in line {} column {}; is there one closing brace or bracket too many?",
                                         found(), last.line, last.column - 1));
    }
  }
}

bool Parser::document(Value& out, Mark& mark) {
  if (text_.size() >= 2 && (text_.starts_with("\xFF\xFE") || text_.starts_with("\xFE\xFF")))
    return give_up({1, 1}, "the file is in UTF-16; save it as UTF-8 (plain text)");
  head();
  if (!skip_space()) return false;
  if (end()) return give_up_incomplete();
  return value(out, mark) && tail();
}

bool Parser::value(Value& out, Mark& mark) {
  mark.value = here();
  if (mark.key.line == 0) mark.key = mark.value;
  after_string_ = false;
  const char c = peek();
  if (end()) return give_up_incomplete();
  if (c == '{' || c == '[') {
    if (open_.size() >= kMaxDepth)
      return give_up(mark.value, fmt::format("more than {} objects and arrays inside each other", kMaxDepth));
    if (!(c == '{' ? object(out, mark) : array(out, mark))) return false;
    after_string_ = false;
  } else if (c == '"' || c == '\'') {
    std::string text;
    if (!string(text)) return false;
    after_string_ = true;
    out = std::move(text);
  } else if (is_digit(c) || c == '-' || c == '+' || c == '.') {
    number(out, mark);
  } else if (is_name_letter(c) || (c == '/' && !rest().starts_with("//"))) {
    word(out, mark);
  } else if (c == ',' || c == '}' || c == ']') {
    return give_up(mark.value, fmt::format("found {} where a value was expected", found()));
  } else {
    return give_up(mark.value,
                   fmt::format("found {} where a value was expected: text in quotes, a number, true, false, "
                               "{{ or [{}",
                               found(), hint()));
  }
  last_end_ = here();
  return true;
}

bool Parser::object(Value& out, Mark& mark) {
  const Place begin = here();
  open_.push_back({'{', begin});
  step();
  out = Value::object();
  auto& members = out.get_ref<Value::object_t&>();
  std::unordered_map<std::string, std::size_t> index;
  bool closed = false;
  bool first = true;
  while (!closed) {
    if (!skip_space()) return false;
    if (end()) return give_up_incomplete();
    if (peek() == '}') {
      step();
      break;
    }
    if (peek() == ',') {
      error(here(), first ? "found a comma before the first entry" : "found a second comma; one is enough");
      step();
      continue;
    }
    first = false;
    const std::size_t path_length = path_.size();
    if (!member(members, mark, index)) return false;
    path_.resize(path_length);
    if (!after_element('}', begin, closed)) return false;
  }
  open_.pop_back();
  return true;
}

/// One `"key": value`, put into `members`. The path is left at the member for the caller to cut.
bool Parser::member(Value::object_t& members, Mark& mark, std::unordered_map<std::string, std::size_t>& index) {
  Mark entry;
  entry.key = here();
  std::string name;
  const bool quoted = peek() == '"' || peek() == '\'';
  bool rest_of_secret = hidden();
  if (!key(name)) return false;
  const bool key_ran_over = ran_over_;
  if (!skip_space()) return false;
  if (end()) return give_up_incomplete();
  if (quoted && peek() == ':') rest_of_secret = false;
  if (rest_of_secret) name = kHidden;
  else secret_line_ = 0;
  append_key(path_, name);
  if (peek() == ':' || peek() == '=') {
    if (peek() == '=') error(here(), fmt::format("found = after {}; a colon was expected", shown(name)));
    step();
  } else {
    const bool unclosed = key_ran_over || name.find_first_of(":,") != std::string::npos;
    error(here(), fmt::format("found {} where a colon was expected after the name {}{}", found(), shown(name),
                              unclosed ? "; is a closing quote missing in it?" : ""));
    if (unclosed || std::string_view{",}]"}.find(peek()) != std::string_view::npos) return false;
  }
  if (!skip_space()) return false;
  Value content;
  const bool outside = std::exchange(secret_, rest_of_secret || names_secret(name));
  const bool read = value(content, entry);
  if (secret_) secret_line_ = line_;
  secret_ = outside;
  if (!read) return false;
  const auto [known, is_new] = index.try_emplace(name, members.size());
  if (is_new) {
    members.emplace_back(std::move(name), std::move(content));
    mark.children.push_back(std::move(entry));
    return true;
  }
  Mark& earlier = mark.children[known->second];
  if (problems_.room_for_warning())
    warning(entry.key,
            fmt::format("{} stands twice here, first in line {}; this last one counts", shown(name), earlier.key.line));
  (members.begin() + static_cast<std::ptrdiff_t>(known->second))->second = std::move(content);
  earlier = std::move(entry);
  return true;
}

bool Parser::key(std::string& out) {
  ran_over_ = false;
  if (peek() == '"' || peek() == '\'') return string(out);
  const Place begin = here();
  if (is_name_letter(peek())) {
    const std::size_t stop = word_end(":=,{}[]\"'");
    out = text_.substr(at_, stop - at_);
    error(begin, fmt::format("the name {} must stand in quotes", hidden() ? shown(kHidden) : shown(out)));
    step_to(stop);
    return true;
  }
  std::string text = fmt::format("found {} where a name in quotes was expected{}", found(), hint());
  if (is_digit(peek())) text += "; is the comma before it meant as a decimal point? Write a point";
  if (peek() == '{' || peek() == '[') text += "; an entry of an object has a name, as in \"meters\": [";
  if (peek() == ']') text += fmt::format("; the {{ of line {} is not closed", open_.back().place.line);
  return give_up(begin, std::move(text));
}

bool Parser::array(Value& out, Mark& mark) {
  const Place begin = here();
  open_.push_back({'[', begin});
  step();
  out = Value::array();
  auto& elements = out.get_ref<Value::array_t&>();
  bool closed = false;
  while (!closed) {
    if (!skip_space()) return false;
    if (end()) return give_up_incomplete();
    if (peek() == ']') {
      step();
      break;
    }
    if (peek() == ',') {
      error(here(), elements.empty() ? "found a comma before the first entry" : "found a second comma; one is enough");
      step();
      continue;
    }
    const std::size_t path_length = path_.size();
    append_index(path_, elements.size());
    elements.emplace_back();
    mark.children.emplace_back();
    if (!value(elements.back(), mark.children.back())) return false;
    path_.resize(path_length);
    if (!after_element(']', begin, closed)) return false;
  }
  open_.pop_back();
  return true;
}

/// What follows an element: a comma, the closing bracket (then `closed`), or a mistake.
bool Parser::after_element(char closing, Place begin, bool& closed) {
  const Place value_end = last_end_;
  const bool adjacent = after_string_ && (is_name_letter(peek()) || is_digit(peek()));
  if (!skip_space()) return false;
  if (end()) return give_up_incomplete();
  const char c = peek();
  if (c == ',') {
    step();
    return true;
  }
  if (c == closing) {
    step();
    closed = true;
    return true;
  }
  if (after_string_ && (adjacent || ran_over_))
    return give_up(last_string_,
                   fmt::format("a closing quote seems to be missing: the text that begins here goes on to "
                               "line {} column {}, where {} follows",
                               value_end.line, value_end.column - 1, found()));
  if (c == '"' || c == '\'' || c == '{' || c == '[' || is_name_letter(c) || is_digit(c) || c == '-') {
    error(value_end, fmt::format("a comma is missing here, before {} in line {}", found(), line_));
    return true;
  }
  const bool other_bracket = c == '}' || c == ']';
  const std::string open =
      fmt::format("the {} of line {} column {}", closing == '}' ? '{' : '[', begin.line, begin.column);
  return give_up(
      here(), other_bracket ? fmt::format("found {}, but {} is still open: a {} is missing before it", c, open, closing)
                            : fmt::format("found {} where a comma or the {} that closes {} was expected{}", found(),
                                          closing, open, hint()));
}

bool Parser::string(std::string& out) {
  last_string_ = here();
  const unsigned first_line = line_;
  const char quote = peek();
  step();
  bool raw = false;
  while (!end() && peek() != quote) {
    if (peek() == '\\') {
      escape(out);
    } else if (peek() == '\0') {
      skip_nul();
    } else {
      raw = raw || static_cast<unsigned char>(peek()) >= 0x80;
      out += peek();
      step();
    }
  }
  if (end())
    return give_up(last_string_, fmt::format("the text that begins here is never closed: a {} is missing", quote));
  step();
  ran_over_ = line_ != first_line;
  if (raw && !is_utf8(out) && problems_.room_for_warning())
    warning(last_string_, "this text is not valid UTF-8; it is taken as it is (was the file saved as Latin-1?)");
  if (const std::size_t nul = out.find('\0'); nul != std::string::npos) {
    warning(last_string_, "this text contains \\u0000 and ends there");
    out.resize(nul);
  }
  return true;
}

bool Parser::hex4(unsigned& code) {
  if (text_.size() - at_ < 4) return false;
  const char* first = text_.data() + at_;
  const auto [stop, failure] = std::from_chars(first, first + 4, code, 16);
  if (failure != std::errc{} || stop != first + 4) return false;
  step_to(at_ + 4);
  return true;
}

void Parser::escape(std::string& out) {
  const Place begin = here();
  step();
  if (end()) return;
  constexpr std::string_view kEscapes = "\"\\/'bfnrt";
  constexpr std::string_view kMeanings = "\"\\/'\b\f\n\r\t";
  const char c = peek();
  if (const std::size_t known = kEscapes.find(c); known != std::string_view::npos) {
    out += kMeanings[known];
    step();
    return;
  }
  if (c != 'u') {
    error(begin, fmt::format("\\{} is no known escape; write a backslash twice: \\\\", hidden() ? std::string{kHidden} : printable({&c, 1})));
    return;
  }
  step();
  unsigned code = 0;
  if (!hex4(code)) return error(begin, "\\u wants four hexadecimal digits");
  constexpr unsigned kReplacement = 0xFFFD;
  if (code >= 0xD800 && code < 0xDC00 && rest().starts_with("\\u")) {
    const std::size_t before = at_;
    unsigned low = 0;
    at_ += 2;
    if (hex4(low) && low >= 0xDC00 && low < 0xE000)
      return append_utf8(out, 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00));
    at_ = before;  // neither these two nor the four digits can be a line break
  }
  append_utf8(out, code >= 0xD800 && code < 0xE000 ? kReplacement : code);
}

/// Where an unquoted word ends: at a blank, at one of `stop`, at the end.
std::size_t Parser::word_end(std::string_view stop) const {
  std::size_t at = at_;
  while (at < text_.size() && !is_space(text_[at]) && text_[at] != '\0' &&
         stop.find(text_[at]) == std::string_view::npos)
    ++at;
  return at;
}

/// A value that should have stood in quotes, for a message: never what may be a password.
std::string Parser::unquoted(std::string_view token) const {
  return hidden() ? shown(kHidden) : shown(without_credentials(std::string{token}), kMaxShown);
}

void Parser::number(Value& out, Mark& mark) {
  const Place begin = here();
  std::size_t stop = at_;
  while (stop < text_.size() && (is_digit(text_[stop]) || is_name_letter(text_[stop]) ||
                                 std::string_view{"+-."}.find(text_[stop]) != std::string_view::npos))
    ++stop;
  if (auto read = number_of(text_.substr(at_, stop - at_))) {
    out = std::move(*read);
    step_to(stop);
    return;
  }
  stop = word_end(",}]");
  const std::string_view token = text_.substr(at_, stop - at_);
  std::string advice = "text must stand in quotes";
  if (token.starts_with('+') && number_of(token.substr(1))) advice = "write it without the +";
  if (number_of("0" + std::string{token})) advice = "write a 0 before the point";
  if (token.starts_with("0x") || token.starts_with("0X"))
    advice = "hexadecimal numbers are not known; bytes stand in quotes, as in \"2F3F210D0A\"";
  mark.damaged = true;
  error(begin, fmt::format("{} is not a number; {}", unquoted(token), advice));
  step_to(stop);
}

void Parser::word(Value& out, Mark& mark) {
  const Place begin = here();
  std::string_view token = text_.substr(at_, word_end(",}]\"'") - at_);
  const std::size_t note = std::min(token.find("//"), token.find("/*"));
  if (note != std::string_view::npos && note > 0 && token[note - 1] != ':') token = token.substr(0, note);
  step_to(at_ + token.size());
  if (equal_ignoring_case(token, "true")) {
    out = true;
  } else if (equal_ignoring_case(token, "false")) {
    out = false;
  } else if (equal_ignoring_case(token, "null")) {
    out = nullptr;
  } else if (auto read = number_of(token)) {
    out = std::move(*read);  // NaN, Infinity
  } else {
    constexpr std::string_view kSwitches[] = {"yes", "no", "on", "off", "ja", "nein"};
    const bool flag = std::any_of(std::begin(kSwitches), std::end(kSwitches),
                                  [&](std::string_view known) { return equal_ignoring_case(token, known); });
    const bool half_quoted = peek() == '"' || peek() == '\'';
    if (half_quoted) step();
    if (flag) {
      mark.damaged = true;
      error(begin, fmt::format("found {}: a switch is true or false, and a text stands in quotes", unquoted(token)));
    } else {
      error(begin, half_quoted ? fmt::format("an opening quote is missing before {}", unquoted(token))
                               : fmt::format("the text {} must stand in quotes", unquoted(token)));
    }
    out = std::string{token};
  }
}

}  // namespace

Document read(std::string_view text, Problems& problems) {
  Document document;
  if (text.size() > kMaxFile) {
    problems.error({1, 1, {}},
                   fmt::format("the file has {} bytes; a configuration has at most {}", text.size(), kMaxFile));
    return document;
  }
  document.readable = Parser{text, problems}.document(document.value, document.mark);
  return document;
}

const Mark* find(const Document& document, std::string_view path) {
  const Value* value = &document.value;
  const Mark* mark = &document.mark;
  const auto descend = [&](std::size_t i) {
    std::string segment;
    const Value* child = nullptr;
    if (value->is_array()) {
      append_index(segment, i);
      child = &(*value)[i];
    } else {
      const auto& member = *(value->get_ref<const Value::object_t&>().begin() + static_cast<std::ptrdiff_t>(i));
      append_key(segment, member.first);
      child = &member.second;
    }
    if (!path.starts_with(segment)) return false;
    if (path.size() > segment.size() && path[segment.size()] != '.' && path[segment.size()] != '[') return false;
    path.remove_prefix(segment.size());
    if (path.starts_with('.')) path.remove_prefix(1);
    value = child;
    mark = &mark->children[i];
    return true;
  };
  while (!path.empty()) {
    bool found = false;
    const std::size_t children = mark->children.size();
    for (std::size_t i = 0; i < children && !found; ++i) found = descend(i);
    if (!found) return nullptr;
  }
  return mark;
}

}  // namespace vz::config
