// SPDX-License-Identifier: GPL-3.0-or-later
// What the oms options make.
#include <gtest/gtest.h>

#include <algorithm>

#include "vz/protocol.hpp"

namespace vz::test {
namespace {

const Protocol& oms_protocol() {
  for (const Protocol* protocol : all_protocols())
    if (protocol->name == "oms") return *protocol;
  std::abort();
}

const OptionSpec& spec_of(std::string_view name) {
  const auto options = oms_protocol().options;
  return *std::find_if(options.begin(), options.end(), [&](const auto& spec) { return spec.name == name; });
}

/// The defaults of the table, and what the test gives.
class OmsOptions : public testing::Test {
 protected:
  OmsOptions() {
    for (const auto& spec : oms_protocol().options) {
      OptionValue value;
      if (spec.type == OptionType::boolean) value = spec.default_text == "true";
      else if (spec.type == OptionType::integer && !spec.default_text.empty()) value = std::int64_t{std::stoll(std::string{spec.default_text})};
      options.set(spec.name, value);
    }
    give("device", std::string{"/dev/ttyUSB0"});
  }
  std::unique_ptr<MeterSource> make() {
    problems.clear();
    ProblemSink sink(options, problems);
    return oms_protocol().make(options, sink);
  }
  void give(std::string_view name, OptionValue value) { options.set(name, std::move(value), Position{1, 1, std::string{name}}); }

  Options options;
  std::vector<Problem> problems;
};

TEST_F(OmsOptions, ADeviceIsEnough) {
  const auto source = make();
  ASSERT_TRUE(source);
  EXPECT_TRUE(problems.empty());
  EXPECT_FALSE(source->session->pulls());
  EXPECT_EQ(source->session->initial_line(), (LineSettings{9600, CharacterFormat::e8}));
  EXPECT_FALSE(oms_protocol().interval_allowed(options));
}

TEST_F(OmsOptions, AnAddressMeansToAsk) {
  give("address", std::int64_t{0});
  give("baudrate", std::int64_t{2400});
  const auto source = make();
  ASSERT_TRUE(source);
  EXPECT_TRUE(source->session->pulls());
  EXPECT_EQ(source->session->initial_line(), (LineSettings{2400, CharacterFormat::e8}));
  EXPECT_TRUE(oms_protocol().interval_allowed(options));
}

TEST_F(OmsOptions, ASecondaryAddressTooAndItWins) {
  give("secondary_address", std::string{"12345678"});
  ASSERT_TRUE(make());
  EXPECT_TRUE(make()->session->pulls());
  give("address", std::int64_t{1});
  ASSERT_TRUE(make());
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_EQ(problems[0].severity, Problem::Severity::warning);
  for (const char* good : {"12345678", "FFFFFFFF", "1234567843040102"}) EXPECT_EQ(spec_of("secondary_address").check(std::string{good}), "");
  for (const char* bad : {"1234567", "123456789", "1234567x"}) EXPECT_NE(spec_of("secondary_address").check(std::string{bad}), "");
}

TEST_F(OmsOptions, AKeyOfAnotherLengthIsAnErrorAsItWas) {
  give("key", std::string{"0011"});
  EXPECT_FALSE(make());
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_EQ(problems[0].severity, Problem::Severity::error);
  EXPECT_TRUE(problems[0].text.starts_with("Key length needs to be 32!")) << problems[0].text;
  EXPECT_EQ(problems[0].text.find("0011"), std::string::npos) << "a key is a secret";
  EXPECT_TRUE(spec_of("key").secret);
}

TEST_F(OmsOptions, AKeyThatIsNotHexadecimalWarns) {
  give("key", std::string{"zz0102030405060708090A0B0C0D0E0F"});
  EXPECT_TRUE(make());
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_EQ(problems[0].severity, Problem::Severity::warning);
  give("key", std::string{"000102030405060708090a0B0C0D0E0F"});
  EXPECT_TRUE(make());
  EXPECT_TRUE(problems.empty());
}

TEST_F(OmsOptions, OnlySpeedsOfTheBus) {
  EXPECT_EQ(spec_of("baudrate").check(std::int64_t{2400}), "");
  EXPECT_NE(spec_of("baudrate").check(std::int64_t{115200}), "");
}

TEST_F(OmsOptions, WithoutDeviceAndHostThereIsNoMeter) {
  options.set("device", OptionValue{});
  EXPECT_FALSE(make());
}

}  // namespace
}  // namespace vz::test
