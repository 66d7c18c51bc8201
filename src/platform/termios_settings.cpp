// SPDX-License-Identifier: GPL-3.0-or-later
#include "platform/termios_settings.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace vz::platform {
namespace {

struct Speed {
  unsigned baud;
  speed_t constant;
};

constexpr std::array kSpeeds{
    Speed{50, B50},           Speed{75, B75},           Speed{110, B110},         Speed{134, B134},
    Speed{150, B150},         Speed{200, B200},         Speed{300, B300},         Speed{600, B600},
    Speed{1200, B1200},       Speed{1800, B1800},       Speed{2400, B2400},       Speed{4800, B4800},
    Speed{9600, B9600},       Speed{19200, B19200},     Speed{38400, B38400},     Speed{57600, B57600},
    Speed{115200, B115200},   Speed{230400, B230400},   Speed{460800, B460800},   Speed{500000, B500000},
    Speed{576000, B576000},   Speed{921600, B921600},   Speed{1000000, B1000000}, Speed{1152000, B1152000},
    Speed{1500000, B1500000}, Speed{2000000, B2000000}, Speed{2500000, B2500000}, Speed{3000000, B3000000},
    Speed{3500000, B3500000}, Speed{4000000, B4000000},
};

tcflag_t format_bits(CharacterFormat format) {
  switch (format) {
    case CharacterFormat::n8: return CS8;
    case CharacterFormat::n7: return CS7;
    case CharacterFormat::e7: return CS7 | PARENB;
    case CharacterFormat::o7: return CS7 | PARENB | PARODD;
    case CharacterFormat::e8: return CS8 | PARENB;
  }
  return CS8;
}

}  // namespace

std::optional<speed_t> speed_constant(unsigned baud) {
  const auto speed = std::find_if(kSpeeds.begin(), kSpeeds.end(), [&](const Speed& s) { return s.baud == baud; });
  if (speed == kSpeeds.end()) return std::nullopt;
  return speed->constant;
}

std::string known_baud_rates() {
  std::string list;
  for (const Speed& speed : kSpeeds) list += fmt::format("{}{}", list.empty() ? "" : ", ", speed.baud);
  return list;
}

std::optional<termios> raw_termios(const termios& base, LineSettings line) {
  const auto speed = speed_constant(line.baud);
  if (!speed) return std::nullopt;
  termios settings = base;
  // No input, output or local processing of any kind, so no flag of theirs survives.
  settings.c_iflag = marks_parity(line.format) ? INPCK | PARMRK : 0;
  if (line.format == CharacterFormat::e8) settings.c_iflag = INPCK | IGNPAR;  // no bit is free to mark a character with
  settings.c_oflag = 0;
  settings.c_lflag = 0;
  constexpr tcflag_t kFormat = CSIZE | CSTOPB | PARENB | PARODD | CMSPAR;
  settings.c_cflag &= ~(kFormat | static_cast<tcflag_t>(CRTSCTS));
  settings.c_cflag |= format_bits(line.format) | CREAD | CLOCAL;
  settings.c_cc[VMIN] = 1;
  settings.c_cc[VTIME] = 0;
  ::cfsetispeed(&settings, *speed);
  ::cfsetospeed(&settings, *speed);
  return settings;
}

}  // namespace vz::platform
