// SPDX-License-Identifier: GPL-3.0-or-later
#include "protocols/random/session.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace vz::random {
namespace {

constexpr double kStart = 20.0;
constexpr std::chrono::seconds kShortestPause{1};

}  // namespace

RandomSession::RandomSession(Bounds bounds) : bounds_(bounds), value_(std::clamp(kStart, bounds.low, bounds.high)) {}

void RandomSession::opened(Instant now, SessionOut&) {
  if (state_) return;
  // Two meters are never opened in the same nanosecond, so each walks its own way.
  state_ = static_cast<std::uint64_t>(now.mono.time_since_epoch().count()) ^
           (static_cast<std::uint64_t>(now.wall.time_since_epoch().count()) << 20U);
}

/// SplitMix64 (Steele, Lea, Flood 2014).
std::uint64_t RandomSession::draw() {
  std::uint64_t z = state_.emplace(state_.value_or(0) + 0x9e3779b97f4a7c15U);
  z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
  return z ^ (z >> 31U);
}

/// Box and Muller; the first number is never 0, so the result is finite.
double RandomSession::normal() {
  constexpr double kUnit = 1.0 / 9007199254740992.0;  // 2^-53
  const double first = static_cast<double>((draw() >> 11U) + 1) * kUnit;
  const double second = static_cast<double>(draw() >> 11U) * kUnit;
  return std::sqrt(-2.0 * std::log(first)) * std::cos(2.0 * std::numbers::pi * second);
}

void RandomSession::begin(Instant now, SessionOut& out) {
  const double step = normal();
  const double next = value_ + step;
  const bool inside = next >= bounds_.low && next <= bounds_.high;
  value_ = std::clamp(inside ? next : value_ - step, bounds_.low, bounds_.high);
  out.readings.push_back({Identifier{}, value_, Unit{}, now.wall});
  out.telegrams = 1;
  out.cycle_done = true;
  out.not_before = now.mono + kShortestPause;
}

std::size_t RandomSession::received(std::span<const std::byte> bytes, Instant, MonoTime, SessionOut&) {
  return bytes.size();
}

}  // namespace vz::random
