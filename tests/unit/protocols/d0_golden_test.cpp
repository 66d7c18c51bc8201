// SPDX-License-Identifier: GPL-3.0-or-later
// Every golden case, and the properties that every decoder has to have.
#include <filesystem>
#include <regex>
#include <sstream>

#include "protocols/d0/telegram.hpp"
#include "support/d0_harness.hpp"
#include "support/golden.hpp"

namespace vz::test {
namespace {

namespace fs = std::filesystem;

d0::D0Settings settings_of(const Golden& golden) {
  d0::D0Settings settings = listening(golden.settings.at("parity").get<std::string>());
  if (golden.settings.contains("key")) settings.key = parse_aes_key(golden.settings.at("key").get<std::string>());
  if (golden.settings.contains("auth_key")) settings.authentication_key = parse_aes_key(golden.settings.at("auth_key").get<std::string>());
  return settings;
}

/// Those in which a check value vouches for every telegram.
std::vector<Golden> checked_cases() {
  auto cases = golden_cases("d0");
  std::erase_if(cases, [](const Golden& golden) { return !golden.expected.at("checked").get<bool>(); });
  return cases;
}

class D0Golden : public testing::TestWithParam<Golden> {
 protected:
  const Bytes& input() const { return GetParam().input; }
  auto decoder() const {
    return [settings = settings_of(GetParam())](std::span<const std::byte> stream, auto next_size) { return decode(stream, settings, next_size); };
  }
};
class D0Checked : public D0Golden {};

TEST_P(D0Golden, IsReadAsExpected) { expect_golden(decoder()(input(), all_at_once), GetParam().expected); }
TEST_P(D0Golden, AnySplitGivesTheSame) { expect_any_split_gives_the_same(input(), decoder()); }

TEST_P(D0Golden, TruncationIsSafe) {
  const auto whole = decoder()(input(), all_at_once);
  for (std::size_t length = 0; length < input().size(); ++length) {
    const auto cut = decoder()(std::span(input()).first(length), all_at_once);
    // what is there must be a prefix of what the whole stream gives: nothing is invented
    ASSERT_LE(cut.telegrams.size(), whole.telegrams.size());
    for (std::size_t t = 0; t < cut.telegrams.size(); ++t)
      for (std::size_t r = 0; r < cut.telegrams[t].size(); ++r)
        ASSERT_EQ(cut.telegrams[t][r].value, whole.telegrams[t][r].value) << "cut at " << length;
  }
}

TEST_P(D0Golden, NoiseBeforeItCostsNothing) {
  const auto whole = decoder()(input(), all_at_once).telegrams.size();
  std::mt19937 random{7};
  for (int i = 0; i < 200; ++i) {
    Bytes noisy;
    for (std::size_t n = random() % 64; n > 0; --n) noisy.push_back(static_cast<std::byte>(random() & 0x7F));
    // noise that happens to open an identification swallows the telegram behind it; that is the one it may cost
    const auto got = decoder()(noisy + input(), all_at_once).telegrams.size();
    ASSERT_GE(got + 1, whole);
    ASSERT_LE(got, whole);
  }
}

TEST_P(D0Checked, OneWrongBitNeverMakesAReading) { expect_one_wrong_bit_makes_no_reading(input(), 7, decoder()); }

INSTANTIATE_TEST_SUITE_P(Cases, D0Golden, testing::ValuesIn(golden_cases("d0")),
                         [](const auto& test) { return test.param.name; });

INSTANTIATE_TEST_SUITE_P(Cases, D0Checked, testing::ValuesIn(checked_cases()),
                         [](const auto& test) { return test.param.name; });

std::string corpus() {
  const char* set = std::getenv("VZ_CORPUS");
  return set != nullptr ? set : std::string{VZ_SOURCE_DIR} + "/../shared/corpus";
}

/// What the check value of a capture says.
enum class Vouched { right, wrong, none };

Vouched verdict(const Bytes& input) {
  const std::string text(reinterpret_cast<const char*>(input.data()), input.size());
  const auto slash = text.find('/');
  const auto stx = text.find('\x02');
  const auto etx = text.find('\x03', stx == std::string::npos ? 0 : stx);
  if (stx != std::string::npos) {
    if (etx == std::string::npos || etx + 1 >= text.size()) return Vouched::wrong;
    const auto covered = std::span(input).subspan(stx + 1, etx - stx);
    return d0::block_check(covered) == (static_cast<unsigned>(text[etx + 1]) & 0x7F) ? Vouched::right : Vouched::wrong;
  }
  for (auto bang = text.find('!'); bang != std::string::npos; bang = text.find('!', bang + 1)) {
    const auto digits = text.substr(bang + 1, text.find_first_not_of("0123456789ABCDEFabcdef", bang + 1) - bang - 1);
    if (digits.empty() || digits.size() > 4) continue;
    const auto covered = std::span(input).subspan(slash, bang + 1 - slash);
    return d0::p1_crc(covered) == std::stoul(digits, nullptr, 16) ? Vouched::right : Vouched::wrong;
  }
  return Vouched::none;
}

/// The data sets of a capture that anyone can see to be a register with a number: a line with an address and one bracket.
std::vector<std::pair<Obis, double>> plain_registers(const Bytes& input) {
  std::vector<std::pair<Obis, double>> found;
  std::string text(reinterpret_cast<const char*>(input.data()), input.size());
  static const std::regex kLine(R"(^\x02?([0-9A-FLP][0-9A-FLP.:*&-]*)\(([+-]?[0-9]+(?:\.[0-9]+)?)(?:\*[A-Za-z0-9]+)?\)$)");
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    while (!line.empty() && line.back() == '\r') line.pop_back();
    std::smatch match;
    if (!std::regex_match(line, match, kLine)) continue;
    if (const auto code = Obis::parse(match[1].str())) found.emplace_back(*code, std::stod(match[2].str()));
  }
  return found;
}

bool was_read(const Decoded& got, const Obis& code, double value) {
  for (const auto& telegram : got.telegrams)
    for (const auto& reading : telegram)
      if (*reading.identifier.obis() == code && reading.value == value) return true;
  return false;
}

/// Captures without check value that are no whole telegrams.
bool is_incomplete(const fs::path& path) {
  const Bytes input = read_bytes(path);
  const std::string text(reinterpret_cast<const char*>(input.data()), input.size());
  return text.find('/') == std::string::npos || text.find('!', text.find('/')) == std::string::npos;
}

TEST(D0Corpus, EveryRegisterOfEveryCaptureIsReadUnlessItsCheckValueIsWrong) {
  if (!fs::exists(corpus())) GTEST_SKIP() << "no captures at " << corpus() << " (VZ_CORPUS)";
  int files[3] = {};
  std::size_t registers = 0;
  std::size_t incomplete = 0;
  for (const auto& entry : fs::recursive_directory_iterator(corpus())) {
    if (entry.path().extension() != ".d0") continue;
    const Bytes input = read_bytes(entry.path());
    const Vouched vouched = verdict(input);
    ++files[static_cast<int>(vouched)];
    const Decoded got = decode(input, listening("8n1"), all_at_once);
    if (vouched == Vouched::wrong) {
      EXPECT_TRUE(got.telegrams.empty()) << entry.path();
      continue;
    }
    if (vouched == Vouched::none && is_incomplete(entry.path())) {
      ++incomplete;
      continue;
    }
    for (const auto& [code, value] : plain_registers(input)) {
      ++registers;
      EXPECT_TRUE(was_read(got, code, value)) << entry.path() << " " << code.text() << " " << value;
    }
  }
  RecordProperty("right", files[0]);
  std::printf("captures: %d with the right check value, %d with a wrong one (refused), %d without (%zu of them incomplete); "
              "%zu registers read\n", files[0], files[1], files[2], incomplete, registers);
  EXPECT_GT(registers, 500U);
}

TEST(D0Corpus, CapturesWithTheRightCheckValueAreReadAndTheOthersRefused) {
  if (!fs::exists(corpus())) GTEST_SKIP() << "no captures at " << corpus() << " (VZ_CORPUS)";
  int right = 0;
  int wrong = 0;
  for (const auto& entry : fs::recursive_directory_iterator(corpus())) {
    if (entry.path().extension() != ".d0") continue;
    const Bytes input = read_bytes(entry.path());
    const auto settings = listening("8n1");
    const Decoded got = decode(input, settings, all_at_once);
    const Vouched vouched = verdict(input);
    if (vouched == Vouched::right) {
      EXPECT_FALSE(got.telegrams.empty()) << entry.path();
      ++right;
    } else if (vouched == Vouched::wrong) {
      EXPECT_TRUE(got.telegrams.empty()) << entry.path() << ::testing::PrintToString(got.lines());
      ++wrong;
    }
    EXPECT_EQ(decode(input, settings, [] { return 1; }).lines(), got.lines()) << entry.path();
    for (std::size_t length = 0; length < input.size(); length += 7) {
      const auto cut = decode(std::span(input).first(length), settings, all_at_once);
      ASSERT_LE(cut.telegrams.size(), got.telegrams.size()) << entry.path() << " cut at " << length;
    }
  }
  EXPECT_GT(right, 10);
  EXPECT_GT(wrong, 5);
}

}  // namespace
}  // namespace vz::test
