// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/obis_names.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "core/ascii.hpp"

namespace vz {
namespace {

constexpr unsigned kOpen = 255;

struct Words {
  std::string_view english;
  std::string_view german;
};

/// A code with the groups that matter; kAny matches everything.
constexpr unsigned kAny = 999;
struct Row {
  unsigned a, c, d, e;
  Words words;
};

/// Registers that are not made of quantity, kind of value and tariff. First match counts.
constexpr Row kSpecial[] = {
    {6, 1, 0, kAny, {"heat energy", "Wärmemenge"}},
    {6, 2, 0, kAny, {"volume", "Volumen"}},
    {6, 8, 0, kAny, {"heat power", "Wärmeleistung"}},
    {6, 9, 0, kAny, {"flow", "Durchfluss"}},
    {6, 10, 0, kAny, {"flow temperature", "Vorlauftemperatur"}},
    {6, 11, 0, kAny, {"return temperature", "Rücklauftemperatur"}},
    {6, 12, 0, kAny, {"temperature difference", "Spreizung"}},
    {7, 3, kAny, kAny, {"gas volume", "Gas, Zählerstand"}},
    {8, 1, 0, kAny, {"cold water volume", "Kaltwasser, Zählerstand"}},
    {9, 1, 0, kAny, {"hot water volume", "Warmwasser, Zählerstand"}},
    {0, 1, 0, 0, {"date and time", "Datum und Uhrzeit"}},
    {0, 17, 0, 0, {"power limit", "Leistungsgrenze"}},
    {0, 24, 1, 0, {"type of the sub-meter", "Typ des Unterzählers"}},
    {0, 24, 2, 1, {"volume of the sub-meter, mostly gas", "Gaszähler"}},
    {0, 24, 2, 3, {"volume of the sub-meter, uncorrected", "Gaszähler, Betriebsvolumen"}},
    {0, 24, 3, 0, {"volume of the sub-meter", "Gaszähler"}},
    {0, 24, 4, 0, {"valve of the sub-meter", "Ventil"}},
    {kAny, 0, 0, kAny, {"meter number", "Zählernummer, Eigentumsnummer"}},
    {kAny, 0, 1, kAny, {"billing period", "Abrechnungsperiode"}},
    {kAny, 0, 2, kAny, {"program or parameter version", "Firmware, Parameter"}},
    {kAny, 0, 3, kAny, {"pulse constant", "Impulskonstante"}},
    {kAny, 0, 9, 1, {"time", "Uhrzeit"}},
    {kAny, 0, 9, 2, {"date", "Datum"}},
    {kAny, 0, 9, kAny, {"date and time", "Datum und Uhrzeit"}},
    {kAny, 31, 4, kAny, {"current limit", "Strombegrenzung"}},
    {kAny, 96, 1, kAny, {"serial number", "Seriennummer, Gerätekennung"}},
    {kAny, 96, 2, kAny, {"parameter changes", "Parametrierung"}},
    {kAny, 96, 3, kAny, {"switch or input states", "Schaltzustand"}},
    {kAny, 96, 5, kAny, {"status word", "Statuswort"}},
    {kAny, 96, 6, kAny, {"battery", "Batterie"}},
    {kAny, 96, 7, kAny, {"power failures", "Netzausfälle"}},
    {kAny, 96, 8, kAny, {"operating time", "Betriebsstunden"}},
    {kAny, 96, 13, kAny, {"text message", "Textnachricht"}},
    {kAny, 96, 14, kAny, {"tariff now", "aktueller Tarif"}},
    {kAny, 96, 50, 1, {"maker", "Hersteller"}},
    {kAny, 96, kAny, kAny, {"device data of the maker", "Gerätedaten"}},
    {kAny, 97, 97, kAny, {"error register", "Fehlerregister"}},
    {kAny, 98, kAny, kAny, {"monthly values", "Vorwerte"}},
    {kAny, 99, 97, kAny, {"log of power failures", "Netzausfall-Protokoll"}},
    {kAny, 99, kAny, kAny, {"log or load profile", "Logbuch, Lastgang"}},
    {129, 199, 130, 3, {"maker", "Hersteller"}},
    {129, 199, 130, 5, {"public key", "öffentlicher Schlüssel"}},
};

/// Two groups only, as heat meters with the plain text protocol write them.
constexpr Row kHeat[] = {
    {kAny, 6, 4, kAny, {"power", "Wärmeleistung"}},
    {kAny, 6, 6, kAny, {"maximum power", "maximale Leistung"}},
    {kAny, 6, 8, kAny, {"heat energy", "Wärmemenge, Zählerstand"}},
    {kAny, 6, 26, kAny, {"volume", "Volumen"}},
    {kAny, 6, 27, kAny, {"flow", "Durchfluss"}},
    {kAny, 6, 28, kAny, {"return temperature", "Rücklauftemperatur"}},
    {kAny, 6, 29, kAny, {"flow temperature", "Vorlauftemperatur"}},
    {kAny, 6, 30, kAny, {"temperature difference", "Spreizung"}},
    {kAny, 6, 31, kAny, {"operating hours", "Betriebsstunden"}},
    {kAny, 6, 32, kAny, {"hours with an error", "Fehlstunden"}},
    {kAny, 6, 33, kAny, {"maximum flow", "maximaler Durchfluss"}},
    {kAny, 6, 35, kAny, {"averaging period", "Messperiode"}},
    {kAny, 6, 36, kAny, {"key date", "Stichtag"}},
    {kAny, 9, 4, kAny, {"maximum temperatures", "maximale Temperaturen"}},
    {kAny, 9, 20, kAny, {"customer number", "Kundennummer"}},
    {kAny, 9, 21, kAny, {"meter number", "Zählernummer"}},
    {kAny, 9, 31, kAny, {"hours with flow", "Durchflussstunden"}},
};

struct Quantity {
  unsigned c;
  std::string_view energy;  ///< what its time integral is; empty: it has none of interest
  std::string_view now;     ///< what it is at a moment
  std::string_view energy_german;
  std::string_view now_german;
};

constexpr Quantity kQuantities[] = {
    {1, "energy drawn", "power drawn", "Bezug", "Wirkleistung, Bezug"},
    {2, "energy fed in", "power fed in", "Einspeisung, Lieferung", "Wirkleistung, Einspeisung"},
    {3, "reactive energy drawn", "reactive power drawn", "Blindenergie, Bezug", "Blindleistung, Bezug"},
    {4, "reactive energy fed in", "reactive power fed in", "Blindenergie, Lieferung", "Blindleistung, Lieferung"},
    {5, "reactive energy, quadrant 1", "reactive power, quadrant 1", "Blindenergie Q1", "Blindleistung Q1"},
    {6, "reactive energy, quadrant 2", "reactive power, quadrant 2", "Blindenergie Q2", "Blindleistung Q2"},
    {7, "reactive energy, quadrant 3", "reactive power, quadrant 3", "Blindenergie Q3", "Blindleistung Q3"},
    {8, "reactive energy, quadrant 4", "reactive power, quadrant 4", "Blindenergie Q4", "Blindleistung Q4"},
    {9, "apparent energy drawn", "apparent power drawn", "Scheinenergie, Bezug", "Scheinleistung, Bezug"},
    {10, "apparent energy fed in", "apparent power fed in", "Scheinenergie, Lieferung", "Scheinleistung, Lieferung"},
    {11, "", "current", "", "Strom"},
    {12, "", "voltage", "", "Spannung"},
    {13, "", "power factor", "", "Leistungsfaktor"},
    {14, "", "mains frequency", "", "Netzfrequenz"},
    {15, "energy drawn and fed in, added up", "power, whichever direction", "Bezug + Lieferung", "Wirkleistung, Betrag"},
    {16, "energy drawn minus energy fed in", "power, negative when feeding in", "Saldo", "Wirkleistung, Saldo"},
};

struct Term {
  const Quantity* quantity;
  unsigned phase;  ///< 1 to 3; 0: all together
};

std::optional<Term> term(unsigned c) {
  unsigned phase = 0;
  if (c > 20 && c < 80) {
    phase = (c - 1) / 20;
    c -= phase * 20;
  }
  for (const Quantity& quantity : kQuantities)
    if (quantity.c == c) return Term{&quantity, phase};
  return std::nullopt;
}

std::string with_german(std::string english, std::string_view german) {
  if (!german.empty()) english += fmt::format(" ({})", german);
  return english;
}

bool matches(const Row& row, const Obis& code, unsigned e) {
  const auto fits = [](unsigned wanted, unsigned given) { return wanted == kAny || wanted == given; };
  return fits(row.a, code.groups[0]) && fits(row.c, code.groups[2]) && fits(row.d, code.groups[3]) && fits(row.e, e);
}

template <std::size_t N>
const Row* find(const Row (&rows)[N], const Obis& code, unsigned e) {
  const auto found = std::find_if(std::begin(rows), std::end(rows), [&](const Row& r) { return matches(r, code, e); });
  return found == std::end(rows) ? nullptr : found;
}

/// Electricity: quantity, kind of value, tariff or phase.
std::string electricity(const Obis& code, unsigned e) {
  const unsigned d = code.groups[3];
  if ((code.groups[2] == 32 || code.groups[2] == 52 || code.groups[2] == 72) && (d == 32 || d == 36)) {
    const unsigned phase = (code.groups[2] - 12U) / 20;
    return d == 32 ? fmt::format("voltage sags, phase {0} (Unterspannungen L{0})", phase)
                   : fmt::format("voltage swells, phase {0} (Überspannungen L{0})", phase);
  }
  const auto what = term(code.groups[2]);
  if (!what) return {};
  const Quantity& quantity = *what->quantity;
  const bool energy = d == 8 || d == 9 || d == 29;
  if (energy && quantity.energy.empty()) return {};
  std::string english{energy ? quantity.energy : quantity.now};
  std::string german{energy ? quantity.energy_german : quantity.now_german};
  const auto add = [&](std::string_view more, std::string_view mehr) {
    english += fmt::format(", {}", more);
    german += fmt::format(", {}", mehr);
  };
  if (what->phase > 0) add(fmt::format("phase {}", what->phase), fmt::format("L{}", what->phase));
  switch (d) {
    case 2: add("cumulated maxima", "kumulierte Maxima"); break;
    case 4: add("mean of the running period", "Mittelwert der laufenden Periode"); break;
    case 5: add("mean of the last period", "Mittelwert der letzten Periode"); break;
    case 6: add("maximum", "Maximum"); break;
    case 7:
    case 8: break;
    case 9: add("since the last reset", "seit Rückstellung"); break;
    case 29: add("load profile", "Lastgang"); break;
    default: return {};
  }
  if (d != 7 && e > 0 && e <= 63) add(fmt::format("tariff {}", e), fmt::format("Tarif {}", e));
  else if (d == 8 && what->phase == 0) add("total", "Zählerstand");
  return with_german(std::move(english), german);
}

struct Maker {
  std::string_view letters;
  std::string_view name;
};
constexpr Maker kMakers[] = {
    {"ABB", "ABB"},
    {"ACE", "Actaris"},
    {"ACL", "Actaris"},
    {"AMT", "Aquametro"},
    {"APA", "Apator"},
    {"BYD", "BYD"},
    {"DZG", "DZG Metering"},
    {"EBZ", "eBZ"},
    {"EFR", "EFR"},
    {"ELS", "Elster"},
    {"ELV", "Elvaco"},
    {"EMH", "EMH metering"},
    {"EMO", "Enermet"},
    {"ENE", "Sagemcom"},
    {"ESY", "EasyMeter"},
    {"EGM", "Elgama"},
    {"FLU", "Fluvius"},
    {"GWF", "GWF"},
    {"HAG", "Hager"},
    {"HLY", "Holley"},
    {"HYD", "Hydrometer"},
    {"ISK", "Iskraemeco"},
    {"ITR", "Itron"},
    {"ITZ", "Itron"},
    {"KAM", "Kamstrup"},
    {"KFM", "Kaifa"},
    {"KMP", "Kamstrup"},
    {"LGB", "Landis+Gyr"},
    {"LGZ", "Landis+Gyr"},
    {"LOG", "Logarex"},
    {"LUG", "Landis+Gyr (heat)"},
    {"MCS", "MetCom"},
    {"NES", "Networked Energy Services"},
    {"NOR", "Norax"},
    {"NZR", "NZR"},
    {"PAF", "Pafal"},
    {"QDS", "Qundis"},
    {"SAG", "Sagemcom"},
    {"SIE", "Siemens"},
    {"SLB", "Schlumberger"},
    {"SPX", "Sensus"},
    {"XMX", "Xemex"},
    {"ZIV", "ZIV"},
    {"ZPA", "ZPA"},
};

}  // namespace

std::string obis_meaning(const Obis& code) {
  const unsigned e = code.groups[4] == kOpen ? 0 : code.groups[4];
  std::string text;
  const bool two_groups = code.groups[0] == kOpen && code.groups[1] == kOpen && code.groups[4] == kOpen;
  if (const Row* heat = two_groups ? find(kHeat, code, e) : nullptr) {
    text = with_german(std::string{heat->words.english}, heat->words.german);
  } else if (const Row* special = find(kSpecial, code, e)) {
    text = with_german(std::string{special->words.english}, special->words.german);
  } else if (code.groups[0] == 1 || code.groups[0] == kOpen) {
    text = electricity(code, e);
  }
  if (!text.empty() && code.groups[5] <= 99 && code.groups[2] < 96)
    text += fmt::format(", stored value {0:02} (Vorwert)", code.groups[5]);
  return text;
}

std::string_view meter_maker(std::string_view letters) {
  if (letters.size() != 3) return {};
  const std::array<char, 3> wanted{upper(letters[0]), upper(letters[1]), upper(letters[2])};
  for (const Maker& maker : kMakers)
    if (maker.letters == std::string_view{wanted.data(), wanted.size()}) return maker.name;
  return {};
}

}  // namespace vz
