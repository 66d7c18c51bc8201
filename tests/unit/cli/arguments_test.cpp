// SPDX-License-Identifier: GPL-3.0-or-later
#include "cli/arguments.hpp"

#include <getopt.h>

#include <random>
#include <sstream>

#include "cli/help.hpp"
#include "cli/version.hpp"

namespace vz::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

struct Outcome {
  Arguments arguments;
  std::string out;
  std::string err;
};

Outcome run(const std::vector<std::string>& words) {
  std::vector<const char*> argv{"vzlogger"};
  for (const std::string& word : words) argv.push_back(word.c_str());
  std::ostringstream out;
  std::ostringstream err;
  Outcome outcome{.arguments = parse(static_cast<int>(argv.size()), argv.data(), out, err), .out = {}, .err = {}};
  outcome.out = out.str();
  outcome.err = err.str();
  return outcome;
}

TEST(Arguments, DefaultsAreTheOldDaemons) {
  const auto [arguments, out, err] = run({});
  EXPECT_EQ(arguments.config, "/etc/vzlogger.conf");
  EXPECT_EQ(arguments.log, std::nullopt);
  EXPECT_FALSE(arguments.foreground);
  EXPECT_FALSE(arguments.httpd);
  EXPECT_EQ(arguments.httpd_port, std::nullopt);
  EXPECT_FALSE(arguments.register_device);
  EXPECT_EQ(arguments.verbosity, std::nullopt);
  EXPECT_EQ(arguments.exit_status, std::nullopt);
  EXPECT_EQ(out + err, "");
}

TEST(Arguments, EmptyArgumentVectorIsNoCrash) {
  std::ostringstream out;
  const char* const none[] = {nullptr};
  EXPECT_EQ(parse(0, none, out, out).exit_status, std::nullopt);
}

TEST(Arguments, ShortAndLongFormsMeanTheSame) {
  const std::vector<std::vector<std::string>> lines{
      {"-c", "a.conf", "-o", "b.log", "-f", "-l", "-p", "8081", "-r", "-v", "15"},
      {"-ca.conf", "-ob.log", "-flrp8081", "-v15"},
      {"--config", "a.conf", "--log", "b.log", "--foreground", "--httpd", "--httpd-port", "8081", "--register",
       "--verbose", "15"},
      {"--config=a.conf", "--log=b.log", "--fore", "--httpd", "--httpd-p=8081", "--r", "--verb=15"},
  };
  for (const auto& line : lines) {
    const auto [arguments, out, err] = run(line);
    EXPECT_EQ(arguments.config, "a.conf");
    EXPECT_EQ(arguments.log, "b.log");
    EXPECT_TRUE(arguments.foreground);
    EXPECT_TRUE(arguments.httpd);
    EXPECT_EQ(arguments.httpd_port, 8081);
    EXPECT_TRUE(arguments.register_device);
    EXPECT_EQ(arguments.verbosity, 15);
    EXPECT_EQ(arguments.exit_status, std::nullopt);
    EXPECT_EQ(out + err, "");
  }
}

TEST(Arguments, LastOfARepeatedOptionWins) {
  const auto [arguments, out, err] = run({"-c", "a", "-v5", "-c", "b", "-v", "10"});
  EXPECT_EQ(arguments.config, "b");
  EXPECT_EQ(arguments.verbosity, 10);
}

TEST(Arguments, EmptyLogMeansNoLogFile) {
  EXPECT_EQ(run({"-o", ""}).arguments.log, "");
  EXPECT_EQ(run({"--log="}).arguments.log, "");
}

TEST(Arguments, NumbersAreReadAsAtoiDoes) {
  EXPECT_EQ(run({"-v", "abc"}).arguments.verbosity, 0);
  EXPECT_EQ(run({"-v", ""}).arguments.verbosity, 0);
  EXPECT_EQ(run({"-v", "15x"}).arguments.verbosity, 15);
  EXPECT_EQ(run({"-v", " \t+7"}).arguments.verbosity, 7);
  EXPECT_EQ(run({"-v", "+-7"}).arguments.verbosity, 0);
  EXPECT_EQ(run({"-p", "-1"}).arguments.httpd_port, -1);
  EXPECT_EQ(run({"-p", "http"}).arguments.httpd_port, 0);
  EXPECT_EQ(run({"-p", "99999999999999999999999"}).arguments.httpd_port, 2147483647);
  EXPECT_EQ(run({"-p", "-99999999999"}).arguments.httpd_port, -2147483647);
}

