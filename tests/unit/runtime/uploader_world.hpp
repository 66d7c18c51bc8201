// SPDX-License-Identifier: GPL-3.0-or-later
// A world for the uploader on one fake clock: an HTTP client whose transfers take fake time, a timeline of events, a
// log that is kept, and a model of the Volkszähler middleware. Nothing sleeps; one thread.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "outbox/ram_outbox.hpp"
#include "runtime/uploader.hpp"
#include "vz/http.hpp"
#include "vz/log.hpp"
#include "vz/time.hpp"

namespace vz::sinks {
extern const SinkType volkszaehler_sink;
}

namespace vz::test {

using namespace std::chrono_literals;

inline constexpr long long kEpoch = 1'700'000'000'000;

class FakeClock final : public Clock {
 public:
  [[nodiscard]] Instant now() const override {
    return {MonoTime{} + passed, WallTime{std::chrono::milliseconds{kEpoch}} +
                                     std::chrono::duration_cast<std::chrono::milliseconds>(passed)};
  }
  MonoDuration passed = 1h;
};

struct LogLine {
  Level level;
  std::string section;
  std::string text;
};

class KeptLog final : public Log {
 public:
  [[nodiscard]] bool enabled(Level level) const override { return level <= verbosity; }
  void write(Level level, std::string_view section, std::string_view text) override {
    lines.push_back({level, std::string{section}, std::string{text}});
  }
  [[nodiscard]] std::vector<std::string> texts(Level level) const {
    std::vector<std::string> out;
    for (const LogLine& line : lines) {
      if (line.level == level) out.push_back(line.text);
    }
    return out;
  }
  Level verbosity = Level::info;
  std::vector<LogLine> lines;
};

struct Answer {
  HttpReply reply;
  MonoDuration takes = 5ms;
};

class FakeHttp final : public HttpClient {
 public:
  using Server = std::function<Answer(const HttpRequest&)>;

  explicit FakeHttp(FakeClock& clock) : clock_(clock) {}

  void start(std::uint64_t id, std::uint32_t lane, HttpRequest request) override {
    for (const Transfer& other : transfers_) EXPECT_NE(other.lane, lane) << "two requests at once to one endpoint";
    Answer answer = server(request);
    answer.reply.duration = answer.takes;
    starts.push_back({clock_.passed, lane, std::move(request)});
    transfers_.push_back({id, lane, clock_.passed + answer.takes, std::move(answer.reply)});
  }

  void wait(MonoTime deadline, std::vector<HttpDone>& out) override {
    ++waits;
    if (std::exchange(woken_, false)) return;
    const MonoDuration until = next_moment(deadline.time_since_epoch());
    if (until == MonoDuration::max()) return;
    clock_.passed = std::max(clock_.passed, until);
    run_events();
    for (auto transfer = transfers_.begin(); transfer != transfers_.end();) {
      if (transfer->ends > clock_.passed) {
        ++transfer;
        continue;
      }
      out.push_back({transfer->id, std::move(transfer->reply)});
      transfer = transfers_.erase(transfer);
    }
    woken_ = false;
  }

  void wake() override {
    ++wakes;
    woken_ = true;
  }
  void abort_all() override { transfers_.clear(); }

  /// Something that happens at that time after the clock's start.
  void at(MonoDuration when, std::function<void()> what) { events_.emplace(when, std::move(what)); }
  [[nodiscard]] bool has_events() const { return !events_.empty(); }
  [[nodiscard]] std::size_t under_way() const { return transfers_.size(); }

  struct Start {
    MonoDuration when;
    std::uint32_t lane;
    HttpRequest request;
  };
  Server server;
  std::vector<Start> starts;
  std::size_t waits = 0;
  std::size_t wakes = 0;

 private:
  struct Transfer {
    std::uint64_t id;
    std::uint32_t lane;
    MonoDuration ends;
    HttpReply reply;
  };

  [[nodiscard]] MonoDuration next_moment(MonoDuration deadline) const {
    MonoDuration next = deadline;
    if (!events_.empty()) next = std::min(next, events_.begin()->first);
    for (const Transfer& transfer : transfers_) next = std::min(next, transfer.ends);
    return next;
  }

  void run_events() {
    while (!events_.empty() && events_.begin()->first <= clock_.passed) {
      const auto what = std::move(events_.begin()->second);
      events_.erase(events_.begin());
      what();
    }
  }

  FakeClock& clock_;
  std::vector<Transfer> transfers_;
  std::multimap<MonoDuration, std::function<void()>> events_;
  bool woken_ = false;
};

inline HttpReply http(long status, std::string body) {
  HttpReply reply;
  reply.status = status;
  reply.body = std::move(body);
  return reply;
}
inline HttpReply no_answer(std::string error, bool maybe_delivered) {
  HttpReply reply;
  reply.error = std::move(error);
  reply.maybe_delivered = maybe_delivered;
  return reply;
}
inline HttpReply exception(const std::string& type, const std::string& message) {
  return http(
      400,
      nlohmann::json{{"version", "0.3"}, {"exception", {{"message", message}, {"type", type}, {"code", 0}}}}.dump());
}

/// The middleware's way with data: (channel, millisecond) is the key, a batch is atomic, skipduplicates skips what is
/// there.
class ModelMiddleware {
 public:
  struct Row {
    std::int64_t stamp;
    double value;
  };

