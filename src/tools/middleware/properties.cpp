// SPDX-License-Identifier: GPL-3.0-or-later
#include "tools/middleware/properties.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <optional>

#include "core/ascii.hpp"
#include "core/uuid.hpp"
#include "tools/middleware/request.hpp"

namespace vz::middleware {
namespace {

enum class Kind { text, title, owner, city, colour, url, unit, uuid, choice, boolean, integer, number };

/// One property. `min` and `max` bound a number's value or a text's characters; a choice has its words in `choices`.
struct Property {
  std::string_view name;
  Kind kind;
  std::string_view german;
  std::string_view english;
  std::optional<double> min = {};
  std::optional<double> max = {};
  std::string_view choices = {};
};

using enum Kind;

// The bound of 90 degrees for the longitude is the original's.
constexpr Property kProperties[] = {
    {"title", title, "Titel", "Title", {}, 255},
    {"description", text, "Beschreibung", "Description"},
    {"public", boolean, "Öffentlich", "Public"},
    {"owner", owner, "Eigentümer", "Owner", {}, 128},
    {"cost", number, "Kosten", "Costs"},
    {"resolution", number, "Auflösung", "Resolution", 0.000001},
    {"tolerance", number, "Toleranz", "Tolerance", 0, 1},
    {"address:lat", number, "Breitengrad", "Latitude", -90, 90},
    {"address:lon", number, "Längengrad", "Longitude", -90, 90},
    {"address:city", city, "Stadt", "City"},
    {"address:house", text, "Hausnummer", "House number", {}, 5},
    {"address:postal", integer, "Postleitzahl", "Postal code"},
    {"address:state", text, "Land", "State"},
    {"address:country", text, "Staat", "Country"},
    {"photo", url, "Foto (URL)", "Photo (URL)"},
    {"link", url, "Verweis", "Link"},
    {"active", boolean, "Aktiv", "Active"},
    {"color", colour, "Farbe", "Colour"},
    {"style", choice, "Stil", "Style", {}, {}, "lines steps states points"},
    {"linestyle", choice, "Linienstil", "Line style", {}, {}, "solid dashed dotted"},
    {"linewidth", integer, "Linienstärke", "Line width", 0, 10},
    {"fillstyle", number, "Füllgrad", "Opacity", 0, 1},
    {"yaxis", choice, "Achse", "Axis", {}, {}, "auto 1 2 3 4"},
    {"local", url, "Lokale Adresse", "Local address"},
    {"gap", integer, "Lücke", "Gap", 0},
    {"initialconsumption", number, "Anfangsverbrauch", "Initial consumption", 0},
    {"unit", unit, "Einheit", "Unit", {}, 5},
    {"rule", text, "Regel", "Rule", {}, 255},
    {"in1", uuid, "Eingang 1", "Input 1"},
    {"in2", uuid, "Eingang 2", "Input 2"},
    {"in3", uuid, "Eingang 3", "Input 3"},
    {"in4", uuid, "Eingang 4", "Input 4"},
};

constexpr std::string_view kColours =
    "aqua black blue fuchsia gray grey green lime maroon navy olive purple red silver teal white yellow";

const Property* find_property(std::string_view name) {
  const auto* const found = std::find_if(std::begin(kProperties), std::end(kProperties),
                                         [&](const Property& property) { return property.name == name; });
  return found == std::end(kProperties) ? nullptr : found;
}

bool is_alphanumeric(char c) { return is_digit(c) || is_letter(c) || c == '_'; }

/// True if each character is a letter, a digit, `_` or one of `others`. Letters beyond ASCII are told from signs by
/// block: Latin-1 signs and U+2000 to U+2BFF (punctuation, currencies, arrows) are no letters.
bool only_word_characters(std::string_view value, std::string_view others) {
  for (std::size_t i = 0; i < value.size(); ++i) {
    const auto c = static_cast<unsigned char>(value[i]);
    if (c < 0x80) {
      if (!is_alphanumeric(value[i]) && others.find(value[i]) == std::string_view::npos) return false;
    } else if (c == 0xC2) {
      const auto next = i + 1 < value.size() ? static_cast<unsigned char>(value[i + 1]) : 0U;
      if (next != 0xAA && next != 0xB5 && next != 0xBA) return false;
    } else if (c == 0xE2) {
      const auto next = i + 1 < value.size() ? static_cast<unsigned char>(value[i + 1]) : 0U;
      if (next < 0xB0) return false;
    }
  }
  return true;
}

/// The blank-separated list has exactly this word.
bool has_word(std::string_view list, std::string_view word) {
  if (word.empty() || word.find(' ') != std::string_view::npos) return false;
  return (" " + std::string(list) + " ").find(" " + std::string(word) + " ") != std::string::npos;
}

std::size_t characters(std::string_view value) {
  return static_cast<std::size_t>(
      std::count_if(value.begin(), value.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

bool is_colour(std::string_view value) {
  const auto text_value = lower(value);
  if (has_word(kColours, text_value)) return true;
  const auto hex = std::string_view{text_value}.substr(text_value.starts_with('#') ? 1 : 0);
  return (hex.size() == 3 || hex.size() == 6) && all_hex_digits(hex);
}

bool is_url(std::string_view value) {
  const auto address = lower(value);
  const auto after = address.find("://");
  if (after == std::string::npos || address.find_first_of(" \t\r\n") != std::string::npos) return false;
  return has_word("http https ftp", address.substr(0, after)) && address.size() > after + 3;
}

/// PHP's \w with a few signs that occur in units.
bool is_unit(std::string_view value) {
  std::string rest{value};
  for (const std::string_view sign : {"°", "µ", "€", "²", "³"})
    for (auto at = rest.find(sign); at != std::string::npos; at = rest.find(sign)) rest.erase(at, sign.size());
  return only_word_characters(rest, "%$/#");
}

bool is_boolean(std::string_view value) { return is_true(value) || has_word("0 false off no", lower(value)); }

bool is_integer(std::string_view value) {
  if (value.starts_with('-')) value.remove_prefix(1);
  return !value.empty() && value.size() < 19 && all_digits(value);
}

bool within(const Property& property, double value) {
  return std::isfinite(value) && value >= property.min.value_or(value) && value <= property.max.value_or(value);
}

bool is_valid(const Property& property, std::string_view value) {
  switch (property.kind) {
    case boolean: return is_boolean(value);
    case integer: return is_integer(value) && within(property, php_numeric(value).value_or(NAN));
    case number: return within(property, php_numeric(value).value_or(NAN));
    case choice: return has_word(property.choices, value);
    default: break;
  }
  if (static_cast<double>(characters(value)) > property.max.value_or(HUGE_VAL)) return false;
  switch (property.kind) {
    case title: return only_word_characters(value, ".-,()[]!&*+/:@ ");
    case owner: return only_word_characters(value, "-");
    case city: return only_word_characters(value, ".-,() ");
    case colour: return is_colour(value);
    case url: return is_url(value);
    case unit: return is_unit(value);
    case uuid: return is_uuid(value);
    default: return true;
  }
}

const char* kind_name(Kind kind) {
  switch (kind) {
    case choice: return "multiple";
    case boolean: return "boolean";
    case integer: return "integer";
    case number: return "float";
    case text: return "text";
    default: return "string";
  }
}

}  // namespace

Result<void> check_property(std::string_view name, std::string_view value) {
  const auto* const property = find_property(name);
  if (property == nullptr) return fail("Unknown property: '" + std::string(name) + "'");
  if (!is_valid(*property, value)) return fail("Invalid property value: '" + std::string(value) + "'");
  return {};
}

Json typed_value(std::string_view name, const std::string& value) {
  const auto* const property = find_property(name);
  if (property == nullptr) return value;
  switch (property->kind) {
    case boolean: return is_true(value);
    case integer: return static_cast<std::int64_t>(php_numeric(value).value_or(0));
    case number: return php_numeric(value).value_or(0);
    default: return value;
  }
}

bool is_true(std::string_view value) { return has_word("1 true on yes", lower(value)); }

std::optional<double> php_numeric(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\n\r\v\f";
  const auto first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return std::nullopt;
  text = text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
  if (text.starts_with('+')) text.remove_prefix(1);
  if (text.empty() || text.find_first_not_of("0123456789.eE+-") != std::string_view::npos) return std::nullopt;
  if (text.starts_with("+")) return std::nullopt;
  double value = 0.0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (end != text.data() + text.size()) return std::nullopt;
  if (error == std::errc::result_out_of_range) return std::strtod(std::string(text).c_str(), nullptr);  // 0 or infinity
  if (error != std::errc{}) return std::nullopt;
  return value;
}

Json property_definitions() {
  Json list = Json::array();
  for (const auto& property : kProperties) {
    Json entry;
    entry["name"] = property.name;
    entry["type"] = kind_name(property.kind);
    if (property.min) entry["min"] = *property.min;
    if (property.max) entry["max"] = *property.max;
    if (property.kind == choice) {
      entry["options"] = Json::array();
      std::string_view rest = property.choices;
      while (!rest.empty()) {
        entry["options"].push_back(rest.substr(0, rest.find(' ')));
        rest = rest.find(' ') == std::string_view::npos ? std::string_view{} : rest.substr(rest.find(' ') + 1);
      }
    }
    entry["translation"] = {{"de", property.german}, {"en", property.english}};
    list.push_back(std::move(entry));
  }
  return list;
}

}  // namespace vz::middleware
