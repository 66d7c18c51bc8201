// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <optional>

#include "core/source_records.hpp"
#include "protocols/s0/debounce.hpp"
#include "vz/session.hpp"

namespace vz::s0 {

/// The settings of an s0 meter, from its options.
struct S0Settings {
  enum class Input : std::uint8_t {
    bytes,    ///< each byte is a pulse
    records,  ///< edges or pulses with their times (core/edge_records.hpp)
  };
  Input input = Input::records;
  unsigned resolution = 1000;             ///< pulses of a kilowatt-hour
  bool send_zero = false;                 ///< seconds without pulse are reported, too
  std::chrono::milliseconds debounce{30}; ///< two pulses are at least this far apart; 0: every edge is one
};

/// Counts the pulses of a meter with a pulse output (S0, IEC 62053-31).
///
/// Once a second, if there was a pulse (or always, with send_zero), readings named `Power`, `Impulse`, `Power_neg` and
/// `Impulse_neg`: the number of pulses since the readings before, and the power from the time between the last pulse and
/// the last one reported before. While nothing is to be reported there is no timer. Readings carry the time of their last pulse.
/// Power needs a pulse before, so that the first pulses have none. Neither edges nor pulses are forgotten when reads are late:
/// their times are those of the records. Does not allocate in the steady state.
class S0Session final : public Session {
 public:
  explicit S0Session(S0Settings settings);

  /// As the old daemon set it: at 300 baud a pulse is one character.
  [[nodiscard]] LineSettings initial_line() const override { return {300, CharacterFormat::n8}; }
  [[nodiscard]] bool pulls() const override { return false; }
  void opened(Instant now, SessionOut& out) override;
  void begin(Instant now, SessionOut& out) override;
  std::size_t received(std::span<const std::byte> bytes, Instant now, MonoTime previous, SessionOut& out) override;
  void timer(Instant now, SessionOut& out) override;
  /// What was counted becomes readings: the pulses will not come again.
  void lost(Instant now, SessionOut& out) override;

 private:
  void take_bytes(std::size_t count, MonoTime now, MonoTime previous);
  void take(const Record& record, SessionOut& out);
  void take_edge(RecordKind kind, std::string_view text);
  void count(std::optional<MonoTime> pulse);
  void report(Instant now, SessionOut& out);
  void emit(bool negative, unsigned pulses, std::optional<double> seconds, WallTime stamp, SessionOut& out) const;
  void arm(Instant now, SessionOut& out);
  [[nodiscard]] bool pending() const { return positive_ + negative_ > 0; }

  S0Settings settings_;
  RecordReader records_;
  Debounce debounce_;
  bool direction_high_ = false;
  MonoTime opened_{};                  ///< the seconds count from here
  std::optional<MonoTime> tick_;       ///< the whole second at which to report
  MonoTime received_{};                ///< when something was received last
  unsigned late_ = 0;                  ///< timers in a row that found reads under way
  unsigned positive_ = 0;              ///< pulses not reported yet
  unsigned negative_ = 0;
  std::optional<MonoTime> last_pulse_; ///< the latest one
  std::optional<MonoTime> reference_;  ///< the latest one that was reported
  bool first_ = true;                  ///< nothing was reported yet
};

}  // namespace vz::s0
