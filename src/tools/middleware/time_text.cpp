// SPDX-License-Identifier: GPL-3.0-or-later
#include "tools/middleware/time_text.hpp"

#include <charconv>
#include <ctime>
#include <string>
#include <utility>

#include "core/ascii.hpp"

namespace vz::middleware {
namespace {

constexpr std::size_t kMaxText = 128;

std::tm broken_down(std::time_t seconds, Zone zone) {
  std::tm out{};
  if (zone == Zone::utc)
    gmtime_r(&seconds, &out);
  else
    localtime_r(&seconds, &out);
  return out;
}

std::time_t seconds_of(std::tm time, Zone zone) {
  if (zone == Zone::utc) return timegm(&time);
  time.tm_isdst = -1;
  return mktime(&time);
}

std::int64_t floor_div(std::int64_t value, std::int64_t by) { return value / by - (value % by < 0 ? 1 : 0); }

/// Takes a piece of text apart from the left.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}
  [[nodiscard]] bool done() const { return text_.empty(); }
  [[nodiscard]] char peek() const { return text_.empty() ? '\0' : text_.front(); }
  void skip_blanks() {
    while (peek() == ' ' || peek() == ',' || peek() == '\t') text_.remove_prefix(1);
  }
  bool take(char c) {
    if (peek() != c) return false;
    text_.remove_prefix(1);
    return true;
  }
  /// A number of `fewest` to `most` digits (nine at most); takes nothing if there is none.
  std::optional<int> number(std::size_t fewest, std::size_t most) {
    if (digits() < fewest || digits() > most) return std::nullopt;
    return take_number<int>(digits());
  }
  std::optional<std::int64_t> long_number() {
    constexpr std::size_t kMost = 12;
    if (digits() == 0 || digits() > kMost) return std::nullopt;
    return take_number<std::int64_t>(digits());
  }
  std::string word() {
    std::string out;
    while (is_letter(peek())) {
      out += lower(peek());
      text_.remove_prefix(1);
    }
    return out;
  }

 private:
  [[nodiscard]] std::size_t digits() const {
    const auto end = text_.find_first_not_of("0123456789");
    return end == std::string_view::npos ? text_.size() : end;
  }
  template <typename T>
  T take_number(std::size_t length) {
    T value = 0;
    std::from_chars(text_.data(), text_.data() + length, value);
    text_.remove_prefix(length);
    return value;
  }

  std::string_view text_;
};

/// What strtotime() collects before it looks at the calendar.
class TimeReader {
 public:
  TimeReader(std::string_view text, WallTime now, Zone zone)
      : scan_(text), now_(std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count()), zone_(zone) {
    time_ = broken_down(static_cast<std::time_t>(now_), zone_);
  }

  std::optional<std::int64_t> read() {
    scan_.skip_blanks();
    if (scan_.done()) return std::nullopt;
    while (!scan_.done()) {
      if (!item()) return std::nullopt;
      scan_.skip_blanks();
    }
    return result();
  }

 private:
  bool item() {
    const char c = scan_.peek();
    if (c == '@') return absolute();
    if (c == '+' || c == '-') return signed_amount();
    if (is_digit(c)) return date() || clock_time() || amount(1);
    return named();
  }

  /// `@1700000000`: seconds since the epoch.
  bool absolute() {
    scan_.take('@');
    const int sign = scan_.take('-') ? -1 : 1;
    const auto seconds = scan_.long_number();
    if (!seconds) return false;
    if (scan_.take('.')) scan_.long_number();
    time_ = broken_down(static_cast<std::time_t>(sign * *seconds), Zone::utc);
    offset_ = 0;
    return true;
  }

  bool date() {
    const Scanner start = scan_;
    const auto first = scan_.number(1, 4);
    const char separator = scan_.peek();
    if (first && (separator == '-' || separator == '.') && scan_.take(separator)) {
      const auto month = scan_.number(1, 2);
      if (month && scan_.take(separator)) {
        const auto last = scan_.number(1, 4);
        if (last) return set_date(separator == '-' ? *first : *last, *month, separator == '-' ? *last : *first);
      }
    }
    scan_ = start;
    return false;
  }
  bool set_date(int year, int month, int day) {
    if (year < 1970 || month < 1 || month > 12 || day < 1 || day > 31) return false;
    time_.tm_year = year - 1900;
    time_.tm_mon = month - 1;
    time_.tm_mday = day;
    if (!clock_set_) set_clock(0, 0, 0);
    if (scan_.peek() == 'T' || scan_.peek() == 't') {
      scan_.take(scan_.peek());
      return clock_time();
    }
    return true;
  }

  bool clock_time() {
    const Scanner start = scan_;
    const auto hour = scan_.number(1, 2);
    if (!hour || !scan_.take(':')) {
      scan_ = start;
      return false;
    }
    const auto minute = scan_.number(2, 2);
    std::optional<int> second = 0;
    if (minute && scan_.take(':')) second = scan_.number(2, 2);
    if (second && scan_.take('.')) scan_.number(1, 9);
    if (!minute || !second || *hour > 24 || *minute > 59 || *second > 59) return false;
    set_clock(*hour, *minute, *second);
    clock_set_ = true;
    return offset();
  }
  /// `Z` or `+01:00` right after a time.
  bool offset() {
    const char c = scan_.peek();
    if (c == 'Z' || c == 'z') {
      scan_.take(c);
      offset_ = 0;
    } else if (c == '+' || c == '-') {
      scan_.take(c);
      const auto hours = scan_.number(2, 2);
      scan_.take(':');
      const auto minutes = scan_.number(2, 2);
      if (!hours || !minutes) return false;
      offset_ = (c == '-' ? -1 : 1) * (*hours * 3600 + *minutes * 60);
    }
    return true;
  }
  void set_clock(int hour, int minute, int second) {
    time_.tm_hour = hour;
    time_.tm_min = minute;
    time_.tm_sec = second;
  }

