// SPDX-License-Identifier: GPL-3.0-or-later
#include "cli/probe/section_text.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "config/text.hpp"

namespace vz::cli {
namespace {

using Json = nlohmann::ordered_json;

/// What people want a channel for, the usual first.
constexpr std::string_view kWanted[] = {"1-0:1.8.0", "1-0:2.8.0", "1-0:16.7.0", "1-0:1.7.0",
                                        "0-1:24.2.1", "6.8", "6.26", "7-0:3.0.0"};
/// Meters without a total have tariffs alone.
constexpr std::string_view kTariffs[] = {"1-0:1.8.1", "1-0:1.8.2", "1-0:2.8.1", "1-0:2.8.2"};
constexpr std::size_t kMostChannels = 4;

/// The codes of heat meters have two groups, and would be reactive power with the usual ones in front.
bool is(const Obis& code, std::string_view wanted) {
  const auto parsed = Obis::parse(wanted);
  if (!parsed) return false;
  return wanted.find(':') == std::string_view::npos ? code == *parsed : code.canonical() == parsed->canonical();
}

std::vector<const ShownRegister*> main_registers(const Readout& readout) {
  std::vector<const ShownRegister*> chosen;
  const auto take = [&](const ShownRegister& shown) {
    const auto same = [&](const ShownRegister* other) { return other->obis->canonical() == shown.obis->canonical(); };
    if (chosen.size() < kMostChannels && std::none_of(chosen.begin(), chosen.end(), same)) chosen.push_back(&shown);
  };
  const auto take_all = [&](std::span<const std::string_view> codes) {
    for (const std::string_view code : codes)
      for (const ShownRegister& shown : readout.registers)
        if (shown.obis && shown.number && is(*shown.obis, code)) take(shown);
  };
  const auto has = [&](std::string_view code) {
    return std::any_of(chosen.begin(), chosen.end(), [&](const auto* one) { return is(*one->obis, code); });
  };
  take_all(kWanted);
  if (!has("1-0:1.8.0")) take_all(kTariffs);
  for (const ShownRegister& shown : readout.registers)
    if (chosen.empty() && shown.obis && shown.number && !shown.unit.empty()) take(shown);
  return chosen;
}

std::string json_text(std::string_view text) {
  return Json(std::string{text}).dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string channel(const ShownRegister& shown, std::size_t number) {
  std::string text = "        {\n";
  const std::string what = shown.meaning.empty() ? shown.code : shown.meaning;
  text += fmt::format("          // {}: {} {}\n", config::printable(what, 120), config::printable(shown.value, 40),
                      config::printable(shown.unit, 20));
  text += fmt::format("          \"uuid\": \"00000000-0000-0000-0000-{:012}\",\n", number);
  text += fmt::format("          \"identifier\": {},\n", json_text(shown.code));
  text += "          \"api\": \"null\"\n        }";
  return text;
}

}  // namespace

std::string section_text(const ProbedMeter& meter) {
  std::string text = "    {\n";
  const std::string name = meter_name(meter.readout);
  text += fmt::format("      // {}, found by vzlogger probe\n", name.empty() ? "a meter" : config::printable(name, 80));
  text += "      \"enabled\": true,\n";
  for (const auto& [key, value] : meter.section.items()) {
    if (key == "interval") text += "      // seconds between two readouts\n";
    text += fmt::format("      {}: {},\n", json_text(key), value.dump(-1, ' ', false, Json::error_handler_t::replace));
  }
  text += "      // The api null sends nothing. For the middleware: put in your channel's uuid, take out the line with \"api\",\n"
          "      // and add \"middleware\": \"http://localhost/middleware.php\"\n";
  text += "      \"channels\": [";
  std::size_t number = 0;
  for (const ShownRegister* shown : main_registers(meter.readout)) {
    text += fmt::format("{}\n", number > 0 ? "," : "");
    text += channel(*shown, ++number);
  }
  text += number > 0 ? "\n      ]\n    }" : "]\n    }";
  return text;
}

std::string configuration_text(const std::string& sections) {
  return fmt::format("// Written by vzlogger probe. All options: man vzlogger.conf\n"
                     "{{\n  \"retry\": 15,\n  \"verbosity\": 5,\n  \"meters\": [\n{}\n  ]\n}}\n",
                     sections);
}

}  // namespace vz::cli
