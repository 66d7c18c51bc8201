// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "vz/line.hpp"
#include "vz/log.hpp"
#include "vz/reading.hpp"
#include "vz/time.hpp"

namespace vz {

/// Why bytes from a meter did not become readings. Counted for each meter, shown by status and metrics.
enum class FaultKind {
  check_value,  ///< BCC or CRC wrong
  parity,       ///< characters with wrong parity
  grammar,      ///< not what the protocol allows
  truncated,    ///< the telegram ended early (or ETX or BCC are missing)
  oversized,    ///< longer than the bound
  silence,      ///< no answer, or the answer stopped
  implausible,  ///< a counter of an unchecked telegram ran backwards or leapt and was not confirmed
  encryption,   ///< cannot be decrypted
};
inline constexpr std::size_t kFaultKinds = 8;
std::string_view text(FaultKind kind);

struct Fault {
  FaultKind kind{};
  std::string detail;  ///< what exactly, for the log: "BCC is 0x4d, 0x46 was received"
};

/// Things that a session asks of its worker, done in order.
struct WriteBytes {
  std::span<const std::byte> bytes;  ///< owned by the session, valid until its next call
};
struct SetLine {
  LineSettings line;
};
struct DiscardInput {};  ///< drop what has been received and not yet read
using Action = std::variant<WriteBytes, SetLine, DiscardInput>;

/// A line for the log, made only if `SessionOut::verbosity` allows its level.
struct Note {
  Level level{};
  std::string text;
};

/// A register as the meter wrote it, whether or not it makes a reading.
struct RegisterText {
  std::string address;  ///< `1.8.0`, `1-0:1.8.0*255`
  std::string value;    ///< `00132.149`, `(ER11)`; bytes that are no text in hexadecimal
  std::string unit;
};

/// What one good telegram says in the meter's own words, for programs that show it to people.
struct TelegramText {
  std::string identification;  ///< `/ISK5\2MT372-0002`; SML: the server's id in hexadecimal; empty if it has none
  std::vector<RegisterText> registers;
};

/// What a session wants after it was told something. The worker owns one, clears it before each call and acts on it
/// after: actions first, then readings. Keeps its capacity, so that the steady state does not allocate.
struct SessionOut {
  std::vector<Reading> readings;     ///< of one complete, checked telegram (held ones of the telegram before come first)
  std::vector<Action> actions;
  std::vector<Fault> faults;
  std::vector<Note> notes;
  std::optional<MonoTime> timer;     ///< call timer() then; none: no timer (an earlier one is cancelled)
  MonoTime quiet_until{};            ///< reads may be put off until then (they are coalesced); never a bound for the timer
  bool cycle_done = false;           ///< the cycle that begin() opened has ended, with readings or faults
  MonoTime not_before{};             ///< with cycle_done: begin() not earlier than this
  unsigned telegrams = 0;            ///< complete telegrams in this call, good ones only
  int verbosity = 0;                 ///< set by the worker
  /// Set by the worker: the canonical codes (Obis::canonical()) that some channel asks for. Sessions may leave out all
  /// other registers, whose values then need not be converted. None: every register is wanted.
  std::optional<std::span<const Obis>> registers;
  /// Set by whoever also wants the meter's own words: protocols that have them fill it with each good telegram.
  TelegramText* text = nullptr;

  void clear();
  [[nodiscard]] bool wants(Level level) const { return static_cast<int>(level) <= verbosity; }
  [[nodiscard]] bool wants(const Obis& code) const {
    if (!registers) return true;
    for (const Obis& wanted : *registers) {
      // groups C and D are the same in canonical form; most registers of a telegram end here
      if (wanted.groups[2] == code.groups[2] && wanted.groups[3] == code.groups[3] && wanted == code.canonical()) return true;
    }
    return false;
  }
};

/// A protocol's conversation as a state machine without I/O: it is told bytes and time and asks for writes, line
/// settings and timers. Pure but for its own state: no I/O, no clock, no logging, no globals. Never throws on input.
/// Thread-compatible; used by one worker at a time. The same calls with the same arguments give the same results.
///
/// Order of calls: opened(), then begin() for each cycle (a pushing meter has one begin() after each opened() and ends
/// a cycle with each telegram), received() and timer() at any time in between, lost() when the transport is gone.
class Session {
 public:
  virtual ~Session() = default;

  /// The line settings with which to open the transport.
  [[nodiscard]] virtual LineSettings initial_line() const = 0;
  /// False for a meter that sends by itself: the worker calls begin() once after opened() and never waits an interval.
  [[nodiscard]] virtual bool pulls() const = 0;

  /// The transport was opened with initial_line() and is empty. Forgets any conversation, keeps what was learned.
  virtual void opened(Instant now, SessionOut& out) = 0;
  /// Starts a read cycle.
  virtual void begin(Instant now, SessionOut& out) = 0;
  /// `bytes` were read at `now`; `previous` is when the read before this one returned (the bytes arrived in between).
  /// Returns how many were consumed: fewer than given only after a telegram has ended; the worker acts on `out` and
  /// hands over the rest.
  virtual std::size_t received(std::span<const std::byte> bytes, Instant now, MonoTime previous, SessionOut& out) = 0;
  /// The time asked for in `SessionOut::timer` has come.
  virtual void timer(Instant now, SessionOut& out) = 0;
  /// The transport failed or was closed. An unfinished telegram is a fault.
  virtual void lost(Instant now, SessionOut& out) = 0;
};

}  // namespace vz
