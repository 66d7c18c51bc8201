// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <ctime>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tools/metersim/device.hpp"
#include "tools/metersim/faults.hpp"
#include "tools/metersim/telegram.hpp"
#include "tools/metersim/wire.hpp"
#include "vz/time.hpp"

namespace vz::metersim {

/// How the meter comes to speak (IEC 62056-21, clause 6.4). d and push differ in their usual speed only.
enum class Mode { a, b, c, d, e, push };
std::string_view text(Mode mode);
[[nodiscard]] constexpr bool pushes(Mode mode) { return mode == Mode::d || mode == Mode::push; }

/// What a mode C meter does without a (right) acknowledgement.
enum class NoAck { go_on, silent };
/// What it does with a NAK after the readout.
enum class OnNak { repeat, ignore };
/// Whether it has to be woken by NULs, as battery-powered meters have.
enum class WakeUp { not_needed, needed };

/// Speed that the identification's baud rate character stands for; 0 for a reserved one.
unsigned baud_of(char z, Mode mode);
/// The mode that the identification shows: digit C, letter A to I B, anything else A.
Mode mode_of(std::string_view identification);

struct MeterSettings {
  Telegram telegram;
  Mode mode = Mode::c;
  std::vector<Counter> counters;
  Registers::Clock clock = Registers::Clock::runs;
  std::string address;          ///< device address; empty: any request without a foreign address
  unsigned initial_baud = 300;  ///< for pushing meters the only speed
  MonoDuration reaction = std::chrono::milliseconds{200};
  MonoDuration recovery{};  ///< after a readout requests are ignored for so long
  NoAck no_ack = NoAck::go_on;
  OnNak on_nak = OnNak::repeat;
  WakeUp wake_up = WakeUp::not_needed;
  MonoDuration period = std::chrono::seconds{10};  ///< of a pushing meter
  ByteForm form = ByteForm::seven;
  FaultPlan faults;
  MonoDuration hangup_time = std::chrono::seconds{2};
  std::uint64_t readouts = 0;                   ///< finished after so many; 0: never
  std::function<std::tm(WallTime)> local_time;  ///< for the clock registers; must be set
};

/// The tariff device of IEC 62056-21 as a state machine without I/O: it is told characters and time, and asks for
/// transmissions and timers (clauses 6.3 to 6.5 and annex A; timing of 6.4.3).
///
/// Pure but for its own state: no clock, no I/O; the same calls give the same answers. It hears nothing while it gets
/// ready to speak (reaction time) and while it sends a data message, but it does hear an acknowledgement that comes
/// while it still sends its identification. Received messages are bounded (kMaxMessage). Thread-compatible.
class Meter final : public Device {
 public:
  static constexpr std::size_t kMaxMessage = 64;
  static constexpr std::size_t kMaxAddress = 32;
  /// How long it waits for the acknowledgement, and for ACK or NAK after the readout.
  static constexpr std::chrono::milliseconds kAckWait{2200};
  static constexpr std::chrono::milliseconds kEndWait{1500};
  static constexpr std::chrono::milliseconds kMaxGap{1500};
  static constexpr unsigned kMaxRepeats = 3;
  /// Wake-up: NULs for two seconds (60 characters at 300 Bd), then a pause. The standard's reader does 2.1 to 2.3 s
  /// and 1.5 to 1.7 s; the meter falls asleep again when no request follows.
  static constexpr unsigned kWakeCharacters = 60;
  static constexpr std::chrono::milliseconds kWakeGap{100};
  static constexpr std::chrono::milliseconds kMinWakePause{1400};
  static constexpr std::chrono::milliseconds kMaxWakePause{6000};

  /// Errors: settings that do not fit each other (mode and identification, counters and registers, faults and check).
  static Expected<Meter> make(MeterSettings settings);

  void start(Instant now, MeterOut& out) override;
  void received(const Character& character, Instant now, MeterOut& out) override;
  void transmission_began(Instant now, MeterOut& out) override;
  void transmission_ended(Instant now, MeterOut& out) override;
  [[nodiscard]] std::optional<MonoTime> timer() const override { return timer_; }
  void timer_expired(Instant now, MeterOut& out) override;
  void set_listener(bool there, Instant now) override;

  [[nodiscard]] unsigned baud() const override { return baud_; }
  [[nodiscard]] bool finished() const override { return finished_; }
  [[nodiscard]] std::uint64_t readouts() const override { return number_; }
  [[nodiscard]] unsigned data_bits() const override { return settings_.form == ByteForm::seven ? 7 : 8; }
  [[nodiscard]] bool sends_by_itself() const override { return pushes(settings_.mode); }
  [[nodiscard]] const MeterSettings& settings() const { return settings_; }

 private:
  enum class State { idle, identifying, awaiting_ack, sending, after_readout };
  enum class Collecting { nothing, request, acknowledgement, command };

  Meter(MeterSettings settings, Registers registers)
      : settings_(std::move(settings)), registers_(std::move(registers)) {}

  void begin_message(char byte, const Character& character, Instant now, MeterOut& out);
  void continue_message(char byte, Instant now, MeterOut& out);
  void continue_command(char byte, Instant now, MeterOut& out);
  void hear_sml(char byte, Instant now, MeterOut& out);
  void hear_nul(const Character& character);

  void on_request(Instant now, MeterOut& out);
  [[nodiscard]] std::string_view why_ignored() const;
  [[nodiscard]] bool addressed() const;
  [[nodiscard]] bool awake() const;
  void on_acknowledgement(Instant now, MeterOut& out);
  void on_nak(Instant now, MeterOut& out);

  void draw_fault();
  void identify(Instant now, MeterOut& out);
  void push(Instant now, MeterOut& out);
  void begin_readout(Instant now, MonoTime start, unsigned baud, MeterOut& out);
  void send_data(std::optional<LineFault> fault, Instant now, MonoTime start, MeterOut& out);
  void identified(Instant now, MeterOut& out);
  void data_sent(Instant now, MeterOut& out);
  void to_idle();

  [[nodiscard]] std::string on_line(std::string_view characters) const;
  void report(MeterOut& out, std::string_view name, Instant at, nlohmann::ordered_json fields = {}) const;

  MeterSettings settings_;
  Registers registers_;
  unsigned readout_baud_ = 300;
  State state_ = State::idle;
  unsigned baud_ = 300;
  std::optional<MonoTime> timer_;
  MonoTime started_{};
  bool finished_ = false;
  bool listener_ = true;
  MonoTime next_push_{};

  Collecting collecting_ = Collecting::nothing;
  std::string message_;
  MonoTime message_began_{};
  MonoTime last_character_{};
  unsigned parity_errors_ = 0;
  unsigned nuls_ = 0;
  MonoTime last_nul_{};

  MonoTime speak_at_{};                ///< start of the transmission under way
  bool broken_ = false;                ///< a break came during the identification
  std::optional<unsigned> early_ack_;  ///< speed of an acknowledgement that came during the identification
  std::uint64_t attempt_ = 0;          ///< requests served, or telegrams pushed: what the faults are drawn for
  std::optional<LineFault> fault_;
  Random random_{0};
  MonoDuration delay_{};      ///< what a slow answer adds to the reaction time
  std::uint64_t number_ = 0;  ///< of the readout under way, or of the last one
  unsigned repeats_ = 0;
  Readout readout_;
  bool damaged_ = false;
  bool hang_up_ = false;
  MonoTime recovered_{};  ///< requests that begin earlier are ignored
};

}  // namespace vz::metersim
