// SPDX-License-Identifier: GPL-3.0-or-later
// What the sml options make.
#include <gtest/gtest.h>

#include <algorithm>

#include "vz/protocol.hpp"

namespace vz::test {
namespace {

const Protocol& sml_protocol() {
  for (const Protocol* protocol : all_protocols())
    if (protocol->name == "sml") return *protocol;
  std::abort();
}

/// The defaults of the table, and what the test gives.
class SmlOptions : public testing::Test {
 protected:
  SmlOptions() {
    for (const auto& spec : sml_protocol().options) {
      std::string text{spec.default_text};
      std::erase(text, '"');
      OptionValue value;
      if (spec.type == OptionType::boolean) value = text == "true";
      else if (spec.type == OptionType::integer && !text.empty()) value = std::int64_t{std::stoll(text)};
      else if (spec.type == OptionType::string && !text.empty()) value = text;
      options.set(spec.name, value);
    }
  }
  std::unique_ptr<MeterSource> make() {
    problems.clear();
    ProblemSink sink(options, problems);
    return sml_protocol().make(options, sink);
  }
  void give(std::string_view name, OptionValue value) { options.set(name, std::move(value), Position{1, 1, std::string{name}}); }

  Options options;
  std::vector<Problem> problems;
};

TEST_F(SmlOptions, ADeviceIsEnough) {
  give("device", std::string{"/dev/ttyUSB0"});
  const auto source = make();
  ASSERT_TRUE(source);
  EXPECT_TRUE(problems.empty());
  EXPECT_FALSE(source->session->pulls());
  EXPECT_EQ(source->session->initial_line(), (LineSettings{9600, CharacterFormat::n8}));
  EXPECT_FALSE(sml_protocol().interval_allowed(options));
  EXPECT_EQ(sml_protocol().identifiers, IdentifierKind::obis);
}

TEST_F(SmlOptions, WithoutDeviceAndHostThereIsNoMeter) {
  EXPECT_FALSE(make());
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_EQ(problems[0].severity, Problem::Severity::error);
}

TEST_F(SmlOptions, APulledMeterMayHaveAnInterval) {
  give("host", std::string{"192.168.1.5:7331"});
  give("pullseq", std::string{"1b1b1b1b01010101"});
  EXPECT_TRUE(sml_protocol().interval_allowed(options));
  const auto source = make();
  ASSERT_TRUE(source);
  EXPECT_TRUE(source->session->pulls());
  EXPECT_TRUE(std::holds_alternative<TcpPeer>(source->endpoint));
}

TEST_F(SmlOptions, AnotherParityOnlyWarns) {
  give("device", std::string{"/dev/ttyUSB0"});
  give("parity", std::string{"7E1"});
  const auto source = make();
  ASSERT_TRUE(source);
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_EQ(problems[0].severity, Problem::Severity::warning);
  EXPECT_EQ(source->session->initial_line().format, CharacterFormat::n8);
}

TEST_F(SmlOptions, ABitWithoutItsSwitchWarns) {
  give("device", std::string{"/dev/ttyUSB0"});
  give("status_sign_bit", std::int64_t{11});
  ASSERT_TRUE(make());
  EXPECT_EQ(problems.size(), 1U);
  give("sign_from_status", true);
  ASSERT_TRUE(make());
  EXPECT_TRUE(problems.empty());
}

}  // namespace
}  // namespace vz::test
