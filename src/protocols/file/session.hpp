// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string_view>

#include "core/source_records.hpp"
#include "protocols/file/line_format.hpp"
#include "vz/session.hpp"

namespace vz::file {

/// Appends the reading that a line gives, or the fault that it is. Empty lines are neither.
void read_line(const LineFormat& format, std::string_view line, Instant now, SessionOut& out);

/// A text from outside as it may stand in the log: quoted, its first 60 bytes, without control characters.
std::string quoted(std::string_view text);

/// Makes readings out of the lines of a file. If `timed`, it asks the transport at each begin(); else the transport
/// tells when the file has changed. Pure; thread-compatible.
class FileSession final : public Session {
 public:
  FileSession(LineFormat format, bool timed) : format_(std::move(format)), timed_(timed) {}

  [[nodiscard]] LineSettings initial_line() const override { return {}; }
  [[nodiscard]] bool pulls() const override { return timed_; }
  void opened(Instant now, SessionOut& out) override;
  void begin(Instant now, SessionOut& out) override;
  std::size_t received(std::span<const std::byte> bytes, Instant now, MonoTime previous, SessionOut& out) override;
  void timer(Instant, SessionOut&) override {}
  void lost(Instant, SessionOut&) override {}

 private:
  void take(const Record& record, Instant now, SessionOut& out);

  LineFormat format_;
  bool timed_;
  RecordReader records_;
};

}  // namespace vz::file
