// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <optional>

#include "vz/session.hpp"

namespace vz::random {

/// Bounds of the walk; `low` is not above `high`.
struct Bounds {
  double low = 0.0;
  double high = 40.0;
};

/// A random walk with normally distributed steps (standard deviation 1) between two bounds, for trying out everything
/// behind the meter. Starts at 20, or at the bound nearest to it. One reading without identifier a cycle, cycles at least
/// one second apart. The sequence depends on the moment of the first opened() alone. Pure; thread-compatible.
class RandomSession final : public Session {
 public:
  explicit RandomSession(Bounds bounds);

  [[nodiscard]] LineSettings initial_line() const override { return {}; }
  [[nodiscard]] bool pulls() const override { return true; }
  void opened(Instant now, SessionOut& out) override;
  void begin(Instant now, SessionOut& out) override;
  std::size_t received(std::span<const std::byte> bytes, Instant now, MonoTime previous, SessionOut& out) override;
  void timer(Instant, SessionOut&) override {}
  void lost(Instant, SessionOut&) override {}

 private:
  std::uint64_t draw();
  double normal();

  Bounds bounds_;
  double value_;
  std::optional<std::uint64_t> state_;  ///< of the generator; none before the first opened()
};

}  // namespace vz::random
