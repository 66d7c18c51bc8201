// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/backoff.hpp"

#include <algorithm>

namespace vz {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// A year and a day: keeps the doubling and the jitter far from the ends of the type.
constexpr seconds kLongest{366LL * 24 * 3600};
constexpr double kSpread = 0.2;

}  // namespace

std::uint64_t JitterSource::next() {
  state_ += 0x9e3779b97f4a7c15U;
  std::uint64_t z = state_;
  z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
  return z ^ (z >> 31U);
}

double JitterSource::unit() { return static_cast<double>(next() >> 11U) * 0x1.0p-53; }

Backoff::Backoff(seconds first, seconds cap)
    : first_(std::clamp(first, seconds{1}, kLongest)),
      cap_(std::clamp(cap, std::clamp(first, seconds{1}, kLongest), kLongest)),
      step_(first_) {}

milliseconds Backoff::next(JitterSource& jitter) {
  const milliseconds pause = step_;
  step_ = std::min(step_ * 2, cap_);
  const double factor = 1.0 - kSpread + 2.0 * kSpread * jitter.unit();
  return milliseconds{static_cast<milliseconds::rep>(static_cast<double>(pause.count()) * factor)};
}

}  // namespace vz
