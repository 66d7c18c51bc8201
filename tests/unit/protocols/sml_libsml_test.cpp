// SPDX-License-Identifier: GPL-3.0-or-later
// libsml as the oracle: what it makes of every good frame of the captures is what our decoder makes of it.
#ifdef VZ_HAVE_LIBSML
extern "C" {
#include <sml/sml_file.h>
#include <sml/sml_get_list_response.h>
#include <sml/sml_list.h>
#include <sml/sml_value.h>
}
#endif

#include <cstring>
#include <filesystem>

#include "core/decimal.hpp"
#include "core/dlms_units.hpp"
#include "support/sml_harness.hpp"

namespace vz::test::sml {
namespace {

#ifdef VZ_HAVE_LIBSML

namespace fs = std::filesystem;

std::string corpus() {
  const char* set = std::getenv("VZ_CORPUS");
  return set != nullptr ? set : VZ_SOURCE_DIR "/../shared/corpus";
}

struct Register {
  Obis code;
  double value = 0.0;
  std::uint8_t unit = 0;
  bool operator==(const Register&) const = default;
};

/// The integer of a libsml value, if it is one: sign and magnitude.
std::optional<std::pair<bool, std::uint64_t>> integer(const sml_value& value) {
  const auto of = [](std::int64_t v) { return std::pair{v < 0, v < 0 ? ~static_cast<std::uint64_t>(v) + 1 : static_cast<std::uint64_t>(v)}; };
  switch (value.type) {
    case SML_TYPE_INTEGER | SML_TYPE_NUMBER_8: return of(*value.data.int8);
    case SML_TYPE_INTEGER | SML_TYPE_NUMBER_16: return of(*value.data.int16);
    case SML_TYPE_INTEGER | SML_TYPE_NUMBER_32: return of(*value.data.int32);
    case SML_TYPE_INTEGER | SML_TYPE_NUMBER_64: return of(*value.data.int64);
    case SML_TYPE_UNSIGNED | SML_TYPE_NUMBER_8: return std::pair{false, std::uint64_t{*value.data.uint8}};
    case SML_TYPE_UNSIGNED | SML_TYPE_NUMBER_16: return std::pair{false, std::uint64_t{*value.data.uint16}};
    case SML_TYPE_UNSIGNED | SML_TYPE_NUMBER_32: return std::pair{false, std::uint64_t{*value.data.uint32}};
    case SML_TYPE_UNSIGNED | SML_TYPE_NUMBER_64: return std::pair{false, std::uint64_t{*value.data.uint64}};
    default: return std::nullopt;
  }
}

/// What libsml reads from a whole frame, under the old daemon's rules but for the missing scaler.
std::vector<Register> oracle(Bytes frame) {
  std::vector<Register> out;
  sml_file* file = sml_file_parse(reinterpret_cast<unsigned char*>(frame.data()) + 8, frame.size() - 16);
  for (int m = 0; file != nullptr && m < file->messages_len; ++m) {
    sml_message* message = file->messages[m];
    if (message->message_body == nullptr || message->message_body->tag == nullptr) continue;
    if (*message->message_body->tag != SML_MESSAGE_GET_LIST_RESPONSE) continue;
    const auto* body = static_cast<sml_get_list_response*>(message->message_body->data);
    for (const sml_list* entry = body->val_list; entry != nullptr; entry = entry->next) {
      if (entry->value == nullptr || entry->obj_name == nullptr || entry->obj_name->len != 6) continue;
      const auto number = integer(*entry->value);
      if (!number) continue;
      Register r;
      std::memcpy(r.code.groups.data(), entry->obj_name->str, 6);
      const auto& g = r.code.groups;
      if (g[0] > 9 || g[1] > 64 || (g[5] > 99 && g[5] != 255)) continue;
      r.value = decimal(number->second, entry->scaler != nullptr ? *entry->scaler : 0);
      if (number->first) r.value = -r.value;
      r.unit = entry->unit != nullptr ? *entry->unit : std::uint8_t{0};
      out.push_back(r);
    }
  }
  if (file != nullptr) sml_file_free(file);
  return out;
}

std::vector<Register> ours(const std::vector<Reading>& telegram, const std::vector<Register>& like) {
  std::vector<Register> out;
  for (std::size_t n = 0; n < telegram.size(); ++n) {
    Register r{*telegram[n].identifier.obis(), telegram[n].value, 0};
    // the unit's text cannot be turned back into a code where two codes share one
    if (n < like.size() && dlms_unit(like[n].unit) == telegram[n].unit) r.unit = like[n].unit;
    out.push_back(r);
  }
  return out;
}

struct Frame {
  Bytes bytes;
  bool good = false;
};

/// Whether the CRCs of the messages are right; some captures were edited before they were published.
bool good_messages(const Bytes& frame) {
  vz::sml::Cursor cursor{std::span(frame).subspan(8, frame.size() - 16)};
  while (cursor.left() > 0) {
    if (cursor.skip_end_mark()) continue;
    const std::byte* begin = cursor.at();
    vz::sml::Cursor::Field field;
    if (!cursor.read(field) || !cursor.skip(4)) return false;
    const Bytes covered(begin, cursor.at());
    if (!cursor.read(field)) return false;
    const auto received = vz::sml::unsigned_value(field.data);
    const unsigned wanted = crc(covered, 0xFFFF, 0xFFFF);
    if (received != (wanted >> 8U | (wanted & 0xFFU) << 8U) && received != crc(covered, 0, 0)) return false;
  }
  return true;
}

/// The frames of a capture by the plainest rule there is: from a start sequence to the next end sequence.
std::vector<Frame> frames_of(const Bytes& stream) {
  const Bytes start = hex("1b1b1b1b01010101");
  const Bytes end = hex("1b1b1b1b1a");
  std::vector<Frame> out;
  auto at = stream.begin();
  while (true) {
    const auto from = std::search(at, stream.end(), start.begin(), start.end());
    const auto to = std::search(from, stream.end(), end.begin(), end.end());
    if (stream.end() - to < 8) return out;
    const auto again = std::search(from + (from == stream.end() ? 0 : 8), to, start.begin(), start.end());
    at = again != to ? again : to + 8;
    if (again != to) continue;
    Frame frame{Bytes(from, to + 8), false};
    const Bytes covered(from, to + 6);
    const unsigned received = std::to_integer<unsigned>(to[6]) | std::to_integer<unsigned>(to[7]) << 8U;
    frame.good = crc(covered, 0xFFFF, 0xFFFF) == received && good_messages(frame.bytes);
    out.push_back(std::move(frame));
  }
}

TEST(SmlCorpus, LibsmlReadsTheSameFromEveryGoodFrameAtEverySplit) {
  if (!fs::exists(corpus())) GTEST_SKIP() << "no captures at " << corpus() << " (VZ_CORPUS)";
  auto settings = listening();
  settings.mapping.unsigned_power = vz::sml::UnsignedPower::off;  // Debian's libsml does not know that trouble
  int good = 0;
  int bad = 0;
  int kermit = 0;
  int registers = 0;
  for (const auto& file : fs::recursive_directory_iterator(corpus())) {
    if (file.path().extension() != ".bin" && file.path().extension() != ".dump") continue;
    int number = 0;
    for (const auto& frame : frames_of(read_bytes(file.path()))) {
      const std::string where = fmt::format("{} frame {}", file.path().string(), number++);
      const auto got = decode(frame.bytes, settings, all_at_once);
      if (!frame.good) {
        if (!got.telegrams.empty()) {  // Kermit CRCs, which Debian's libsml does not know
          EXPECT_TRUE(good_messages(frame.bytes)) << where;
          ++kermit;
          continue;
        }
        ++bad;
        continue;
      }
      ++good;
      const auto wanted = oracle(frame.bytes);
      if (wanted.empty()) continue;  // a request, or no list
      ASSERT_EQ(got.telegrams.size(), 1U) << where << ::testing::PrintToString(got.lines());
      ASSERT_EQ(ours(got.telegrams[0], wanted), wanted) << where << ::testing::PrintToString(got.lines());
      registers += static_cast<int>(wanted.size());
      if (number > 40) continue;  // of the long captures the first ones at every split
      const auto lines = got.lines();
      for (std::size_t split = 1; split < frame.bytes.size(); ++split) {
        bool first = true;
        const auto again = decode(frame.bytes, settings, [&] { return std::exchange(first, false) ? split : frame.bytes.size(); });
        ASSERT_EQ(again.lines(), lines) << where << " split at " << split;
      }
    }
  }
  std::printf("%d good frames with %d registers, %d with Kermit CRCs, %d refused\n", good, registers, kermit, bad);
  EXPECT_GT(good, 100);
  EXPECT_GT(registers, 500);
  EXPECT_GT(bad, 3);
  EXPECT_LT(kermit, 5);
}

TEST(SmlCorpus, WholeCapturesLoseNoGoodFrameAtAnySplit) {
  if (!fs::exists(corpus())) GTEST_SKIP() << "no captures at " << corpus() << " (VZ_CORPUS)";
  for (const auto& file : fs::recursive_directory_iterator(corpus())) {
    if (file.path().extension() != ".bin" && file.path().extension() != ".dump") continue;
    const Bytes stream = read_bytes(file.path());
    std::size_t wanted = 0;
    for (const auto& frame : frames_of(stream)) wanted += frame.good && !oracle(frame.bytes).empty() ? 1U : 0U;
    const auto whole = decode(stream, listening(), all_at_once);
    EXPECT_GE(whole.telegrams.size(), wanted) << file.path();
    EXPECT_LE(whole.telegrams.size(), wanted + 1) << file.path();  // one that libsml cannot read, or with Kermit CRCs
    EXPECT_EQ(decode(stream, listening(), [] { return 1; }).lines(), whole.lines()) << file.path();
    EXPECT_EQ(decode(stream, listening(), [] { return 61; }).lines(), whole.lines()) << file.path();
  }
}

/// One byte fewer, at every place of the short captures and at many of the long ones.
TEST(SmlCorpus, OneByteLostCostsOneFrameAtMost) {
  if (!fs::exists(corpus())) GTEST_SKIP() << "no captures at " << corpus() << " (VZ_CORPUS)";
  for (const auto& file : fs::recursive_directory_iterator(corpus())) {
    if (file.path().extension() != ".bin" && file.path().extension() != ".dump") continue;
    const Bytes stream = read_bytes(file.path());
    const auto whole = decode(stream, listening(), all_at_once).telegrams.size();
    const std::size_t step = std::max<std::size_t>(1, stream.size() / 800);
    for (std::size_t at = 0; at < stream.size(); at += step) {
      Bytes shorter = stream;
      shorter.erase(shorter.begin() + static_cast<std::ptrdiff_t>(at));
      ASSERT_GE(decode(shorter, listening(), all_at_once).telegrams.size() + 1, whole) << file.path() << " without byte " << at;
    }
  }
}

#else

TEST(SmlCorpus, LibsmlReadsTheSame) { GTEST_SKIP() << "built without libsml (libsml-dev), the oracle of this test"; }

#endif

}  // namespace
}  // namespace vz::test::sml
