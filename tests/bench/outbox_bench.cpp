// SPDX-License-Identifier: GPL-3.0-or-later
// bench_outbox FOLDER [DAYS [CHANNELS [COMMIT]]]: an outage of so many days (30) on a fake clock, so many channels (3) with a
// reading a second each, committed every so many seconds (60: on a real disk every commit is a sync, and with 5 there are
// half a million of them); then the catch-up by the real uploader into a middleware in this process that takes everything
// at once. Reports bytes a reading on disk, memory, and readings a second; asserts nothing but that all arrived.
#include <fmt/format.h>
#include <sys/resource.h>

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <thread>
#include <vector>

#include "outbox/durable_outbox.hpp"
#include "outbox/outbox_writer.hpp"
#include "runtime/uploader.hpp"
#include "vz/sink.hpp"

namespace vz::sinks {
extern const SinkType volkszaehler_sink;
}

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

/// A middleware that has stored everything as soon as it is asked.
class InstantMiddleware final : public HttpClient {
 public:
  void start(std::uint64_t id, std::uint32_t, HttpRequest request) override {
    std::uint64_t rows = 0;
    for (const char c : request.body) rows += c == '[' ? 1 : 0;
    HttpReply reply;
    reply.status = 200;
    reply.body = fmt::format("{{\"version\":\"0.3\",\"rows\":{}}}", rows - 1);
    reply.duration = 1ms;
    stored += rows - 1;
    ++requests;
    done_.push_back({id, std::move(reply)});
  }
  void wait(MonoTime deadline, std::vector<HttpDone>& out) override {
    std::unique_lock lock(mutex_);
    if (done_.empty() && !woken_) changed_.wait_until(lock, std::min(deadline, std::chrono::steady_clock::now() + 1s));
    woken_ = false;
    out.insert(out.end(), std::make_move_iterator(done_.begin()), std::make_move_iterator(done_.end()));
    done_.clear();
  }
  void wake() override {
    const std::scoped_lock lock(mutex_);
    woken_ = true;
    changed_.notify_all();
  }
  void abort_all() override { done_.clear(); }
  std::uint64_t stored = 0;
  std::uint64_t requests = 0;

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool woken_ = false;
  std::vector<HttpDone> done_;
};

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

/// The most that this process ever had in memory.
std::uint64_t peak_kb() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::uint64_t>(usage.ru_maxrss);
}

struct Wanted {
  std::string path;
  std::uint64_t seconds = 30 * 86'400ULL;
  std::uint64_t channels = 3;
  std::chrono::seconds commit{60};
};

std::uint64_t on_disk(const std::string& path) {
  std::uint64_t sum = 0;
  for (const std::string& file : {path, path + "-wal"}) {
    if (std::filesystem::exists(file)) sum += std::filesystem::file_size(file);
  }
  return sum;
}

/// Nothing is delivered.
void outage(const Wanted& wanted, DurableOutbox& outbox, BenchClock& clock, const std::vector<QueueId>& queues) {
  const std::uint64_t before_kb = peak_kb();
  const auto begin = std::chrono::steady_clock::now();
  std::uint64_t most = 0;
  std::uint64_t most_ram = 0;
  for (std::uint64_t i = 0; i < wanted.seconds; ++i) {
    for (std::size_t channel = 0; channel < queues.size(); ++channel) {
      const auto ms = static_cast<std::int64_t>(1'700'000'000'000 + i * 1000 + i * 7 % 13);
      outbox.push(queues[channel], WallTime{std::chrono::milliseconds{ms}}, static_cast<double>(i * (3 + channel) / 10) / 1000.0);
    }
    clock.passed += 1s;
    if (*outbox.next_work() <= clock.now().mono) outbox.tick();
    if (i % 1000 != 0) continue;
    most = std::max(most, on_disk(wanted.path));
    most_ram = std::max(most_ram, outbox.status().ram_readings);
  }
  most = std::max(most, on_disk(wanted.path));
  const std::uint64_t readings = wanted.seconds * queues.size();
  fmt::print("outage:   {} readings of {} channels, {:.1f} s, {:.2f} bytes a reading on disk with its log, at most {} readings and "
             "{} kB more in memory\n",
             readings, queues.size(), seconds_since(begin), static_cast<double>(most) / static_cast<double>(readings), most_ram,
             peak_kb() - before_kb);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return EXIT_FAILURE;
  Wanted wanted;
  wanted.path = std::string{argv[1]} + "/bench-outbox.db";
  if (argc > 2) wanted.seconds = std::strtoull(argv[2], nullptr, 10) * 86'400;
  if (argc > 3) wanted.channels = std::strtoull(argv[3], nullptr, 10);
  if (argc > 4) wanted.commit = std::chrono::seconds{std::atoi(argv[4])};
  for (const char* suffix : {"", "-wal", ".lock"}) std::filesystem::remove(wanted.path + suffix);
  BenchClock clock;
  SilentLog log;
  DurableOutbox outbox(clock, log, {.path = wanted.path, .commit_interval = wanted.commit}, system_files());
  if (!outbox.start()) return EXIT_FAILURE;
  InstantMiddleware middleware;
  Uploader uploader(middleware, outbox, clock, log, {});
  std::vector<QueueId> queues;
  for (std::uint64_t i = 0; i < wanted.channels; ++i) {
    const std::string uuid = fmt::format("01234567-89ab-cdef-0123-{:012d}", i);
    Options options;
    options.set("middleware", "http://bench/middleware.php");
    options.set("timeout", std::int64_t{30});
    std::vector<Problem> problems;
    ProblemSink problem_sink{options, problems};
    auto sink = sinks::volkszaehler_sink.make(options, {.user_agent = "bench", .uuid = uuid}, problem_sink);
    queues.push_back(outbox.open({sink->endpoint(), uuid}));
    uploader.add(queues.back(), std::move(sink), fmt::format("chn{}", i), "bench");
  }
  outage(wanted, outbox, clock, queues);

  clock.fake = false;
  OutboxWriter writer(outbox, clock);
  outbox.on_push([&] { uploader.notify(); });
  const std::uint64_t before_kb = peak_kb();
  std::jthread thread([&](std::stop_token stop) { writer.run(std::move(stop)); });
  const std::uint64_t readings = wanted.seconds * queues.size();
  const auto begin = std::chrono::steady_clock::now();
  while (middleware.stored < readings) uploader.step();
  const double took = seconds_since(begin);
  fmt::print("catch-up: {:.1f} s, {:.0f} readings a second in {} requests, {} kB more in memory\n", took,
             static_cast<double>(readings) / took, middleware.requests, peak_kb() - before_kb);
  uploader.step();
  uploader.halt();
  thread.request_stop();
  thread.join();
  if (!outbox.close(MonoTime::max())) return EXIT_FAILURE;
  fmt::print("at the end: {} bytes on disk, {} readings stored of {}\n", on_disk(wanted.path), middleware.stored, readings);
  for (const char* suffix : {"", "-wal", ".lock"}) std::filesystem::remove(wanted.path + suffix);
  return middleware.stored == readings ? EXIT_SUCCESS : EXIT_FAILURE;
}
