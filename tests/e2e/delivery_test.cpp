// SPDX-License-Identifier: GPL-3.0-or-later
// What becomes of readings when the middleware has a bad day.
#include "e2e/stage.hpp"

namespace vz::e2e {
namespace {

TEST(Delivery, OutageOfTheMiddlewareLosesNothing) {
  Folder folder;
  Middleware middleware(folder, {uuid(1)});
  middleware.start();
  Sim sim(folder, "sim", {});
  const auto daemon = run_daemon(folder, config(Json::array({pulled(sim.endpoint(), Json::array({channel(uuid(1), middleware.url())}))}), 1));
  ASSERT_TRUE(middleware.wait_rows(2));
  middleware.stop();
  ASSERT_TRUE(daemon->wait_for_line("onnect", Stream::err)) << daemon->output(Stream::err);
  ASSERT_TRUE(sim.wait_readouts(8));
  middleware.start();
  ASSERT_TRUE(middleware.wait_rows(6));
  sim.stop();
  // what the meter sent last is on its way: the daemon lives until all is there
  const auto sent = sim.readouts();
  while (middleware.stored(uuid(1)).size() < sent.size()) ASSERT_TRUE(middleware.wait_rows(1));
  expect_same(sent, middleware.stored(uuid(1)));
  daemon->send(SIGTERM);
  EXPECT_EQ(daemon->wait_exit(), (Exit{.status = 0, .signal = 0}));
  // told once, however many tries it took
  EXPECT_EQ(occurrences(daemon->output(Stream::err), "[chn0]"), 1U) << daemon->output(Stream::err);
}

TEST(Delivery, UnknownUuidDoesNotHoldUpItsNeighbour) {
  Folder folder;
  Middleware middleware(folder, {uuid(1)});
  middleware.start();
  Sim sim(folder, "sim", {"--readouts", "6"});
  const auto daemon = run_daemon(
      folder, config(Json::array({pulled(sim.endpoint(), Json::array({channel(uuid(2), middleware.url(), "1.8.1"),
                                                                      channel(uuid(1), middleware.url())}))}),
                     1));
  ASSERT_TRUE(middleware.wait_rows(6)) << daemon->output(Stream::err);
  sim.process().wait_exit();
  expect_same(sim.readouts(), middleware.stored(uuid(1)));
  const std::string told = daemon->output(Stream::err);
  EXPECT_EQ(occurrences(told, "[chn0]"), 1U) << told;
  EXPECT_EQ(occurrences(told, "[chn1]"), 0U) << told;
  EXPECT_EQ(told.find(uuid(2)), std::string::npos) << told;
}

/// Reads eight times with a middleware of these faults; all must be there once.
void expect_all_despite(const std::string& faults) {
  Folder folder;
  Middleware middleware(folder, {uuid(1)});
  middleware.start({"--faults", faults, "--seed", "5"});
  Sim sim(folder, "sim", {"--readouts", "8"});
  const auto daemon = run_daemon(folder, config(Json::array({pulled(sim.endpoint(), Json::array({channel(uuid(1), middleware.url())}))})));
  ASSERT_TRUE(sim.process().wait_exit());
  const auto sent = sim.readouts();
  while (middleware.stored(uuid(1)).size() < sent.size())
    ASSERT_TRUE(middleware.process().wait_for_line("POST ")) << daemon->output() << daemon->output(Stream::err);
  expect_same(sent, middleware.stored(uuid(1)));
}

TEST(Delivery, LostRepliesMakeNoDuplicates) { expect_all_despite("lost-reply:0.4"); }
TEST(Delivery, PassingErrorsAreRetried) { expect_all_despite("e500:0.2,e400db:0.1"); }
TEST(Delivery, ShortRowsAreDoubted) { expect_all_despite("short-rows:0.4"); }

}  // namespace
}  // namespace vz::e2e
