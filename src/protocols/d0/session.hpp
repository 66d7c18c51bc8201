// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "core/arrival_log.hpp"
#include "protocols/d0/counter_gate.hpp"
#include "protocols/d0/decoder.hpp"
#include "protocols/d0/glo_cipher.hpp"
#include "protocols/d0/pause_learner.hpp"
#include "vz/session.hpp"

namespace vz::d0 {

/// The settings of a d0 meter, from its options.
struct D0Settings {
  enum class Acknowledge : std::uint8_t { none, fixed, automatic };

  std::vector<std::byte> pull_sequence;         ///< empty: the meter sends by itself
  Acknowledge acknowledge = Acknowledge::none;
  std::vector<std::byte> ack_sequence;          ///< of Acknowledge::fixed
  LineSettings line{9600, CharacterFormat::e7};
  std::optional<unsigned> baud_read;            ///< speed of the readout, where the configuration gives it
  std::chrono::seconds read_timeout{10};
  std::chrono::milliseconds change_delay{0};    ///< 0: as long as the transmission takes
  ChecksumMode checksum = ChecksumMode::automatic;
  bool paced_line = true;                       ///< a serial line: characters take the time their speed says
  bool use_local_time = false;                  ///< never the meter's time
  std::optional<AesBlock> key;                  ///< of encrypted telegrams, for meters that send by themselves
  std::optional<AesBlock> authentication_key;   ///< the same, where the configuration gives it
};

/// Meter and host may differ by this much for the meter's time to be believed: clocks drift by minutes, while a wrong time zone
/// is half an hour at least.
inline constexpr std::chrono::minutes kPlausible{10};
/// A value that a P1 meter has from another meter can be this old.
inline constexpr std::chrono::days kOldestCapture{31};

/// The conversation with an IEC 62056-21 meter in modes A, B, C (and E, used as C), with one that pushes (mode D and
/// its relatives), and with a DSMR P1 port. Clauses 6.3 to 6.5; timing: protocols of the standard's annex.
///
/// Asks again at once (by NAK where the meter understands it, else by a new request after the pause that the meter
/// needs) when a readout is damaged: twice, or once for a battery-powered meter that has to be woken up.
class D0Session final : public Session {
 public:
  explicit D0Session(D0Settings settings);

  LineSettings initial_line() const override { return settings_.line; }
  bool pulls() const override { return !settings_.pull_sequence.empty(); }
  void opened(Instant now, SessionOut& out) override;
  void begin(Instant now, SessionOut& out) override;
  std::size_t received(std::span<const std::byte> bytes, Instant now, MonoTime previous, SessionOut& out) override;
  void timer(Instant now, SessionOut& out) override;
  void lost(Instant now, SessionOut& out) override;

 private:
  enum class State : std::uint8_t {
    idle,             ///< between cycles
    before_request,   ///< the line is set, waiting until the request may go out
    waking,           ///< the wake-up message is out: the pause before the request
    awaiting_answer,  ///< the request is out: identification expected
    before_ack,       ///< the identification is in: reaction time
    changing_speed,   ///< the acknowledge is going out: then the speed changes
    awaiting_block,   ///< data message expected, or being received
    before_repeat,    ///< a damaged readout: waiting for the line to be silent
    listening,        ///< a meter that sends by itself
  };
  void send_request(Instant now, SessionOut& out);
  void send_acknowledge(Instant now, SessionOut& out);
  void send_repeat_request(Instant now, SessionOut& out);
  void on_identification(const D0Event& event, Instant now, SessionOut& out);
  bool on_telegram(const D0Event& event, WallTime stamp, bool authentic, Instant now, SessionOut& out);
  void use_meter_time(WallTime clock, WallTime arrival, SessionOut& out);
  void drop_repeated_captures(WallTime clock, std::vector<Reading>& readings);
  std::size_t received_encrypted(std::span<const std::byte> bytes, Instant now, MonoTime previous, SessionOut& out);
  bool on_frame(const GloEvent& event, Instant now, SessionOut& out);
  void on_frame_silence(Instant now, SessionOut& out);
  void arm_encrypted(Instant now, SessionOut& out);
  bool looks_encrypted(std::span<const std::byte> bytes);
  void on_damage(const D0Event& event, Instant now, SessionOut& out);
  void on_silence(Instant now, SessionOut& out);
  void settle_line(Instant now);
  void note_readout_end();
  bool deaf(MonoDuration elapsed);
  [[nodiscard]] bool repeats_by_nak() const;
  void fail(FaultKind kind, std::string detail, Instant now, SessionOut& out);
  void end_cycle(Instant now, SessionOut& out);
  void change_line(unsigned baud, SessionOut& out);
  void arm(Instant now, SessionOut& out);
  bool handle(const D0Event& event, Instant now, SessionOut& out);

  [[nodiscard]] MonoDuration answer_limit() const;
  [[nodiscard]] MonoDuration gap_limit() const;
  [[nodiscard]] MonoDuration known_limit(MonoDuration slowest) const;
  [[nodiscard]] std::chrono::milliseconds reaction() const { return std::chrono::milliseconds{fast_ ? 20 : 200}; }
  [[nodiscard]] unsigned max_repeats() const;

  D0Settings settings_;
  D0Decoder decoder_;
  CounterGate gate_;
  PauseLearner learner_;
  LineSettings line_;

  State state_ = State::idle;
  MonoTime deadline_{};                 ///< of the state
  MonoTime last_byte_{};
  MonoTime transmitted_{};              ///< when the last thing we sent has left the line
  MonoTime request_sent_{};
  std::array<std::byte, 6> ack_{};      ///< of Acknowledge::automatic
  unsigned next_baud_ = 0;              ///< with changing_speed
  char meter_baud_ = ' ';
  bool fast_ = false;
  std::size_t since_request_ = 0;       ///< bytes that arrived since the request, an echo included
  MonoTime latest_ack_{};
  MonoTime settle_until_{};
  unsigned repeats_ = 0;                ///< of this cycle
  bool repeat_pending_ = false;         ///< a NAK is out
  bool had_etx_ = false;                ///< the damaged message was complete, so that a NAK makes sense

  // learned, kept over a re-opened line
  bool quick_ = false;                  ///< there was a good readout, and no silence since
  unsigned nak_rest_ = 0;               ///< good readouts until a NAK is tried again
  bool saw_check_ = false;              ///< the meter sends check values
  std::optional<MonoTime> readout_end_; ///< of the last one, right or damaged
  MonoDuration slowest_answer_{};
  MonoDuration longest_gap_{};
  std::size_t block_length_ = 0;        ///< of the last good telegram, from the block's first byte to the end
  std::size_t message_length_ = 0;      ///< of the last good telegram with its identification
  ArrivalLog arrivals_;

  /// A value that the meter has from another one, and when it took it over.
  struct Capture {
    Obis code;
    WallTime at{};
    double value = 0.0;
  };
  static constexpr std::size_t kMaxCaptures = 16;
  std::vector<Capture> captures_;       ///< the latest one of each code
  struct OwnTime {
    std::size_t reading = 0;
    WallTime at{};
  };
  std::vector<OwnTime> own_times_;      ///< of the telegram at hand
  bool meter_time_used_ = false;        ///< for the telegram at hand

  std::array<std::byte, 14> head_{};    ///< what may be the head of an encrypted telegram
  std::size_t head_size_ = 0;
  std::optional<GloReader> cipher_;     ///< for encrypted telegrams
  MonoTime last_frame_{};               ///< end of the latest one, or when waiting for one began
  std::size_t bytes_in_vain_ = 0;       ///< received since then
};

}  // namespace vz::d0
