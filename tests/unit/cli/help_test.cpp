// SPDX-License-Identifier: GPL-3.0-or-later
#include "cli/help.hpp"

#include <sstream>

#include "cli/version.hpp"

namespace vz::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr OptionSpec kOptions[] = {
    {.name = "device", .help = "path of the serial port", .required = true},
    {.name = "baudrate",
     .type = OptionType::integer,
     .unit = "Bd",
     .default_text = "9600",
     .help = "speed",
     .min = 50,
     .max = 230400},
    {.name = "wait_sync", .default_text = "\"off\"", .help = "skip the first telegram", .choices = "off|end"},
    {.name = "delay", .type = OptionType::integer, .help = "pause", .min = 0, .aliases = "old_delay"},
};
const Protocol kD0{.name = "d0", .summary = "plain text", .options = kOptions};
const Protocol kLong{.name = "fluksov2", .summary = "pipe", .options = {}};
const Protocol* const kProtocols[] = {&kLong, &kD0};
const SinkType kVolkszaehler{.name = "volkszaehler", .summary = "middleware", .options = {}};
const SinkType* const kSinks[] = {&kVolkszaehler};

std::string help() {
  std::ostringstream out;
  print_help(out, "/usr/bin/vzlogger", kProtocols, obis_aliases().first(2), kSinks);
  return out.str();
}

TEST(Help, HasTheOldLayout) {
  EXPECT_EQ(help(),
            "Usage: /usr/bin/vzlogger [options]\n"
            "\n"
            "  following options are available:\n"
            "\t-c, --config      \tconfiguration file (default /etc/vzlogger.conf)\n"
            "\t-o, --log         \tlog file, instead of the one in the configuration\n"
            "\t-f, --foreground  \tstay in the foreground\n"
            "\t-l, --httpd       \tserve readings over HTTP, as local.enabled does\n"
            "\t-p, --httpd-port  \tits TCP port, instead of the one in the configuration\n"
            "\t-r, --register    \tregister the channels with APIs that want it, then exit\n"
            "\t-v, --verbose     \tverbosity: 0, 1, 3, 5, 10 or 15 (everything)\n"
            "\t-h, --help        \tshow this help\n"
            "\t-V, --version     \tshow the version of vzlogger\n"
            "\t    --help-protocol\tshow the options of a protocol\n"
            "\n"
            "  following protocol types are supported:\n"
            "\tfluksov2    \tpipe\n"
            "\td0          \tplain text\n"
            "\n"
            "  following OBIS aliases are available:\n"
            "\tpower            Wirkleistung  (Summe)          1-0:1.7.255*255       \n"
            "\tpower-l1         Wirkleistung  (Phase 1)        1-0:21.7.255*255      \n"
            "\n"
            "  following APIs are supported:\n"
            "\tvolkszaehler-api\n"
            "\n"
            "vzlogger " +
                std::string(build_info().version) +
                " - volkszaehler.org logging utility\n"
                "free software under the GPL, version 3 or later; no warranty\n"
                "manual: man vzlogger, man vzlogger.conf; commands besides the daemon: vzlogger help\n");
}

TEST(Help, ProtocolsAreFoundInAnyLetterCase) {
  EXPECT_EQ(find_protocol(kProtocols, "D0"), &kD0);
  EXPECT_EQ(find_protocol(kProtocols, "fluksoV2"), &kLong);
  EXPECT_EQ(find_protocol(kProtocols, "d"), nullptr);
  EXPECT_EQ(find_protocol(kProtocols, ""), nullptr);
}

TEST(Version, ThreeLinesBareNumberFirst) {
  std::ostringstream out;
  print_version(out,
                {.version = "1.2.3", .git_describe = "v1.2.3-4-gabc", .commit_date = "Mon, 1 Jan 2024 00:00:00 +0100"});
  EXPECT_EQ(out.str(),
            "1.2.3\n"
            " based on git version: v1.2.3-4-gabc\n"
            " last commit date: Mon, 1 Jan 2024 00:00:00 +0100\n");
}

TEST(Version, ThisBuildHasANumber) {
  EXPECT_THAT(std::string(build_info().version), ::testing::MatchesRegex("[0-9]+\\.[0-9]+\\.[0-9]+"));
  EXPECT_FALSE(build_info().git_describe.empty());
  EXPECT_FALSE(build_info().commit_date.empty());
}

}  // namespace
}  // namespace vz::cli
