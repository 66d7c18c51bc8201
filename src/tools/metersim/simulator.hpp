// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>

#include "tools/metersim/journal.hpp"
#include "tools/metersim/line.hpp"
#include "tools/metersim/device.hpp"
#include "tools/metersim/wire.hpp"
#include "vz/time.hpp"

namespace vz::metersim {

/// Whether a reader with the wrong speed gets garbage (where its speed can be seen: on a pseudo-terminal).
enum class BaudCheck { strict, off };
/// Whether the head returns what it receives, as many optical ones do.
enum class Echo { on, off };

struct LineSetup {
  Pace pace = Pace::real;
  BaudCheck baud_check = BaudCheck::off;
  Echo echo = Echo::off;
};

/// Joins a meter, a port and a journal, and paces what goes between them. Waits in one poll, on absolute deadlines.
class Simulator final {
 public:
  /// Borrows all three; `port` must be open.
  Simulator(Device& meter, Port& port, Journal& journal, const Clock& clock, LineSetup setup);

  /// Runs until the meter has finished or `stop_fd` becomes readable. Errors: the line cannot come back after a
  /// hang-up, or the system does not let us wait.
  Expected<void> run(int stop_fd);

 private:
  void apply();
  void advance(Instant now);
  void hear(Instant now);
  void hear_character(const Character& character, Instant now);
  void speak(Instant now);
  std::string as_peer_sees(std::string_view bytes, Instant now);
  void timer(Instant now);
  void hang_up(MonoDuration time);
  Expected<void> come_back(Instant now);
  Expected<bool> wait(int stop_fd);
  void serve(short data_events, short accept_events);
  void report(std::string_view name, Instant at, nlohmann::ordered_json fields = {});
  void report_mismatch(std::string_view direction, unsigned line, unsigned peer, Instant now);
  [[nodiscard]] std::optional<MonoTime> deadline(MonoTime now) const;

  static constexpr std::size_t kMaxWaiting = 4096;  ///< received bytes; the reader has to wait then

  Device& meter_;
  Port& port_;
  Journal& journal_;
  const Clock& clock_;
  LineSetup setup_;
  MeterOut out_;
  Receiver receiver_;
  Sender sender_;
  Resampler heard_;
  Resampler said_;
  std::string input_;
  std::string garbage_;
  bool heard_mismatch_ = false;  ///< told already, for this burst
  bool said_mismatch_ = false;
  bool blocked_ = false;  ///< the reader does not fetch what we have for it (without pacing only)
  std::optional<MonoTime> back_at_;
};

}  // namespace vz::metersim
