// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tools/metersim/telegram.hpp"
#include "vz/time.hpp"

namespace vz::metersim {

/// What can go wrong with a readout. Exactly one of these happens to a faulty one.
enum class LineFault {
  flip,      ///< one bit of one character of the data message
  flip2,     ///< two bits; two in the same column of a block cheat the BCC
  digit,     ///< one digit of a value is another one, the check value is that of the original
  lost,      ///< one character is missing
  truncate,  ///< the message stops somewhere, then silence
  badbcc,    ///< the check value is wrong, the data are right
  silence,   ///< no answer at all
  slow,      ///< the answer comes late, or has a long gap; both still within what the standard allows
  hangup,    ///< the line goes away within the message and comes back
};
std::string_view text(LineFault fault);
/// The fault of that name; empty for an unknown one.
std::optional<LineFault> parse_fault(std::string_view name);
/// "flip, flip2, ...": all names, for help and errors.
std::string fault_names();

/// Pseudo-random numbers that are the same on every machine (splitmix64).
class Random final {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next();
  /// 0 <= result < bound; bound must not be 0.
  std::uint64_t below(std::uint64_t bound);
  /// 0 <= result < 1.
  double fraction();

 private:
  std::uint64_t state_;
};

/// Which readouts are faulty, and how. A value type.
struct FaultPlan {
  std::vector<LineFault> kinds;
  double rate = 0;  ///< share of the readouts, 0 to 1
  std::uint64_t seed = 1;

  /// The random numbers of one readout; they depend on nothing but seed and number.
  [[nodiscard]] Random random(std::uint64_t number) const;
  /// What happens to readout `number`; draws from `random`, which must be that of the same readout.
  [[nodiscard]] std::optional<LineFault> pick(Random& random) const;
};

/// Seven bits and even parity in bit 7: what an 8N1 port sees of a 7E1 character.
char with_even_parity(char c);
std::string with_even_parity(std::string_view characters);

/// How characters travel as bytes.
enum class ByteForm {
  seven,   ///< 7E1: bit 7 is 0
  eight,   ///< 8N1
  parity,  ///< 7E1 seen by an 8N1 port: bit 7 is the parity
  odd,     ///< 7O1 seen by an 8N1 port
};

[[nodiscard]] constexpr bool shows_parity(ByteForm form) { return form == ByteForm::parity || form == ByteForm::odd; }
/// The bytes that characters of a line with parity are to an 8N1 port; in the other forms the characters themselves.
std::string encoded(std::string_view characters, ByteForm form);
/// True if a byte's bit 7 is what `form` says it has to be.
bool right_parity(char byte, ByteForm form);

/// The slowest answer and the longest gap that the standard allows are 1500 ms; a slow meter stays just below.
inline constexpr std::chrono::milliseconds kSlow{1400};

/// A message after the fault.
struct Damage {
  std::string bytes;
  std::size_t position = 0;           ///< first byte concerned
  std::optional<std::size_t> gap_at;  ///< a pause of kSlow before this byte
  bool hang_up = false;               ///< the line goes away behind the last byte
  bool damaged = true;                ///< false if all bytes are right (and merely late)
  bool check_holds = false;           ///< the check value fits all the same: nobody can see the damage by it
  std::string detail;                 ///< in words, for the log
};

/// Applies one fault to `message` (still plain characters; the result has `form`). silence is none of a message's
/// faults and leaves it whole. badbcc needs a check value, digit a digit; without one they become flip.
Damage damage(LineFault fault, const DataMessage& message, ByteForm form, Random& random);

}  // namespace vz::metersim
