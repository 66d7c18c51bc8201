// SPDX-License-Identifier: GPL-3.0-or-later
#include "protocols/file/session.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace vz::file {
namespace {

constexpr std::array<std::byte, 1> kRequest{std::byte{'r'}};

}  // namespace

std::string quoted(std::string_view text) {
  constexpr std::size_t kShown = 60;
  std::string result = "\"";
  for (const char c : text.substr(0, kShown)) result.push_back(static_cast<unsigned char>(c) < ' ' || c == 0x7f ? '?' : c);
  result += text.size() > kShown ? "...\"" : "\"";
  return result;
}

void read_line(const LineFormat& format, std::string_view line, Instant now, SessionOut& out) {
  if (line.find_first_not_of(" \t\v\f\r") == std::string_view::npos) return;
  auto found = format.match(line);
  if (!found) {
    out.faults.push_back({FaultKind::grammar, fmt::format("no value in line {}", quoted(line))});
    if (out.wants(Level::debug)) out.notes.push_back({Level::debug, fmt::format("no value in line {}", quoted(line))});
    return;
  }
  out.readings.push_back(
      {Identifier{std::move(found->identifier)}, found->value, Unit{}, found->stamp.value_or(now.wall)});
}

void FileSession::opened(Instant, SessionOut&) { records_.clear(); }

void FileSession::begin(Instant, SessionOut& out) {
  if (timed_) out.actions.emplace_back(WriteBytes{kRequest});
}

std::size_t FileSession::received(std::span<const std::byte> bytes, Instant now, MonoTime, SessionOut& out) {
  records_.feed(bytes, [&](const Record& record) { take(record, now, out); });
  if (out.readings.empty()) return bytes.size();
  out.telegrams = 1;
  if (!timed_) out.cycle_done = true;
  return bytes.size();
}

void FileSession::take(const Record& record, Instant now, SessionOut& out) {
  switch (record.kind) {
    case RecordKind::line: read_line(format_, record.text, now, out); break;
    case RecordKind::oversized:
      out.faults.push_back({FaultKind::oversized, fmt::format("a line of more than {} bytes", kMaxRecordText)});
      break;
    case RecordKind::damaged: out.faults.push_back({FaultKind::truncated, std::string{record.text}}); break;
    case RecordKind::note: out.notes.push_back({Level::info, std::string{record.text}}); break;
    case RecordKind::trouble: out.notes.push_back({Level::warning, std::string{record.text}}); break;
    case RecordKind::end: out.cycle_done = timed_; break;
    case RecordKind::message:
    case RecordKind::sensor:
    case RecordKind::level:
    case RecordKind::edge:
    case RecordKind::pulse: break;
  }
}

}  // namespace vz::file
