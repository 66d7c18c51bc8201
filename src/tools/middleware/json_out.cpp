// SPDX-License-Identifier: GPL-3.0-or-later
#include "tools/middleware/json_out.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdlib>

namespace vz::middleware {
namespace {

/// A decimal number 0.DIGITS * 10^point.
struct Decimal {
  bool negative = false;
  std::string digits;
  int point = 0;
};

/// Takes apart what std::to_chars writes in scientific form.
Decimal decimal_of(std::string_view text) {
  Decimal out;
  if (text.front() == '-') {
    out.negative = true;
    text.remove_prefix(1);
  }
  const auto e = text.find('e');
  for (const char c : text.substr(0, e))
    if (c != '.') out.digits += c;
  while (out.digits.size() > 1 && out.digits.back() == '0') out.digits.pop_back();
  int exponent = 0;
  auto power = text.substr(e + 1);
  if (power.front() == '+') power.remove_prefix(1);
  std::from_chars(power.data(), power.data() + power.size(), exponent);
  out.point = out.digits == "0" ? 1 : exponent + 1;
  return out;
}

/// PHP's own choice between plain and scientific notation, for `precision` digits.
std::string php_notation(const Decimal& number, int precision, char e) {
  const auto count = static_cast<int>(number.digits.size());
  std::string out = number.negative ? "-" : "";
  if (number.point < -3 || number.point > precision) {
    const int exponent = number.point - 1;
    const std::string tail = count > 1 ? number.digits.substr(1) : "0";
    return out + fmt::format("{}.{}{}{}{}", number.digits[0], tail, e, exponent < 0 ? '-' : '+', std::abs(exponent));
  }
  if (number.point <= 0) return out + "0." + std::string(static_cast<std::size_t>(-number.point), '0') + number.digits;
  if (count <= number.point)
    return out + number.digits + std::string(static_cast<std::size_t>(number.point - count), '0');
  const auto whole = static_cast<std::size_t>(number.point);
  return out + number.digits.substr(0, whole) + "." + number.digits.substr(whole);
}

constexpr char32_t kReplacement = 0xFFFD;

/// Takes one code point off the front of `text`, kReplacement for a byte that is not UTF-8.
char32_t take_code_point(std::string_view& text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned lead = byte(0);
  const std::size_t length = lead < 0x80 ? 1 : (lead >> 5) == 6 ? 2 : (lead >> 4) == 14 ? 3 : (lead >> 3) == 30 ? 4 : 0;
  char32_t point = lead;
  bool good = length != 0 && length <= text.size();
  if (good && length > 1) {
    point = lead & (0xFFU >> (length + 1));
    for (std::size_t i = 1; i < length; ++i) {
      good = good && (byte(i) >> 6) == 2;
      point = (point << 6) | (byte(i) & 0x3FU);
    }
    constexpr char32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
    good = good && point >= kSmallest[length] && point <= 0x10FFFF && (point < 0xD800 || point > 0xDFFF);
  }
  text.remove_prefix(good ? length : 1);
  return good ? point : kReplacement;
}

void append_escaped(std::string& out, char32_t point) {
  if (point >= 0x10000) {
    point -= 0x10000;
    out += fmt::format("\\u{:04x}\\u{:04x}", 0xD800 + static_cast<unsigned>(point >> 10),
                       0xDC00 + static_cast<unsigned>(point & 0x3FF));
    return;
  }
  switch (point) {
    case '"': out += "\\\""; return;
    case '\\': out += "\\\\"; return;
    case '/': out += "\\/"; return;
    case '\b': out += "\\b"; return;
    case '\f': out += "\\f"; return;
    case '\n': out += "\\n"; return;
    case '\r': out += "\\r"; return;
    case '\t': out += "\\t"; return;
    default: break;
  }
  if (point < 0x20 || point >= 0x80)
    out += fmt::format("\\u{:04x}", static_cast<unsigned>(point));
  else
    out += static_cast<char>(point);
}

void append_string(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) append_escaped(out, take_code_point(text));
  out += '"';
}

// Recursion is as deep as the replies are: they are built here, never taken from outside.
void append_json(std::string& out, const Json& value) {
  if (value.is_object()) {
    out += '{';
    for (const auto& item : value.items()) {
      if (out.back() != '{') out += ',';
      append_string(out, item.key());
      out += ':';
      append_json(out, item.value());
    }
    out += '}';
  } else if (value.is_array()) {
    out += '[';
    for (std::size_t i = 0; i < value.size(); ++i) {
      if (i != 0) out += ',';
      append_json(out, value[i]);
    }
    out += ']';
  } else if (value.is_string()) {
    append_string(out, value.get_ref<const std::string&>());
  } else if (value.is_number_float()) {
    out += php_number(value.get<double>());
  } else {
    out += value.dump();
  }
}

}  // namespace

std::string php_json(const Json& value) {
  std::string out;
  append_json(out, value);
  return out;
}

std::string php_number(double value) {
  if (!std::isfinite(value)) return "null";
  char text[64];
  const auto end = std::to_chars(std::begin(text), std::end(text), value, std::chars_format::scientific).ptr;
  return php_notation(decimal_of({text, static_cast<std::size_t>(end - text)}), 17, 'e');
}

std::string php_text(double value) {
  if (!std::isfinite(value)) return "null";
  constexpr int kPrecision = 14;
  char text[64];
  const auto end =
      std::to_chars(std::begin(text), std::end(text), value, std::chars_format::scientific, kPrecision - 1).ptr;
  return php_notation(decimal_of({text, static_cast<std::size_t>(end - text)}), kPrecision, 'E');
}

double round3(double value) {
  constexpr int kPlaces = 3;
  constexpr int kDigits = 15;  // what a double surely holds
  if (!std::isfinite(value) || value == 0.0) return value;
  const int places = kDigits - 1 - static_cast<int>(std::floor(std::log10(std::fabs(value))));
  double scaled = value * 1000.0;
  // 1.0005 * 1000 is 1000.4999...: rounding to 15 digits first shows the half that was meant
  if (places > kPlaces && places - kDigits < kPlaces)
    scaled = std::round(value * std::pow(10.0, places)) / std::pow(10.0, places - kPlaces);
  if (std::fabs(scaled) >= 1e15) return value;
  return std::round(scaled) / 1000.0;
}

double php_precision(double value) {
  char text[64];
  const auto end = std::to_chars(std::begin(text), std::end(text), value, std::chars_format::scientific, 13).ptr;
  double out = value;
  std::from_chars(text, end, out);
  return out;
}

}  // namespace vz::middleware
