// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "vz/session.hpp"
#include "vz/transport.hpp"
#include "vz/wake.hpp"

namespace vz::cli {

/// Something that went over a line, or a change of its settings.
struct Traffic {
  enum class Kind { sent, received, line } kind = Kind::received;
  MonoTime at{};
  std::span<const std::byte> bytes;  ///< of sent and received; valid during the call
  LineSettings line;                 ///< of line
};
using TrafficWatch = std::function<void(const Traffic&)>;

/// Runs a protocol's session over an open line for a command that wants telegrams one at a time: what MeterWorker does for
/// the daemon, without pipeline, re-opening and log. Borrows everything; used by one thread.
class SessionRunner final {
 public:
  enum class End {
    telegram,  ///< readings and text are those of one good telegram
    failed,    ///< the read cycle ended without one; `faults` says why
    deadline,  ///< nothing of both until the deadline
    lost,      ///< the line broke; `error` says why
    woken,     ///< somebody asked to stop
  };
  struct Result {
    End end = End::deadline;
    Instant at{};
    std::vector<Reading> readings;
    TelegramText text;
    std::vector<Fault> faults;  ///< with telegram: of tries before
    std::optional<Error> error;
  };

  /// The transport was just opened with session.initial_line().
  SessionRunner(Session& session, Transport& transport, const Clock& clock, Wake& wake, TrafficWatch watch = {});

  /// Goes on until something of End happens. A meter that is asked is asked at `not_before`, or later if it needs a pause.
  Result next(MonoTime not_before, MonoTime deadline);

 private:
  bool feed(Result& result);
  bool act(Result& result);
  bool perform(const Action& action, Result& result);
  void step(MonoTime deadline, Result& result, bool& over);
  void fresh();

  Session& session_;
  Transport& transport_;
  const Clock& clock_;
  Wake& wake_;
  TrafficWatch watch_;
  SessionOut out_;
  TelegramText text_;
  std::vector<std::byte> buffer_;
  std::span<const std::byte> pending_;  ///< of buffer_: not consumed yet
  Instant now_{};
  MonoTime last_read_{};
  MonoTime quiet_until_{};
  std::optional<MonoTime> timer_;
  std::optional<MonoTime> begin_at_;
  MonoTime begun_at_{};  ///< when the latest cycle began
  bool brought_ = false; ///< it has brought a telegram
  MonoTime earliest_{};  ///< for the next cycle
  bool opened_ = false;
  bool begun_ = false;   ///< a cycle is under way
  bool good_ = false;    ///< this call has readings
};

}  // namespace vz::cli
