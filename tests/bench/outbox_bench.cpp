// SPDX-License-Identifier: GPL-3.0-or-later
// bench_outbox FOLDER [DAYS]: an outage of so many days (30) at one reading a second, on a fake clock and a real disk,
// committed once a minute (for a bench of minutes, not hours), then the catch-up into a sink that takes everything at once. Reports bytes a reading, memory, and readings a second.
#include <sys/resource.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "outbox/durable_outbox.hpp"
#include "outbox/outbox_writer.hpp"

namespace {

using namespace vz;
using namespace std::chrono_literals;

class SilentLog final : public Log {
 public:
  bool enabled(Level) const override { return false; }
  void write(Level, std::string_view, std::string_view) override {}
};

/// Stands still but for `passed` while `fake`, then with the machine's clock.
class BenchClock final : public Clock {
 public:
  Instant now() const override {
    return {fake ? MonoTime{} + passed : std::chrono::steady_clock::now(), WallTime{1'700'000'000'000ms}};
  }
  bool fake = true;
  MonoDuration passed = 1h;
};

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

std::uint64_t resident_kb() {
  std::uint64_t size = 0;
  std::uint64_t resident = 0;
  std::ifstream("/proc/self/statm") >> size >> resident;
  return resident * 4;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return EXIT_FAILURE;
  const std::uint64_t readings = (argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 30) * 86'400;
  const std::string path = std::string{argv[1]} + "/bench-outbox.db";
  std::filesystem::remove(path);
  const auto on_disk = [&] {
    std::uint64_t sum = 0;
    for (const std::string& file : {path, path + "-wal"}) {
      if (std::filesystem::exists(file)) sum += std::filesystem::file_size(file);
    }
    return sum;
  };
  BenchClock clock;
  SilentLog log;
  DurableOutbox outbox(clock, log, {.path = path, .commit_interval = 60s}, system_files());
  if (!outbox.start()) return EXIT_FAILURE;
  const QueueId queue = outbox.open({"http://bench", "uuid"});
  const std::uint64_t before_kb = resident_kb();
  auto begin = std::chrono::steady_clock::now();
  std::uint64_t most = 0;
  for (std::uint64_t i = 0; i < readings; ++i) {
    const auto ms = static_cast<std::int64_t>(1'700'000'000'000 + i * 1000 + i * 7 % 13);
    outbox.push(queue, WallTime{std::chrono::milliseconds{ms}}, static_cast<double>(i * 3 / 10) / 1000.0);
    clock.passed += 1s;
    if (*outbox.next_work() <= clock.now().mono) outbox.tick();
    if (i % 10'000 == 0) most = std::max(most, on_disk());
  }
  most = std::max(most, on_disk());
  std::printf("outage:   %llu readings, %.1f s, %.2f bytes a reading on disk, %llu kB more memory\n",
              static_cast<unsigned long long>(readings), seconds_since(begin),
              static_cast<double>(most) / static_cast<double>(readings),
              static_cast<unsigned long long>(resident_kb() - before_kb));

  clock.fake = false;
  OutboxWriter writer(outbox, clock);
  std::mutex mutex;
  std::condition_variable changed;
  bool loaded = false;
  outbox.on_push([&] {
    const std::scoped_lock lock(mutex);
    loaded = true;
    changed.notify_all();
  });
  std::jthread thread([&](std::stop_token stop) { writer.run(std::move(stop)); });
  begin = std::chrono::steady_clock::now();
  std::uint64_t taken = 0;
  std::vector<QueuedReading> batch;
  while (taken < readings) {
    batch.clear();
    outbox.peek(queue, 256, batch);
    if (batch.empty()) {
      std::unique_lock lock(mutex);
      changed.wait_for(lock, 1s, [&] { return loaded; });
      loaded = false;
      continue;
    }
    outbox.settle(queue, batch.front().sequence, batch.back().sequence, Verdict::accepted, {});
    taken += batch.size();
  }
  const double took = seconds_since(begin);
  std::printf("catch-up: %.1f s, %.0f readings a second, %llu kB more memory\n", took, static_cast<double>(taken) / took,
              static_cast<unsigned long long>(resident_kb() - before_kb));
  thread.request_stop();
  thread.join();
  if (!outbox.close(MonoTime::max())) return EXIT_FAILURE;
  std::printf("at the end: %llu bytes on disk\n", static_cast<unsigned long long>(on_disk()));
  std::filesystem::remove(path);
  std::filesystem::remove(path + ".lock");
  return EXIT_SUCCESS;
}
