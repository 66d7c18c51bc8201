// SPDX-License-Identifier: GPL-3.0-or-later
#include "protocols/d0/telegram.hpp"

#include <array>
#include <charconv>
#include <cstring>

namespace vz::d0 {
namespace {

constexpr std::size_t kMaxAddress = 64;

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_line_end(char c) { return c == '\r' || c == '\n'; }
constexpr bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }

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

/// Splits a bracket's content into value and unit, at `*` or, as some meters have it, at a blank behind the number.
void split_unit(std::string_view field, DataSet& set) {
  set.unit = {};
  if (const auto* star = static_cast<const char*>(std::memchr(field.data(), '*', field.size()))) {
    const auto at = static_cast<std::size_t>(star - field.data());
    set.value = field.substr(0, at);
    set.unit = field.substr(at + 1);
    return;
  }
  set.value = field;
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

std::optional<DataSet> DataBlockReader::next() {
  DataSet set;
  if (!read_address(set)) return std::nullopt;
  if (!read_brackets(set)) return std::nullopt;
  return set;
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
  while (length < rest_.size() && rest_[length] != '(' && !is_control(rest_[length]) && rest_[length] != ')') ++length;
  const char stop = length < rest_.size() ? rest_[length] : '\n';
  if (stop == '(') {
    set.address = rest_.substr(0, length);
    rest_.remove_prefix(length);
    if (length > kMaxAddress) return fail("an address longer than any meter sends");
    return true;
  }
  if (stop == ')') return fail("a closing bracket without an opening one");
  return fail(is_line_end(stop) ? "a line without brackets" : "a control character in an address");
}

bool DataBlockReader::read_brackets(DataSet& set) {
  std::string_view first;
  std::string_view chosen;
  std::size_t count = 0;
  bool stamped = false;  // the first bracket is a time stamp, a later one with a unit is the value
  while (!rest_.empty() && rest_.front() == '(') {
    std::size_t depth = 1;
    std::size_t at = 1;
    for (; at < rest_.size(); ++at) {
      const char c = rest_[at];
      if (c == ')') {
        if (--depth == 0) break;
      } else if (c == '(') {
        ++depth;
      } else if (is_control(c) && (grammar_ == Grammar::strict || is_line_end(c))) {
        return fail("a bracket is not closed on its line");
      }
    }
    if (depth != 0) return fail("a bracket is not closed");
    const std::string_view field = rest_.substr(1, at - 1);
    rest_.remove_prefix(at + 1);
    if (count == 0) {
      first = chosen = field;
    } else if (count == 1) {
      stamped = looks_like_stamp(first);
    }
    if (stamped && chosen.data() == first.data() && field.find('*') != std::string_view::npos) chosen = field;
    ++count;
    // DSMR 2 and 3: the value of a gas register stands alone on the next line
    if (!rest_.empty() && is_line_end(rest_.front())) {
      std::size_t skip = 0;
      while (skip < rest_.size() && is_line_end(rest_[skip])) ++skip;
      if (skip < rest_.size() && rest_[skip] == '(' && count > 1) {
        rest_.remove_prefix(skip);
        const auto close = rest_.find(')');
        if (close == std::string_view::npos) return fail("a bracket is not closed");
        set.value = rest_.substr(1, close - 1);
        set.unit = field;
        rest_.remove_prefix(close + 1);
        return true;
      }
    }
  }
  split_unit(chosen, set);
  return true;
}

std::optional<double> number(std::string_view field) {
  field = trimmed(field);
  if (field.empty()) return std::nullopt;
  const bool negative = field.front() == '-';
  if (negative || field.front() == '+') field.remove_prefix(1);

  std::uint64_t mantissa = 0;
  std::size_t digits = 0;    // that count, leading zeros left out
  std::size_t seen = 0;
  std::size_t decimals = 0;
  bool point = false;
  for (const char c : field) {
    if (is_digit(c)) {
      mantissa = mantissa * 10 + static_cast<unsigned>(c - '0');
      digits += mantissa != 0 ? 1 : 0;
      decimals += point ? 1 : 0;
      ++seen;
      if (digits > 18) break;
    } else if ((c == '.' || c == ',') && !point) {
      point = true;
    } else {
      return std::nullopt;
    }
  }
  if (seen == 0) return std::nullopt;
  // exact by construction (both operands are exact doubles), so the quotient is the correctly rounded one
  if (mantissa < (std::uint64_t{1} << 53) && digits <= 18 && decimals < kPowersOfTen.size()) {
    const double value = static_cast<double>(mantissa) / kPowersOfTen[decimals];
    return negative ? -value : value;
  }
  if (field.find_first_not_of("0123456789.,") != std::string_view::npos || field.size() > 400) return std::nullopt;
  std::array<char, 400> copy{};
  std::size_t points = 0;
  for (std::size_t i = 0; i < field.size(); ++i) {
    copy[i] = field[i] == ',' ? '.' : field[i];
    points += copy[i] == '.' ? 1 : 0;
  }
  double value = 0;
  const auto [end, error] = std::from_chars(copy.data(), copy.data() + field.size(), value, std::chars_format::fixed);
  if (points > 1 || error != std::errc{} || end != copy.data() + field.size()) return std::nullopt;
  return negative ? -value : value;
}

}  // namespace vz::d0
