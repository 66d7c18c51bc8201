// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/source_records.hpp"

#include <gtest/gtest.h>

namespace vz {
namespace {

std::string split(std::vector<std::string_view> pieces) {
  LineSplitter lines;
  std::string out;
  for (const auto piece : pieces) lines.feed(piece, RecordKind::line, out);
  if (lines.pending()) lines.finish(RecordKind::line, out);
  return out;
}

TEST(LineSplitter, LinesEndWithLf) {
  EXPECT_EQ(split({"a\nb\n"}), "=a\n=b\n");
  EXPECT_EQ(split({"a", "b\nc"}), "=ab\n=c\n");
  EXPECT_EQ(split({"a\r\n\nb\rc\n"}), "=a\n=\n=b\n");
  EXPECT_EQ(split({std::string_view{"a\0b\n", 4}}), "=a?b\n");
  EXPECT_EQ(split({}), "");
}

TEST(LineSplitter, ALongLineCostsItselfOnly) {
  const std::string fits(kMaxRecordText, 'x');
  const std::string longer = fits + "y";
  EXPECT_EQ(split({fits, "\nb\n"}), "=" + fits + "\n=b\n");
  EXPECT_EQ(split({longer, "\nb\n"}), "+" + fits + "\n=b\n");
  EXPECT_EQ(split({fits, "y", "zzz", "\nb\n"}), "+" + fits + "\n=b\n");
}

TEST(LineSplitter, WhatIsAbandonedIsSaid) {
  LineSplitter lines;
  std::string out;
  lines.abandon("why", out);
  EXPECT_EQ(out, "");
  lines.feed("12", RecordKind::line, out);
  lines.abandon("why", out);
  lines.feed("3\n", RecordKind::line, out);
  EXPECT_EQ(out, "-why\n=3\n");
}

TEST(RecordReader, IsBounded) {
  RecordReader reader;
  const std::string text = "=" + std::string(100'000, 'x') + "\n=b\n";
  std::vector<std::size_t> sizes;
  reader.feed(std::as_bytes(std::span{text}), [&](const Record& record) { sizes.push_back(record.text.size()); });
  EXPECT_EQ(sizes, (std::vector<std::size_t>{kMaxRecordText, 1}));
}

TEST(RecordBuffer, GivesAllInPieces) {
  RecordBuffer buffer;
  append_record(buffer.text, RecordKind::note, "a\nb");
  std::string got;
  std::array<std::byte, 2> piece;
  while (!buffer.empty()) {
    const std::size_t count = buffer.take(piece);
    for (std::size_t i = 0; i < count; ++i) got.push_back(static_cast<char>(piece[i]));
  }
  EXPECT_EQ(got, "#a?b\n");
}

}  // namespace
}  // namespace vz
