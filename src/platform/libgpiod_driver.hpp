// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <ctime>

#include "platform/gpio.hpp"

namespace vz::platform {

/// GPIO lines by the kernel's character devices, through libgpiod 1.6.
class LibgpiodDriver final : public GpioDriver {
 public:
  [[nodiscard]] std::vector<GpioChip> chips() const override;
  Expected<std::unique_ptr<GpioLine>> request(const std::string& chip, unsigned line) override;
};

/// The monotonic time of an event's stamp. Kernels before 5.7 stamp with the wall clock, later ones with the monotonic
/// clock; what is nearer to now is meant. Pure.
MonoTime event_time(timespec stamp, MonoTime now, std::chrono::sys_time<std::chrono::nanoseconds> wall);

}  // namespace vz::platform
