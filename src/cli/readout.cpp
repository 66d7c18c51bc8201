// SPDX-License-Identifier: GPL-3.0-or-later
#include "cli/readout.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <nlohmann/json.hpp>

#include "config/text.hpp"
#include "core/ascii.hpp"
#include "core/number_text.hpp"
#include "core/obis_names.hpp"

namespace vz::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kTime = "time";

std::string number_text(double value) {
  std::string text;
  append_number(text, value);
  if (text.ends_with(".0")) text.resize(text.size() - 2);
  return text;
}

/// What the terminal shows of a text from the meter: nothing that could move the cursor.
std::string harmless(std::string_view text) { return config::printable(text, 200); }

/// Width in characters, not bytes.
std::size_t width(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

void pad(std::string& line, std::size_t used, std::size_t wanted) {
  if (used < wanted) line.append(wanted - used, ' ');
}

/// For people: without the zeros in front, where it is a quantity.
std::string for_people(const ShownRegister& shown) {
  std::string value = harmless(shown.value);
  if (shown.unit.empty() || !shown.number) return value;
  const std::size_t sign = !value.empty() && (value[0] == '-' || value[0] == '+') ? 1 : 0;
  std::size_t zeros = 0;
  while (sign + zeros + 1 < value.size() && value[sign + zeros] == '0' && is_digit(value[sign + zeros + 1]))
    ++zeros;
  return value.erase(sign, zeros);
}

unsigned hex_byte(std::string_view text) {
  return static_cast<unsigned>(hex_value(text[0])) * 16 + static_cast<unsigned>(hex_value(text[1]));
}

/// The maker's letters and the serial number in a server id: (length or 0A) 01 E M H 00 serial, DIN 43863-5.
std::string name_from_server_id(std::string_view id) {
  if (id.size() != 20 || !all_hex_digits(id) || id.substr(0, 4) != "0a01") return {};
  std::string letters;
  for (std::size_t i = 4; i < 10; i += 2) letters += static_cast<char>(hex_byte(id.substr(i)));
  if (!std::all_of(letters.begin(), letters.end(), is_capital)) return {};
  std::uint64_t serial = 0;
  for (std::size_t i = 10; i < 20; i += 2) serial = serial * 256 + hex_byte(id.substr(i));
  const auto maker = meter_maker(letters);
  // the first byte is the fabrication block, printed as two digits
  return fmt::format("{}, serial number 1{}{:02}{:08}", maker.empty() ? letters : std::string{maker}, letters, serial >> 32U,
                     serial & 0xFFFFFFFFU);
}

std::string name_from_greeting(std::string_view id) {
  if (id.size() < 5 || id[0] != '/') return {};
  const std::string_view letters = id.substr(1, 3);
  std::string_view model = id.substr(5);
  while (model.size() >= 2 && model[0] == '\\') model.remove_prefix(2);
  const auto maker = meter_maker(letters);
  std::string name = maker.empty() ? "maker " + harmless(letters) : std::string{maker};
  if (!model.empty()) name += ", " + harmless(model);
  return name;
}

std::string utc_text(WallTime at) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(at);
  const std::time_t time = std::chrono::system_clock::to_time_t(seconds);
  std::tm utc{};
  ::gmtime_r(&time, &utc);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", utc, (at - seconds).count());
}

}  // namespace

Readout make_readout(WallTime at, std::span<const Reading> readings, const TelegramText& text) {
  Readout readout{at, text.identification, {}};
  std::vector<bool> used(readings.size(), false);
  for (const RegisterText& own : text.registers) {
    ShownRegister shown{own.address, Obis::parse(own.address), own.value, std::nullopt, own.unit, {}};
    if (shown.obis) {
      shown.meaning = obis_meaning(*shown.obis);
      for (std::size_t i = 0; i < readings.size() && !shown.number; ++i) {
        if (used[i] || readings[i].identifier.obis() == nullptr || *readings[i].identifier.obis() != *shown.obis) continue;
        // a text register may share its code with a number only if the number is its own
        shown.number = readings[i].value;
        used[i] = true;
      }
    }
    readout.registers.push_back(std::move(shown));
  }
  if (!text.registers.empty()) return readout;
  for (const Reading& reading : readings) {
    ShownRegister shown{reading.identifier.text(), std::nullopt, number_text(reading.value), reading.value,
                        std::string{reading.unit.text()}, {}};
    if (const Obis* code = reading.identifier.obis()) {
      shown.obis = *code;
      shown.meaning = obis_meaning(*code);
    }
    if (reading.identifier.kind() == IdentifierKind::nil) shown.code = "value";
    readout.registers.push_back(std::move(shown));
  }
  return readout;
}

std::string meter_name(const Readout& readout) {
  if (auto name = name_from_greeting(readout.identification); !name.empty()) return name;
  if (auto name = name_from_server_id(readout.identification); !name.empty()) return name;
  for (const ShownRegister& shown : readout.registers) {
    if (!shown.meaning.starts_with("maker")) continue;
    const auto maker = meter_maker(shown.value);
    return maker.empty() ? harmless(shown.value) : std::string{maker};
  }
  return {};
}

