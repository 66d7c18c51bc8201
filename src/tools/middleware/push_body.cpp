// SPDX-License-Identifier: GPL-3.0-or-later
#include "tools/middleware/push_body.hpp"

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>

#include "tools/middleware/json_out.hpp"
#include "tools/middleware/properties.hpp"

namespace vz::middleware {
namespace {

constexpr int kMaxDepth = 512;        // PHP's json_decode
constexpr int kNumberOverflow = 406;  // nlohmann's number for a float beyond the range of double
constexpr std::string_view kBom = "\xEF\xBB\xBF";

/// Takes the events of the JSON parser and flattens tuples, remembering the first thing that PHP would stumble over.
class Flattener final : public nlohmann::json_sax<nlohmann::json> {
 public:
  bool null() override { return scalar({}, "null"); }
  bool boolean(bool value) override { return scalar(value, "bool"); }
  bool number_integer(number_integer_t value) override { return scalar(std::int64_t{value}, "int"); }
  bool number_unsigned(number_unsigned_t value) override {
    if (value <= static_cast<number_unsigned_t>(std::numeric_limits<std::int64_t>::max()))
      return scalar(static_cast<std::int64_t>(value), "int");
    return scalar(static_cast<double>(value), "float");
  }
  bool number_float(number_float_t value, const string_t&) override { return scalar(value, "float"); }
  bool string(string_t& value) override { return scalar(std::move(value), "string"); }
  bool binary(binary_t&) override { return false; }
  bool key(string_t&) override { return true; }
  bool start_object(std::size_t) override {
    if (depth_ == 0) stumble("Cannot use object of type stdClass as array", "Error");
    return enter("stdClass");
  }
  bool end_object() override { return leave(); }
  bool start_array(std::size_t) override {
    if (depth_ >= 2) return enter("array");
    return ++depth_ > 0;
  }
  bool end_array() override { return leave(); }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception& error) override {
    overflow = error.id == kNumberOverflow;
    return false;
  }

  std::vector<Param> params;
  std::optional<Failure> failure;
  bool is_null = false;
  bool too_many = false;
  bool overflow = false;

 private:
  bool scalar(Param value, const char* php_type) {
    if (depth_ == 0) {
      is_null = std::holds_alternative<std::monostate>(value);
      stumble(fmt::format("array_reduce(): Argument #1 ($array) must be of type array, {} given", php_type),
              "TypeError");
    } else if (depth_ == 1) {
      stumble(fmt::format("array_merge(): Argument #2 must be of type array, {} given", php_type), "TypeError");
    } else if (depth_ == 2) {
      if (params.size() >= 2 * kMaxTuples)
        too_many = true;
      else
        params.push_back(std::move(value));
    }
    return true;
  }
  /// A container where none belongs.
  bool enter(const char* php_type) {
    if (depth_ == 1)
      stumble(fmt::format("array_merge(): Argument #2 must be of type array, {} given", php_type), "TypeError");
    if (depth_ == 2) stumble("Warning: Array to string conversion", "ErrorException");
    return ++depth_ <= kMaxDepth;
  }
  bool leave() {
    --depth_;
    return true;
  }
  void stumble(std::string message, std::string type) {
    if (!failure) failure = Failure{std::move(message), std::move(type)};
  }

  int depth_ = 0;
};

std::string param_text(const Param& param) {
  if (const auto* number = std::get_if<std::int64_t>(&param)) return fmt::format("{}", *number);
  if (const auto* number = std::get_if<double>(&param)) return php_number(*number);
  if (const auto* flag = std::get_if<bool>(&param)) return *flag ? "true" : "false";
  if (const auto* text = std::get_if<std::string>(&param)) return php_json(*text);
  return "null";
}

/// The longest beginning of `text` that is a number: what INSERT IGNORE keeps of "12abc".
double numeric_prefix(std::string_view text) {
  for (auto length = std::min<std::size_t>(text.size(), 64); length > 0; --length)
    if (const auto value = php_numeric(text.substr(0, length))) return *value;
  return 0.0;
}

enum class Column { timestamp, value };
enum class Trouble { null, truncated, range };

using Cell = tl::expected<double, Trouble>;

Cell real_cell(const Param& param, Strictness strictness) {
  const bool strict = strictness == Strictness::strict;
  if (const auto* number = std::get_if<std::int64_t>(&param)) return static_cast<double>(*number);
  if (const auto* number = std::get_if<double>(&param)) return *number;
  if (const auto* text = std::get_if<std::string>(&param)) {
    const auto value = php_numeric(*text);
    if (!strict) return value.value_or(numeric_prefix(*text));
    if (!value) return tl::unexpected(Trouble::truncated);
    return *value;
  }
  if (const auto* flag = std::get_if<bool>(&param)) {
    if (*flag) return 1.0;
    // PHP passes false as an empty text
    if (strict) return tl::unexpected(Trouble::truncated);
  } else if (strict) {
    return tl::unexpected(Trouble::null);
  }
  return 0.0;
}

tl::expected<std::int64_t, Trouble> stamp_cell(const Param& param, Strictness strictness) {
  if (const auto* number = std::get_if<std::int64_t>(&param)) return *number;
  const auto cell = real_cell(param, strictness);
  if (!cell) return tl::unexpected(cell.error());
  const double rounded = std::round(*cell);
  if (rounded >= -0x1p63 && rounded < 0x1p63) return static_cast<std::int64_t>(rounded);
  if (strictness == Strictness::strict) return tl::unexpected(Trouble::range);
  return rounded < 0 ? std::numeric_limits<std::int64_t>::min() : std::numeric_limits<std::int64_t>::max();
}

Cell value_cell(const Param& param, Strictness strictness) {
  auto cell = real_cell(param, strictness);
  if (!cell || std::isfinite(*cell)) return cell;
  if (strictness == Strictness::strict) return tl::unexpected(Trouble::range);
  return std::copysign(std::numeric_limits<double>::max(), *cell);
}

}  // namespace

