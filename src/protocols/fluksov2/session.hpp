// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string_view>
#include <vector>

#include "core/source_records.hpp"
#include "vz/session.hpp"

namespace vz::fluksov2 {

/// Most sensors that one line may name.
inline constexpr std::size_t kMostSensors = 64;

/// Reads `<unix seconds> [<sensor> <consumption> <power>]...`: whole numbers between blanks or tabs. Appends consumption
/// and power of each sensor with the line's own time. False if the line is anything else; then nothing is appended.
bool read_line(std::string_view line, std::vector<Reading>& out);

/// Makes readings out of the lines of the Flukso's fifo, as they come. Pure; thread-compatible.
class FluksoSession final : public Session {
 public:
  [[nodiscard]] LineSettings initial_line() const override { return {}; }
  [[nodiscard]] bool pulls() const override { return false; }
  void opened(Instant, SessionOut&) override { records_.clear(); }
  void begin(Instant, SessionOut&) override {}
  std::size_t received(std::span<const std::byte> bytes, Instant now, MonoTime previous, SessionOut& out) override;
  void timer(Instant, SessionOut&) override {}
  void lost(Instant, SessionOut&) override {}

 private:
  RecordReader records_;
};

}  // namespace vz::fluksov2
