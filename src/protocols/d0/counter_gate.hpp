// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <span>
#include <vector>

#include "vz/reading.hpp"

namespace vz::d0 {

/// Guards counters of telegrams that carry no check value: a counter that runs backwards or leaps is held back until
/// the next telegram confirms it, so that one damaged digit never becomes consumption, and a replaced meter costs one
/// telegram of patience and no reading.
///
/// A leap is more than `kLargestPower` kW or cubic metres an hour since the last accepted value, and more than what the
/// last digit may jitter. Pure; bounded by the number of registers of a telegram (kMaxRegisters). Allocates only when
/// a register is seen for the first time.
class CounterGate {
 public:
  static constexpr std::size_t kMaxRegisters = 400;
  static constexpr double kLargestPower = 200.0;

  /// Takes a telegram's readings and leaves in `readings` those that may pass; held ones that this telegram confirms
  /// come first, with their own stamps. Returns how many held values were refused.
  unsigned filter(std::vector<Reading>& readings);
  /// Values that something else vouches for.
  void observe(std::span<const Reading> readings);

 private:
  struct Register {
    Obis code;
    Reading accepted;
    Reading held;
    bool has_accepted = false;
    bool has_held = false;
    unsigned telegram = 0;  ///< in which it was seen last
  };
  Register* find(const Obis& code);
  static bool follows(const Reading& before, const Reading& after);

  std::vector<Register> registers_;
  std::vector<Reading> confirmed_;
  unsigned telegram_ = 0;
};

}  // namespace vz::d0
