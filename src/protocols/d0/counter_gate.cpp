// SPDX-License-Identifier: GPL-3.0-or-later
#include "protocols/d0/counter_gate.hpp"

#include <algorithm>
#include <utility>

namespace vz::d0 {

CounterGate::Register* CounterGate::find(const Obis& code) {
  for (auto& entry : registers_)
    if (entry.code == code) return &entry;
  if (registers_.size() >= kMaxRegisters) return nullptr;
  registers_.push_back({.code = code, .accepted = {}, .held = {}});
  return &registers_.back();
}

/// Whether `after` is a value that a counter at `before` can have reached by its time.
bool CounterGate::follows(const Reading& before, const Reading& after) {
  const double rise = after.value - before.value;
  if (rise < 0) return false;
  const double hours = std::max(0.0, std::chrono::duration<double, std::ratio<3600>>(after.stamp - before.stamp).count());
  const auto unit = after.unit.text();
  constexpr std::string_view kLargePrefixes = "kKMG";
  const bool small_unit = !unit.empty() && kLargePrefixes.find(unit.front()) == std::string_view::npos && unit.size() > 1 &&
                          unit.back() == 'h';
  const double scale = small_unit ? 1000.0 : 1.0;  // Wh and varh count a thousand times as fast as kWh
  return rise <= scale * (1.0 + kLargestPower * hours);
}

void CounterGate::observe(std::span<const Reading> readings) {
  for (const auto& reading : readings) {
    const Obis* code = reading.identifier.obis();
    Register* entry = code != nullptr && code->is_counter() ? find(*code) : nullptr;
    if (entry == nullptr) continue;
    entry->accepted = reading;
    entry->has_accepted = true;
    entry->has_held = false;
  }
}

unsigned CounterGate::filter(std::vector<Reading>& readings) {
  unsigned refused = 0;
  confirmed_.clear();
  ++telegram_;
  std::size_t kept = 0;
  for (auto& reading : readings) {
    const Obis* code = reading.identifier.obis();
    Register* entry = code != nullptr && code->is_counter() ? find(*code) : nullptr;
    bool pass = true;
    if (entry != nullptr && std::exchange(entry->telegram, telegram_) == telegram_) entry = nullptr;  // the first counts
    if (entry != nullptr) {
      if (!entry->has_accepted || follows(entry->accepted, reading)) {
        refused += entry->has_held ? 1 : 0;  // what was held is not on the way from the old value to this one
        entry->has_held = false;
      } else if (entry->has_held && follows(entry->held, reading)) {
        confirmed_.push_back(entry->held);
        entry->has_held = false;
      } else {
        refused += entry->has_held ? 1 : 0;
        entry->held = reading;
        entry->has_held = true;
        pass = false;
      }
      if (pass) {
        entry->accepted = reading;
        entry->has_accepted = true;
      }
    }
    if (pass) {
      if (&readings[kept] != &reading) readings[kept] = std::move(reading);
      ++kept;
    }
  }
  readings.resize(kept);
  if (!confirmed_.empty()) readings.insert(readings.begin(), confirmed_.begin(), confirmed_.end());
  return refused;
}

}  // namespace vz::d0
