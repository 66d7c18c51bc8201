// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>
#include <vector>

#include "core/arrival_log.hpp"
#include "protocols/sml/frame_finder.hpp"
#include "protocols/sml/readings.hpp"
#include "vz/session.hpp"

namespace vz::sml {

/// The settings of an sml meter, from its options.
struct SmlSettings {
  std::vector<std::byte> pull_sequence;  ///< empty: the meter sends by itself
  LineSettings line{9600, CharacterFormat::n8};
  std::chrono::seconds read_timeout{10};
  MappingSettings mapping;
  bool paced_line = true;                ///< a serial line: characters take the time their speed says
};

/// The conversation with an SML meter: one that pushes is listened to, one that is asked gets its request in each cycle,
/// after a re-opened line too. A damaged answer is asked for again, twice at most. An echo of the request is no answer.
///
/// Only what both the transport's and the message's CRC vouch for becomes a reading.
class SmlSession final : public Session {
 public:
  explicit SmlSession(SmlSettings settings);

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
    awaiting_answer,  ///< the request is out
    before_repeat,    ///< a damaged answer: waiting for the line to be silent
    listening,        ///< a meter that sends by itself
  };
  /// What a frame was good for.
  enum class Outcome : std::uint8_t { telegram, nothing, damaged };

  void send_request(Instant now, SessionOut& out);
  bool handle(const FrameEvent& event, Instant now, SessionOut& out);
  Outcome read_frame(const FrameEvent& event, WallTime arrival, SessionOut& out);
  void on_telegram(const FrameEvent& event, Instant now, SessionOut& out);
  void on_damage(const FrameEvent& event, Instant now, SessionOut& out);
  void repeat_or_end(Instant now, SessionOut& out);
  void report_silence(Instant now, SessionOut& out);
  void end_cycle(Instant now, SessionOut& out);
  void arm(Instant now, SessionOut& out);
  void note_readings(SessionOut& out) const;
  [[nodiscard]] MonoDuration settle_time() const;

  SmlSettings settings_;
  FrameFinder finder_;
  ArrivalLog arrivals_;

  State state_ = State::idle;
  MonoTime deadline_{};           ///< of the state
  MonoTime last_byte_{};
  MonoTime last_frame_{};         ///< end of the latest complete frame, or when waiting for one began
  unsigned repeats_ = 0;          ///< of this cycle
  std::size_t bytes_in_vain_ = 0; ///< received since last_frame_
  std::size_t frame_length_ = 0;  ///< of the latest good telegram; learned, kept over a re-opened line
};

}  // namespace vz::sml
