// SPDX-License-Identifier: GPL-3.0-or-later
#include "protocols/d0/telegram.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include "core/ascii.hpp"

namespace vz::d0 {
namespace {

constexpr std::size_t kMaxAddress = 64;

constexpr bool is_line_end(char c) { return c == '\r' || c == '\n'; }

/// What a character means to the readers below, so that a run of ordinary ones is one tight loop.
enum Class : std::uint8_t { kOrdinary, kOpen, kClose, kStar, kControl };
constexpr std::array<std::uint8_t, 256> kClasses = [] {
  std::array<std::uint8_t, 256> classes{};
  for (std::size_t c = 0; c < 0x20; ++c) classes[c] = kControl;
  classes[0x7F] = kControl;
  classes['('] = kOpen;
  classes[')'] = kClose;
  classes['*'] = kStar;
  return classes;
}();
constexpr std::uint8_t class_of(char c) { return kClasses[static_cast<unsigned char>(c)]; }

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

/// DSMR and demand registers put a time stamp before the value: YYMMDDhhmm, YYMMDDhhmmss, the latter with S or W.
bool looks_like_stamp(std::string_view field) {
  if (!field.empty() && (field.back() == 'S' || field.back() == 'W')) field.remove_suffix(1);
  if (field.size() != 10 && field.size() != 12) return false;
  for (const char c : field)
    if (!is_digit(c)) return false;
  return true;
}

/// Splits a bracket's content into value and unit, at the first `*` or, as some meters have it, at a blank behind the
/// number.
void split_unit(std::string_view field, std::size_t star, DataSet& set) {
  if (star < field.size()) {
    set.value = field.substr(0, star);
    set.unit = field.substr(star + 1);
    return;
  }
  set.value = field;
  set.unit = {};
  if (field.find(' ') == std::string_view::npos) return;
  const std::string_view text = trimmed(field);
  const auto blank = text.rfind(' ');
  if (blank == std::string_view::npos || is_digit(text[blank + 1])) return;
  const std::string_view head = trimmed(text.substr(0, blank));
  if (head.empty() || !is_digit(head.back())) return;
  set.value = head;
  set.unit = text.substr(blank + 1);
}

constexpr std::array<double, 23> kPowersOfTen = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                                 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/// Reads sign, digits and decimal point (or comma) and moves `at` behind them. Nothing if there is no digit, or more
/// digits than a 64-bit integer is sure to hold.
std::optional<double> read_number(const char*& from, const char* end) {
  const char* at = from;  // a local copy lives in a register
  const bool negative = at != end && *at == '-';
  if (negative || (at != end && *at == '+')) ++at;
  const char* const first = at;
  while (at != end && *at == '0') ++at;
  const char* const significant = at;
  std::uint64_t mantissa = 0;
  for (; at != end && is_digit(*at); ++at) mantissa = mantissa * 10 + static_cast<unsigned>(*at - '0');
  std::size_t digits = static_cast<std::size_t>(at - first);
  std::size_t decimals = 0;
  if (at != end && (*at == '.' || *at == ',')) {
    const char* const point = ++at;
    for (; at != end && is_digit(*at); ++at) mantissa = mantissa * 10 + static_cast<unsigned>(*at - '0');
    decimals = static_cast<std::size_t>(at - point);
    digits += decimals;
  }
  from = at;
  const bool exact = at - significant <= 18 && mantissa < (std::uint64_t{1} << 53) && decimals < kPowersOfTen.size();
  if (digits == 0 || !exact) return std::nullopt;
  // both operands are exact doubles, so the quotient is the correctly rounded one
  const double value = static_cast<double>(mantissa) / kPowersOfTen[decimals];
  return negative ? -value : value;
}

/// More digits than a 64-bit integer holds, or no number at all.
std::optional<double> number_slowly(std::string_view field) {
  const bool negative = !field.empty() && field.front() == '-';
  if (negative || (!field.empty() && field.front() == '+')) field.remove_prefix(1);
  std::array<char, 400> copy{};
  if (field.empty() || field.size() > copy.size() || field.front() == '-') return std::nullopt;
  std::transform(field.begin(), field.end(), copy.begin(), [](char c) { return c == ',' ? '.' : c; });
  if (std::any_of(copy.begin(), copy.begin() + field.size(), [](char c) { return !is_digit(c) && c != '.'; })) return std::nullopt;
  double value = 0;
  const auto [end, error] = std::from_chars(copy.data(), copy.data() + field.size(), value, std::chars_format::fixed);
  if (error != std::errc{} || end != copy.data() + field.size()) return std::nullopt;
  return negative ? -value : value;
}

/// Reads a complete OBIS code of plain groups up to the `(` that must follow it, and returns where that is; null for
/// anything else, which is Obis::parse()'s business. A `)` must stand somewhere behind `at`: it ends every loop.
const char* read_code(const char* at, Obis& code) {
  std::size_t group = 2;
  while (true) {
    unsigned value = 0;
    const char* const start = at;
    for (unsigned digit = 0; (digit = static_cast<unsigned>(*at) - '0') <= 9; ++at) value = value * 10 + digit;
    if (at == start) {
      value = obis_letter_group(*at++);
      if (value == 0) return nullptr;
    }
    if (at - start > 3 || value > 255) return nullptr;
    const auto stored = static_cast<std::uint8_t>(value);
    if (*at == '.' && group < 4) {
      code.groups[group++] = stored;
    } else if (*at == '(' && group >= 3) {
      code.groups[group] = stored;
      return at;
    } else if (*at == '-' && group == 2) {
      code.groups[0] = stored;
    } else if (*at == ':' && group == 2) {
      code.groups[1] = stored;
    } else if (*at == '*' && group == 4) {
      code.groups[group++] = stored;
    } else {
      return nullptr;
    }
    ++at;
  }
}

/// Reads what nearly all data sets are, `C.D.E(value*unit)` alone, in one pass. False, and nothing read, for anything
/// else: the general way then reads it. `last_close` is the block's last `)`, so that no loop needs another end.
bool read_usual(std::string_view& rest, const char* last_close, DataSet& set) {
  const char* at = rest.data();
  const char* const end = at + rest.size();
  if (last_close == nullptr || at >= last_close) return false;
  while (is_line_end(*at)) ++at;
  Obis code;
  const char* const address = at;
  const char* const open = read_code(at, code);
  if (open == nullptr || open >= last_close) return false;
  const char* const value = open + 1;
  at = value;
  while (class_of(*at) == kOrdinary && *at != ' ') ++at;
  set.value = {value, static_cast<std::size_t>(at - value)};
  set.unit = {};
  set.stamp = {};
  if (*at == '*') {
    const char* const unit = ++at;
    while (class_of(*at) == kOrdinary) ++at;
    set.unit = {unit, static_cast<std::size_t>(at - unit)};
  }
  if (*at != ')' || (++at != end && *at == '(')) return false;
  set.address = {address, static_cast<std::size_t>(open - address)};
  set.code = code;
  rest = {at, static_cast<std::size_t>(end - at)};
  return true;
}

}  // namespace

std::uint8_t block_check(std::span<const std::byte> bytes) {
  std::uint64_t wide = 0;
  const std::byte* at = bytes.data();
  std::size_t left = bytes.size();
  for (; left >= sizeof wide; left -= sizeof wide, at += sizeof wide) {
    std::uint64_t part = 0;
    std::memcpy(&part, at, sizeof part);
    wide ^= part;
  }
  wide ^= wide >> 32;
  wide ^= wide >> 16;
  wide ^= wide >> 8;
  auto check = static_cast<std::uint8_t>(wide);
  for (; left > 0; --left, ++at) check = static_cast<std::uint8_t>(check ^ std::to_integer<std::uint8_t>(*at));
  return check & 0x7F;
}

std::uint16_t p1_crc(std::span<const std::byte> bytes) {
  unsigned crc = 0;
  for (const std::byte b : bytes) {
    crc ^= std::to_integer<unsigned>(b);
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 1U) != 0 ? (crc >> 1) ^ 0xA001U : crc >> 1;
  }
  return static_cast<std::uint16_t>(crc);
}

