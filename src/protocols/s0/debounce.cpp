// SPDX-License-Identifier: GPL-3.0-or-later
#include "protocols/s0/debounce.hpp"

#include <algorithm>

namespace vz::s0 {

void Debounce::start(bool high, MonoTime at) {
  now_ = at;
  high_ = high;
  pulse_ = high;
  charge_ = high ? settle_ : MonoDuration::zero();
}

std::optional<MonoTime> Debounce::edge(bool high, MonoTime at) {
  auto found = advance(at);
  const bool begins = high && !pulse_ && charge_ == MonoDuration::zero();
  high_ = high;
  if (begins) rise_ = now_;
  if (settle_ == MonoDuration::zero()) {
    pulse_ = high;
    if (high) found = now_;
  }
  return found;
}

std::optional<MonoTime> Debounce::advance(MonoTime to) {
  const MonoDuration passed = std::max(to - now_, MonoDuration::zero());
  now_ = std::max(now_, to);
  if (settle_ == MonoDuration::zero()) return std::nullopt;
  if (!high_) {
    charge_ -= std::min(charge_, passed);
    if (charge_ == MonoDuration::zero()) pulse_ = false;
    return std::nullopt;
  }
  charge_ += std::min(settle_ - charge_, passed);
  if (charge_ < settle_ || pulse_) return std::nullopt;
  pulse_ = true;
  return rise_;
}

}  // namespace vz::s0
