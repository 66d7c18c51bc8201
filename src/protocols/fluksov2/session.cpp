// SPDX-License-Identifier: GPL-3.0-or-later
#include "protocols/fluksov2/session.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>

namespace vz::fluksov2 {
namespace {

constexpr std::string_view kBlanks = " \t";

/// The next word as a whole number; nothing if it is none. Precondition: there is a word.
std::optional<std::int64_t> take_whole(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(kBlanks), line.size()));
  std::string_view word = line.substr(0, line.find_first_of(kBlanks));
  line.remove_prefix(word.size());
  if (word.size() > 1 && word[0] == '+' && word[1] != '-') word.remove_prefix(1);
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  if (error != std::errc{} || end != word.data() + word.size()) return std::nullopt;
  return number;
}

bool has_word(std::string_view line) { return line.find_first_not_of(kBlanks) != std::string_view::npos; }

}  // namespace

bool read_line(std::string_view line, std::vector<Reading>& out) {
  constexpr std::int64_t kLatest = 253402300799;  // the year 9999
  const std::size_t before = out.size();
  const auto refuse = [&] {
    out.resize(before);
    return false;
  };
  const auto seconds = has_word(line) ? take_whole(line) : std::nullopt;
  if (!seconds || *seconds < 0 || *seconds > kLatest) return refuse();
  const WallTime stamp{std::chrono::seconds{*seconds}};
  for (std::size_t sensors = 0; has_word(line); ++sensors) {
    std::int64_t field[3] = {};  // sensor, consumption, power
    for (auto& one : field) {
      const auto number = has_word(line) ? take_whole(line) : std::nullopt;
      if (!number) return refuse();
      one = *number;
    }
    if (field[0] < 0 || field[0] > std::numeric_limits<int>::max() || sensors == kMostSensors) return refuse();
    const int sensor = static_cast<int>(field[0]);
    out.push_back({Identifier{FluksoChannel{sensor, false}}, static_cast<double>(field[1]), Unit{}, stamp});
    out.push_back({Identifier{FluksoChannel{sensor, true}}, static_cast<double>(field[2]), Unit{}, stamp});
  }
  return true;
}

std::size_t FluksoSession::received(std::span<const std::byte> bytes, Instant, MonoTime, SessionOut& out) {
  constexpr std::size_t kShown = 60;
  records_.feed(bytes, [&](const Record& record) {
    if (record.kind == RecordKind::note) out.notes.push_back({Level::info, std::string{record.text}});
    if (record.kind == RecordKind::trouble) out.notes.push_back({Level::warning, std::string{record.text}});
    if (record.kind == RecordKind::oversized) out.faults.push_back({FaultKind::oversized, "a line without end"});
    if (record.kind == RecordKind::damaged) out.faults.push_back({FaultKind::truncated, std::string{record.text}});
    if (record.kind != RecordKind::line || !has_word(record.text)) return;
    if (read_line(record.text, out.readings)) {
      ++out.telegrams;
      return;
    }
    std::string shown{record.text.substr(0, kShown)};
    std::replace_if(
        shown.begin(), shown.end(), [](char c) { return static_cast<unsigned char>(c) < ' '; }, ' ');
    out.faults.push_back({FaultKind::grammar,
                          fmt::format("\"{}\" is not a time and three whole numbers for each sensor", shown)});
  });
  out.cycle_done = out.telegrams > 0;
  return bytes.size();
}

}  // namespace vz::fluksov2
