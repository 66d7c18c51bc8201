// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "vz/time.hpp"

namespace vz {

/// Decides how much of a lasting trouble the log is told: its beginning once, a different kind of failure once, then a
/// summary at most once an hour, and its end if the beginning was told. Trouble that comes and goes all the time may
/// begin at most five times an hour; what is not told then is told as soon as the hour allows it.
/// Two messages are of the same kind if they differ in their digits only. Pure: time is passed in. Value type; keeps at
/// most kMaxKinds hashes.
class Trouble {
 public:
  enum class Tell { nothing, news, summary };
  struct End {
    MonoDuration lasted{};
    std::uint64_t tries = 0;
    bool told = false;
  };

  /// One more failure.
  Tell failed(MonoTime now, std::string_view message);
  /// All is well again; empty if it was so before.
  std::optional<End> ended(MonoTime now);

  /// How many troubles came and went untold since the last call.
  std::uint64_t take_untold() { return std::exchange(untold_, 0); }

  [[nodiscard]] bool active() const { return active_; }
  [[nodiscard]] const std::string& message() const { return message_; }  ///< the last one; empty if all is well
  [[nodiscard]] std::uint64_t tries() const { return tries_; }
  [[nodiscard]] MonoTime since() const { return since_; }

 private:
  static constexpr std::size_t kMaxKinds = 4;
  bool spend(MonoTime now);

  bool active_ = false;
  bool told_ = false;
  std::string message_;
  std::uint64_t tries_ = 0;
  std::uint64_t untold_ = 0;
  MonoTime since_{};
  MonoTime last_told_{};
  std::vector<std::size_t> kinds_;  ///< hashes of the kinds of failure told of this trouble
  double budget_ = 5.0;             ///< how many beginnings may be told now
  std::optional<MonoTime> budget_at_;
};

/// For single events that may come in crowds: the first is told, the others are counted and told at most once an hour.
/// Pure. Value type.
class Notice {
 public:
  /// One more event: empty if nothing is to be told, else how many went untold since the last telling.
  std::optional<std::uint64_t> happened(MonoTime now);
  /// How many events still are untold although their hour is over: none has come since. Empty if there is nothing to tell.
  std::optional<std::uint64_t> overdue(MonoTime now);
  [[nodiscard]] std::uint64_t untold() const { return untold_; }

 private:
  std::optional<MonoTime> last_told_;
  std::uint64_t untold_ = 0;
};

/// A duration for people: `45 s`, `3 min`, `2 h 5 min`, `4 days`.
std::string duration_text(MonoDuration duration);

}  // namespace vz