  bool signed_amount() {
    int sign = 1;
    while (scan_.peek() == '+' || scan_.peek() == '-') {
      if (scan_.peek() == '-') sign = -sign;
      scan_.take(scan_.peek());
    }
    scan_.skip_blanks();
    return amount(sign);
  }
  /// `3 days`, perhaps `ago`.
  bool amount(int sign) {
    const auto count = scan_.number(1, 6);
    if (!count) return false;
    scan_.skip_blanks();
    return unit(scan_.word(), sign * *count);
  }
  bool unit(std::string name, int count) {
    if (name.size() > 1 && name.back() == 's') name.pop_back();
    int* target = nullptr;
    if (name == "sec" || name == "second") target = &shift_.tm_sec;
    if (name == "min" || name == "minute") target = &shift_.tm_min;
    if (name == "hour") target = &shift_.tm_hour;
    if (name == "day" || name == "week") target = &shift_.tm_mday;
    if (name == "month") target = &shift_.tm_mon;
    if (name == "year") target = &shift_.tm_year;
    if (target == nullptr) return false;
    *target += name == "week" ? 7 * count : count;
    return true;
  }

  bool named() {
    const auto name = scan_.word();
    if (name == "now") return true;
    if (name == "today" || name == "midnight") return day(0, 0);
    if (name == "noon") return day(0, 12);
    if (name == "yesterday") return day(-1, 0);
    if (name == "tomorrow") return day(1, 0);
    if (name == "ago") return ago();
    if (name == "utc" || name == "gmt") {
      offset_ = 0;
      return true;
    }
    if (name == "first" || name == "last" || name == "next" || name == "this" || name == "previous") {
      scan_.skip_blanks();
      const auto what = scan_.word();
      if (what == "day" && (name == "first" || name == "last") && followed_by_of()) {
        edge_ = name == "first" ? Edge::first : Edge::last;
        return true;
      }
      if (name == "first") return unit(what, 1);
      return unit(what, name == "next" ? 1 : name == "this" ? 0 : -1);
    }
    return false;
  }
  bool followed_by_of() {
    const Scanner start = scan_;
    scan_.skip_blanks();
    if (scan_.word() == "of") return true;
    scan_ = start;
    return false;
  }
  bool day(int shift, int hour) {
    shift_.tm_mday += shift;
    set_clock(hour, 0, 0);
    clock_set_ = true;
    return true;
  }
  bool ago() {
    for (auto* field :
         {&shift_.tm_sec, &shift_.tm_min, &shift_.tm_hour, &shift_.tm_mday, &shift_.tm_mon, &shift_.tm_year})
      *field = -*field;
    return true;
  }

  [[nodiscard]] std::optional<std::int64_t> result() const {
    std::tm time = time_;
    time.tm_year += shift_.tm_year;
    time.tm_mon += shift_.tm_mon;
    if (edge_ == Edge::first) time.tm_mday = 1;
    if (edge_ == Edge::last) {
      time.tm_mday = 0;
      ++time.tm_mon;
    }
    time.tm_mday += shift_.tm_mday;
    // hours and less are elapsed time, also across a change to summer time
    const std::int64_t elapsed = shift_.tm_hour * std::int64_t{3600} + shift_.tm_min * std::int64_t{60} + shift_.tm_sec;
    const auto base = seconds_of(time, offset_ ? Zone::utc : zone_);
    return static_cast<std::int64_t>(base) - offset_.value_or(0) + elapsed;
  }

  enum class Edge { none, first, last };

  Scanner scan_;
  std::int64_t now_;
  Zone zone_;
  std::tm time_{};
  std::tm shift_{};
  bool clock_set_ = false;
  std::optional<int> offset_;
  Edge edge_ = Edge::none;
};

}  // namespace

std::optional<double> parse_time(std::string_view text, WallTime now, Zone zone) {
  if (text.empty() || text.size() > kMaxText) return std::nullopt;
  if (all_digits(text)) {
    double value = 0.0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
  }
  const auto seconds = TimeReader(text, now, zone).read();
  if (!seconds) return std::nullopt;
  return static_cast<double>(*seconds) * 1000.0;
}

std::optional<Group> parse_group(std::string_view text) {
  constexpr std::pair<std::string_view, Group> kNames[] = {
      {"second", Group::second}, {"minute", Group::minute}, {"15m", Group::quarter}, {"hour", Group::hour},
      {"day", Group::day},       {"week", Group::week},     {"month", Group::month}, {"year", Group::year}};
  for (const auto& [name, group] : kNames)
    if (name == text) return group;
  return std::nullopt;
}

std::int64_t group_key(Group group, std::int64_t ms, Zone zone) {
  constexpr std::int64_t kMsPerSecond = 1000;
  const std::int64_t seconds = floor_div(ms, kMsPerSecond);
  // All zones in use are off by whole quarters of an hour.
  if (group == Group::second) return seconds;
  if (group == Group::minute) return floor_div(seconds, 60);
  if (group == Group::quarter) return floor_div(seconds, 900);
  const auto time = broken_down(static_cast<std::time_t>(seconds), zone);
  const std::int64_t year = time.tm_year;
  switch (group) {
    case Group::year: return year;
    case Group::month: return year * 12 + time.tm_mon;
    case Group::day: return year * 366 + time.tm_yday;
    case Group::hour: return floor_div(seconds + time.tm_gmtoff, 3600);
    default: break;
  }
  // weeks begin on Monday; day 0 of the epoch was a Thursday
  return floor_div(floor_div(seconds + time.tm_gmtoff, 86400) + 3, 7);
}

}  // namespace vz::middleware
