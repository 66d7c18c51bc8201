// SPDX-License-Identifier: GPL-3.0-or-later
#include "config/schema.hpp"

#include <fmt/format.h>

#include <cmath>

#include "config/reader.hpp"
#include "config/tables.hpp"
#include "config/text.hpp"
#include "core/ascii.hpp"
#include "core/outbox_options.hpp"

namespace vz::config {
namespace {

constexpr std::string_view kUuidPattern =
    "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$";
constexpr std::string_view kCommentPattern = "^(_|//|#|comment$|\\$schema$)";

std::string_view type_text(OptionType type) {
  switch (type) {
    case OptionType::boolean: return "true or false";
    case OptionType::integer: return "whole number";
    case OptionType::real: return "number with point";
    case OptionType::string: return "text";
  }
  return "?";
}

std::string_view schema_type(OptionType type) {
  switch (type) {
    case OptionType::boolean: return "boolean";
    case OptionType::integer: return "integer";
    case OptionType::real: return "number";
    case OptionType::string: return "string";
  }
  return "string";
}

bool bounded_below(const OptionSpec& spec) { return !std::isinf(spec.min); }
bool bounded_above(const OptionSpec& spec) { return !std::isinf(spec.max); }

/// What values are allowed, each text between `quote`; empty for any.
std::string allowed_text(const OptionSpec& spec, std::string_view quote) {
  std::string text;
  for (const auto choice : split(spec.choices, '|'))
    text += fmt::format("{}{}{}{}", text.empty() ? "" : ", ", quote, choice, quote);
  if (!text.empty()) return text;
  if (bounded_below(spec) && bounded_above(spec)) return fmt::format("{} to {}", spec.min, spec.max);
  if (bounded_below(spec)) return fmt::format("at least {}", spec.min);
  if (bounded_above(spec)) return fmt::format("at most {}", spec.max);
  return {};
}

std::string meaning(const OptionSpec& spec) {
  std::string text{spec.help};
  const auto aliases = split(spec.aliases, '|');
  if (!aliases.empty()) text += fmt::format(" (old name: {})", join(aliases, ", ", ", "));
  return text;
}

/// A pattern for one of the texts in any letter case; the texts are plain words.
std::string any_case(std::span<const std::string_view> words) {
  std::string pattern = "^(";
  for (const auto word : words) {
    if (pattern.size() > 2) pattern += '|';
    for (const char c : lower(word)) {
      if (is_small(c))
        pattern += fmt::format("[{}{}]", c, upper(c));
      else if (is_digit(c) || c == '_' || c == '-')
        pattern += c;
      else
        pattern += fmt::format("\\{}", c);
    }
  }
  return pattern + ")$";
}

/// Editors offer the texts of the enum; the pattern lets other letter cases pass.
Value choice_schema(std::span<const std::string_view> words) {
  return Value::array(
      {{{"enum", std::vector<std::string>(words.begin(), words.end())}}, {{"pattern", any_case(words)}}});
}

Value property(const OptionSpec& spec) {
  Value out = {{"type", schema_type(spec.type)}, {"description", meaning(spec)}};
  if (!spec.unit.empty()) out["description"] = fmt::format("{} [{}]", meaning(spec), spec.unit);
  std::visit(
      [&](const auto& value) {
        if constexpr (!std::is_same_v<std::decay_t<decltype(value)>, std::monostate>) out["default"] = value;
      },
      default_value(spec));
  if (bounded_below(spec)) out["minimum"] = spec.min;
  if (bounded_above(spec)) out["maximum"] = spec.max;
  const auto choices = split(spec.choices, '|');
  if (!choices.empty() && spec.type == OptionType::string) out["anyOf"] = choice_schema(choices);
  if (spec.name == "uuid") out["pattern"] = kUuidPattern;
  return out;
}

Value properties(std::span<const OptionSpec> table) {
  Value out = Value::object();
  for (const auto& spec : table) {
    out[std::string{spec.name}] = property(spec);
    for (const auto alias : split(spec.aliases, '|')) out[std::string{alias}] = {{"$ref", "#/definitions/deprecated"}};
  }
  return out;
}

Value required(std::span<const OptionSpec> table) {
  Value out = Value::array();
  for (const auto& spec : table)
    if (spec.required) out.push_back(spec.name);
  return out;
}

/// An object that knows nothing but `known`, and comments.
Value closed_object(Value known, Value must) {
  Value out = {{"type", "object"}};
  if (!must.empty()) out["required"] = std::move(must);
  out["properties"] = std::move(known);
  out["patternProperties"] = {{kCommentPattern, true}};
  out["additionalProperties"] = false;
  return out;
}

/// The rule for objects whose member `selector` says `name`, by default or in so many words. All common names are
/// repeated because draft-07 closes an object only over the names in the same place.
Value rule(std::string_view selector, std::string_view name, Value common, std::span<const OptionSpec> special) {
  const std::string_view names[] = {name};
  Value condition = {{"properties", {{selector, {{"pattern", any_case(names)}}}}}};
  if (common[std::string{selector}].value("default", "") != name) condition["required"] = {selector};
  for (auto& member : common.items()) member.value() = true;
  const Value own = properties(special);
  for (const auto& [key, value] : own.items())
    if (!common.contains(key)) common[key] = value;
  return {{"if", std::move(condition)}, {"then", closed_object(std::move(common), required(special))}};
}

template <typename T>
Value selected(std::string_view selector, const Value& common, std::span<const T* const> entries, Value must) {
  std::vector<std::string_view> names;
  Value rules = Value::array();
  for (const T* entry : entries) {
    names.push_back(entry->name);
    rules.push_back(rule(selector, entry->name, common, entry->options));
  }
  Value out = {{"type", "object"}, {"required", std::move(must)}, {"properties", common}};
  if (names.empty()) return out;
  out["properties"][std::string{selector}]["anyOf"] = choice_schema(names);
  out["allOf"] = std::move(rules);
  return out;
}

Value list_of(std::string_view definition) {
  return {{"type", "array"}, {"items", {{"$ref", fmt::format("#/definitions/{}", definition)}}}};
}

std::string help(std::string_view name, std::string_view summary, std::span<const OptionSpec> table) {
  std::string text = fmt::format("{}: {}\n\n", name, summary);
  return text + (table.empty() ? "It has no options of its own.\n" : option_table_text(table));
}

/// In a markdown table a bar separates columns.
std::string cell(std::string_view text) {
  std::string out;
  for (const char c : text) out += c == '|' ? "\\|" : std::string(1, c);
  return out;
}

}  // namespace

std::string json_schema(const Registry& registry) {
  Value meter = properties(meter_options());
  meter["channels"] = list_of("channel");
  meter["channel"] = {{"$ref", "#/definitions/channel"}};

  Value top = properties(general_options());
  top["local"] = {{"$ref", "#/definitions/local"}};
  top["push"] = list_of("push");
  top["mqtt"] = {{"$ref", "#/definitions/mqtt"}};
  top["outbox"] = {{"$ref", "#/definitions/outbox"}};
  top["meters"] = list_of("meter");
  top["sensors"] = list_of("meter");

  Value schema = {{"$schema", "http://json-schema.org/draft-07/schema#"}, {"title", "vzlogger.conf"}};
  schema.update(closed_object(std::move(top), Value::array()));
  schema["definitions"] = {
      {"local", closed_object(properties(local_options()), required(local_options()))},
      {"push", closed_object(properties(push_options()), required(push_options()))},
      {"mqtt", closed_object(properties(mqtt_options()), required(mqtt_options()))},
      {"outbox", closed_object(properties(outbox_options()), required(outbox_options()))},
      {"meter", selected("protocol", meter, registry.protocols, required(meter_options()))},
      {"channel", selected("api", properties(channel_options()), registry.sinks, required(channel_options()))},
      {"deprecated", {{"description", "old name, still understood"}}},
  };
  return schema.dump(2, ' ', false, Value::error_handler_t::replace) + '\n';
}

std::string option_table_markdown(std::span<const OptionSpec> table) {
  std::string text = "| Option | Type | Default | Allowed | Meaning |\n| --- | --- | --- | --- | --- |\n";
  for (const auto& spec : table) {
    const std::string unit = spec.unit.empty() ? "" : fmt::format(", {}", spec.unit);
    const std::string fallback = spec.required               ? "required"
                                 : spec.default_text.empty() ? ""
                                                             : fmt::format("`{}`", spec.default_text);
    text += fmt::format("| `{}` | {}{} | {} | {} | {} |\n", spec.name, type_text(spec.type), unit, cell(fallback),
                        allowed_text(spec, "`"), cell(meaning(spec)));
  }
  return text;
}

std::string option_table_text(std::span<const OptionSpec> table) {
  std::string text;
  for (const auto& spec : table) {
    text += fmt::format("  {:<24}{}", spec.name, type_text(spec.type));
    if (!spec.unit.empty()) text += fmt::format(" in {}", spec.unit);
    if (spec.required) text += ", required";
    if (const std::string allowed = allowed_text(spec, ""); !allowed.empty()) text += fmt::format(", {}", allowed);
    if (!spec.default_text.empty()) text += fmt::format(", default {}", spec.default_text);
    text += fmt::format("\n  {:<24}{}\n", "", meaning(spec));
  }
  return text;
}

std::string protocol_help(const Protocol& protocol) { return help(protocol.name, protocol.summary, protocol.options); }
std::string sink_help(const SinkType& sink) { return help(sink.name, sink.summary, sink.options); }

}  // namespace vz::config
