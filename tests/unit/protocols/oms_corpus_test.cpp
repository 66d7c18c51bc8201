// SPDX-License-Identifier: GPL-3.0-or-later
// The wired telegrams of the captures: against the values that another program (wmbusmeters) reads from them, and record by
// record against tests/support/mbus_reference.py.
#include <array>
#include <cstdio>
#include <filesystem>
#include <map>
#include <sstream>

#include "protocols/oms/records.hpp"
#include "support/oms_harness.hpp"

namespace vz::test::oms {
namespace {

namespace fs = std::filesystem;

fs::path corpus() {
  const char* folder = std::getenv("VZ_CORPUS");
  return fs::path{folder == nullptr ? "" : folder} / "wmbusmeters" / "telegrams.tsv";
}

/// The telegrams marked as wired, in hexadecimal.
std::vector<std::string> wired() {
  std::vector<std::string> lines;
  std::ifstream file(corpus());
  for (std::string line; std::getline(file, line);)
    if (const auto at = line.find("\tmbus-wired\t"); at != std::string::npos) lines.push_back(line.substr(at + 12));
  return lines;
}

/// What a reader with the test address makes of one frame.
SessionOut read_answer(const Bytes& frame) {
  OmsSession session{asking(254)};
  SessionOut out;
  session.opened(kNow, out);
  session.begin(kNow, out);
  out.clear();
  session.received(Bytes{std::byte{0xE5}}, kNow, kNow.mono, out);
  out.clear();
  session.received(frame, kNow, kNow.mono, out);
  if (!out.cycle_done) session.lost(kNow, out);  // it announces more
  return out;
}

struct Fact {
  std::string code;
  double value;
};
/// What wmbusmeters' own tests say of a telegram, found by its number, version and length, in our units.
const std::map<std::string, std::vector<Fact>>& facts() {
  static const std::map<std::string, std::vector<Fact>> kFacts = {
      {"6808007257004820C514", {{"6-0:12.0.0*255", -0.38}, {"6-0:10.0.0*255", 20}, {"6-0:11.0.0*255", 21}, {"6-0:1.0.0*255", 0}}},
      {"6808007200464470A732", {{"6-0:1.0.0*255", 32308e6}, {"6-0:2.0.0*255", 1995.07}, {"6-0:8.0.0*255", 500},
                                {"6-0:9.0.0*255", 0.808}, {"6-0:10.0.0*255", 52}, {"6-0:11.0.0*255", 51}}},
      {"68080B7259149117523B", {{"1-0:1.7.0*255", 2030}, {"1-0:1.7.0*2", 643.54}, {"1-0:1.7.0*4", 900.88}, {"1-0:12.7.0*2", 237},
                                {"1-0:11.7.0*2", 2.89}, {"1-0:11.7.0*6", 2.15}}},
      {"68080172280417230106", {{"6-0:1.0.0*255", 134694263e2}, {"6-0:2.0.0*255", 304.663}, {"6-0:10.0.0*255", 24.9}, {"6-0:11.0.0*255", 24.4}}},
      {"6808E672323232322D2C", {{"6-0:1.0.0*255", 33632e5}, {"6-0:2.0.0*255", 85656}, {"6-0:8.0.0*255", 560e3}, {"6-0:8.5.0*255", 869e3},
                                {"6-0:9.0.0*255", 13.16}, {"6-0:10.0.0*255", 81.37}, {"6-0:11.0.0*255", 44.31}, {"6-0:12.0.0*255", 37.06},
                                {"6-0:1.2.0*255", 32000e5}, {"6-0:2.2.0*255", 81847}}},
      {"68081472207400852D2C", {{"6-0:1.0.0*255", 1219e8}, {"6-0:2.0.0*255", 1075}, {"6-0:10.0.0*255", 44.85}, {"6-0:11.0.0*255", 42.67},
                                {"6-0:12.0.0*255", 2.18}, {"6-0:9.5.0*255", 0.096}, {"6-0:8.5.0*255", 800}}},
      {"68083072303030302D2C", {{"6-0:1.0.0*255", 154e3}, {"5-0:1.0.0*255", 0}, {"6-0:2.0.0*255", 39.49}, {"6-0:8.0.0*255", 1400},
                                {"6-0:9.0.0*255", 1.128}, {"6-0:9.5.0*255", 1.146}, {"6-0:10.0.0*255", 29.3}, {"6-0:11.0.0*255", 28.2}}},
  };
  return kFacts;
}

TEST(OmsCorpus, WhatAnotherProgramReads) {
  if (!fs::exists(corpus())) GTEST_SKIP() << "no captures at " << corpus() << " (VZ_CORPUS)";
  std::size_t compared = 0;
  for (const auto& line : wired()) {
    const auto found = facts().find(line.substr(6, 20));
    if (found == facts().end()) continue;
    const SessionOut out = read_answer(hex(line));
    for (const Fact& fact : found->second) {
      const auto reading = std::find_if(out.readings.begin(), out.readings.end(), [&](const Reading& r) { return r.identifier.text() == fact.code; });
      ASSERT_NE(reading, out.readings.end()) << fact.code << " of " << found->first;
      EXPECT_EQ(reading->value, fact.value) << fact.code << " of " << found->first;
      ++compared;
    }
  }
  EXPECT_GE(compared, 45U);
}

TEST(OmsCorpus, EveryTelegramIsReadAndNoDamagedOne) {
  if (!fs::exists(corpus())) GTEST_SKIP() << "no captures at " << corpus() << " (VZ_CORPUS)";
  const auto lines = wired();
  EXPECT_GE(lines.size(), 39U);
  for (const auto& line : lines) {
    const Bytes frame = hex(line);
    const SessionOut out = read_answer(frame);
    EXPECT_EQ(out.telegrams, 1U) << line;
    EXPECT_TRUE(out.faults.empty()) << line << ": " << (out.faults.empty() ? "" : out.faults[0].detail);
    for (std::size_t at = 0; at < frame.size(); ++at) {
      for (unsigned bit = 0; bit < 8; ++bit) {
        Bytes damaged = frame;
        damaged[at] ^= static_cast<std::byte>(1U << bit);
        ASSERT_TRUE(read_answer(damaged).readings.empty()) << line << ", bit " << bit << " of byte " << at;
      }
    }
  }
}

std::string value_text(const vz::oms::Record& record) {
  using Kind = vz::oms::RecordValue::Kind;
  const auto& value = record.value;
  if (value.kind == Kind::integer) return fmt::format("{}{}", value.negative ? "-" : "", value.magnitude);
  return value.kind == Kind::real ? fmt::format("{}", value.real) : "-";
}

TEST(OmsCorpus, EveryRecordAgreesWithTheReference) {
  if (!fs::exists(corpus())) GTEST_SKIP() << "no captures at " << corpus() << " (VZ_CORPUS)";
  const std::string command = fmt::format("grep -P '\\tmbus-wired\\t' '{}' | cut -f3 | python3 '{}/tests/support/mbus_reference.py' 2>&1",
                                          corpus().string(), VZ_SOURCE_DIR);
  FILE* pipe = ::popen(command.c_str(), "r");
  ASSERT_NE(pipe, nullptr);
  std::string reference;
  std::array<char, 4096> buffer{};
  while (const std::size_t count = std::fread(buffer.data(), 1, buffer.size(), pipe)) reference.append(buffer.data(), count);
  if (::pclose(pipe) != 0) GTEST_SKIP() << "python3, the oracle of this test: " << reference;
  std::string ours;
  std::size_t number = 0;
  for (const auto& line : wired()) {
    constexpr std::size_t kHeader = 19;
    const Bytes frame = hex(line);
    vz::oms::RecordReader records{std::span(frame).subspan(kHeader, frame.size() - kHeader - 2), vz::oms::ByteOrder::low_first};
    vz::oms::Record record;
    while (records.next(record) == vz::oms::RecordReader::Step::record)
      ours += fmt::format("{} {} {} {} {} {} {}\n", number, text_of(record.head), static_cast<int>(record.function), record.storage,
                          record.tariff, record.subunit, value_text(record));
    ++number;
  }
  std::istringstream left(ours);
  std::istringstream right(reference);
  std::string a;
  std::string b;
  std::size_t compared = 0;
  while (std::getline(left, a) && std::getline(right, b)) {
    // reals are printed differently; everything before them is the same
    const auto cut = [](const std::string& line) { return line.substr(0, line.rfind(' ')); };
    ASSERT_EQ(cut(a), cut(b));
    const std::string x = a.substr(a.rfind(' ') + 1);
    const std::string y = b.substr(b.rfind(' ') + 1);
    if (x != y) { ASSERT_EQ(std::strtod(x.c_str(), nullptr), std::strtod(y.c_str(), nullptr)) << a; }
    ++compared;
  }
  EXPECT_EQ(std::count(ours.begin(), ours.end(), '\n'), std::count(reference.begin(), reference.end(), '\n'));
  EXPECT_GE(compared, 700U);
}

}  // namespace
}  // namespace vz::test::oms
