// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>

#include "cli/session_runner.hpp"

namespace vz::cli {

/// What goes over a line, written for people: a line a message, control characters by their names, when it came, and who
/// said it. Binary data in hexadecimal. Long data blocks are cut. Pure but for what it has begun.
///
///     0.00 s  300 7e1
///     0.01 s  > /?!<CR><LF>
///     1.02 s  < /ISK5\2MT372-0002<CR><LF>
class TrafficText {
 public:
  void add(const Traffic& entry);
  /// The lines that are complete; they are forgotten.
  std::string take();
  /// The same, and what has no line end yet.
  std::string finish();

 private:
  void flush_line();
  void character(unsigned char c);

  static constexpr std::size_t kMaxLine = 100;
  static constexpr unsigned kMaxLines = 60;  ///< of one message

  MonoTime start_{};
  bool started_ = false;
  Traffic::Kind kind_ = Traffic::Kind::line;
  MonoTime line_began_{};
  std::string line_;
  unsigned lines_ = 0;
  std::string out_;
};

/// One message in one piece: `/?!<CR><LF>`, `<ACK>050<CR><LF>`; more than one NUL is counted: `<NUL>x65`. Bytes above
/// 7E as `<xE4>`.
std::string annotated(std::span<const std::byte> bytes);

}  // namespace vz::cli