TEST(Arguments, NumberThatIsNoneIsNamedOnce) {
  // the manual once showed -v without its argument: it then swallows the next word, and that must not go unseen
  const auto [arguments, out, err] = run({"-v", "-c", "my.conf"});
  EXPECT_EQ(arguments.config, "/etc/vzlogger.conf");
  EXPECT_EQ(err,
            "vzlogger: --verbose takes a number; '-c' counts as 0\n"
            "vzlogger: ignoring 'my.conf': it is no option, and no command (vzlogger help); a configuration is named with -c\n");
  EXPECT_EQ(run({"-v", "15x"}).err, "vzlogger: --verbose takes a number; '15x' counts as 15\n");
  EXPECT_THAT(run({"-p", "99999999999"}).err, HasSubstr("counts as 2147483647"));
  EXPECT_EQ(run({"-p", "-1"}).err, "");
}

TEST(Arguments, NegativeVerbosityKeepsWhatWasSetBefore) {
  EXPECT_EQ(run({"-v", "-1"}).arguments.verbosity, std::nullopt);
  EXPECT_EQ(run({"-v", "5", "-v", "-1"}).arguments.verbosity, 5);
}

TEST(Arguments, OtherArgumentsAreIgnoredWhereverTheyStand) {
  const auto [arguments, out, err] = run({"x", "-f", "-", "-v", "3", "--", "-v", "15"});
  EXPECT_TRUE(arguments.foreground);
  EXPECT_EQ(arguments.verbosity, 3);
  EXPECT_EQ(arguments.exit_status, std::nullopt);
  EXPECT_THAT(err, HasSubstr("ignoring 'x'"));
}

TEST(Arguments, WrongOptionShowsGetoptsTextAndTheUsage) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases{
      {{"--foo"}, "vzlogger: unrecognized option '--foo'\n"},
      {{"--foo=1"}, "vzlogger: unrecognized option '--foo=1'\n"},
      {{"-d"}, "vzlogger: invalid option -- 'd'\n"},
      {{"-fd"}, "vzlogger: invalid option -- 'd'\n"},
      {{"-v"}, "vzlogger: option requires an argument -- 'v'\n"},
      {{"--config"}, "vzlogger: option '--config' requires an argument\n"},
      {{"--fore=1"}, "vzlogger: option '--foreground' doesn't allow an argument\n"},
      {{"--ver"}, "vzlogger: option '--ver' is ambiguous; possibilities: '--verbose' '--version'\n"},
  };
  for (const auto& [words, text] : cases) {
    const Outcome outcome = run(words);
    EXPECT_EQ(outcome.arguments.exit_status, 1) << words.front();
    EXPECT_EQ(outcome.err, text);
    EXPECT_THAT(outcome.out, StartsWith("Usage: vzlogger [options]\n"));
  }
}

TEST(Arguments, HelpAndVersionActWhenTheyAreMet) {
  EXPECT_EQ(run({"-h", "--foo"}).arguments.exit_status, 0);
  EXPECT_EQ(run({"--foo", "-h"}).arguments.exit_status, 1);
  EXPECT_EQ(run({"-f", "-V", "-h"}).arguments.exit_status, 0);
  EXPECT_THAT(run({"-V", "-h"}).out, Not(HasSubstr("Usage")));
  EXPECT_EQ(run({"-V", "-h"}).err, "");
}

TEST(Arguments, NewLongNamesDoNotMakeOldPrefixesAmbiguous) {
  for (const char* prefix : {"--he", "--hel", "--help"}) {
    const Outcome outcome = run({prefix});
    EXPECT_EQ(outcome.arguments.exit_status, 0) << prefix;
    EXPECT_THAT(outcome.out, StartsWith("Usage:"));
  }
  EXPECT_THAT(run({"--help-p", "nonsense"}).err, HasSubstr("no protocol 'nonsense'"));
}

TEST(Arguments, HelpForAnUnknownProtocolNamesThoseThereAre) {
  const Outcome outcome = run({"--help-protocol", "nonsense"});
  EXPECT_EQ(outcome.arguments.exit_status, 1);
  for (const Protocol* protocol : all_protocols()) EXPECT_THAT(outcome.err, HasSubstr(std::string(protocol->name)));
}