std::variant<PushBody, Undecodable, Failure> decode_push(std::string_view body) {
  if (body.starts_with(kBom)) return Undecodable{};  // the parser would skip it, PHP does not
  Flattener flattener;
  const bool good = nlohmann::json::sax_parse(body, &flattener);
  if (flattener.overflow) {
    // The parser stops at such a number, so that what follows is not seen. PHP makes it INF, which no column takes.
    flattener.params.emplace_back("INF");
    return insert_failure(flattener.params, Strictness::strict, 0,
                          "SQLSTATE[01000]: Warning: 1265 Data truncated for column 'value'", "DriverException");
  }
  if (!good || flattener.is_null) return Undecodable{};
  if (flattener.failure) return *std::move(flattener.failure);
  if (flattener.too_many) return Failure{.message = "Maximum execution time of 30 seconds exceeded", .status = 500};
  return PushBody{std::move(flattener.params)};
}

Failure insert_failure(const std::vector<Param>& params, Strictness strictness, std::int64_t channel,
                       std::string_view reason, std::string type) {
  std::string message = "An exception occurred while executing 'INSERT ";
  message += strictness == Strictness::ignore ? "IGNORE " : "";
  message += "INTO data (channel_id, timestamp, value) VALUES ";
  const auto tuple = fmt::format("({},?,?)", channel);
  for (std::size_t i = 0; i < params.size() / 2; ++i) message += (i == 0 ? "" : ", ") + tuple;
  message += '\'';
  for (std::size_t i = 0; i < params.size(); ++i) message += (i == 0 ? " with params [" : ", ") + param_text(params[i]);
  message += params.empty() ? ":\n\n" : "]:\n\n";
  message += reason;
  return {std::move(message), std::move(type)};
}

Result<std::vector<Row>> rows_of(const std::vector<Param>& params, Strictness strictness, std::int64_t channel) {
  const auto refuse = [&](std::string_view reason, const char* type) {
    return tl::unexpected(insert_failure(params, strictness, channel, reason, type));
  };
  if (params.size() % 2 != 0)
    return refuse(
        "SQLSTATE[HY093]: Invalid parameter number: number of bound variables does not match number of tokens",
        "DriverException");
  if (params.empty())
    return refuse(
        "SQLSTATE[42000]: Syntax error or access violation: 1064 You have an error in your SQL syntax; check the "
        "manual "
        "that corresponds to your MariaDB server version for the right syntax to use near '' at line 1",
        "SyntaxErrorException");
  const auto refuse_cell = [&](Trouble trouble, Column column, std::size_t row) {
    const char* name = column == Column::timestamp ? "timestamp" : "value";
    if (trouble == Trouble::null)
      return refuse(
          fmt::format("SQLSTATE[23000]: Integrity constraint violation: 1048 Column '{}' cannot be null", name),
          "NotNullConstraintViolationException");
    if (trouble == Trouble::range)
      return refuse(fmt::format("SQLSTATE[22003]: Numeric value out of range: 1264 Out of range value for column '{}' "
                                "at row {}",
                                name, row),
                    "DriverException");
    return refuse(fmt::format("SQLSTATE[01000]: Warning: 1265 Data truncated for column '{}' at row {}", name, row),
                  "DriverException");
  };
  std::vector<Row> rows;
  rows.reserve(params.size() / 2);
  for (std::size_t i = 0; i < params.size(); i += 2) {
    const auto ms = stamp_cell(params[i], strictness);
    if (!ms) return refuse_cell(ms.error(), Column::timestamp, i / 2 + 1);
    const auto value = value_cell(params[i + 1], strictness);
    if (!value) return refuse_cell(value.error(), Column::value, i / 2 + 1);
    rows.push_back({*ms, *value});
  }
  return rows;
}

}  // namespace vz::middleware
