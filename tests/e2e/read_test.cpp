// SPDX-License-Identifier: GPL-3.0-or-later
// vzlogger read, as users run it.
#include "e2e/stage.hpp"

namespace vz::e2e {
namespace {

using ::testing::HasSubstr;

struct Ran {
  int status = -1;
  std::string out;
  std::string err;
};

Ran run(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), program("vzlogger"));
  Process process(std::move(arguments), plain());
  const auto exit = process.wait_exit();
  return {exit ? exit->status : -1, process.output(), process.output(Stream::err)};
}

std::string golden(std::string_view name, std::string_view file) {
  return fmt::format("{}/tests/golden/read/{}/{}", VZ_SOURCE_DIR, name, file);
}

std::vector<std::string> cells(std::string_view row) {
  std::vector<std::string> result(1);
  for (const char c : row) {
    if (c == ',') result.emplace_back();
    else if (c != '\n') result.back() += c;
  }
  return result;
}

/// Heading and row of CSV against what the page's script writes. The script looks for a blank between value and unit; where
/// the meter puts a `*` it leaves `*kWh` at each value, and the heading without unit.
void expect_as_script(const std::string& csv, const std::string& name) {
  const Json script = Json::parse(read_text(golden(name, "script.json")));
  const auto line_end = csv.find('\n');
  ASSERT_NE(line_end, std::string::npos);
  const auto heading = cells(std::string_view{csv}.substr(0, line_end));
  const auto row = cells(std::string_view{csv}.substr(line_end + 1));
  ASSERT_EQ(heading.size(), script["header"].size());
  ASSERT_EQ(row.size(), script["data"].size());
  for (std::size_t i = 0; i < row.size(); ++i) {
    std::string wanted_heading = script["header"][i];
    std::string wanted = script["data"][i];
    if (const auto star = wanted.find('*'); star != std::string::npos) {
      wanted_heading += "[" + wanted.substr(star + 1) + "]";
      wanted.resize(star);
    }
    EXPECT_EQ(heading[i], wanted_heading);
    if (wanted_heading == "datum & tijd") EXPECT_EQ(row[i].size(), wanted.size()) << "the same form, another time";
    else EXPECT_EQ(row[i], wanted) << wanted_heading;
  }
}

std::string columns(const std::string& name) {
  std::string text = read_text(golden(name, "columns"));
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

class AsTheScript : public ::testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Mt372, AsTheScript, ::testing::Values("mt372_page_blank", "mt372_page_star", "mt372_readout"));

TEST_P(AsTheScript, FromACapture) {
  const Ran ran = run({"read", "--capture", golden(GetParam(), "input.bin"), "--csv", "--columns", columns(GetParam())});
  EXPECT_EQ(ran.status, 0) << ran.err;
  expect_as_script(ran.out, GetParam());
}

TEST_P(AsTheScript, FromTheSimulatedMeter) {
  const Folder folder;
  Sim sim(folder, "sim", {"--telegram", golden(GetParam(), "input.bin"), "--frozen"});
  const Ran ran = run({"read", "--protocol", "d0", "--host", sim.endpoint(), "-o", "pullseq=2F3F210D0A", "-o", "ackseq=auto", "-o",
                       "baudrate=300", "--csv", "--columns", columns(GetParam())});
  EXPECT_EQ(ran.status, 0) << ran.err;
  expect_as_script(ran.out, GetParam());
}

TEST(Read, RefusesADamagedReadoutInWords) {
  for (const char* fault : {"badbcc", "digit", "lost", "truncate"}) {
    const Folder folder;
    Sim sim(folder, "sim", {"--faults", fault, "--fault-rate", "1", "--nak", "ignore"});
    const Ran ran = run({"read", "--protocol", "d0", "--host", sim.endpoint(), "-o", "pullseq=2F3F210D0A", "-o", "ackseq=auto", "-o",
                         "baudrate=300", "-o", "read_timeout=1", "--csv"});
    EXPECT_EQ(ran.status, 1) << fault;
    EXPECT_EQ(ran.out, "") << fault;
    EXPECT_THAT(ran.err, HasSubstr("refused")) << fault;
  }
}

TEST(Read, RefusesADamagedCapture) {
  const Folder folder;
  std::string bytes = read_text(golden("mt372_readout", "input.bin"));
  bytes[bytes.find("132")] = '9';
  std::ofstream(folder / "damaged.bin") << bytes;
  const Ran ran = run({"read", "--capture", folder / "damaged.bin"});
  EXPECT_EQ(ran.status, 1);
  EXPECT_EQ(ran.out, "");
  EXPECT_THAT(ran.err, HasSubstr("wrong check value"));
}

TEST(Read, AMeterOfTheConfiguration) {
  const Folder folder;
  Sim sim(folder, "sim", {});
  const std::string conf = write_config(folder, config(Json::array({pulled(sim.endpoint(), Json::array())})));
  Ran ran = run({"read", "-c", conf});
  EXPECT_EQ(ran.status, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("Iskraemeco, MT372-0002"));
  EXPECT_THAT(ran.out, HasSubstr("energy drawn, total (Bezug, Zählerstand)"));
  ran = run({"read", "-c", conf, "mtr7"});
  EXPECT_EQ(ran.status, 64);
  EXPECT_THAT(ran.err, HasSubstr("mtr0 (d0)"));
}

