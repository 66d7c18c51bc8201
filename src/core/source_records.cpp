// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/source_records.hpp"

#include <algorithm>
#include <cstring>

namespace vz {

void append_record(std::string& out, RecordKind kind, std::string_view text) {
  out.push_back(static_cast<char>(kind));
  const std::size_t begin = out.size();
  out.append(text.substr(0, kMaxRecordText));
  std::replace_if(
      out.begin() + static_cast<std::ptrdiff_t>(begin), out.end(), [](char c) { return c == '\n' || c == '\0'; }, '?');
  out.push_back('\n');
}

void LineSplitter::feed(std::string_view bytes, RecordKind kind, std::string& out) {
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\n');
    const std::string_view part = bytes.substr(0, end);
    const std::size_t room = kMaxRecordText - line_.size();
    if (part.size() > room) overlong_ = true;
    line_.append(part.substr(0, room));
    if (end == std::string_view::npos) return;
    bytes.remove_prefix(end + 1);
    finish(kind, out);
  }
}

void LineSplitter::finish(RecordKind kind, std::string& out) {
  if (overlong_) {
    append_record(out, RecordKind::oversized, line_);
  } else {
    append_record(out, kind, std::string_view{line_}.substr(0, line_.rfind('\r')));
  }
  line_.clear();
  overlong_ = false;
}

void LineSplitter::abandon(std::string_view why, std::string& out) {
  if (pending()) append_record(out, RecordKind::damaged, why);
  line_.clear();
  overlong_ = false;
}

std::size_t RecordBuffer::take(std::span<std::byte> buffer) {
  const std::size_t count = std::min(buffer.size(), text.size() - taken_);
  std::memcpy(buffer.data(), text.data() + taken_, count);
  taken_ += count;
  if (empty()) clear();
  return count;
}

void RecordBuffer::clear() {
  text.clear();
  taken_ = 0;
}

}  // namespace vz