  HttpReply handle(const HttpRequest& request) {
    const std::size_t data = request.url.find("/data/");
    const std::size_t json = request.url.find(".json", data);
    const std::string uuid = request.url.substr(data + 6, json - data - 6);
    const std::string query = request.url.substr(json + 5);
    if (unknown.contains(uuid)) return exception("Exception", "No entity with UUID '" + uuid + "'");
    return store(uuid, nlohmann::json::parse(request.body), query == "?options=skipduplicates");
  }

  std::map<std::string, std::vector<Row>> rows;  ///< in order of arrival
  std::set<std::string> unknown;
  std::set<double> poison;       ///< values the database refuses
  std::size_t limit = SIZE_MAX;  ///< readings a request may hold

 private:
  HttpReply store(const std::string& uuid, const nlohmann::json& tuples, bool skip) {
    if (tuples.size() > limit)
      return http(413, "<html><head><title>413 Request Entity Too Large</title></head></html>");
    std::vector<Row> fresh;
    for (const auto& tuple : tuples) {
      const Row row{tuple.at(0).get<std::int64_t>(), tuple.at(1).get<double>()};
      if (poison.contains(row.value)) return exception("DriverException", "SQLSTATE[22003]: 1264 Out of range value");
      if (known_[uuid].contains(row.stamp)) {
        if (skip) continue;
        return exception("UniqueConstraintViolationException",
                         fmt::format("SQLSTATE[23000]: 1062 Duplicate entry '36-{}' for key 'PRIMARY'", row.stamp));
      }
      fresh.push_back(row);
    }
    for (const Row& row : fresh) {
      known_[uuid].insert(row.stamp);
      rows[uuid].push_back(row);
    }
    return http(200, fmt::format(R"({{"version":"0.3","rows":{}}})", fresh.size()));
  }

  std::map<std::string, std::set<std::int64_t>> known_;
};

/// A uuid whose last characters tell the number.
inline std::string uuid_of(int number) { return fmt::format("01234567-89ab-cdef-0123-{:012d}", number); }

inline std::unique_ptr<Sink> make_sink(const std::string& middleware, const std::string& uuid) {
  Options options;
  options.set("middleware", middleware);
  options.set("timeout", std::int64_t{30});
  std::vector<Problem> problems;
  ProblemSink sink{options, problems};
  return sinks::volkszaehler_sink.make(options, {.user_agent = "vzlogger/test", .uuid = uuid}, sink);
}

/// Clock, client, outbox, log and uploader, wired as the program wires them.
struct World {
  explicit World(UploaderSettings settings = {.retry = 15s, .seed = 1}) : uploader(http, outbox, clock, log, settings) {
    http.server = [this](const HttpRequest& request) {
      return Answer{.reply = middleware.handle(request), .takes = 5ms};
    };
    outbox.on_push([this] { uploader.notify(); });
  }

  /// Adds channel `number` of the middleware on `host`.
  QueueId channel(int number, const std::string& host = "http://mw/middleware.php") {
    auto sink = make_sink(host, uuid_of(number));
    const QueueId queue = outbox.open({sink->endpoint(), uuid_of(number)});
    uploader.add(queue, std::move(sink), fmt::format("chn{}", number), fmt::format("...{:06d}", number));
    return queue;
  }

  /// Pushes the next reading of a queue: stamps a second apart, values counting up.
  void push(QueueId queue) {
    const int n = pushed[queue]++;
    outbox.push(queue, WallTime{std::chrono::milliseconds{kEpoch + n * 1000}}, 1000.0 + n);
  }
  void push(QueueId queue, int count) {
    for (int i = 0; i < count; ++i) push(queue);
  }

  /// Until nothing is under way, nothing waits for a time and the timeline is empty. False if that never comes.
  bool run_until_idle(std::size_t turns = 100'000) {
    for (std::size_t turn = 0; turn < turns; ++turn) {
      if (!uploader.step() && !http.has_events() && !waiting_ready()) return true;
    }
    return false;
  }

  void run_for(MonoDuration duration) {
    bool over = false;
    http.at(clock.passed + duration, [&] {
      over = true;
      http.wake();
    });
    while (!over) uploader.step();
  }

  [[nodiscard]] bool waiting_ready() const {
    for (const auto& [queue, count] : pushed) {
      if (outbox.stats(queue).waiting > 0) return true;
    }
    return false;
  }

  FakeClock clock;
  FakeHttp http{clock};
  RamOutbox outbox;
  KeptLog log;
  ModelMiddleware middleware;
  std::map<QueueId, int> pushed;
  Uploader uploader;
};

}  // namespace vz::test
