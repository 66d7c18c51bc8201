// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "vz/error.hpp"
#include "vz/time.hpp"

namespace vz::platform {

/// A GPIO chip of this machine.
struct GpioChip {
  std::string name;    ///< "gpiochip0"
  std::string label;   ///< "pinctrl-bcm2711"
  unsigned lines = 0;
  int error = 0;       ///< errno if it cannot be opened; label and lines are then unknown
};

struct GpioEvent {
  bool rising = false;
  MonoTime at{};  ///< by the kernel
};

/// An input line that reports its edges. The destructor gives it back. Used by one thread at a time.
class GpioLine {
 public:
  virtual ~GpioLine() = default;
  /// Readable while edges wait.
  [[nodiscard]] virtual int fd() const = 0;
  /// Takes edges that wait, oldest first; never blocks. Returns how many, 0 if there are none.
  virtual Expected<std::size_t> take(std::span<GpioEvent> events) = 0;
  virtual Expected<bool> level() = 0;
};

/// What this program needs of libgpiod; tests bring their own. Thread-safe.
class GpioDriver {
 public:
  virtual ~GpioDriver() = default;
  [[nodiscard]] virtual std::vector<GpioChip> chips() const = 0;
  /// Takes a line as input for edges of both kinds. Its bias (pull-up, pull-down) stays as it is.
  virtual Expected<std::unique_ptr<GpioLine>> request(const std::string& chip, unsigned line) = 0;
};

}  // namespace vz::platform