bool DataBlockReader::fail(const char* what) {
  violation_ = what;
  rest_ = {};
  return false;
}

DataBlockReader::DataBlockReader(std::string_view block, Grammar grammar) : rest_(block), grammar_(grammar) {
  const auto close = block.rfind(')');
  last_close_ = close == std::string_view::npos ? nullptr : block.data() + close;
}

bool DataBlockReader::next(DataSet& set) {
  if (read_usual(rest_, last_close_, set)) return true;
  if (!read_address(set) || !read_brackets(set)) return false;
  set.code = Obis::parse(set.address);
  return true;
}

bool DataBlockReader::read_address(DataSet& set) {
  while (!rest_.empty() && is_line_end(rest_.front())) rest_.remove_prefix(1);
  if (rest_.empty()) return false;
  if (rest_.front() == '!') {
    closed_ = true;
    for (const char c : rest_.substr(1))
      if (!is_line_end(c)) return fail("data behind the closing '!'");
    rest_ = {};
    return false;
  }
  std::size_t length = 0;
  while (length < rest_.size() && (class_of(rest_[length]) == kOrdinary || rest_[length] == '*')) ++length;
  const char stop = length < rest_.size() ? rest_[length] : '\n';
  if (stop == '(') {
    set.address = rest_.substr(0, length);
    rest_.remove_prefix(length);
    if (length > kMaxAddress) return fail("an address longer than any meter sends");
    return true;
  }
  if (grammar_ == Grammar::lenient && is_line_end(stop) && rest_.substr(0, length).find_first_of("/!") == std::string_view::npos) {
    rest_.remove_prefix(length);  // a line of text: what the check value vouches for is no damage
    return read_address(set);
  }
  if (stop == ')') return fail("a closing bracket without an opening one");
  return fail(is_line_end(stop) ? "a line without brackets" : "a control character in an address");
}

