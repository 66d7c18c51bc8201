// SPDX-License-Identifier: GPL-3.0-or-later
// What people write by mistake: each must be told at the right line, with words that help. And what is right must not be
// called doubtful.
#include <filesystem>
#include <fstream>
#include <sstream>

#include "config/advice.hpp"
#include "config/config.hpp"

namespace vz {
namespace {

namespace fs = std::filesystem;

std::string read_all(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<Problem> problems_of(const std::string& text) {
  auto result = config::load(text, {all_protocols(), all_sinks()});
  if (result.settings) config::add_advice(*result.settings, result.problems);
  return std::move(result.problems);
}

std::string listed(const std::vector<Problem>& problems) {
  std::string out;
  for (const Problem& problem : problems) out += config::format(problem, "file") + "\n";
  return out;
}

std::vector<fs::path> mistakes() {
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(fs::path(VZ_SOURCE_DIR) / "tests/compat/mistakes")) found.push_back(entry.path());
  std::sort(found.begin(), found.end());
  return found;
}

class Mistake : public testing::TestWithParam<fs::path> {};

TEST_P(Mistake, IsToldAtItsLineWithWhatWouldBeRight) {
  const std::string text = read_all(GetParam());
  unsigned line = 0;
  int words_at = 0;
  ASSERT_EQ(std::sscanf(text.c_str(), "// expect %u:%n", &line, &words_at), 1);
  std::string words = text.substr(static_cast<std::size_t>(words_at), text.find('\n') - static_cast<std::size_t>(words_at));
  words.erase(0, words.find_first_not_of(' '));
  const auto problems = problems_of(text);
  const bool told = std::any_of(problems.begin(), problems.end(), [&](const Problem& problem) {
    return problem.position.line == line && problem.text.find(words) != std::string::npos;
  });
  EXPECT_TRUE(told) << "expected at line " << line << ": ..." << words << "...; told was\n" << listed(problems);
}

INSTANTIATE_TEST_SUITE_P(Files, Mistake, testing::ValuesIn(mistakes()), [](const auto& file) {
  std::string name = file.param.stem().string();
  std::replace_if(name.begin(), name.end(), [](char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0; }, '_');
  return name;
});

TEST(Mistakes, AreAtLeastForty) { EXPECT_GE(mistakes().size(), 40U); }

/// The shipped examples with a real uuid and everything switched on are not doubtful.
TEST(Mistakes, TheExamplesHaveNone) {
  const fs::path folder = fs::path(VZ_SOURCE_DIR) / "etc/examples";
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() != ".conf") continue;
    std::string text = read_all(entry.path());
    constexpr std::string_view kZeros = "00000000-0000-0000-0000-00000000";
    unsigned number = 0x1000;
    for (auto at = text.find(kZeros); at != std::string::npos; at = text.find(kZeros, at + 1))
      text.replace(at, 36, fmt::format("c07ef180-e4c6-11e0-95a6-43402400{:04x}", number++));
    EXPECT_EQ(listed(problems_of(text)), "") << entry.path();
  }
}

}  // namespace
}  // namespace vz
