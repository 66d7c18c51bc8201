// SPDX-License-Identifier: GPL-3.0-or-later
// The s0 session: the first byte chooses the settings; the rest are edges (a line, a level and a distance in time), raw
// records, or bytes of a serial port. What it counts can be no more than the edges and the time allow.
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "core/edge_records.hpp"
#include "protocols/s0/session.hpp"

namespace {

using namespace vz;

void require(bool condition) {
  if (!condition) std::abort();
}

class Conversation {
 public:
  explicit Conversation(const s0::S0Settings& settings) : session_(settings) {
    out_.verbosity = 15;
    next([&] { session_.opened(now_, out_); });
    next([&] { session_.begin(now_, out_); });
  }
  void pass(MonoDuration time) {
    const MonoTime until = now_.mono + time;
    for (int turns = 0; timer_ && *timer_ <= until; ++turns) {
      require(turns < 200'000);
      go_to(std::max(*timer_, now_.mono + std::chrono::nanoseconds{1}));
      next([&] { session_.timer(now_, out_); });
    }
    go_to(std::max(until, now_.mono));
  }
  void receive(std::span<const std::byte> bytes) {
    std::size_t used = 0;
    const MonoTime previous = std::exchange(last_read_, now_.mono);
    next([&] { used = session_.received(bytes, now_, previous, out_); });
    require(used == bytes.size());
  }
  void finish() { next([&] { session_.lost(now_, out_); }); }
  [[nodiscard]] MonoTime now() const { return now_.mono; }
  [[nodiscard]] double pulses() const { return pulses_; }

 private:
  void go_to(MonoTime time) {
    now_.wall += std::chrono::duration_cast<std::chrono::milliseconds>(time - now_.mono);
    now_.mono = time;
  }
  template <typename F>
  void next(F&& call) {
    out_.clear();
    call();
    timer_ = out_.timer;
    require(out_.readings.size() <= 4);
    for (const auto& reading : out_.readings) {
      require(std::isfinite(reading.value) && reading.value >= 0);
      if (reading.identifier.string()->starts_with("Impulse")) pulses_ += reading.value;
    }
  }

  s0::S0Session session_;
  SessionOut out_;
  Instant now_{MonoTime{std::chrono::seconds{1000}}, WallTime{std::chrono::seconds{1'700'000'000}}};
  MonoTime last_read_ = now_.mono;
  std::optional<MonoTime> timer_;
  double pulses_ = 0;
};

void feed_edges(Conversation& conversation, std::span<const std::uint8_t> data, const s0::S0Settings& settings) {
  double rises = 0;
  const MonoTime start = conversation.now();
  for (const std::uint8_t byte : data) {
    // two bits for line and level, six for the distance: 1 us to more than a second
    conversation.pass(std::chrono::microseconds{static_cast<int>(std::pow(1.25, byte >> 2U))});
    const LineEdge edge{(byte & 2U) != 0 ? LineEdge::Line::direction : LineEdge::Line::pulse, (byte & 1U) != 0, conversation.now()};
    rises += edge.line == LineEdge::Line::pulse && edge.high ? 1 : 0;
    std::string text;
    append_edge(text, RecordKind::edge, edge);
    conversation.receive(std::as_bytes(std::span{text}));
  }
  conversation.pass(std::chrono::seconds{5});
  conversation.finish();
  require(conversation.pulses() <= rises);
  if (settings.debounce.count() > 0) {
    // a pulse and its pause need debounce_delay
    const auto passed = std::chrono::duration<double>(conversation.now() - start);
    require(conversation.pulses() <= passed / std::chrono::duration<double>(settings.debounce) + 1);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2 || size > 512) return 0;
  s0::S0Settings settings;
  constexpr int kDelays[] = {0, 1, 30, 2000};
  settings.debounce = std::chrono::milliseconds{kDelays[data[0] & 3U]};
  settings.send_zero = (data[0] & 4U) != 0;
  settings.resolution = (data[0] & 8U) != 0 ? 1 : 10'000;
  const std::span rest(data + 1, size - 1);
  const bool edges = (data[0] & 16U) != 0;
  if (!edges && (data[0] & 32U) != 0) settings.input = s0::S0Settings::Input::bytes;
  Conversation conversation{settings};
  if (edges) {
    feed_edges(conversation, rest, settings);
    return 0;
  }
  for (auto bytes = std::as_bytes(rest); !bytes.empty();) {
    const std::size_t piece = std::min<std::size_t>(std::to_integer<std::size_t>(bytes.front()) % 40 + 1, bytes.size());
    conversation.receive(bytes.first(piece));
    conversation.pass(std::chrono::milliseconds{piece * 7});
    bytes = bytes.subspan(piece);
  }
  conversation.finish();
  return 0;
}