TEST(Read, RepeatedlyAsJson) {
  const Folder folder;
  Sim sim(folder, "sim", {});
  const Ran ran = run({"read", "--protocol", "d0", "--host", sim.endpoint(), "-o", "pullseq=2F3F210D0A", "-o", "ackseq=auto", "-o",
                       "baudrate=300", "--count", "3", "--json"});
  EXPECT_EQ(ran.status, 0) << ran.err;
  EXPECT_EQ(occurrences(ran.out, "\n"), 3u);
  const Json first = Json::parse(ran.out.substr(0, ran.out.find('\n')));
  EXPECT_EQ(first["identification"], "/ISK5\\2MT372-0002");
}

TEST(Read, HexadecimalTextOnTheCommandLine) {
  std::string hex;
  for (const char c : read_text(std::string{VZ_SOURCE_DIR} + "/tests/golden/sml/plain/input.bin"))
    hex += fmt::format("{:02x} ", static_cast<unsigned char>(c));
  const Ran ran = run({"read", "--hex", hex});
  EXPECT_EQ(ran.status, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("-137.1  W"));
  EXPECT_EQ(run({"read", "--hex", "zz"}).status, 64);
}

TEST(Read, StandardInput) {
  Process process({"/bin/sh", "-c", program("vzlogger") + " read --capture - --json < " + golden("mt372_readout", "input.bin")}, plain());
  EXPECT_EQ(process.wait_exit(), (Exit{.status = 0, .signal = 0}));
  EXPECT_THAT(process.output(), HasSubstr("58231541"));
}

TEST(Read, SaysWhatIsMissing) {
  EXPECT_EQ(run({"read", "--protocol", "d0", "--device", "/dev/does-not-exist"}).status, 69);
  EXPECT_EQ(run({"read", "-c", "/does/not/exist.conf"}).status, 78);
  const Ran ran = run({"read", "--protocol", "d0", "--host", "x:1", "-o", "pullsek=2F"});
  EXPECT_EQ(ran.status, 64);
  EXPECT_THAT(ran.err, HasSubstr("pullseq"));
}

TEST(Read, ALineThatIsLentForAShortTimeIsKept) {
  const Folder folder;
  Sim sim(folder, "sim", {});
  const auto daemon = run_daemon(folder, config(Json::array({pulled(sim.endpoint(), Json::array({channel(uuid(1), "")}))})));
  ASSERT_TRUE(daemon->wait_for_line("Adding reading"));
  Process read({program("vzlogger"), "read", "-c", folder / "vzlogger.conf", "--csv", "--every", "4", "--count", "5", "--loan", "16", "--timeout", "10"},
               in_folder(folder, {}));
  EXPECT_EQ(read.wait_exit(), (Exit{.status = 0, .signal = 0})) << read.output(Stream::err);
  EXPECT_EQ(occurrences(read.output(), "\n"), 6U) << read.output();
  ASSERT_TRUE(daemon->wait_for_line("reading goes on", Stream::err));
  const std::string told = daemon->output() + daemon->output(Stream::err);
  EXPECT_EQ(occurrences(told, "because the time is over"), 0U) << told;
  EXPECT_EQ(occurrences(told, "because the borrower has ended"), 1U) << told;
}

TEST(Read, EndsInWordsWhenTheDaemonThatLentTheLineEnds) {
  const Folder folder;
  Sim sim(folder, "sim", {});
  const auto daemon = run_daemon(folder, config(Json::array({pulled(sim.endpoint(), Json::array({channel(uuid(1), "")}))})));
  ASSERT_TRUE(daemon->wait_for_line("Adding reading"));
  Process read({program("vzlogger"), "read", "-c", folder / "vzlogger.conf", "--csv", "--every", "900"}, in_folder(folder, {}));
  ASSERT_TRUE(read.wait_for_line("1.8.0"));
  daemon->send(SIGTERM);
  EXPECT_EQ(daemon->wait_exit(), (Exit{.status = 0, .signal = 0}));
  EXPECT_EQ(read.wait_exit(), (Exit{.status = 69, .signal = 0}));
  EXPECT_THAT(read.output(Stream::err), HasSubstr("is not lent by the daemon any more"));
}

TEST(Read, RefusesALoanThatEndsInTheMiddleOfAReadout) {
  Process read({program("vzlogger"), "read", "--protocol", "d0", "--host", "localhost:1", "-o", "pullseq=2F3F210D0A", "--loan", "65"}, plain());
  EXPECT_EQ(read.wait_exit(), (Exit{.status = 64, .signal = 0}));
  EXPECT_THAT(read.output(Stream::err), HasSubstr("give at least 66"));
}

TEST(Read, CtrlCEndsIt) {
  const Folder folder;
  Sim sim(folder, "sim", {});
  Process process({program("vzlogger"), "read", "--protocol", "d0", "--host", sim.endpoint(), "-o", "pullseq=2F3F210D0A", "-o",
                   "ackseq=auto", "-o", "baudrate=300", "--every", "3600", "--json"},
                  plain());
  ASSERT_TRUE(process.wait_for_line("identification"));
  process.send(SIGINT);
  EXPECT_EQ(process.wait_exit(), (Exit{.status = 0, .signal = 0}));
}

}  // namespace
}  // namespace vz::e2e
