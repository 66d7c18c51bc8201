// SPDX-License-Identifier: GPL-3.0-or-later
// A head is unplugged and plugged in again: the meter's node goes, its folder goes, and they come back.
#include "e2e/stage.hpp"

namespace vz::e2e {
namespace {

constexpr seconds kPromise{2};
/// Long enough that the next try by the clock alone would be seconds away: 1, 2 and 4 s have passed, give or take.
constexpr milliseconds kAway{3500};

std::int64_t now_ms() {
  return std::chrono::duration_cast<milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

Json pushing(const std::string& device, const std::string& url) {
  Json meter = pulled(device, Json::array({channel(uuid(1), url)}));
  for (const char* key : {"pullseq", "ackseq", "interval"}) meter.erase(key);
  meter["baudrate"] = 9600;
  return meter;
}

/// Rows between two moments.
std::vector<Stored> between(const std::vector<Stored>& rows, std::int64_t from, std::int64_t to) {
  std::vector<Stored> found;
  std::copy_if(rows.begin(), rows.end(), std::back_inserter(found), [&](const Stored& r) { return r.ms >= from && r.ms < to; });
  return found;
}

/// The rows are what the meter sent, without a gap, but for at most two telegrams before the first and one behind the last.
void expect_run(const std::vector<Readout>& sent, const std::vector<Stored>& rows) {
  const auto value = [&](std::size_t i) { return std::strtod(sent[i].values.at("1.8.0").c_str(), nullptr); };
  ASSERT_FALSE(rows.empty());
  std::size_t missed = 0;
  while (missed < sent.size() && value(missed) != rows.front().value) ++missed;
  EXPECT_LE(missed, 2U);
  ASSERT_GE(sent.size(), missed + rows.size());
  EXPECT_LE(sent.size(), missed + rows.size() + 1);
  for (std::size_t i = 0; i < rows.size(); ++i) EXPECT_EQ(rows[i].value, value(missed + i)) << i;
}

/// Unplugs and replugs the meter at `device`; `remove` and `restore` do what else goes with it.
void replug(const Folder& folder, const std::string& device, const std::function<void()>& remove,
            const std::function<void()>& restore) {
  Middleware middleware(folder, {uuid(1)});
  middleware.start();
  const std::vector<std::string> arguments{"--pty", device, "--mode", "push", "--baud", "9600", "--period", "0.2", "--check", "bcc", "--step", "1.8.0=0.001"};
  auto before = std::make_unique<Sim>(folder, "before", arguments);
  const auto daemon = run_daemon(folder, config(Json::array({pushing(device, middleware.url())}), 5));
  ASSERT_TRUE(middleware.wait_rows(3)) << daemon->output() << daemon->output(Stream::err);
  before->stop();
  remove();
  ASSERT_TRUE(daemon->wait_for_line("Trying again", Stream::err));
  (void)daemon->wait_for_line("no such line: time passes", Stream::out, kAway);
  const std::int64_t gone = now_ms();
  restore();
  const Sim after(folder, "after", arguments);
  const std::int64_t back = now_ms();
  ASSERT_TRUE(daemon->wait_for_line("established again", Stream::err)) << daemon->output(Stream::err);
  const std::int64_t opened = now_ms();
  ASSERT_TRUE(middleware.wait_rows(5));
  const std::int64_t stored_by = now_ms();
  daemon->send(SIGTERM);
  EXPECT_EQ(daemon->wait_exit(), (Exit{.status = 0, .signal = 0}));
  const auto rows = middleware.stored(uuid(1));
  const auto fresh = between(rows, gone, stored_by + 60'000);
  ASSERT_FALSE(fresh.empty());
  fmt::print("replug: known to be back {} ms after the node, first reading stamped {} ms after it (telegrams every 200 ms)\n",
             opened - back, fresh.front().ms - back);
  EXPECT_LT(fresh.front().ms - back, milliseconds{kPromise}.count());
  EXPECT_EQ(occurrences(daemon->output(Stream::err), "Trying again"), 1U);

  {
    SCOPED_TRACE("before the loss");  // the reader joins after the meter has begun; the last telegram may have been cut off
    expect_run(before->readouts(), between(rows, 0, gone));
  }
  SCOPED_TRACE("after the return");
  expect_run(after.readouts(), fresh);
}

TEST(Replug, TheNodeComesBack) {
  const Folder folder;
  replug(folder, folder / "tty", [] {}, [] {});
}

TEST(Replug, TheFolderComesBack) {
  const Folder folder;
  const std::string by_id = folder / "dev/serial/by-id";
  std::filesystem::create_directories(by_id);
  replug(
      folder, by_id + "/head", [&] { std::filesystem::remove_all(folder / "dev/serial"); },
      [&] { std::filesystem::create_directories(by_id); });
}

}  // namespace
}  // namespace vz::e2e
