// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/obis_names.hpp"

namespace vz {
namespace {

std::string meaning(std::string_view text) { return obis_meaning(*Obis::parse(text)); }

TEST(ObisNames, SaysWhatTheRegistersOfAHouseholdMeterMean) {
  EXPECT_EQ(meaning("1.8.0"), "energy drawn, total (Bezug, Zählerstand)");
  EXPECT_EQ(meaning("1-0:1.8.0*255"), meaning("1.8.0"));
  EXPECT_EQ(meaning("1.8.2"), "energy drawn, tariff 2 (Bezug, Tarif 2)");
  EXPECT_EQ(meaning("2.8.0"), "energy fed in, total (Einspeisung, Lieferung, Zählerstand)");
  EXPECT_EQ(meaning("1-0:16.7.0*255"), "power, negative when feeding in (Wirkleistung, Saldo)");
  EXPECT_EQ(meaning("1-0:52.7.0*255"), "voltage, phase 2 (Spannung, L2)");
  EXPECT_EQ(meaning("1-0:76.7.0*255"), "power, negative when feeding in, phase 3 (Wirkleistung, Saldo, L3)");
  EXPECT_EQ(meaning("0.0.0"), "meter number (Zählernummer, Eigentumsnummer)");
  EXPECT_EQ(meaning("F.97.0"), "error register (Fehlerregister)");
  EXPECT_EQ(meaning("1.8.0*01"), "energy drawn, total (Bezug, Zählerstand), stored value 01 (Vorwert)");
}

TEST(ObisNames, TellsHeatAndGasFromElectricity) {
  EXPECT_EQ(meaning("6.8"), "heat energy (Wärmemenge, Zählerstand)");
  EXPECT_EQ(meaning("6.8.0"), "reactive energy, quadrant 2, total (Blindenergie Q2, Zählerstand)");
  EXPECT_EQ(meaning("0-1:24.2.1"), "volume of the sub-meter, mostly gas (Gaszähler)");
  EXPECT_EQ(meaning("7-0:3.0.0"), "gas volume (Gas, Zählerstand)");
  EXPECT_EQ(meaning("1-0:32.36.0"), "voltage swells, phase 1 (Überspannungen L1)");
}

TEST(ObisNames, IsSilentAboutWhatItDoesNotKnow) {
  EXPECT_EQ(meaning("1-0:12.8.0"), "");
  EXPECT_EQ(meaning("1-0:200.7.0"), "");
  EXPECT_EQ(meaning("5-0:77.7.0"), "");
}

TEST(ObisNames, KnowsMakers) {
  EXPECT_EQ(meter_maker("ISK"), "Iskraemeco");
  EXPECT_EQ(meter_maker("ISk"), "Iskraemeco");
  EXPECT_EQ(meter_maker("XYZ"), "");
  EXPECT_EQ(meter_maker(""), "");
}

}  // namespace
}  // namespace vz
