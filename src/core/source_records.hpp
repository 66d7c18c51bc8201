// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

// How the transports of local sources (files, programs, the 1-wire bus, GPIO) hand over text: as records, each a kind
// (one character), a text without line ends, and LF. So a dump of the traffic stays readable. Pure.

namespace vz {

enum class RecordKind : char {
  line = '=',      ///< a line of the file, or of a program's output
  oversized = '+', ///< the beginning of a line that was too long, the rest is dropped
  damaged = '-',   ///< what is left of a line that was cut off; the text says why
  message = '!',   ///< a line that a program wrote to stderr
  note = '#',      ///< what the user should know about the source
  trouble = '?',   ///< why (a part of) the source could not be read
  sensor = '@',    ///< the name of the sensor that the next lines come from
  level = '_',     ///< which level a line has (core/edge_records.hpp)
  edge = '^',      ///< to which level a line has changed, and when
  pulse = '~',     ///< a pulse that has no edges of its own, and when it came
  end = '.',       ///< all that was asked for has been said; the text: how a program ended, if not well
};

/// The longest text of a record, and the longest line that is taken from a source. Longer ones are cut.
inline constexpr std::size_t kMaxRecordText = 2048;

void append_record(std::string& out, RecordKind kind, std::string_view text);

struct Record {
  RecordKind kind{};
  std::string_view text;
};

/// Puts records together from bytes that may be cut anywhere. Bounded; unknown kinds are skipped.
class RecordReader {
 public:
  /// Calls `take(Record)` for each complete record. The text lives until `take` returns.
  template <typename Take>
  void feed(std::span<const std::byte> bytes, Take&& take) {
    for (const std::byte byte : bytes) {
      const char c = static_cast<char>(byte);
      if (c != '\n') {
        if (text_.size() <= kMaxRecordText) text_.push_back(c);
        continue;
      }
      if (!text_.empty()) take(Record{static_cast<RecordKind>(text_.front()), std::string_view{text_}.substr(1)});
      text_.clear();
    }
  }
  void clear() { text_.clear(); }

 private:
  std::string text_;
};

/// Cuts bytes into lines and appends them as records. LF ends a line; from the last CR on a line is dropped, as ever;
/// a NUL byte becomes a question mark. Holds at most one line.
class LineSplitter {
 public:
  void feed(std::string_view bytes, RecordKind kind, std::string& out);
  /// The line that has no end yet is complete.
  void finish(RecordKind kind, std::string& out);
  /// It never will be: `why` goes into a record of its own.
  void abandon(std::string_view why, std::string& out);
  [[nodiscard]] bool pending() const { return !line_.empty() || overlong_; }

 private:
  std::string line_;
  bool overlong_ = false;
};

/// Records on their way to a reader who takes them in pieces.
class RecordBuffer {
 public:
  std::string text;  ///< to append to

  [[nodiscard]] bool empty() const { return taken_ == text.size(); }
  /// Moves what fits into `buffer`; returns how much.
  std::size_t take(std::span<std::byte> buffer);
  void clear();

 private:
  std::size_t taken_ = 0;
};

}  // namespace vz
