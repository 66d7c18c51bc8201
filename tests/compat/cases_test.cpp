// SPDX-License-Identifier: GPL-3.0-or-later
// Runs the cases described in README.md.
#include <gtest/gtest.h>

#include <charconv>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "compat/registry.hpp"
#include "config/config.hpp"

namespace vz::compat {
namespace {

const std::filesystem::path kCases = std::filesystem::path{VZ_SOURCE_DIR} / "tests/compat/cases";

struct Expectation {
  bool error = false;
  unsigned line = 0;
  std::string text;

  bool matches(const Problem& problem) const {
    return error == (problem.severity == Problem::Severity::error) && line == problem.position.line &&
           problem.text.find(text) != std::string::npos;
  }
};

std::string contents(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream{path, std::ios::binary}.rdbuf();
  return text.str();
}

/// The expectations among the lines; empty if there is none, not even "runs", or one cannot be read.
std::optional<std::vector<Expectation>> parse(const std::string& text, std::string_view prefix) {
  std::vector<Expectation> out;
  bool any = false;
  std::istringstream lines{text};
  for (std::string line; std::getline(lines, line) && line.starts_with(prefix);) {
    any = true;
    std::istringstream words{line.substr(prefix.size())};
    std::string kind;
    Expectation one;
    words >> kind;
    if (kind == "runs") continue;
    one.error = kind == "error";
    if ((!one.error && kind != "warning") || !(words >> one.line) || !std::getline(words >> std::ws, one.text))
      return {};
    out.push_back(one);
  }
  return any ? std::optional{out} : std::nullopt;
}

std::vector<std::string> names() {
  std::vector<std::string> out;
  for (const auto& entry : std::filesystem::directory_iterator{kCases})
    if (entry.path().extension() == ".conf") out.push_back(entry.path().stem().string());
  std::sort(out.begin(), out.end());
  return out;
}

class Case : public testing::TestWithParam<std::string> {};

TEST_P(Case, DoesWhatItSays) {
  const auto file = kCases / (GetParam() + ".conf");
  const auto sidecar = kCases / (GetParam() + ".expect");
  const std::string text = contents(file);
  const bool has_sidecar = std::filesystem::exists(sidecar);
  const auto expected = has_sidecar ? parse(contents(sidecar), "expect: ") : parse(text, "// expect: ");
  ASSERT_TRUE(expected.has_value()) << "the case does not say what is expected";

  const config::Result result = config::load(text, registry());
  const bool refused = std::any_of(expected->begin(), expected->end(), [](const auto& one) { return one.error; });
  EXPECT_EQ(result.settings.has_value(), !refused);
  for (const auto& problem : result.problems)
    EXPECT_TRUE(std::any_of(expected->begin(), expected->end(), [&](const auto& one) { return one.matches(problem); }))
        << "not expected: " << config::format(problem, file.filename().string());
  for (const auto& one : *expected)
    EXPECT_TRUE(
        std::any_of(result.problems.begin(), result.problems.end(), [&](const auto& p) { return one.matches(p); }))
        << "not told: line " << one.line << ": " << one.text;
}

std::string test_name(const testing::TestParamInfo<std::string>& test) {
  std::string name = test.param;
  std::replace_if(
      name.begin(), name.end(), [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Compat, Case, testing::ValuesIn(names()), test_name);

TEST(Compat, HasCases) { EXPECT_GE(names().size(), 80u); }

}  // namespace
}  // namespace vz::compat
