// SPDX-License-Identifier: GPL-3.0-or-later
#include "config/section.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "config/tables.hpp"
#include "config/text.hpp"
#include "core/ascii.hpp"

namespace vz::config {
namespace {

constexpr std::int64_t kLargest = std::numeric_limits<std::int32_t>::max();
constexpr std::int64_t kSmallest = std::numeric_limits<std::int32_t>::min();

/// Shortest text that reads back the same, with a point so that it is a real number in a file, too.
std::string real_text(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value < 0 ? "-Infinity" : "Infinity";
  std::string text = fmt::format("{}", value);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

/// As it would stand in the file, without quotes; brackets for objects and arrays.
std::string plain_text(const Value& value) {
  switch (value.type()) {
    case Value::value_t::boolean: return value.get<bool>() ? "true" : "false";
    case Value::value_t::number_integer: return fmt::format("{}", value.get<std::int64_t>());
    case Value::value_t::number_float: return real_text(value.get<double>());
    case Value::value_t::string: return printable(without_credentials(value.get<std::string>()));
    case Value::value_t::object: return value.empty() ? "{ }" : "{ ... }";
    case Value::value_t::array: return value.empty() ? "[ ]" : "[ ... ]";
    default: return "(null)";
  }
}

/// The type's name in the old messages.
std::string_view type_name(const Value& value) {
  switch (value.type()) {
    case Value::value_t::boolean: return "boolean";
    case Value::value_t::number_integer: return "int";
    case Value::value_t::number_float: return "double";
    case Value::value_t::string: return "string";
    case Value::value_t::object: return "object";
    case Value::value_t::array: return "array";
    default: return "null";
  }
}

std::string_view expected(OptionType type) {
  switch (type) {
    case OptionType::boolean: return "true or false";
    case OptionType::integer: return "a whole number";
    case OptionType::real: return "a number with a decimal point";
    case OptionType::string: return "a text in quotes";
  }
  return "something else";
}

/// How the value of the wrong type is to be written, as `"name": value`; empty if that is anyone's guess.
std::string correction(const OptionSpec& spec, const Value& value) {
  const std::string* text = value.is_string() ? &value.get_ref<const std::string&>() : nullptr;
  std::string right;
  switch (spec.type) {
    case OptionType::boolean:
      if (text != nullptr && (equal_ignoring_case(*text, "true") || equal_ignoring_case(*text, "false")))
        right = lower(*text);
      if (value == Value(0)) right = "false";
      if (value == Value(1)) right = "true";
      break;
    case OptionType::integer:
    case OptionType::real: {
      Problems ignored;
      const Value number = text != nullptr ? read(*text, ignored).value : value;
      if (!number.is_number()) break;
      const double real = number.get<double>();
      if (spec.type == OptionType::real)
        right = real_text(real);
      else if (std::trunc(real) == real && std::abs(real) < 1e15)
        right = fmt::format("{:.0f}", real);
      break;
    }
    case OptionType::string:
      if (!spec.choices.empty()) return fmt::format("; allowed are {}", join(split(spec.choices, '|'), ", ", " and "));
      break;
  }
  return right.empty() ? right : fmt::format("; write \"{}\": {}", spec.name, right);
}

std::string range_text(const OptionSpec& spec) {
  const auto number = [&](double value) {
    return spec.type == OptionType::integer ? fmt::format("{:.0f}", value) : real_text(value);
  };
  const std::string unit = spec.unit.empty() ? "" : fmt::format(" {}", spec.unit);
  if (std::isinf(spec.max)) return fmt::format("at least {}{}", number(spec.min), unit);
  if (std::isinf(spec.min)) return fmt::format("at most {}{}", number(spec.max), unit);
  return fmt::format("{} to {}{}", number(spec.min), number(spec.max), unit);
}

struct Conversion {
  OptionValue value;
  std::string defect;       ///< why there is no value
  bool wrong_type = false;  ///< ... because it has another type
  std::string note;         ///< what is odd about a good value
};

/// The text (or whole number) of the table that the user's one stands for.
void convert_choice(const OptionSpec& spec, const std::string& given, Conversion& out) {
  const auto choices = split(spec.choices, '|');
  const auto known = std::find_if(choices.begin(), choices.end(),
                                  [&](std::string_view choice) { return equal_ignoring_case(choice, given); });
  if (known != choices.end()) {
    if (spec.type == OptionType::string) out.value = std::string{*known};
    return;
  }
  const std::string_view meant = closest(given, choices);
  out.defect = fmt::format("{} is {}; allowed are {}", spec.name,
                           spec.type == OptionType::string ? shown(given) : given, join(choices, ", ", " and "));
  if (!meant.empty()) out.defect += fmt::format("; did you mean {}?", shown(meant));
}

Conversion convert(const OptionSpec& spec, const Value& value) {
  Conversion out;
  if (spec.type == OptionType::boolean && value.is_boolean()) out.value = value.get<bool>();
  if (spec.type == OptionType::string && value.is_string()) out.value = value.get<std::string>();
  if (spec.type == OptionType::real && value.is_number_float()) out.value = value.get<double>();
  if (spec.type == OptionType::integer && value.is_number_integer()) {
    const auto given = value.get<std::int64_t>();
    const std::int64_t kept = std::clamp(given, kSmallest, kLargest);
    if (kept != given)
      out.note = fmt::format("{} is {}, more than a number here can hold; taken as {}", spec.name, given, kept);
    out.value = kept;
  }
  if (std::holds_alternative<std::monostate>(out.value)) {
    out.wrong_type = true;
    out.defect = fmt::format("found {}, expected {}{}", spec.secret ? "another type" : described(value),
                             expected(spec.type), correction(spec, value));
    return out;
  }
  if (!spec.choices.empty()) {
    const auto* text = std::get_if<std::string>(&out.value);
    convert_choice(spec, text != nullptr ? *text : plain_text(value), out);
  }
  if (spec.type == OptionType::integer || spec.type == OptionType::real) {
    const auto* whole = std::get_if<std::int64_t>(&out.value);
    const double number = whole != nullptr ? static_cast<double>(*whole) : std::get<double>(out.value);
    const bool bounded = !std::isinf(spec.min) || !std::isinf(spec.max);
    if (bounded && !(number >= spec.min && number <= spec.max))
      out.defect = fmt::format("{} is {}; allowed is {}", spec.name, plain_text(value), range_text(spec));
  }
  if (out.defect.empty() && spec.check != nullptr) {
    const std::string wrong = spec.check(out.value);
    if (!wrong.empty())
      out.defect = spec.secret ? fmt::format("{}: {}", spec.name, wrong)
                               : fmt::format("{} is {}: {}", spec.name,
                                             value.is_string() ? shown(plain_text(value)) : plain_text(value), wrong);
  }
  return out;
}

/// The member that gives the option a value, under its name or an old one.
std::optional<Node> find_given(const Node& section, const OptionSpec& spec, Problems& problems) {
  std::optional<Node> given = section.find(spec.name);
  for (const auto alias : split(spec.aliases, '|')) {
    const auto old = section.find(alias);
    if (!old) continue;
    problems.warning(
        old->key_position(),
        given ? fmt::format("{} is the old name of {}, which is given, too, and counts", shown(alias), shown(spec.name))
              : fmt::format("{} is the old name of {}; better use that", shown(alias), shown(spec.name)));
    if (!given) given = old;
  }
  return given;
}

/// What counts instead of an ignored value.
std::string fallback_text(const OptionSpec& spec) {
  const bool nothing = spec.default_text.empty() || spec.default_text == "\"\"";
  return nothing ? std::string{} : fmt::format("; until then {} is used", spec.default_text);
}

bool read_option(const Node& section, const OptionSpec& spec, const TableUse& use, Options& out, Problems& problems) {
  const OnDefect on_defect = use.on_defect;
  out.set(spec.name, default_value(spec));
  const auto given = find_given(section, spec, problems);
  if (!given) {
    if (!spec.required) return true;
    report(on_defect, section.position(),
           fmt::format("{} requires parameter {} but it's missing: {}", use.owner, shown(spec.name), spec.help),
           problems);
    return false;
  }
  if (given->mark->damaged) return false;
  if (given->value->is_null() && on_defect != OnDefect::ignore) return false;
  Conversion conversion = convert(spec, *given->value);
  if (!conversion.note.empty()) problems.warning(given->position(), conversion.note);
  if (conversion.defect.empty()) {
    out.set(spec.name, std::move(conversion.value), given->position());
    return true;
  }
  if (on_defect == OnDefect::ignore)
    problems.warning(given->position(),
                     fmt::format("{}: {}{}", ignoring(*given, spec.name), conversion.defect, fallback_text(spec)));
  else if (conversion.wrong_type)
    report(on_defect, given->position(), fmt::format("Invalid type for {}: {}", spec.name, conversion.defect),
           problems);
  else
    report(on_defect, given->position(), std::move(conversion.defect), problems);
  return false;
}

bool is_comment(std::string_view name) {
  return name.starts_with('_') || name.starts_with("//") || name.starts_with('#') || name == "comment" ||
         name == "$schema";
}

bool in_table(std::span<const OptionSpec> table, std::string_view name) {
  return std::any_of(table.begin(), table.end(), [&](const OptionSpec& spec) {
    const auto aliases = split(spec.aliases, '|');
    return spec.name == name || std::find(aliases.begin(), aliases.end(), name) != aliases.end();
  });
}

}  // namespace

Node Node::child(std::size_t i) const {
  Node node{nullptr, &mark->children[i], path};
  if (value->is_array()) {
    node.value = &(*value)[i];
    append_index(node.path, i);
  } else {
    node.value = &(value->get_ref<const Value::object_t&>().begin() + static_cast<std::ptrdiff_t>(i))->second;
    append_key(node.path, key(i));
  }
  return node;
}

const std::string& Node::key(std::size_t i) const {
  return (value->get_ref<const Value::object_t&>().begin() + static_cast<std::ptrdiff_t>(i))->first;
}

std::optional<Node> Node::find(std::string_view wanted) const {
  for (std::size_t i = 0; i < size(); ++i)
    if (key(i) == wanted) return child(i);
  return std::nullopt;
}

bool read_options(const Node& section, const TableUse& use, Options& out, Problems& problems) {
  out.set_section(section.position());
  bool good = true;
  for (const auto& spec : use.table) {
    if (std::find(use.skip.begin(), use.skip.end(), spec.name) != use.skip.end()) continue;
    if (!read_option(section, spec, use, out, problems)) good = false;
  }
  return good;
}

Options defaults(std::span<const OptionSpec> table) {
  Options out;
  for (const auto& spec : table) out.set(spec.name, default_value(spec));
  return out;
}

void report_nulls(const Node& section, Problems& problems) {
  for (std::size_t i = 0; i < section.size(); ++i) {
    const Node member = section.child(i);
    if (member.value->is_null() && !member.mark->damaged)
      problems.error(
          member.position(),
          fmt::format("{} is null, which is no value here; give it one, or remove the line", shown(section.key(i))));
  }
}

void for_unknown(const Node& section, std::span<const std::span<const OptionSpec>> tables,
                 std::span<const std::string_view> sections,
                 const std::function<void(const Node&, std::string_view)>& unknown) {
  for (std::size_t i = 0; i < section.size(); ++i) {
    const std::string& name = section.key(i);
    if (is_comment(name) || std::find(sections.begin(), sections.end(), name) != sections.end()) continue;
    if (std::any_of(tables.begin(), tables.end(), [&](auto table) { return in_table(table, name); })) continue;
    unknown(section.child(i), name);
  }
}

void report(OnDefect on_defect, Position position, std::string text, Problems& problems) {
  if (on_defect == OnDefect::refuse) return problems.error(std::move(position), std::move(text));
  if (on_defect == OnDefect::warn) text += " (only a warning, because the meter is disabled)";
  problems.warning(std::move(position), std::move(text));
}

std::string ignoring(const Node& node, std::string_view name) {
  const std::string value = names_secret(name) && !node.value->is_structured() ? "***" : plain_text(*node.value);
  return fmt::format("Ignoring invalid field or type: {}={} ({})", printable(name), value, type_name(*node.value));
}

std::string described(const Value& value) {
  switch (value.type()) {
    case Value::value_t::boolean: return plain_text(value);
    case Value::value_t::number_integer:
    case Value::value_t::number_float: return "the number " + plain_text(value);
    case Value::value_t::string: return "the text " + shown(without_credentials(value.get<std::string>()));
    case Value::value_t::object: return "an object { }";
    case Value::value_t::array: return "an array [ ]";
    default: return "null";
  }
}

}  // namespace vz::config
