// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <span>
#include <string>
#include <vector>

#include "platform/gpio.hpp"
#include "vz/transport.hpp"

namespace vz::platform {

/// The numbers that a chip's lines have in /sys/class/gpio: `base` to `base + lines - 1`.
struct SysfsGpioRange {
  unsigned base = 0;
  unsigned lines = 0;
  std::string label;
  std::string chip;  ///< "gpiochip0"; empty if the kernel does not say
};

/// What /sys/class/gpio (here: `root`) says; empty if it is not there.
std::vector<SysfsGpioRange> sysfs_gpio_ranges(const std::string& root);

/// A line, and how it was found.
struct GpioPlace {
  std::string chip;
  unsigned line = 0;
  std::string note;  ///< for the log, if the number had to be translated
};

/// Where the line of that number is. With `wanted.chip` the number is the line's on that chip. Else it is an old number of
/// /sys/class/gpio: translated where that folder says how; else, and with `wanted.raspberry`, the line of that number on the
/// one chip that must have been meant (the Raspberry Pi's own, or the only one there is). Refused otherwise, with the
/// words that the configuration needs. Pure.
Expected<GpioPlace> find_gpio(const GpioLines& wanted, int number, std::span<const GpioChip> chips,
                              std::span<const SysfsGpioRange> sysfs);

}  // namespace vz::platform
