// SPDX-License-Identifier: GPL-3.0-or-later
#include "platform/termios_settings.hpp"

#include <cstring>

namespace vz::platform {
namespace {

termios all_bits(int value) {
  termios base{};
  std::memset(&base, value, sizeof base);
  return base;
}

// Both a port with every flag set and one with none must come out right.
class RawTermios : public testing::TestWithParam<int> {
 protected:
  static termios make(CharacterFormat format, unsigned baud = 9600) {
    return raw_termios(all_bits(GetParam()), {baud, format}).value();
  }
};

TEST_P(RawTermios, SetsAllFormats) {
  constexpr tcflag_t kMask = CSIZE | CSTOPB | PARENB | PARODD | CMSPAR;
  EXPECT_EQ(make(CharacterFormat::n8).c_cflag & kMask, static_cast<tcflag_t>(CS8));
  EXPECT_EQ(make(CharacterFormat::n7).c_cflag & kMask, static_cast<tcflag_t>(CS7));
  EXPECT_EQ(make(CharacterFormat::e7).c_cflag & kMask, static_cast<tcflag_t>(CS7 | PARENB));
  EXPECT_EQ(make(CharacterFormat::o7).c_cflag & kMask, static_cast<tcflag_t>(CS7 | PARENB | PARODD));
  EXPECT_EQ(make(CharacterFormat::e8).c_cflag & kMask, static_cast<tcflag_t>(CS8 | PARENB));
}

TEST_P(RawTermios, ChecksParityWhereThereIsOne) {
  EXPECT_EQ(make(CharacterFormat::n8).c_iflag, 0U);
  EXPECT_EQ(make(CharacterFormat::n7).c_iflag, 0U);
  EXPECT_EQ(make(CharacterFormat::e7).c_iflag, static_cast<tcflag_t>(INPCK | PARMRK));
  EXPECT_EQ(make(CharacterFormat::o7).c_iflag, static_cast<tcflag_t>(INPCK | PARMRK));
  EXPECT_EQ(make(CharacterFormat::e8).c_iflag, static_cast<tcflag_t>(INPCK | IGNPAR));
  EXPECT_FALSE(marks_parity(CharacterFormat::e8));
  EXPECT_FALSE(marks_parity(CharacterFormat::n8));
  EXPECT_FALSE(marks_parity(CharacterFormat::n7));
  EXPECT_TRUE(marks_parity(CharacterFormat::e7));
  EXPECT_TRUE(marks_parity(CharacterFormat::o7));
}

TEST_P(RawTermios, IsRaw) {
  for (const auto format : {CharacterFormat::n8, CharacterFormat::n7, CharacterFormat::e7, CharacterFormat::o7}) {
    const termios settings = make(format);
    EXPECT_EQ(
        settings.c_iflag & (ICRNL | IGNCR | INLCR | ISTRIP | IXON | IXOFF | IXANY | IGNPAR | IGNBRK | BRKINT | IUCLC),
        0U);
    EXPECT_EQ(settings.c_oflag, 0U);
    EXPECT_EQ(settings.c_lflag, 0U);
    EXPECT_EQ(settings.c_cflag & static_cast<tcflag_t>(CRTSCTS), 0U);
    EXPECT_EQ(settings.c_cflag & (CREAD | CLOCAL), static_cast<tcflag_t>(CREAD | CLOCAL));
    EXPECT_EQ(settings.c_cc[VMIN], 1);
    EXPECT_EQ(settings.c_cc[VTIME], 0);
  }
}

TEST_P(RawTermios, KeepsWhetherTheLinesDropAtClose) {
  const termios base = all_bits(GetParam());
  EXPECT_EQ(make(CharacterFormat::e7).c_cflag & HUPCL, base.c_cflag & HUPCL);
}

TEST_P(RawTermios, SetsBothSpeeds) {
  for (const auto& [baud, constant] : std::map<unsigned, speed_t>{{50, B50},
                                                                  {300, B300},
                                                                  {600, B600},
                                                                  {1200, B1200},
                                                                  {2400, B2400},
                                                                  {4800, B4800},
                                                                  {9600, B9600},
                                                                  {19200, B19200},
                                                                  {38400, B38400},
                                                                  {57600, B57600},
                                                                  {115200, B115200},
                                                                  {230400, B230400},
                                                                  {921600, B921600}}) {
    const termios settings = make(CharacterFormat::e7, baud);
    EXPECT_EQ(::cfgetospeed(&settings), constant) << baud;
    EXPECT_EQ(::cfgetispeed(&settings), constant) << baud;
    EXPECT_EQ(speed_constant(baud), constant) << baud;
  }
}

INSTANTIATE_TEST_SUITE_P(Bases, RawTermios, testing::Values(0x00, 0xFF));

TEST(RawTermiosErrors, UnknownSpeeds) {
  for (const unsigned baud : {0U, 1U, 9601U, 31250U, 4'294'967'295U}) {
    EXPECT_FALSE(speed_constant(baud)) << baud;
    EXPECT_FALSE(raw_termios(termios{}, {baud, CharacterFormat::n8})) << baud;
  }
  EXPECT_THAT(known_baud_rates(), testing::StartsWith("50, 75, "));
  EXPECT_THAT(known_baud_rates(), testing::HasSubstr(", 9600, "));
}

}  // namespace
}  // namespace vz::platform
