// SPDX-License-Identifier: GPL-3.0-or-later
#include "cli/command.hpp"

#include <fstream>
#include <sstream>

#include "cli/command_options.hpp"

namespace vz::cli {
namespace {

using ::testing::HasSubstr;

struct Outcome {
  std::optional<int> status;
  std::string out;
  std::string err;
};

Outcome run(const std::vector<const char*>& words) {
  std::vector<const char*> argv{"vzlogger"};
  argv.insert(argv.end(), words.begin(), words.end());
  std::istringstream in;
  std::ostringstream out;
  std::ostringstream err;
  const auto status = run_command(static_cast<int>(argv.size()), argv.data(), in, out, err);
  return {status, out.str(), err.str()};
}

TEST(Command, WithoutOneTheCommandLineIsTheDaemons) {
  EXPECT_EQ(run({}).status, std::nullopt);
  EXPECT_EQ(run({"-f", "help"}).status, std::nullopt) << "only the first word is a command";
  EXPECT_EQ(run({"something"}).status, std::nullopt) << "the old daemon ignored such words";
}

TEST(Command, ASlipOfTheFingersDoesNotStartTheDaemon) {
  for (const char* word : {"stauts", "statu", "Status", "queu", "chanel"}) {
    const auto [status, out, err] = run({word});
    EXPECT_EQ(status, 64) << word;
    EXPECT_THAT(err, HasSubstr("did you mean")) << word;
  }
  for (const char* word : {"start", "daemon", "/etc/vzlogger.conf", "probe.conf", "-", "--help"}) EXPECT_EQ(run({word}).status, std::nullopt) << word;
}

TEST(Command, WhatIsWrongIsSaidInWords) {
  const auto err = [](const std::vector<const char*>& words) {
    const auto outcome = run(words);
    EXPECT_EQ(outcome.status, 64) << words.front();
    return outcome.err;
  };
  EXPECT_EQ(err({"status", "--jsno"}),
            "vzlogger status: there is no option \"--jsno\" here; did you mean --json?\nMore about it: vzlogger status --help\n");
  EXPECT_THAT(err({"status", "now"}), HasSubstr("nothing is known about \"now\" here"));
  EXPECT_THAT(err({"queue", "exprot"}), HasSubstr("did you mean export?"));
  EXPECT_THAT(err({"queue", "export"}), HasSubstr("vzlogger queue export: CHANNEL is required"));
  EXPECT_THAT(err({"queue", "export", "abcdef", "--formt", "csv"}), HasSubstr("vzlogger queue export: there is no option \"--formt\" here; did you mean --format?"));
  EXPECT_THAT(err({"channel"}), HasSubstr("what is to be done? One of list, create and delete"));
  EXPECT_THAT(err({"channel", "add"}), HasSubstr("nothing is known about \"add\" here; it could be list, create or delete"));
  EXPECT_THAT(err({"read", "--every", "-1"}), HasSubstr("not in range 0 to 86400"));
}

TEST(Command, HelpListsAllOfThem) {
  const auto [status, out, err] = run({"help"});
  EXPECT_EQ(status, 0);
  for (const Command* command : all_commands()) EXPECT_THAT(out, HasSubstr(command->name));
}

TEST(Command, HelpOfEachWorks) {
  for (const Command* command : all_commands()) {
    const auto [status, out, err] = run({"help", command->name.data()});
    EXPECT_EQ(status, 0) << command->name;
    EXPECT_THAT(out, HasSubstr(command->keywords));
    EXPECT_EQ(err, "");
  }
}

TEST(Command, HelpOfAnUnknownOneSaysSo) {
  const auto [status, out, err] = run({"help", "frob"});
  EXPECT_EQ(status, 64);
  EXPECT_THAT(err, HasSubstr("no command 'frob'"));
}

/// The manual's tables are printed by the program. After a change of an option:
///   build/dev/bin/vzlogger schema --format markdown > docs/options.md
TEST(SchemaCommand, TheManualHasItsTables) {
  std::ifstream file(std::string(VZ_SOURCE_DIR) + "/docs/options.md");
  std::ostringstream manual;
  manual << file.rdbuf();
  EXPECT_EQ(run({"schema", "--format", "markdown"}).out, manual.str());
}

TEST(CommandOptions, WrongOptionsEndWithTheUsageStatus) {
  std::istringstream in;
  std::ostringstream out;
  std::ostringstream err;
  constexpr const char* kWords[] = {"--frob"};
  CLI::App app("does things", "vzlogger test");
  EXPECT_EQ(read_options(app, {kWords, in, out, err}), 64);
  EXPECT_THAT(err.str(), HasSubstr("--frob"));
}

TEST(CommandOptions, OptionsKeepTheirOrder) {
  std::istringstream in;
  std::ostringstream out;
  std::ostringstream err;
  constexpr const char* kWords[] = {"-c", "file", "first", "second"};
  CLI::App app("does things", "vzlogger test");
  std::string file;
  std::vector<std::string> rest;
  app.add_option("-c", file);
  app.add_option("rest", rest);
  EXPECT_EQ(read_options(app, {kWords, in, out, err}), std::nullopt);
  EXPECT_EQ(file, "file");
  EXPECT_EQ(rest, (std::vector<std::string>{"first", "second"}));
}

}  // namespace
}  // namespace vz::cli
