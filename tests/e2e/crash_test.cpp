// SPDX-License-Identifier: GPL-3.0-or-later
// The real thing: vzlogger is killed (SIGKILL) at random moments, again and again, with a real meter on a line and a
// middleware that comes and goes. Judged from outside alone: the meter's own log of what it has sent, and the rows of the
// middleware. Ten kills each; for more:
//
//   VZ_KILLS=200 VZ_SEED=1 build/release/bin/test_e2e --gtest_filter='Crash.*'
#include <cmath>
#include <random>

#include "e2e/stage.hpp"

namespace vz::e2e {
namespace {

std::int64_t now_ms() {
  return std::chrono::duration_cast<milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

unsigned from_environment(const char* name, unsigned otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : static_cast<unsigned>(std::strtoul(text, nullptr, 10));
}

struct Plan {
  Json outbox;             ///< the section of the configuration
  int longest_life;        ///< ms, from the first reading of a life on
  std::int64_t young;      ///< ms: readings that were younger than this when a kill came may be lost
};

struct Count {
  std::size_t readouts = 0;
  std::size_t lost_young = 0;
  std::size_t lost = 0;
  std::size_t doubled = 0;
  std::size_t invented = 0;
  std::int64_t oldest_lost = 0;  ///< how old the oldest lost one was when its kill came
};

/// A process, from its start to its kill.
struct Life {
  std::int64_t start = 0;
  std::int64_t kill = INT64_MAX;
  std::string log = {};  ///< what it said
};

/// All that can be known of a reading that was lost.
void tell_lost(const Life& life, const Readout& readout, std::int64_t age) {
  fmt::print("lost: 1.8.0 {}, block from {} to {}, {} ms before the kill; the process had started {} ms before. It said:\n{}\n",
             readout.values.at("1.8.0"), readout.first_ms, readout.last_ms, age, life.kill - life.start, life.log);
}

/// Every readout that the meter finished for a process that still lived, against the rows.
Count judge(const std::vector<Readout>& sent, const std::vector<Stored>& rows, const std::vector<Life>& lives,
            std::int64_t young) {
  Count count;
  std::map<std::int64_t, int> seen;  // in units of the register's last digit
  for (const Stored& row : rows) ++seen[std::llround(row.value * 1000)];
  std::map<std::int64_t, bool> known;
  for (const Readout& readout : sent) {
    const auto value = std::llround(std::strtod(readout.values.at("1.8.0").c_str(), nullptr) * 1000);
    known[value] = true;
    const auto asked = [&](const Life& life) { return life.start <= readout.connected_ms && readout.connected_ms <= life.kill; };
    const auto life = std::find_if(lives.begin(), lives.end(), asked);
    if (life == lives.end() || readout.last_ms > life->kill) continue;  // its last bytes went to a process that was dead
    ++count.readouts;
    const int times = seen[value];
    if (times > 1) ++count.doubled;
    if (times > 0) continue;
    const std::int64_t age = life->kill - readout.last_ms;
    count.oldest_lost = std::max(count.oldest_lost, age);
    ++(age <= young ? count.lost_young : count.lost);
    if (age > young) tell_lost(*life, readout, age);
  }
  for (const Stored& row : rows)
    if (!known.contains(std::llround(row.value * 1000))) ++count.invented;
  return count;
}

void crash_loop(const char* name, const Plan& plan) {
  const unsigned kills_wanted = from_environment("VZ_KILLS", 10);
  const unsigned seed = from_environment("VZ_SEED", 1);
  std::mt19937 random{seed};
  const auto below = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  Folder folder;
  Middleware middleware(folder, {uuid(1)});
  middleware.start();
  bool up = true;
  Sim sim(folder, "sim", {"--speed", "unlimited", "--reaction", "5", "--step", "1.8.0=0.001", "--quiet"});
  const std::string text = config(Json::array({pulled(sim.endpoint(), Json::array({channel(uuid(1), middleware.url())}))}), 5,
                                  {{"outbox", plan.outbox}});
  std::vector<Life> lives;
  unsigned outages = 0;
  unsigned early = 0;  ///< kills during the start
  while (lives.size() < kills_wanted) {
    lives.push_back(Life{.start = now_ms()});
    const auto daemon = run_daemon(folder, text);
    const auto pass = [&](int ms) { (void)daemon->wait_for_line("no such line: time passes", Stream::err, milliseconds{ms}); };
    if (below(3) == 0) {  // from exec on: while it starts, takes up what the last one left, opens the meter
      ++early;
      pass(below(300));
      ASSERT_TRUE(daemon->send(SIGKILL)) << daemon->output(Stream::err);
      lives.back().kill = now_ms();
      ASSERT_EQ(daemon->wait_exit(), (Exit{.status = -1, .signal = SIGKILL}));
      lives.back().log = daemon->output() + daemon->output(Stream::err);
      continue;
    }
    ASSERT_TRUE(daemon->wait_for_line("Adding reading")) << daemon->output() << daemon->output(Stream::err);
    // now and then the middleware goes or comes back in the middle of a life
    const int life = below(plan.longest_life);
    const int change = below(life + 1);
    if (below(2) == 0) {
      pass(change);
      if (up) {
        middleware.stop();
        ++outages;
      } else {
        middleware.start(below(3) == 0 ? std::vector<std::string>{"--faults", "lost-reply:0.3,e500:0.2"} : std::vector<std::string>{});
      }
      up = !up;
      pass(life - change);
    } else {
      pass(life);
    }
    ASSERT_TRUE(daemon->send(SIGKILL));
    lives.back().kill = now_ms();
    ASSERT_EQ(daemon->wait_exit(), (Exit{.status = -1, .signal = SIGKILL}));
    lives.back().log = daemon->output() + daemon->output(Stream::err);
  }
  // what the last one left is delivered by one more process
  if (!up) middleware.start();
  lives.push_back(Life{.start = now_ms()});
  const auto last = run_daemon(folder, text);
  ASSERT_TRUE(last->wait_for_line("Adding reading"));
  sim.stop();
  const auto sent = sim.whole_readouts();
  const auto newest = std::llround(std::strtod(sent.back().values.at("1.8.0").c_str(), nullptr) * 1000);
  std::vector<Stored> rows;
  for (int i = 0; i < 200; ++i) {
    rows = middleware.stored(uuid(1));
    if (std::any_of(rows.begin(), rows.end(), [&](const Stored& r) { return std::llround(r.value * 1000) == newest; })) break;
    (void)middleware.process().wait_for_line("POST ", Stream::out, milliseconds{500});
  }
  last->send(SIGTERM);
  EXPECT_EQ(last->wait_exit(), (Exit{.status = 0, .signal = 0}));
  rows = middleware.stored(uuid(1));
  const Count count = judge(sent, rows, lives, plan.young);
  fmt::print("crash: {}: {} kills, {} of them within 300 ms of the start, {} outages, {} telegrams, {} rows; lost {}, lost within {} ms of a kill {} (the oldest {} ms), "
             "twice {}, invented {} (seed {})\n",
             name, lives.size() - 1, early, outages, count.readouts, rows.size(), count.lost, plan.young, count.lost_young,
             count.oldest_lost, count.doubled, count.invented, seed);
  EXPECT_GT(count.readouts, lives.size());
  EXPECT_EQ(count.lost, 0U);
  EXPECT_EQ(count.doubled, 0U);
  EXPECT_EQ(count.invented, 0U);
}

TEST(Crash, WithEveryReadingCommittedNothingIsLost) {
  crash_loop("commit_interval 0", {{{"commit_interval", 0}}, 1500, 100});
}

TEST(Crash, WithTheDefaultOnlyTheLastIntervalMayBe) {
  // what waited for the interval of 5 s, and the time that the commit takes
  crash_loop("default", {Json::object(), 7000, 5'500});
}

}  // namespace
}  // namespace vz::e2e
