// SPDX-License-Identifier: GPL-3.0-or-later
// The parts of the sml decoder, one by one.
#include <random>

#include "core/decimal.hpp"
#include "core/dlms_units.hpp"
#include "protocols/sml/crc16.hpp"
#include "support/sml_harness.hpp"

namespace vz::test::sml {
namespace {

std::span<const std::byte> check_text() { return std::as_bytes(std::span("123456789", 9)); }

TEST(SmlCrc, HasThePublishedCheckValues) {
  EXPECT_EQ(vz::sml::crc_x25(check_text()), 0x906E);
  EXPECT_EQ(vz::sml::crc_kermit(check_text()), 0x2189);
}

TEST(SmlCrc, AgreesWithTheBitwiseFormAtEveryLength) {
  std::mt19937 random{5};
  Bytes bytes;
  for (int length = 0; length < 70; ++length) {
    ASSERT_EQ(vz::sml::crc_x25(bytes), crc(bytes, 0xFFFF, 0xFFFF)) << length;
    ASSERT_EQ(vz::sml::crc_kermit(bytes), crc(bytes, 0, 0)) << length;
    bytes.push_back(static_cast<std::byte>(random()));
  }
}

TEST(Decimal, IsRoundedOnce) {
  EXPECT_EQ(decimal(20124, -1), 2012.4);
  EXPECT_EQ(decimal(147981129, -1), 14798112.9);
  EXPECT_EQ(decimal(29416459364, -4), 2941645.9364);
  EXPECT_EQ(decimal(3, 3), 3000.0);
  EXPECT_EQ(decimal(0, -128), 0.0);
  EXPECT_EQ(decimal(18446744073709551615U, 0), 18446744073709551615.0);
  EXPECT_EQ(decimal(18446744073709551615U, -1), 1844674407370955161.5);
  EXPECT_EQ(decimal(9007199254740993U, -3), 9007199254740.993);  // one more than a double can count to
  EXPECT_EQ(decimal(123, 127), 1.23e129);
  EXPECT_EQ(decimal(123, -128), 1.23e-126);
}

TEST(DlmsUnit, HasTheUsualOnes) {
  EXPECT_EQ(dlms_unit(30).text(), "Wh");
  EXPECT_EQ(dlms_unit(27).text(), "W");
  EXPECT_EQ(dlms_unit(13).text(), "m3");
  EXPECT_EQ(dlms_unit(33).text(), "A");
  EXPECT_EQ(dlms_unit(35).text(), "V");
  EXPECT_EQ(dlms_unit(44).text(), "Hz");
  EXPECT_EQ(dlms_unit(50).text(), "kg/s");
  EXPECT_EQ(dlms_unit(57).text(), "Ah");
  EXPECT_EQ(dlms_unit(60).text(), "Wh/m3");
  EXPECT_EQ(dlms_unit(64).text(), "Pa s");
  EXPECT_EQ(dlms_unit(0).text(), "");
  EXPECT_EQ(dlms_unit(255).text(), "");
}

/// The first reading of a telegram with these entries.
std::vector<Reading> readings(const std::vector<Bytes>& entries, const SmlSettings& settings = listening()) {
  const auto got = decode(telegram(entries), settings, all_at_once);
  return got.telegrams.empty() ? std::vector<Reading>{} : got.telegrams.front();
}
double value_of(const Bytes& value, const Bytes& scaler = absent()) {
  const auto got = readings({entry({.name = "0100100700ff", .scaler = scaler, .value = value})});
  return got.size() == 1 ? got[0].value : std::nan("");
}
bool none(const Bytes& value, const Bytes& scaler = absent()) {
  return readings({entry({.name = "0100100700ff", .scaler = scaler, .value = value})}).empty();
}

TEST(SmlValue, IntegersOfEveryLengthAreSignExtended) {
  for (unsigned size = 1; size <= 8; ++size) {
    EXPECT_EQ(value_of(i(-1, size)), -1.0) << size;
    EXPECT_EQ(value_of(i(-128, size)), -128.0) << size;
    EXPECT_EQ(value_of(i(127, size)), 127.0) << size;
    EXPECT_EQ(value_of(u(200, size)), 200.0) << size;
    const std::uint64_t top = ~std::uint64_t{0} >> (64 - 8 * size);
    EXPECT_EQ(value_of(u(top, size)), static_cast<double>(top)) << size;
    EXPECT_EQ(value_of(head(5, size, true) + big_endian(std::uint64_t{1} << (8 * size - 1), size)), -std::ldexp(1.0, static_cast<int>(8 * size - 1)));
  }
}

TEST(SmlValue, WhatIsNoNumberMakesNoReading) {
  EXPECT_TRUE(none(absent()));
  EXPECT_TRUE(none(text("EMH")));
  EXPECT_TRUE(none(list({u(1, 1), u(2, 1)})));
  EXPECT_TRUE(none(hex("61")));                        // no bytes
  EXPECT_TRUE(none(u(1, 9)));                          // more than eight
  EXPECT_TRUE(none(hex("2212")));                      // no known type
  EXPECT_EQ(value_of(boolean(true)), 1.0);
  EXPECT_EQ(value_of(boolean(false)), 0.0);
}

TEST(SmlValue, AMissingScalerMeansTimesOne) {
  EXPECT_EQ(value_of(u(123456, 4)), 123456.0);
  EXPECT_EQ(value_of(u(20124, 4), i(-1, 1)), 2012.4);
  EXPECT_EQ(value_of(u(20124, 4), i(3, 1)), 20124000.0);
  EXPECT_EQ(value_of(i(-32773, 4), i(-2, 1)), -327.73);
  EXPECT_EQ(value_of(u(5, 1), i(-1, 2)), 0.5);
}

TEST(SmlValue, AScalerThatIsNoneMakesNoReading) {
  EXPECT_TRUE(none(u(5, 1), text("x")));
  EXPECT_TRUE(none(u(5, 1), u(255, 1)));
  EXPECT_TRUE(none(u(5, 1), i(1000, 2)));
  EXPECT_TRUE(none(u(5, 1), list({u(1, 1)})));
}

TEST(SmlField, LengthsOfSeveralBytes) {
  const Bytes long_text = octets(Bytes(300, std::byte{'x'}));
  EXPECT_EQ(readings({entry({.name = "0100600100ff", .value = long_text}), entry({.name = "0100010800ff", .value = u(7, 1)})}).size(), 1U);
  EXPECT_EQ(value_of(head(6, 2, true, 2) + big_endian(513, 2)), 513.0);   // 80 04: needless, but right
  EXPECT_EQ(value_of(head(6, 2, true, 3) + big_endian(513, 2)), 513.0);
  std::vector<Bytes> many;
  for (int n = 0; n < 40; ++n) many.push_back(entry({.name = fmt::format("01000108{:02x}ff", n), .value = u(static_cast<unsigned>(n), 1)}));
  EXPECT_EQ(readings(many).size(), 40U);  // more than fifteen elements, and more than the old daemon took
}

TEST(SmlEntry, OddlyTypedFieldsCostNothingElse) {
  const Bytes good = entry({.name = "0100010800ff", .value = u(7, 1)});
  const auto survives = [&](const Entry& odd) {
    const auto got = readings({entry(odd), good});
    return !got.empty() && got.back().identifier.text() == "1-0:1.8.0*255" && got.back().value == 7.0;
  };
  EXPECT_TRUE(survives({.name = "0100020800ff", .status = text("status"), .value = u(1, 1)}));
  EXPECT_TRUE(survives({.name = "0100020800ff", .status = list({u(1, 1), list({})}), .value = u(1, 1)}));
  EXPECT_TRUE(survives({.name = "0100020800ff", .time = list({u(1, 1)}), .value = u(1, 1)}));
  EXPECT_TRUE(survives({.name = "0100020800ff", .time = list({list({u(1, 1)}), u(1, 1)}), .value = u(1, 1)}));
  EXPECT_TRUE(survives({.name = "0100020800ff", .time = list({list({u(1, 1)}), u(1, 1), u(1, 1)}), .value = u(1, 1)}));
  EXPECT_TRUE(survives({.name = "0100020800ff", .time = list({u(3, 1), list({u(1, 4), i(1, 2), i(1, 2)})}), .value = u(1, 1)}));
  EXPECT_TRUE(survives({.name = "0100020800ff", .unit = u(30, 4), .value = u(1, 1)}));
  EXPECT_TRUE(survives({.name = "0100020800ff", .unit = list({u(30, 4)}), .value = u(1, 1)}));
  EXPECT_TRUE(survives({.name = "01000208", .value = u(1, 1)}));
  EXPECT_EQ(readings({list({u(1, 1)}), u(5, 1), list({}), good}).size(), 1U);
  EXPECT_EQ(readings({list({list({u(1, 1)}), absent(), absent(), absent(), absent(), u(1, 1), absent()}), good}).size(), 1U);
}

TEST(SmlEntry, CodesThatTheOldDaemonLeftOutStayOut) {
  EXPECT_TRUE(readings({entry({.name = "8181c78203ff", .value = u(1, 1)})}).empty());
  EXPECT_TRUE(readings({entry({.name = "0a00010800ff", .value = u(1, 1)})}).empty());
  EXPECT_TRUE(readings({entry({.name = "0141010800ff", .value = u(1, 1)})}).empty());
  EXPECT_TRUE(readings({entry({.name = "010001080064", .value = u(1, 1)})}).empty());
  EXPECT_EQ(readings({entry({.name = "010001080063", .value = u(1, 1)})}).size(), 1U);
  EXPECT_EQ(readings({entry({.name = "0940f0fefeff", .value = u(1, 1)})}).size(), 1U);
}

TEST(SmlEntry, HasTheUnit) {
  const auto got = readings({entry({.name = "0100010800ff", .unit = u(30, 1), .value = u(1, 1)})});
  ASSERT_EQ(got.size(), 1U);
  EXPECT_EQ(got[0].unit.text(), "Wh");
}

std::int64_t stamp_ms(const Bytes& time, bool local_only = false) {
  auto settings = listening();
  settings.mapping.use_local_time = local_only;
  const auto got = readings({entry({.name = "0100010800ff", .time = time, .value = u(1, 1)})}, settings);
  return got.empty() ? -1 : got[0].stamp.time_since_epoch().count();
}

TEST(SmlTime, TheMetersOwnWherePlausible) {
  constexpr std::uint32_t kHost = 1'700'000'000;
  constexpr std::int64_t kHostMs = 1'700'000'000'000;
  EXPECT_EQ(stamp_ms(absent()), kHostMs);
  EXPECT_EQ(stamp_ms(timestamp(kHost - 100)), kHostMs - 100'000);
  EXPECT_EQ(stamp_ms(timestamp(kHost + 600)), kHostMs + 600'000);
  EXPECT_EQ(stamp_ms(timestamp(kHost + 601)), kHostMs);    // too far off
  EXPECT_EQ(stamp_ms(timestamp(kHost - 3600)), kHostMs);   // a wrong time zone
  EXPECT_EQ(stamp_ms(timestamp(0)), kHostMs);
  EXPECT_EQ(stamp_ms(sec_index(24'208'040)), kHostMs);     // seconds since the meter's start
  EXPECT_EQ(stamp_ms(u(24'208'040, 4)), kHostMs);          // the same without its choice (Holley)
  EXPECT_EQ(stamp_ms(sec_index(kHost - 7)), kHostMs - 7'000);
  EXPECT_EQ(stamp_ms(local_time(kHost - 5)), kHostMs - 5'000);
  EXPECT_EQ(stamp_ms(list({u(3, 1), local_time(kHost - 5)})), kHostMs - 5'000);
  EXPECT_EQ(stamp_ms(local_time(5)), kHostMs);
  EXPECT_EQ(stamp_ms(list({u(2, 1), u(0xFFFF'FFFF'FFFF'FFFF, 8)})), kHostMs);
  EXPECT_EQ(stamp_ms(timestamp(kHost - 100), true), kHostMs);
}

TEST(SmlDzg, PowerOfTheKnownSeriesHasNoSign) {
  const auto power = [](std::uint64_t serial, const char* code, const Bytes& value, vz::sml::UnsignedPower mode) {
    auto settings = listening();
    settings.mapping.unsigned_power = mode;
    const auto got = readings({entry({.name = "0100600100ff", .value = octets(hex("0a01445a47") + big_endian(serial, 5))}),
                               entry({.name = code, .scaler = i(-2, 1), .value = value})}, settings);
    return got.size() == 1 ? got[0].value : std::nan("");
  };
  using enum vz::sml::UnsignedPower;
  const Bytes high = hex("538025");
  EXPECT_EQ(power(42'000'000, "0100100700ff", high, automatic), 328.05);
  EXPECT_EQ(power(48'999'999, "0100100700ff", high, automatic), 328.05);
  EXPECT_EQ(power(55'000'000, "0100100700ff", high, automatic), 328.05);
  EXPECT_EQ(power(58'999'999, "0100100700ff", high, automatic), 328.05);
  EXPECT_EQ(power(41'999'999, "0100100700ff", high, automatic), -327.31);
  EXPECT_EQ(power(49'000'000, "0100100700ff", high, automatic), -327.31);
  EXPECT_EQ(power(59'000'000, "0100100700ff", high, automatic), -327.31);
  EXPECT_EQ(power(60'000'000, "0100100700ff", high, automatic), -327.31);
  EXPECT_EQ(power(42'000'000, "0100240700ff", high, automatic), -327.31);
  EXPECT_EQ(power(42'000'000, "0100100700ff", i(-5, 3), automatic), -0.05);
  EXPECT_EQ(power(42'000'000, "0100100700ff", hex("52ff"), automatic), 2.55);
  EXPECT_EQ(power(42'000'000, "0100100700ff", high, off), -327.31);
  EXPECT_EQ(power(50'071'463, "0100240700ff", high, on), 328.05);
  EXPECT_EQ(power(50'071'463, "0100010800ff", high, on), -327.31);
  EXPECT_EQ(power(50'071'463, "0100100700ff", i(-5, 3), on), -0.05);
}

TEST(SmlStatus, TellsTheSignOfPower) {
  const auto power = [](const Bytes& status, const char* code, std::optional<unsigned> bit = {}, bool wanted = true) {
    auto settings = listening();
    settings.mapping.sign_from_status = wanted;
    settings.mapping.status_sign_bit = bit;
    const auto got = readings({entry({.name = code, .value = i(1266, 4)}), entry({.name = "0100010800ff", .status = status, .value = u(9, 1)})},
                              settings);
    return got.size() == 2 && got[1].value == 9.0 ? got[0].value : std::nan("");
  };
  EXPECT_EQ(power(u(0x1B0, 2), "01000f0700ff"), -1266.0);     // EMH ED300L, feeding in
  EXPECT_EQ(power(u(0x182, 2), "01000f0700ff"), 1266.0);      // and drawing
  EXPECT_EQ(power(u(0x1C6904, 3), "0100100700ff"), -1266.0);  // DZG DVS-7420
  EXPECT_EQ(power(u(0x1C0104, 4), "0100100700ff"), 1266.0);
  EXPECT_EQ(power(u(0x1B0, 2), "0100240700ff"), 1266.0);      // one phase: the word does not speak of it
  EXPECT_EQ(power(u(0x1B0, 2), "01000f0700ff", {}, false), 1266.0);
  EXPECT_EQ(power(u(0x40, 1), "01000f0700ff"), 1266.0);       // no known layout
  EXPECT_EQ(power(u(0x40, 1), "01000f0700ff", 6), -1266.0);
  EXPECT_EQ(power(absent(), "01000f0700ff"), 1266.0);
}

}  // namespace
}  // namespace vz::test::sml