std::string table(const Readout& readout) {
  struct Row {
    std::string code, value, unit, meaning;
  };
  std::vector<Row> rows{{"register", "value", "unit", "meaning"}};
  for (const ShownRegister& shown : readout.registers)
    rows.push_back({harmless(shown.code), for_people(shown), harmless(shown.unit), shown.meaning});
  std::size_t codes = 0;
  std::size_t values = 0;
  std::size_t units = 0;
  for (const Row& row : rows) {
    codes = std::max(codes, width(row.code));
    units = std::max(units, width(row.unit));
    if (width(row.value) <= 40) values = std::max(values, width(row.value));  // a public key must not push all aside
  }
  std::string out;
  for (const Row& row : rows) {
    std::string line = row.code;
    pad(line, width(row.code), codes + 2);
    pad(line, width(row.value), values);
    line += row.value + "  " + row.unit;
    pad(line, width(row.unit), units + 2);
    line += row.meaning;
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  }
  return out;
}

std::string json_line(const Readout& readout) {
  Json all{{"time", utc_text(readout.at)}, {"ms", readout.at.time_since_epoch().count()}};
  if (!readout.identification.empty()) all["identification"] = readout.identification;
  if (const std::string name = meter_name(readout); !name.empty()) all["meter"] = name;
  Json& registers = all["registers"] = Json::array();
  for (const ShownRegister& shown : readout.registers) {
    Json one{{"code", shown.code}, {"value", shown.value}};
    one["number"] = shown.number ? Json(*shown.number) : Json(nullptr);
    one["unit"] = shown.unit;
    if (!shown.meaning.empty()) one["meaning"] = shown.meaning;
    registers.push_back(std::move(one));
  }
  return all.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string local_time_text(WallTime at) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(at);
  std::tm local{};
  ::localtime_r(&seconds, &local);
  return fmt::format("{:%Y-%m-%d %H:%M:%S}", local);
}

std::vector<CsvColumn> parse_columns(std::string_view text) {
  std::vector<CsvColumn> columns;
  for (const std::string_view part : config::split(text, ',')) {
    const auto equals = part.find('=');
    const std::string code{part.substr(0, equals)};
    columns.push_back({code, equals == std::string_view::npos ? code : std::string{part.substr(equals + 1)}});
  }
  return columns;
}

namespace {

/// The register of a column; null if the readout has none. The code as the meter writes it goes before an equivalent one.
const ShownRegister* find_register(const Readout& readout, const std::string& code) {
  const auto last = [&](auto&& fits) -> const ShownRegister* {
    const auto found = std::find_if(readout.registers.rbegin(), readout.registers.rend(), fits);
    return found == readout.registers.rend() ? nullptr : &*found;
  };
  if (const auto* same = last([&](const ShownRegister& r) { return r.code == code; })) return same;
  const auto wanted = Obis::parse_or_alias(code);
  if (!wanted) return nullptr;
  const Obis canonical = wanted->canonical();
  return last([&](const ShownRegister& r) { return r.obis && r.obis->canonical() == canonical; });
}

}  // namespace

void CsvWriter::field(std::string_view text, bool first, std::string& out) const {
  if (!first) out += separator_;
  const bool quoted = text.find_first_of("\"\r\n") != std::string_view::npos || text.find(separator_) != std::string_view::npos;
  if (!quoted) {
    out += text;
    return;
  }
  out += '"';
  for (const char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  out += '"';
}

void CsvWriter::heading(const Readout& readout, std::string& out) {
  if (columns_.empty()) {
    columns_.push_back({std::string{kTime}, std::string{kTime}});
    for (const ShownRegister& shown : readout.registers) {
      const auto same = [&](const CsvColumn& column) { return column.code == shown.code; };
      if (std::none_of(columns_.begin(), columns_.end(), same)) columns_.push_back({shown.code, shown.code});
    }
  }
  bool first = true;
  for (const CsvColumn& column : columns_) {
    const ShownRegister* shown = column.code == kTime ? nullptr : find_register(readout, column.code);
    field(shown == nullptr || shown->unit.empty() ? column.name : fmt::format("{}[{}]", column.name, shown->unit), first, out);
    first = false;
  }
  out += '\n';
}

std::string CsvWriter::add(const Readout& readout) {
  std::string out;
  if (!begun_) heading(readout, out);
  begun_ = true;
  std::vector<std::string> values;
  for (const CsvColumn& column : columns_) {
    if (column.code == kTime) {
      values.emplace_back();
      continue;
    }
    const ShownRegister* shown = find_register(readout, column.code);
    values.push_back(shown == nullptr ? std::string{} : shown->value);
  }
  const bool changed = !last_ || *last_ != values;
  last_ = values;
  if (rows_ == Rows::changed && !changed) return out;
  for (std::size_t i = 0; i < columns_.size(); ++i)
    field(columns_[i].code == kTime ? local_time_text(readout.at) : values[i], i == 0, out);
  return out + "\n";
}

}  // namespace vz::cli
