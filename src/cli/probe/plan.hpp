// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vz/time.hpp"

namespace vz::cli {

/// A way to ask a meter, as the options of its section would say it.
struct Approach {
  std::string_view name;      ///< for progress: "request at 300 baud"
  std::string_view protocol;
  unsigned baud;
  std::string_view parity;
  std::string_view request;   ///< in hexadecimal
  std::string_view ackseq;    ///< empty: none
  unsigned wake_up_nuls = 0;  ///< in front of the request
  int change_delay_ms = 0;    ///< baudrate_change_delay
  int interval = 30;          ///< proposed for the section

  /// The option pullseq.
  [[nodiscard]] std::string pullseq() const;
};

/// What came of a step.
enum class Heard {
  silence,
  noise,      ///< something, but nothing that makes sense: the wrong speed, or no meter
  sense,      ///< text or SML at the right speed, but no whole telegram in time
  greeting,   ///< an identification, but no data behind it
};

/// What to do next.
struct ProbeStep {
  enum class Kind { listen, ask, done } kind = Kind::done;
  unsigned baud = 0;                  ///< of listen
  MonoDuration patience{};            ///< of listen: how long to wait for the first byte
  const Approach* approach = nullptr; ///< of ask
  bool searching = false;             ///< of listen: something was heard that comes by itself
};

/// In which order to look for a meter: listening and asking take turns, the likely things first, so that no common meter
/// waits for the rare ones. Once something is heard that comes by itself, nothing is sent any more until its speed is
/// found, or it has gone. Pure: time is passed in, the same calls give the same steps. A telegram ends the search from
/// outside.
class ProbePlan {
 public:
  enum class Line { serial, network };  ///< over a network the speed is the other side's business
  enum class Asking { allowed, not_allowed };
  ProbePlan(Line line, Asking asking, MonoDuration budget);

  /// The step after `result` of the one before (silence for the first), `elapsed` since the beginning. With noise:
  /// `slower` is by how much the sender seems to be slower than we listened (see slower_by()); 0 if that is not known.
  ProbeStep next(Heard result, MonoDuration elapsed, unsigned slower = 0);

 private:
  void note(Heard result, unsigned slower);
  void choose_speed(unsigned slower);
  ProbeStep give(ProbeStep step);

  Line line_;
  MonoDuration budget_;
  std::deque<ProbeStep> steps_;
  ProbeStep last_;
  bool searching_ = false;   ///< something comes by itself
  unsigned speed_ = 0;       ///< to listen at while searching
  std::vector<unsigned> tried_;
  unsigned above_ = 0;       ///< the sender is faster than this, as it seems
  unsigned below_ = 0;       ///< and not faster than this; 0: no bound
  bool fallbacks_ = false;   ///< the ways to ask a meter that greets but says no more are in the queue
};

std::span<const Approach> all_approaches();

}  // namespace vz::cli
