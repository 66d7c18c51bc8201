// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>

#include "core/source_records.hpp"
#include "fuzz/conversation.hpp"

namespace vz::fuzz {

/// Bytes as a local source hands them over: raw records, or (special) text whose lines become records.
inline std::string records_of(const Input& input) {
  std::string text;
  for (const std::byte byte : input.bytes) text.push_back(static_cast<char>(byte));
  if (!input.special) return text;
  std::string records;
  LineSplitter lines;
  lines.feed(text, RecordKind::line, records);
  if (lines.pending()) lines.finish(RecordKind::line, records);
  append_record(records, RecordKind::end, "");
  return records;
}

/// Lets a session of records read the input.
inline void converse_in_records(Session& session, Input input, std::size_t most_readings) {
  const std::string records = records_of(input);
  input.bytes = std::as_bytes(std::span{records});
  converse(session, input, most_readings);
}

/// One of the formats that `file` and `exec` are used with.
inline const char* format_from(unsigned choice) {
  constexpr const char* kFormats[] = {"",          "$v",         "$i : $v",  "$t;$i : $v", "$t $i $v", "$i=$v;$t",
                                      "x$v y $i z", "$$v $i$v",  " $i $v ",  "$i$i$v",     "$i.$i.$v $t", "$v $t"};
  return kFormats[choice % std::size(kFormats)];
}

}  // namespace vz::fuzz
