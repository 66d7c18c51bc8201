// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/edge_records.hpp"

#include <array>
#include <charconv>

namespace vz {

void append_edge(std::string& out, RecordKind kind, const LineEdge& edge) {
  std::array<char, 32> text{static_cast<char>(edge.line), edge.high ? '1' : '0', ' '};
  const auto nanoseconds = std::chrono::nanoseconds{edge.at.time_since_epoch()}.count();
  const auto [end, error] = std::to_chars(text.data() + 3, text.data() + text.size(), nanoseconds);
  append_record(out, kind, {text.data(), static_cast<std::size_t>(end - text.data())});
}

std::optional<LineEdge> parse_edge(std::string_view text) {
  if (text.size() < 4 || (text[0] != 'p' && text[0] != 'd') || (text[1] != '0' && text[1] != '1') || text[2] != ' ')
    return std::nullopt;
  std::int64_t nanoseconds = 0;
  const auto [end, error] = std::from_chars(text.data() + 3, text.data() + text.size(), nanoseconds);
  if (error != std::errc{} || end != text.data() + text.size() || nanoseconds < 0) return std::nullopt;
  return LineEdge{static_cast<LineEdge::Line>(text[0]), text[1] == '1', MonoTime{std::chrono::nanoseconds{nanoseconds}}};
}

}  // namespace vz
