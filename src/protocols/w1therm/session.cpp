// SPDX-License-Identifier: GPL-3.0-or-later
#include "protocols/w1therm/session.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>

namespace vz::w1therm {
namespace {

constexpr std::array<std::byte, 1> kRequest{std::byte{'r'}};
constexpr std::chrono::seconds kShortestPause{1};
constexpr std::chrono::hours kRemembered{24};
/// A neighbour in time is at most this old.
constexpr std::chrono::hours kNeighbour{1};

/// All nine bytes zero: the bus is shorted to ground. The check value of zeros is zero, so the kernel says YES.
bool all_zero(std::string_view line) {
  const std::string_view bytes = line.substr(0, line.find(':'));
  return bytes.find('0') != std::string_view::npos && bytes.find_first_not_of("0 ") == std::string_view::npos;
}

}  // namespace

Answer read_answer(std::string_view first, std::string_view second) {
  if (first.find("YES") == std::string_view::npos)
    return {std::nullopt, FaultKind::check_value, "the check value is wrong: a loose contact, a cable too long, or no pull-up resistor"};
  if (all_zero(first)) return {std::nullopt, FaultKind::check_value, "it says nothing but zeros: is the data line shorted?"};
  const std::size_t at = second.find("t=");
  if (at == std::string_view::npos) return {std::nullopt, FaultKind::truncated, "there is no temperature in its answer"};
  second.remove_prefix(at + 2);
  int value = 0;
  const auto [end, error] = std::from_chars(second.data(), second.data() + second.size(), value);
  if (error != std::errc{} || end != second.data() + second.size())
    return {std::nullopt, FaultKind::grammar, "its temperature is no number"};
  constexpr int kColdest = -55'000;
  constexpr int kHottest = 125'000;
  if (value < kColdest || value > kHottest)
    return {std::nullopt, FaultKind::implausible, fmt::format("{:.3f} degrees is more than such a sensor can measure", value / 1000.0)};
  return {value, {}, {}};
}

void ThermSession::opened(Instant, SessionOut&) {
  records_.clear();
  sensor_ = nullptr;
}

void ThermSession::begin(Instant now, SessionOut& out) {
  begun_ = now.mono;
  readings_.clear();
  faults_.clear();
  sensor_ = nullptr;
  for (auto& [name, sensor] : sensors_) sensor.here = false;
  out.actions.emplace_back(WriteBytes{kRequest});
}

std::size_t ThermSession::received(std::span<const std::byte> bytes, Instant now, MonoTime, SessionOut& out) {
  records_.feed(bytes, [&](const Record& record) { take(record, now, out); });
  return bytes.size();
}

void ThermSession::take(const Record& record, Instant now, SessionOut& out) {
  switch (record.kind) {
    case RecordKind::sensor: start_sensor(record.text, now); break;
    case RecordKind::trouble:
      fault(FaultKind::silence, std::string{record.text});
      sensor_ = nullptr;
      break;
    case RecordKind::end: end_read(now, out); break;
    case RecordKind::line: {
      if (sensor_ == nullptr || ++lines_ > 2) break;
      if (lines_ == 1) {
        first_line_ = record.text;
        break;
      }
      const Answer answer = read_answer(first_line_, record.text);
      if (answer.millidegrees) value(*answer.millidegrees, now);
      else fault(answer.fault, fmt::format("sensor {}: {}", name_, answer.detail));
      break;
    }
    default: break;
  }
}

void ThermSession::start_sensor(std::string_view name, Instant now) {
  sensor_ = nullptr;
  lines_ = 0;
  auto found = sensors_.find(name);
  if (found == sensors_.end()) {
    if (sensors_.size() == kMostSensors) return;
    found = sensors_.emplace(std::string{name}, Sensor{}).first;
  }
  name_ = name;
  sensor_ = &found->second;
  sensor_->seen = now.mono;
  sensor_->here = true;
}

void ThermSession::emit(int millidegrees, WallTime stamp) {
  constexpr double kThousand = 1000.0;
  readings_.push_back({Identifier{name_}, millidegrees / kThousand, Unit{"°C"}, stamp});
}

void ThermSession::value(int millidegrees, Instant now) {
  const bool recent = sensor_->last && now.mono - sensor_->last_at <= kNeighbour;
  if (millidegrees == kPowerOn && !(recent && std::abs(*sensor_->last - kPowerOn) <= kNear)) {
    if (sensor_->held)
      fault(FaultKind::implausible, fmt::format("sensor {} says 85.000 degrees again, as one does that has not "
                                                                "measured: is its supply voltage stable?", name_));
    sensor_->held = now.wall;
    return;
  }
  if (sensor_->held) {
    if (std::abs(millidegrees - kPowerOn) <= kNear) emit(kPowerOn, *sensor_->held);
    else
      fault(FaultKind::implausible, fmt::format("sensor {} said 85.000 degrees, as one does that has not "
                                                                "measured; its other values are far from that", name_));
    sensor_->held.reset();
  }
  emit(millidegrees, now.wall);
  // 85.000 itself confirms nothing: a chain of them would hold for ever.
  if (millidegrees == kPowerOn) return;
  sensor_->last = millidegrees;
  sensor_->last_at = now.mono;
}

void ThermSession::end_read(Instant now, SessionOut& out) {
  sensor_ = nullptr;
  for (auto at = sensors_.begin(); at != sensors_.end();) {
    const bool forget = now.mono - at->second.seen > kRemembered;
    if (!at->second.here && !forget)
      fault(FaultKind::silence, fmt::format("sensor {} is no longer on the bus", at->first));
    at = forget ? sensors_.erase(at) : std::next(at);
  }
  if (sensors_.empty() && faults_.empty())
    fault(FaultKind::silence, "there is no temperature sensor on the 1-wire bus");
  out.readings.swap(readings_);
  out.faults.swap(faults_);
  out.telegrams = out.readings.empty() ? 0 : 1;
  out.cycle_done = true;
  out.not_before = begun_ + kShortestPause;
}

}  // namespace vz::w1therm
