// SPDX-License-Identifier: GPL-3.0-or-later
#include "protocols/file/line_format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/ascii.hpp"

namespace vz::file {
namespace {

// isspace() of the C locale.
bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

void skip_blanks(std::string_view& text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
}

std::size_t word_length(std::string_view text) {
  return static_cast<std::size_t>(std::find_if(text.begin(), text.end(), is_blank) - text.begin());
}

bool is_hex_number(std::string_view text) {
  if (text.size() < 3 || text[0] != '0' || (text[1] != 'x' && text[1] != 'X')) return false;
  return is_hex_digit(text[2]) || (text[2] == '.' && text.size() > 3 && is_hex_digit(text[3]));
}

}  // namespace

std::optional<double> take_number(std::string_view& text) {
  std::string_view rest = text;
  skip_blanks(rest);
  const bool negative = rest.starts_with('-');
  if (negative || rest.starts_with('+')) rest.remove_prefix(1);
  if (rest.starts_with('-') || rest.starts_with('+')) return std::nullopt;
  const bool hex = is_hex_number(rest);
  if (hex) rest.remove_prefix(2);
  double number = 0.0;
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), number,
                                            hex ? std::chars_format::hex : std::chars_format::general);
  if (error != std::errc{} || !std::isfinite(number)) return std::nullopt;
  rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
  text = rest;
  return negative ? -number : number;
}

std::optional<WallTime> epoch_time(double number) {
  constexpr double kMilliseconds = 1e11;  // the year 5138 in seconds, 1973 in milliseconds
  constexpr double kThousand = 1e3;
  constexpr double kLatest = 253402300800e6;  // 10000-01-01 in microseconds
  if (!(number >= 0)) return std::nullopt;
  double microseconds = number;
  if (number < kMilliseconds) microseconds = number * kThousand * kThousand;
  else if (number < kMilliseconds * kThousand) microseconds = number * kThousand;
  else if (number >= kMilliseconds * kThousand * kThousand) microseconds = number / kThousand;
  if (microseconds >= kLatest) return std::nullopt;
  // To whole microseconds first: 1700000000.123 has no exact double, and must not become .122.
  return WallTime{std::chrono::milliseconds{std::llround(microseconds) / 1000}};
}

LineFormat::LineFormat(std::string_view format) : plain_(format.empty()) {
  for (std::size_t i = 0; i < format.size(); ++i) {
    const char c = format[i];
    if (is_blank(c)) {
      if (parts_.empty() || parts_.back().kind != Kind::blank) parts_.push_back({Kind::blank});
    } else if (c != '$') {
      parts_.push_back({Kind::literal, c});
    } else if (++i < format.size()) {
      if (format[i] == 'v') add(Kind::value);
      if (format[i] == 'i') add(Kind::identifier);
      if (format[i] == 't') add(Kind::time);
    }
  }
  // What follows the last $ need not match, so it is not looked at.
  while (!parts_.empty() && (parts_.back().kind == Kind::blank || parts_.back().kind == Kind::literal)) parts_.pop_back();
}

void LineFormat::add(Kind kind) {
  if (!has(kind)) parts_.push_back({kind});
}

bool LineFormat::has(Kind kind) const {
  return std::any_of(parts_.begin(), parts_.end(), [&](const Part& part) { return part.kind == kind; });
}

bool LineFormat::has_value() const { return plain_ || has(Kind::value); }
bool LineFormat::has_time() const { return has(Kind::time); }

std::string LineFormat::oddity(std::string_view format) {
  if (format.empty()) return {};
  for (std::size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '$') continue;
    const std::string_view token = format.substr(i, 2);
    if (token != "$v" && token != "$i" && token != "$t")
      return fmt::format("\"{}\" means nothing here and is left out; known are $v (value), $i (identifier) and $t (time)", token);
    if (format.find(token, i + 2) != std::string_view::npos)
      return fmt::format("\"{}\" stands twice in it; only the first one counts", token);
    ++i;
  }
  if (!LineFormat{format}.has(Kind::value)) return "there is no $v in it, so no line gives a reading";
  return {};
}

/// Matches from `part` on, up to an identifier (which it leaves alone) or to what does not match. Returns how far it came.
std::size_t LineFormat::run(std::size_t part, std::string_view& line, Found& found) const {
  for (; part < parts_.size(); ++part) {
    switch (parts_[part].kind) {
      case Kind::blank: skip_blanks(line); break;
      case Kind::literal:
        if (!line.starts_with(parts_[part].literal)) return part;
        line.remove_prefix(1);
        break;
      case Kind::value:
        found.value = take_number(line);
        if (!found.value) return part;
        break;
      case Kind::time:
        found.time = take_number(line);
        if (!found.time) return part;
        break;
      case Kind::identifier: return part;
    }
  }
  return part;
}

LineFormat::Found LineFormat::best(std::string_view line) const {
  Found start;
  const std::size_t at = run(0, line, start);
  start.parts = at;
  if (at >= parts_.size() || parts_[at].kind != Kind::identifier) return start;
  skip_blanks(line);
  const std::size_t longest = word_length(line);
  // The character that has to follow, if there is one: only before it can a shorter identifier end.
  const auto next = std::find_if(parts_.begin() + static_cast<std::ptrdiff_t>(at) + 1, parts_.end(),
                                 [](const Part& part) { return part.kind != Kind::blank; });
  const bool bounded = next != parts_.end() && next->kind == Kind::literal;
  Found best = start;
  for (std::size_t length = longest; length > 0; --length) {
    if (length < longest && (!bounded || line[length] != next->literal)) continue;
    Found found = start;
    found.identifier = line.substr(0, length);
    std::string_view rest = line.substr(length);
    found.parts = run(at + 1, rest, found);
    if (found.parts > best.parts) best = found;
    if (best.parts == parts_.size()) break;
  }
  return best;
}

std::optional<LineValue> LineFormat::match(std::string_view line) const {
  if (plain_) {
    const auto number = take_number(line);
    if (!number) return std::nullopt;
    return LineValue{*number, {}, std::nullopt};
  }
  const Found found = best(line);
  if (!found.value) return std::nullopt;
  LineValue result{*found.value, std::string{found.identifier.value_or("<null>")}, std::nullopt};
  if (found.time) result.stamp = epoch_time(*found.time);
  return result;
}

}  // namespace vz::file
