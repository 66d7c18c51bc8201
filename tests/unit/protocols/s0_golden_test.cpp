// SPDX-License-Identifier: GPL-3.0-or-later
// Every golden case of s0: edges as they come from the transport, and the readings they make.
#include <filesystem>
#include <fstream>

#include "support/d0_harness.hpp"
#include "support/s0_harness.hpp"

namespace vz::test::s0 {
namespace {

namespace fs = std::filesystem;

struct Golden {
  std::string name;
  std::string input;
  S0Settings settings;
  std::vector<std::string> expected;
};

void PrintTo(const Golden& golden, std::ostream* out) { *out << golden.name; }

std::vector<Golden> golden_cases() {
  std::vector<Golden> cases;
  for (const auto& folder : fs::directory_iterator(std::string{VZ_SOURCE_DIR} + "/tests/golden/s0")) {
    Golden golden;
    golden.name = folder.path().filename();
    std::ifstream file(folder.path() / "input.txt");
    golden.input = std::string{std::istreambuf_iterator<char>(file), {}};
    const auto settings = nlohmann::json::parse(std::ifstream(folder.path() / "settings.json"));
    golden.settings.resolution = settings.value("resolution", 1000U);
    golden.expected = nlohmann::json::parse(std::ifstream(folder.path() / "expected.json")).get<std::vector<std::string>>();
    cases.push_back(std::move(golden));
  }
  return cases;
}

std::vector<LineEdge> edges_of(const std::string& input) {
  std::vector<LineEdge> edges;
  RecordReader reader;
  reader.feed(std::as_bytes(std::span{input}), [&](const Record& record) { edges.push_back(parse_edge(record.text).value()); });
  return edges;
}

class S0Golden : public testing::TestWithParam<Golden> {};

TEST_P(S0Golden, IsReadAsExpected) {
  const auto& golden = GetParam();
  PulseRun run{golden.settings};
  run.feed(edges_of(golden.input), seconds{60});
  EXPECT_EQ(run.lines(), golden.expected);
}

TEST_P(S0Golden, AnySplitGivesTheSame) {
  const auto& golden = GetParam();
  const auto count = [&](std::size_t piece) {
    S0Session session{golden.settings};
    SessionOut out;
    session.opened(kStart, out);
    const auto end = after(seconds{60});
    for (std::span<const std::byte> rest = std::as_bytes(std::span{golden.input}); !rest.empty();) {
      const auto part = rest.first(std::min(piece, rest.size()));
      session.received(part, end, end.mono, out);
      rest = rest.subspan(part.size());
    }
    out.clear();
    session.lost(end, out);
    std::vector<std::string> lines;
    for (const auto& reading : out.readings) lines.push_back(fmt::format("{}={}", reading.identifier.text(), reading.value));
    return lines;
  };
  const auto whole = count(golden.input.size());
  EXPECT_FALSE(whole.empty());
  for (std::size_t piece = 1; piece < 64; ++piece) EXPECT_EQ(count(piece), whole) << piece;
}

TEST_P(S0Golden, TruncationInventsNothing) {
  const auto& golden = GetParam();
  PulseRun whole{golden.settings};
  auto edges = edges_of(golden.input);
  whole.feed(edges, seconds{60});
  while (!edges.empty()) {
    edges.pop_back();
    // a pulse whose end is missing is one that lasts, so only what is whole is compared
    if (!edges.empty() && edges.back().high && edges.back().line == LineEdge::Line::pulse) continue;
    PulseRun cut{golden.settings};
    cut.feed(edges, seconds{60});
    EXPECT_LE(cut.sum("Impulse") + cut.sum("Impulse_neg"), whole.sum("Impulse") + whole.sum("Impulse_neg"));
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, S0Golden, testing::ValuesIn(golden_cases()), [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace vz::test::s0