/// Reads the bracket at the front of rest_ and removes it. `star` is the place of its first `*` (or its size).
bool DataBlockReader::read_bracket(std::string_view& field, std::size_t& star) {
  std::size_t depth = 1;
  std::size_t at = 1;
  star = std::string_view::npos;
  while (true) {
    while (at < rest_.size() && class_of(rest_[at]) == kOrdinary) ++at;
    if (at >= rest_.size()) return fail("a bracket is not closed");
    const auto what = class_of(rest_[at]);
    if (what == kClose && --depth == 0) break;
    if (what == kOpen) ++depth;
    if (what == kStar && star == std::string_view::npos) star = at - 1;
    if (what == kControl && (grammar_ == Grammar::strict || is_line_end(rest_[at])))
      return fail("a bracket is not closed on its line");
    ++at;
  }
  field = rest_.substr(1, at - 1);
  rest_.remove_prefix(at + 1);
  return true;
}

/// DSMR 2 and 3: the value of a gas register stands alone on the next line, behind a list that ends with its unit.
bool DataBlockReader::value_on_next_line() {
  std::size_t skip = 0;
  while (skip < rest_.size() && is_line_end(rest_[skip])) ++skip;
  if (skip == 0 || skip >= rest_.size() || rest_[skip] != '(') return false;
  rest_.remove_prefix(skip);
  return true;
}

bool DataBlockReader::read_brackets(DataSet& set) {
  std::string_view field;
  std::string_view chosen;
  std::size_t star = 0;
  std::size_t chosen_star = 0;
  set.stamp = {};
  if (!read_bracket(chosen, chosen_star)) return false;
  if (!rest_.empty() && rest_.front() == '(') {
    bool stamped = looks_like_stamp(chosen);  // then the first bracket with a unit is the value
    if (stamped) set.stamp = chosen;
    while (!rest_.empty() && rest_.front() == '(') {
      if (!read_bracket(field, star)) return false;
      if (!stamped || star == std::string_view::npos) continue;
      chosen = field;
      chosen_star = star;
      stamped = false;
    }
    if (value_on_next_line()) {
      set.unit = field;
      return read_bracket(set.value, star);
    }
  }
  split_unit(chosen, chosen_star, set);
  return true;
}

std::optional<double> number(std::string_view field) {
  field = trimmed(field);
  const char* at = field.data();
  const char* const end = at + field.size();
  if (const auto value = read_number(at, end); value && at == end) return value;
  return number_slowly(field);
}

std::optional<WallTime> p1_time(std::string_view field) {
  if (field.size() != kP1TimeLength || (field.back() != 'S' && field.back() != 'W')) return std::nullopt;
  std::array<unsigned, 6> parts{};
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const char tens = field[2 * i];
    const char ones = field[2 * i + 1];
    if (!is_digit(tens) || !is_digit(ones)) return std::nullopt;
    parts[i] = static_cast<unsigned>(tens - '0') * 10 + static_cast<unsigned>(ones - '0');
  }
  using namespace std::chrono;
  const year_month_day date{year{2000 + static_cast<int>(parts[0])}, month{parts[1]}, day{parts[2]}};
  if (!date.ok() || parts[3] > 23 || parts[4] > 59 || parts[5] > 59) return std::nullopt;
  return sys_days{date} + hours{parts[3]} + minutes{parts[4]} + seconds{parts[5]} - hours{field.back() == 'S' ? 2 : 1};
}

}  // namespace vz::d0
