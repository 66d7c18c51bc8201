// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <algorithm>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "core/edge_records.hpp"
#include "protocols/s0/session.hpp"

namespace vz::test::s0 {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;
using vz::s0::S0Session;
using vz::s0::S0Settings;

inline constexpr Instant kStart{MonoTime{seconds{1000}}, WallTime{seconds{1'700'000'000}}};
inline Instant after(MonoDuration passed) {
  return {kStart.mono + passed, kStart.wall + std::chrono::duration_cast<milliseconds>(passed)};
}
inline MonoTime at(MonoDuration passed) { return kStart.mono + passed; }

/// Runs a session on a fake clock as the meter worker would: edges wait until they are read, reads are put off until
/// quiet_until, timers come when they are due. `busy` says for how long the worker is away after a read.
class PulseRun {
 public:
  explicit PulseRun(S0Settings settings, std::function<MonoDuration()> busy = [] { return MonoDuration{}; })
      : session_(settings), busy_(std::move(busy)) {
    call([&] { session_.opened(now_, out); });
    call([&] { session_.begin(now_, out); });
    if (settings.input == S0Settings::Input::records) records(RecordKind::level, {LineEdge::Line::pulse, false, kStart.mono});
  }

  /// All of it, and then until `end` after the start.
  void feed(std::span<const LineEdge> edges, MonoDuration end) {
    std::size_t next = 0;
    while (true) {
      const bool more = next < edges.size();
      const MonoTime ready = more ? std::max(edges[next].at, std::min(quiet_, timer_.value_or(MonoTime::max()))) : MonoTime::max();
      const MonoTime due = std::min(ready, timer_.value_or(MonoTime::max()));
      if (due > at(end)) break;
      now_ = after(std::max(due, now_.mono) - kStart.mono + microseconds{50});
      if (more && edges[next].at <= now_.mono) {
        std::string text;
        for (int i = 0; i < 100 && next < edges.size() && edges[next].at <= now_.mono; ++i, ++next) {
          append_edge(text, RecordKind::edge, edges[next]);
        }
        take(text);
      }
      if (timer_ && now_.mono >= *timer_) call([&] { session_.timer(now_, out); });
      now_ = after(now_.mono - kStart.mono + busy_());
    }
    now_ = after(end);
  }
  void records(RecordKind kind, const LineEdge& edge) {
    std::string text;
    append_edge(text, kind, edge);
    take(text);
  }
  void bytes(std::size_t count, MonoDuration passed) {
    until(passed);
    const std::vector<std::byte> some(count);
    const MonoTime previous = std::exchange(last_read_, now_.mono);
    call([&] { session_.received(some, now_, previous, out); });
  }
  /// Lets timers come.
  void until(MonoDuration passed) { feed({}, passed); }
  void stop() {
    call([&] { session_.lost(now_, out); });
  }
  [[nodiscard]] bool waits() const { return !timer_; }

  [[nodiscard]] double sum(std::string_view name) const {
    double total = 0;
    for (const auto& batch : batches)
      for (const auto& reading : batch)
        if (*reading.identifier.string() == name) total += reading.value;
    return total;
  }
  /// "Power=3600 Impulse=1 @1.000", one text a batch.
  [[nodiscard]] std::vector<std::string> lines() const {
    std::vector<std::string> all;
    for (const auto& batch : batches) {
      std::string line;
      for (const auto& reading : batch) line += fmt::format("{}={:.6g} ", reading.identifier.text(), reading.value);
      all.push_back(fmt::format("{}@{:.3f}", line, std::chrono::duration<double>(batch.front().stamp - kStart.wall).count()));
    }
    return all;
  }

  SessionOut out;
  std::vector<std::vector<Reading>> batches;
  std::vector<Fault> faults;
  unsigned calls = 0;

 private:
  void take(const std::string& text) {
    const MonoTime previous = std::exchange(last_read_, now_.mono);
    call([&] { session_.received(std::as_bytes(std::span{text}), now_, previous, out); });
  }
  template <typename F>
  void call(F&& what) {
    out.clear();
    what();
    ++calls;
    timer_ = out.timer;
    quiet_ = out.quiet_until;
    if (!out.readings.empty()) batches.push_back(out.readings);
    faults.insert(faults.end(), out.faults.begin(), out.faults.end());
  }

  S0Session session_;
  std::function<MonoDuration()> busy_;
  Instant now_ = kStart;
  MonoTime last_read_ = kStart.mono;
  std::optional<MonoTime> timer_;
  MonoTime quiet_{};
};

/// The edges of a pulse that begins at `begin`.
inline void add_pulse(std::vector<LineEdge>& edges, MonoDuration begin, MonoDuration length) {
  edges.push_back({LineEdge::Line::pulse, true, at(begin)});
  edges.push_back({LineEdge::Line::pulse, false, at(begin + length)});
}

}  // namespace vz::test::s0
