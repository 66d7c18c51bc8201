// SPDX-License-Identifier: GPL-3.0-or-later
#include "platform/parity_marks.hpp"

#include <random>
#include <vector>

#include "vz/line.hpp"

namespace vz::platform {
namespace {

using Bytes = std::vector<std::byte>;

Bytes bytes(std::initializer_list<int> values) {
  Bytes out;
  for (const int value : values) out.push_back(static_cast<std::byte>(value));
  return out;
}

void feed(ParityMarks& marks, Bytes part, Bytes& out) {
  const std::size_t count = marks.decode(part);
  ASSERT_LE(count, part.size());
  out.insert(out.end(), part.begin(), part.begin() + static_cast<std::ptrdiff_t>(count));
}

Bytes decode(const Bytes& in) {
  ParityMarks marks;
  Bytes out;
  feed(marks, in, out);
  return out;
}

TEST(ParityMarks, PassesPlainCharacters) {
  EXPECT_EQ(decode(bytes({0x00, 0x0D, 0x11, 0x41, 0x7F, 0x80, 0xFE})),
            bytes({0x00, 0x0D, 0x11, 0x41, 0x7F, 0x80, 0xFE}));
}

TEST(ParityMarks, UnescapesAGoodFf) { EXPECT_EQ(decode(bytes({0x41, 0xFF, 0xFF, 0x42})), bytes({0x41, 0xFF, 0x42})); }

TEST(ParityMarks, MarksDamagedCharacters) {
  for (int c = 0; c < 256; ++c) {
    EXPECT_EQ(decode(bytes({0xFF, 0x00, c, 0x42})), bytes({c | kDamagedBit, 0x42})) << c;
  }
}

TEST(ParityMarks, ABreakIsADamagedNul) { EXPECT_EQ(decode(bytes({0xFF, 0x00, 0x00})), bytes({kDamagedBit})); }

TEST(ParityMarks, TwoDamagedFfInARowAreTwo) {
  EXPECT_EQ(decode(bytes({0xFF, 0x00, 0xFF, 0xFF, 0x00, 0xFF})), bytes({0xFF, 0xFF}));
}

TEST(ParityMarks, AnUnescapedFfDamagesWhatFollows) {
  EXPECT_EQ(decode(bytes({0xFF, 0x41, 0x42})), bytes({0x41 | kDamagedBit, 0x42}));
}

TEST(ParityMarks, ResetForgetsAnUnfinishedEscape) {
  ParityMarks marks;
  Bytes out;
  feed(marks, bytes({0xFF, 0x00}), out);
  marks.reset();
  feed(marks, bytes({0x41}), out);
  EXPECT_EQ(out, bytes({0x41}));
}

// All inputs of up to five bytes over the letters that matter, in every split.
TEST(ParityMarks, NoSplitChangesTheOutput) {
  const std::array<int, 4> letters{0xFF, 0x00, 0x41, 0xC1};
  for (int length = 1; length <= 5; ++length) {
    const int words = 1 << (2 * length);
    for (int word = 0; word < words; ++word) {
      Bytes in;
      for (int i = 0; i < length; ++i)
        in.push_back(static_cast<std::byte>(letters[static_cast<std::size_t>((word >> (2 * i)) & 3)]));
      const Bytes whole = decode(in);
      for (int cuts = 0; cuts < 1 << (length - 1); ++cuts) {
        ParityMarks marks;
        Bytes out;
        Bytes part;
        for (int i = 0; i < length; ++i) {
          part.push_back(in[static_cast<std::size_t>(i)]);
          if (i + 1 == length || ((cuts >> i) & 1) != 0) feed(marks, std::exchange(part, {}), out);
        }
        ASSERT_EQ(out, whole);
      }
    }
  }
}

// What the kernel makes of a line, decoded again.
TEST(ParityMarks, DecodesWhatTheDriverWrites) {
  std::minstd_rand random{42};
  Bytes line;
  Bytes wanted;
  for (int i = 0; i < 10'000; ++i) {
    const auto c = static_cast<std::byte>(random() % 4 == 0 ? 0xFF : random() % 256);
    if (random() % 3 == 0) {
      line.insert(line.end(), {std::byte{0xFF}, std::byte{0x00}, c});
      wanted.push_back(c | std::byte{kDamagedBit});
    } else {
      if (c == std::byte{0xFF}) line.push_back(c);
      line.push_back(c);
      wanted.push_back(c);
    }
  }
  EXPECT_EQ(decode(line), wanted);
}

}  // namespace
}  // namespace vz::platform
