// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/source_records.hpp"
#include "vz/session.hpp"

namespace vz::w1therm {

/// What the kernel's driver says of a sensor: two lines, `<9 bytes> : crc=57 YES` and `<9 bytes> t=23125`.
struct Answer {
  std::optional<int> millidegrees;
  FaultKind fault{};   ///< without a value: why
  std::string detail;
};
Answer read_answer(std::string_view first, std::string_view second);

/// The temperatures of all sensors on the 1-wire bus. Each read takes whatever sensors are there; one that was there
/// within the last day and is not is a fault. Reads are at least one second apart.
///
/// 85.000 degrees is what a sensor says that has not measured yet. Such a value counts only if the reading before or the
/// one after it is near (kNear) and not that value itself; until then it is held, and sent later with its own time.
/// Pure; thread-compatible. Knows at most kMostSensors sensors.
class ThermSession final : public Session {
 public:
  static constexpr std::size_t kMostSensors = 400;
  static constexpr int kPowerOn = 85'000;
  static constexpr int kNear = 10'000;

  [[nodiscard]] LineSettings initial_line() const override { return {}; }
  [[nodiscard]] bool pulls() const override { return true; }
  void opened(Instant now, SessionOut& out) override;
  void begin(Instant now, SessionOut& out) override;
  std::size_t received(std::span<const std::byte> bytes, Instant now, MonoTime previous, SessionOut& out) override;
  void timer(Instant, SessionOut&) override {}
  void lost(Instant, SessionOut&) override {}

 private:
  struct Sensor {
    MonoTime seen{};
    bool here = false;             ///< in this read
    std::optional<int> last;       ///< the last good value other than 85.000
    MonoTime last_at{};
    std::optional<WallTime> held;  ///< when it said 85.000
  };
  void take(const Record& record, Instant now, SessionOut& out);
  void start_sensor(std::string_view name, Instant now);
  void value(int millidegrees, Instant now);
  void fault(FaultKind kind, std::string detail) { faults_.push_back({kind, std::move(detail)}); }
  void emit(int millidegrees, WallTime stamp);
  void end_read(Instant now, SessionOut& out);

  RecordReader records_;
  std::map<std::string, Sensor, std::less<>> sensors_;
  std::string name_;        ///< whose lines come now
  Sensor* sensor_ = nullptr;
  std::string first_line_;
  unsigned lines_ = 0;
  MonoTime begun_{};
  std::vector<Reading> readings_;  ///< of this read; handed over at its end
  std::vector<Fault> faults_;
};

}  // namespace vz::w1therm
