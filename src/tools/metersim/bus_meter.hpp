// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <ctime>
#include <functional>
#include <string>

#include "core/aes.hpp"
#include "tools/metersim/device.hpp"

namespace vz::metersim {

/// How the bus meter protects what it says (OMS specification volume 2).
enum class Protection { none, mode5, mode7 };

struct BusSettings {
  enum class Role { answers, sends } role = Role::answers;
  unsigned address = 1;                ///< primary address
  std::optional<AesBlock> key;         ///< must be set unless protection is none
  Protection protection = Protection::none;
  unsigned baud = 9600;
  MonoDuration reaction = std::chrono::milliseconds{20};
  MonoDuration period = std::chrono::seconds{10};  ///< of one that sends by itself
  std::uint64_t step_wh = 1;           ///< 1.8.0 rises by this with every readout
  std::uint64_t readouts = 0;          ///< finished after so many; 0: never
  std::function<std::tm(WallTime)> local_time;  ///< for the time in the telegram; must be set
};

/// An electricity meter on a wired M-Bus (EN 13757-2 and -3) as a state machine without I/O: number 12345678, energy and
/// power in both directions. As a slave it answers to link reset, selection by secondary address and requests, and repeats
/// its answer if the frame count bit was not toggled. As a master, as customer interfaces are, it begins with a link reset and
/// sends a telegram in each period, which it repeats twice if nobody acknowledges it, and then begins anew.
///
/// Pure but for its own state. Received frames are bounded. Thread-compatible.
class BusMeter final : public Device {
 public:
  static constexpr std::chrono::milliseconds kAckWait{1000};
  static constexpr std::chrono::milliseconds kMaxGap{200};
  static constexpr unsigned kMaxRepeats = 2;

  explicit BusMeter(BusSettings settings) : settings_(std::move(settings)) {}

  void start(Instant now, MeterOut& out) override;
  void received(const Character& character, Instant now, MeterOut& out) override;
  void transmission_began(Instant now, MeterOut& out) override;
  void transmission_ended(Instant now, MeterOut& out) override;
  [[nodiscard]] std::optional<MonoTime> timer() const override { return timer_; }
  void timer_expired(Instant now, MeterOut& out) override;
  void set_listener(bool there, Instant now) override;
  [[nodiscard]] unsigned baud() const override { return settings_.baud; }
  [[nodiscard]] bool finished() const override { return finished_; }
  [[nodiscard]] std::uint64_t readouts() const override { return number_; }
  [[nodiscard]] unsigned data_bits() const override { return 8; }
  [[nodiscard]] bool sends_by_itself() const override { return settings_.role == BusSettings::Role::sends; }

 private:
  enum class State { idle, answering, resetting, sending, awaiting_ack };

  void on_short(unsigned control, unsigned address, Instant now, MeterOut& out);
  void on_selection(Instant now, MeterOut& out);
  void on_acknowledgement(Instant now, MeterOut& out);
  void answer(std::string bytes, Instant now, MeterOut& out);
  void send(std::string bytes, MonoTime start, MeterOut& out);
  void push(Instant now, MeterOut& out);
  void give_up(Instant now, MeterOut& out);
  void next_period(Instant now);
  void readout_done(Instant now, MeterOut& out);
  [[nodiscard]] bool addressed(unsigned address) const;
  [[nodiscard]] std::string telegram(WallTime now);
  [[nodiscard]] std::string records(WallTime now) const;
  void report(MeterOut& out, std::string_view name, Instant at, nlohmann::ordered_json fields = {}) const;

  BusSettings settings_;
  AesCbc cipher_{AesCbc::Direction::encrypt};
  State state_ = State::idle;
  std::string input_;
  MonoTime last_character_{};
  std::optional<MonoTime> timer_;
  MonoTime next_push_{};
  bool listener_ = true;
  bool selected_ = false;
  bool finished_ = false;
  bool linked_ = false;           ///< as master: the link reset was acknowledged
  bool data_ = false;             ///< what is being sent is a telegram
  bool frame_count_bit_ = true;   ///< as master: of the next telegram
  std::optional<unsigned> last_request_;  ///< as slave: its control field
  std::string last_frame_;
  unsigned repeats_ = 0;
  std::uint64_t number_ = 0;
};

}  // namespace vz::metersim
