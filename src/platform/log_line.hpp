// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <spdlog/formatter.h>

#include <ctime>
#include <memory>
#include <string_view>

namespace vz::platform {

/// Appends `text` so that it stays one harmless line: carriage return and line feed as <CR> and <LF>, other control
/// characters and bytes that are not UTF-8 as \x06. At most kMaxMessage bytes of `text`, then how many more there were.
/// Pure.
void append_visible(spdlog::memory_buf_t& out, std::string_view text);
inline constexpr std::size_t kMaxMessage = 16 * 1024;

/// Appends one line of the log, as the old daemon wrote them: "[Nov 22 10:21:50][chn0] text" and a line feed. English
/// month, no year; "[section]" is cut to 7 characters and the message begins in column 24. Pure.
void append_line(spdlog::memory_buf_t& out, const std::tm& local, std::string_view section, std::string_view text);

/// append_line for spdlog, in local time; the logger's name is the section. Thread-compatible.
class LineFormatter final : public spdlog::formatter {
 public:
  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override;
  [[nodiscard]] std::unique_ptr<spdlog::formatter> clone() const override;
};

}  // namespace vz::platform