TEST(Arguments, HelpForEachProtocolOfThisBuild) {
  for (const Protocol* protocol : all_protocols()) {
    const Outcome outcome = run({"--help-protocol=" + std::string(protocol->name)});
    EXPECT_EQ(outcome.arguments.exit_status, 0);
    for (const OptionSpec& option : protocol->options) EXPECT_THAT(outcome.out, HasSubstr(std::string(option.name)));
  }
}

/// What the C library makes of a command line, with the old daemon's options.
struct Reference {
  Arguments arguments;
  std::string err;
};

Reference reference(const std::vector<std::string>& words) {
  static const option kLong[] = {
      {"config", required_argument, nullptr, 'c'},     {"log", required_argument, nullptr, 'o'},
      {"foreground", no_argument, nullptr, 'f'},       {"httpd", no_argument, nullptr, 'l'},
      {"httpd-port", required_argument, nullptr, 'p'}, {"register", no_argument, nullptr, 'r'},
      {"verbose", required_argument, nullptr, 'v'},    {"help", no_argument, nullptr, 'h'},
      {"version", no_argument, nullptr, 'V'},          {nullptr, 0, nullptr, 0}};
  std::vector<std::string> storage{"vzlogger"};
  storage.insert(storage.end(), words.begin(), words.end());
  std::vector<char*> argv;
  for (std::string& word : storage) argv.push_back(word.data());
  argv.push_back(nullptr);

  Reference result;
  Arguments& arguments = result.arguments;
  optind = 0;
  ::testing::internal::CaptureStderr();
  while (!arguments.exit_status) {
    const int letter = getopt_long(static_cast<int>(storage.size()), argv.data(), "c:o:flp:rv:hV", kLong, nullptr);
    if (letter == -1) break;
    switch (letter) {
      case 'c': arguments.config = optarg; break;
      case 'o': arguments.log = optarg; break;
      case 'f': arguments.foreground = true; break;
      case 'l': arguments.httpd = true; break;
      case 'p': arguments.httpd_port = std::atoi(optarg); break;
      case 'r': arguments.register_device = true; break;
      case 'v':
        if (std::atoi(optarg) >= 0) arguments.verbosity = std::atoi(optarg);
        break;
      case 'h':
      case 'V': arguments.exit_status = 0; break;
      default: arguments.exit_status = 1; break;
    }
  }
  result.err = ::testing::internal::GetCapturedStderr();
  return result;
}

TEST(Arguments, AgreesWithGetoptLong) {
  const std::vector<std::string> tokens{
      "-c",       "-o",    "-f",     "-l",      "-p",     "-r",       "-v",           "-h",
      "-V",       "-d",    "--",     "-",       "x",      "5",        "-5",           "-v5",
      "-vx",      "-flv3", "-lc",    "-rfo",    "-c=a",   "--config", "--con=",       "--log=a=b",
      "--fore",   "--f=1", "--h",    "--httpd", "--http", "--httpd-", "--ve",         "--verb",
      "--verb=7", "--ver", "--vers", "--reg=1", "--reg",  "--help",   "--helpp",      "--foo=1",
      "--l",      "---",   "--=",    "",        "-ff-l",  "-v--",     "--httpd-port", "--httpd-port=81"};
  std::minstd_rand random(20240229);
  for (int round = 0; round < 4000; ++round) {
    std::vector<std::string> words;
    for (auto left = random() % 6; left > 0; --left) words.push_back(tokens[random() % tokens.size()]);
    std::string line;
    for (const std::string& word : words) line += " '" + word + "'";
    const Reference expected = reference(words);
    const Outcome actual = run(words);
    ASSERT_EQ(actual.arguments.exit_status, expected.arguments.exit_status) << line << "\n" << expected.err;
    ASSERT_EQ(actual.arguments.config, expected.arguments.config) << line;
    ASSERT_EQ(actual.arguments.log, expected.arguments.log) << line;
    ASSERT_EQ(actual.arguments.foreground, expected.arguments.foreground) << line;
    ASSERT_EQ(actual.arguments.httpd, expected.arguments.httpd) << line;
    ASSERT_EQ(actual.arguments.httpd_port, expected.arguments.httpd_port) << line;
    ASSERT_EQ(actual.arguments.register_device, expected.arguments.register_device) << line;
    ASSERT_EQ(actual.arguments.verbosity, expected.arguments.verbosity) << line;
    ASSERT_THAT(actual.err, ::testing::EndsWith(expected.err)) << line;
  }
}

}  // namespace
}  // namespace vz::cli
