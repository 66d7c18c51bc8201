// SPDX-License-Identifier: GPL-3.0-or-later
// The commands `channel` and `check`, as a user types them.
#include "e2e/stage.hpp"

namespace vz::e2e {
namespace {

struct Ran {
  Exit exit;
  std::string out;
  std::string err;
};

Ran vzlogger(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), program("vzlogger"));
  Process process(std::move(arguments), plain());
  const auto exit = process.wait_exit();
  return {exit.value_or(Exit{}), process.output(), process.output(Stream::err)};
}

constexpr Exit kGood{.status = 0, .signal = 0};
constexpr Exit kBad{.status = 1, .signal = 0};

/// A configuration as people write it: comments, and channels that do not exist yet.
std::string write_users_config(const Folder& folder, const std::string& device, const std::string& middleware) {
  return write_config(folder, fmt::format(R"(// my meter
{{
  "meters": [
    {{ "enabled": true, "protocol": "d0", "device": "{}", "pullseq": "2F3F210D0A", "baudrate": 300,
      "channels": [
        // the counter
        {{ "uuid": "00000000-0000-0000-0000-000000000000", "identifier": "1.8.0",  /* kWh */
          "api": "volkszaehler", "middleware": "{}" }},
      ] }}
  ]
}}
)", device, middleware));
}

TEST(ChannelCommand, CreateFillsTheConfigurationInAndKeepsItsLayout) {
  Folder folder;
  Middleware middleware(folder, {});
  middleware.start();
  Sim sim(folder, "sim", {"--pty", folder / "meter"});
  const std::string config = write_users_config(folder, folder / "meter", middleware.url());

  const Ran would = vzlogger({"channel", "create", "-c", config, "--dry-run"});
  EXPECT_EQ(would.exit, kGood) << would.err;
  EXPECT_NE(would.out.find("electric meter, resolution 1"), std::string::npos) << would.out;
  EXPECT_EQ(vzlogger({"check", "-c", config}).exit, kBad) << "the placeholder is doubtful";

  const Ran made = vzlogger({"channel", "create", "-c", config});
  ASSERT_EQ(made.exit, kGood) << made.err;
  std::string text = read_text(config);
  EXPECT_EQ(text.find("00000000-0000"), std::string::npos);
  EXPECT_NE(text.find("// the counter"), std::string::npos);
  EXPECT_NE(text.find("/* kWh */"), std::string::npos);

  ASSERT_EQ(vzlogger({"channel", "create", "-c", config, "--identifier", "2.8.0", "--title", "Lieferung"}).exit, kGood);
  const Ran listed = vzlogger({"channel", "list", "-c", config});
  EXPECT_EQ(listed.exit, kGood) << listed.out;
  EXPECT_NE(listed.out.find("Strom Bezug"), std::string::npos) << listed.out;
  EXPECT_NE(listed.out.find("Lieferung"), std::string::npos) << listed.out;
  EXPECT_EQ(vzlogger({"channel", "create", "-c", config, "--identifier", "2.8.0"}).exit, kBad) << "there is one";

  const Ran checked = vzlogger({"check", "-c", config, "--live"});
  EXPECT_EQ(checked.exit, kGood) << checked.out;
  EXPECT_NE(checked.out.find("can be opened"), std::string::npos) << checked.out;

  const Ran gone = vzlogger({"channel", "delete", "-c", config, "chn1", "--yes"});
  EXPECT_EQ(gone.exit, kGood) << gone.err;
  const Ran without = vzlogger({"channel", "list", "-c", config});
  EXPECT_EQ(without.exit, kBad);
  EXPECT_NE(without.out.find("No entity"), std::string::npos) << without.out;
}

TEST(CheckCommand, TheClassicMistakeIsFoundAndNoUuidIsShown) {
  Folder folder;
  Middleware middleware(folder, {});
  middleware.start({"--create", "type=electric meter,title=Zaehler,resolution=1000,uuid=" + uuid(7)});
  Sim sim(folder, "sim", {"--pty", folder / "meter"});
  Json meter = pulled(folder / "meter", Json::array({channel(uuid(7), middleware.url())}));
  const std::string path = write_config(folder, config(Json::array({meter})));
  const Ran checked = vzlogger({"check", "-c", path, "--live"});
  EXPECT_EQ(checked.exit, kBad);
  EXPECT_NE(checked.out.find("resolution is 1000, but the meter counts in kWh"), std::string::npos) << checked.out;
  EXPECT_EQ(checked.out.find(uuid(7)), std::string::npos) << "a uuid is a write key";
  const Json machine = Json::parse(vzlogger({"check", "-c", path, "--live", "--json"}).out, nullptr, false);
  ASSERT_TRUE(machine.is_object());
  EXPECT_EQ(machine["problems"].size(), 0U);
  EXPECT_EQ(machine["live"].size(), 2U);
}

TEST(CheckCommand, AMissingDeviceAndAMissingServerAreFound) {
  Folder folder;
  Json meter = pulled(folder / "nothing", Json::array({channel(uuid(1), "http://127.0.0.1:1/middleware.php")}));
  const Ran checked = vzlogger({"check", "-c", write_config(folder, config(Json::array({meter}))), "--live"});
  EXPECT_EQ(checked.exit, kBad);
  EXPECT_NE(checked.out.find("No such file or directory"), std::string::npos) << checked.out;
  EXPECT_NE(checked.out.find("2 of 2 live checks failed"), std::string::npos) << checked.out;
}

TEST(CheckCommand, WhatTheDaemonRefusesEndsWith78) {
  Folder folder;
  const Ran checked = vzlogger({"check", "-c", write_config(folder, "{ \"meters\": [ { \"enabled\": true, \"protocol\": \"do\" } ] }")});
  EXPECT_EQ(checked.exit, (Exit{.status = 78, .signal = 0}));
  EXPECT_NE(checked.out.find("did you mean"), std::string::npos) << checked.out;
}

TEST(SchemaCommand, PrintsWhatEditorsAndPeopleRead) {
  EXPECT_TRUE(Json::parse(vzlogger({"schema"}).out, nullptr, false).is_object());
  const std::string tables = vzlogger({"schema", "--format", "markdown"}).out;
  for (const char* word : {"pullseq", "commit_interval", "max_batch_inserts", "keepalive"})
    EXPECT_NE(tables.find(word), std::string::npos) << word;
}

}  // namespace
}  // namespace vz::e2e
