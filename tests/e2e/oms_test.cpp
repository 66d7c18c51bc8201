// SPDX-License-Identifier: GPL-3.0-or-later
// From a meter on an M-Bus into the database, all three programs as they are.
#include "e2e/stage.hpp"

namespace vz::e2e {
namespace {

constexpr const char* kKey = "000102030405060708090A0B0C0D0E0F";

void expect_all_stored(std::vector<std::string> sim_arguments, const Json& changes, const std::string& code = "1.8.0") {
  constexpr std::size_t kReadouts = 4;
  Folder folder;
  Middleware middleware(folder, {uuid(1)});
  middleware.start();
  for (std::string& argument : sim_arguments)
    if (argument == "TTY") argument = folder / "tty";
  sim_arguments.insert(sim_arguments.end(), {"--meter", "mbus", "--readouts", std::to_string(kReadouts)});
  Sim sim(folder, "sim", sim_arguments);
  Json meter{{"enabled", true},
             {"protocol", "oms"},
             {sim.endpoint().starts_with('/') ? "device" : "host", sim.endpoint()},
             {"use_local_time", true},
             {"channels", Json::array({channel(uuid(1), middleware.url(), code)})}};
  for (const auto& [key, value] : changes.items()) meter[key] = value;
  const auto daemon = run_daemon(folder, config(Json::array({meter})));
  ASSERT_TRUE(middleware.wait_rows(kReadouts)) << daemon->output() << daemon->output(Stream::err);
  expect_same(sim.readouts(), middleware.stored(uuid(1)), "1.8.0", sim.endpoint().starts_with('/') ? kUnpacedPty : kSlack);
}

TEST(Oms, ACustomerInterfaceThatPushesInMode5) {
  expect_all_stored({"--mode", "push", "--period", "0.2", "--key", kKey}, {{"key", kKey}});
}
TEST(Oms, OverASerialPortAndWithTheFullCode) {
  expect_all_stored({"--pty", "TTY", "--mode", "push", "--period", "0.2", "--key", kKey}, {{"key", kKey}}, "1-0:1.8.0");
}
TEST(Oms, Mode7) {
  expect_all_stored({"--mode", "push", "--period", "0.2", "--key", kKey, "--security", "7"}, {{"key", kKey}});
}
TEST(Oms, AskedByAddress) { expect_all_stored({"--address", "5"}, {{"address", 5}}); }
TEST(Oms, AskedBySecondaryAddress) { expect_all_stored({}, {{"secondary_address", "12345678"}, {"read_timeout", 1}}); }

TEST(Oms, AWrongKeyIsToldAndNothingIsAcknowledged) {
  Folder folder;
  Middleware middleware(folder, {uuid(1)});
  middleware.start();
  Sim sim(folder, "sim", {"--meter", "mbus", "--mode", "push", "--period", "0.2", "--key", kKey});
  Json meter{{"enabled", true},
             {"protocol", "oms"},
             {"host", sim.endpoint()},
             {"key", "FF0102030405060708090A0B0C0D0E0F"},
             {"channels", Json::array({channel(uuid(1), middleware.url())})}};
  const auto daemon = run_daemon(folder, config(Json::array({meter})));
  EXPECT_TRUE(daemon->wait_for_line("cannot be decrypted: is it the right key?", Stream::err) ||
              daemon->output().find("is it the right key?") != std::string::npos);
  ASSERT_TRUE(sim.process().wait_for_line("nobody acknowledges telegram", Stream::err));
  EXPECT_TRUE(middleware.stored(uuid(1)).empty());
  const std::string all = daemon->output() + daemon->output(Stream::err);
  EXPECT_EQ(all.find("FF01020304"), std::string::npos) << "a key is a secret";
}

}  // namespace
}  // namespace vz::e2e
