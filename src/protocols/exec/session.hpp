// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <optional>
#include <string>

#include "core/source_records.hpp"
#include "protocols/file/line_format.hpp"
#include "vz/session.hpp"

namespace vz::exec {

/// Makes readings out of what a command prints, as it prints it. A run begins with begin(), at least a second after the
/// end of the one before. What the command writes to stderr goes to the log: kMessagesAnHour lines an hour as warnings,
/// the rest for debugging only, counted. A bad end is told when it is a new one; it is a fault if the run gave no
/// reading. Pure; thread-compatible.
class ExecSession final : public Session {
 public:
  static constexpr unsigned kMessagesAnHour = 10;

  explicit ExecSession(file::LineFormat format) : format_(std::move(format)) {}

  [[nodiscard]] LineSettings initial_line() const override { return {}; }
  [[nodiscard]] bool pulls() const override { return true; }
  void opened(Instant, SessionOut&) override { records_.clear(); }
  void begin(Instant now, SessionOut& out) override;
  std::size_t received(std::span<const std::byte> bytes, Instant now, MonoTime previous, SessionOut& out) override;
  void timer(Instant, SessionOut&) override {}
  void lost(Instant, SessionOut&) override {}

 private:
  void take(const Record& record, Instant now, SessionOut& out);
  void message(std::string_view text, Instant now, SessionOut& out);
  void end_run(std::string_view how, Instant now, SessionOut& out);

  file::LineFormat format_;
  RecordReader records_;
  bool any_reading_ = false;     ///< in this run
  std::string first_message_;    ///< of this run
  std::string last_end_;         ///< how the run before ended
  unsigned told_ = 0;            ///< messages in this hour
  unsigned untold_ = 0;
  std::optional<MonoTime> hour_;
};

}  // namespace vz::exec
