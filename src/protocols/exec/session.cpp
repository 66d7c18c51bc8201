// SPDX-License-Identifier: GPL-3.0-or-later
#include "protocols/exec/session.hpp"

#include <fmt/format.h>

#include <array>

#include "protocols/file/session.hpp"

namespace vz::exec {
namespace {

constexpr std::array<std::byte, 1> kRequest{std::byte{'r'}};
constexpr std::chrono::seconds kShortestPause{1};

}  // namespace

void ExecSession::begin(Instant, SessionOut& out) {
  any_reading_ = false;
  first_message_.clear();
  out.actions.emplace_back(WriteBytes{kRequest});
}

std::size_t ExecSession::received(std::span<const std::byte> bytes, Instant now, MonoTime, SessionOut& out) {
  records_.feed(bytes, [&](const Record& record) { take(record, now, out); });
  if (!out.readings.empty()) out.telegrams = 1;
  return bytes.size();
}

void ExecSession::take(const Record& record, Instant now, SessionOut& out) {
  switch (record.kind) {
    case RecordKind::line:
      file::read_line(format_, record.text, now, out);
      any_reading_ = any_reading_ || !out.readings.empty();
      break;
    case RecordKind::oversized:
      out.faults.push_back({FaultKind::oversized, fmt::format("a line of more than {} bytes", kMaxRecordText)});
      break;
    case RecordKind::damaged: out.faults.push_back({FaultKind::truncated, std::string{record.text}}); break;
    case RecordKind::message: message(record.text, now, out); break;
    case RecordKind::end: end_run(record.text, now, out); break;
    default: break;
  }
}

void ExecSession::message(std::string_view text, Instant now, SessionOut& out) {
  if (text.empty()) return;
  if (first_message_.empty()) first_message_ = file::quoted(text);
  if (!hour_ || now.mono - *hour_ >= std::chrono::hours{1}) {
    if (untold_ > 0)
      out.notes.push_back({Level::warning, fmt::format("the command wrote {} more lines to stderr in the last hour", untold_)});
    hour_ = now.mono;
    told_ = 0;
    untold_ = 0;
  }
  const bool tell = told_ < kMessagesAnHour;
  ++(tell ? told_ : untold_);
  const Level level = tell ? Level::warning : Level::debug;
  if (tell || out.wants(level)) out.notes.push_back({level, "the command says: " + file::quoted(text)});
}

void ExecSession::end_run(std::string_view how, Instant now, SessionOut& out) {
  out.cycle_done = true;
  out.not_before = now.mono + kShortestPause;
  const std::string before = std::exchange(last_end_, std::string{how});
  if (how.empty()) {
    if (!before.empty()) out.notes.push_back({Level::info, "the command ends well again"});
    return;
  }
  if (!any_reading_) {
    out.faults.push_back({FaultKind::silence, fmt::format("no value from the command: {}{}{}", how,
                                                          first_message_.empty() ? "" : "; it says ", first_message_)});
  } else if (before != how) {
    out.notes.push_back({Level::warning, fmt::format("the command did not end well: {}; the values that it printed are used", how)});
  }
}

}  // namespace vz::exec
