// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "core/arrival_log.hpp"
#include "protocols/oms/link.hpp"
#include "protocols/oms/telegram.hpp"
#include "vz/session.hpp"

namespace vz::oms {

/// A secondary address as it stands in a selection: identification, manufacturer, version, medium; F and FF match any.
using SecondaryAddress = std::array<std::byte, 8>;

/// The settings of an oms meter, from its options.
struct OmsSettings {
  LineSettings line{9600, CharacterFormat::e8};
  bool paced_line = true;                ///< a serial line: characters take the time their speed says
  std::chrono::seconds read_timeout{60};
  std::optional<std::uint8_t> address;   ///< ask the meter with this primary address; none: the meter sends by itself
  std::optional<SecondaryAddress> secondary;  ///< ask the meter that this selects
  TelegramSettings telegram;
};

/// The conversation with an M-Bus meter (EN 13757-2), in one of two roles.
///
/// A meter that sends by itself (SND_UD, as customer interfaces do) is the master: its link reset (SND_NKE) and each frame
/// that was understood are acknowledged with E5. A frame that was not (damaged, not decrypted, of an unknown kind) is not:
/// the meter may send it again, and learns that nobody reads it. Frames to everybody (255) are never acknowledged. A frame
/// that the meter repeats because our answer got lost is acknowledged again, and its readings are not made twice.
///
/// With an address we are the master: link reset once, then a request (REQ_UD2) in each cycle, with the frame count bit
/// toggled after each good answer; an answer that announces more (DIF 1F) is followed by another request, kMostFrames at
/// most, and the readings of all make one telegram. A lost or damaged answer is asked for again, kMaxRepeats times, then
/// the next cycle begins with a link reset. The echo of a request is no answer.
///
/// Pure; never throws; bounded; does not allocate in the steady state. Thread-compatible.
class OmsSession final : public Session {
 public:
  static constexpr unsigned kMaxRepeats = 2;
  static constexpr unsigned kMostFrames = 16;

  explicit OmsSession(const OmsSettings& settings);

  LineSettings initial_line() const override { return settings_.line; }
  bool pulls() const override { return settings_.address.has_value() || settings_.secondary.has_value(); }
  void opened(Instant now, SessionOut& out) override;
  void begin(Instant now, SessionOut& out) override;
  std::size_t received(std::span<const std::byte> bytes, Instant now, MonoTime previous, SessionOut& out) override;
  void timer(Instant now, SessionOut& out) override;
  void lost(Instant now, SessionOut& out) override;

 private:
  enum class State : std::uint8_t {
    idle,           ///< between cycles
    listening,      ///< to a meter that sends by itself
    resetting,      ///< the link reset is out
    selecting,      ///< the selection is out
    requesting,     ///< the request is out
    before_repeat,  ///< a damaged answer: waiting for the line to be silent
  };

  // either role
  bool handle(const LinkEvent& event, Instant now, SessionOut& out);
  void on_silence_in_frame(Instant now, SessionOut& out);
  void report_damage(const LinkEvent& event, SessionOut& out) const;
  TelegramReader::Outcome read(const LinkEvent& event, Instant now, SessionOut& out);
  void write(std::span<const std::byte> bytes, Instant now, SessionOut& out);
  void end_cycle(Instant now, SessionOut& out);
  void arm(Instant now, SessionOut& out);
  void note_frame(const LinkEvent& event, SessionOut& out) const;

  // the meter is the master
  bool on_pushed(const LinkEvent& event, Instant now, SessionOut& out);
  bool is_repeated(const LinkEvent& event, Instant now);
  void acknowledge(const LinkEvent& event, Instant now, SessionOut& out);
  void report_silence(Instant now, SessionOut& out);

  // we are
  bool on_answer(const LinkEvent& event, Instant now, SessionOut& out);
  bool on_data(const LinkEvent& event, Instant now, SessionOut& out);
  void send_reset(Instant now, SessionOut& out);
  void send_selection(Instant now, SessionOut& out);
  void send_request(Instant now, SessionOut& out);
  void send_short(unsigned control, Instant now, SessionOut& out);
  void start_requests(Instant now, SessionOut& out);
  void try_again(Instant now, SessionOut& out, std::string why);
  void hand_over(Instant now, SessionOut& out);
  [[nodiscard]] unsigned address() const;
  [[nodiscard]] MonoDuration gap() const;

  OmsSettings settings_;
  FrameFinder finder_;
  ArrivalLog arrivals_;
  TelegramReader reader_;

  State state_ = State::idle;
  MonoTime deadline_{};          ///< of the state
  MonoTime frame_deadline_{};    ///< of the frame that has begun
  std::size_t noise_ = 0;        ///< bytes since the last good frame that belong to none

  std::array<std::byte, FrameFinder::kMaxFrame> last_{};  ///< user data of the last acknowledged frame
  std::size_t last_size_ = 0;
  unsigned last_control_ = 0;
  MonoTime last_at_{};

  bool frame_count_bit_ = true;
  bool linked_ = false;          ///< the link reset of this connection is done, and nothing failed since
  unsigned repeats_ = 0;
  unsigned frames_ = 0;          ///< of this cycle
  unsigned good_ = 0;            ///< of them that were read
  std::vector<Reading> gathered_;
  std::array<std::byte, 17> output_{};  ///< what is being written
};

}  // namespace vz::oms
