// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <algorithm>
#include <chrono>
#include <iosfwd>
#include <optional>
#include <string>

#include "local/control_client.hpp"
#include "vz/transport.hpp"

namespace vz::cli {

/// The control socket where a daemon that runs as this process would have it.
std::string default_socket();

/// Has a running daemon stay away from the line as long as the result lives, and says so on `err`. Nothing to borrow, or no
/// daemon there, is nothing to tell. One that refuses is told: opening the line will then say who has it.
std::optional<local::BorrowedLine> borrow_line(const Endpoint& endpoint, const std::string& socket, std::chrono::seconds limit,
                                               std::ostream& err);

/// When a borrowed line has to be asked for anew, so that a command that goes on keeps it.
class Renewal final {
 public:
  /// `line` is borrowed, null if there is none; lent for `limit` at `now`.
  Renewal(local::BorrowedLine* line, std::chrono::seconds limit, MonoTime now);

  /// Half of the time is over, or sooner: the daemon has said something.
  [[nodiscard]] bool due(MonoTime now) const { return now >= at_ || (line_ != nullptr && line_->disturbed()); }
  [[nodiscard]] MonoTime at() const { return at_; }
  /// How long one may wait before due() has to be asked again; for ever if there is nothing borrowed. A daemon that was
  /// started anew waits for its line.
  [[nodiscard]] MonoTime look(MonoTime now) const { return line_ == nullptr ? MonoTime::max() : std::min(at_, now + kLook); }
  static constexpr std::chrono::seconds kLook{2};
  /// An Error: the daemon has its line again, or is gone.
  Expected<void> renew(MonoTime now);

 private:
  local::BorrowedLine* line_;
  std::chrono::seconds limit_;
  MonoTime at_ = MonoTime::max();
};

/// How long a meter that was asked is left alone before somebody else may ask it: it waits for a repeat request, and then
/// some are deaf for up to three seconds.
inline constexpr std::chrono::milliseconds kMeterRest{3200};

}  // namespace vz::cli
