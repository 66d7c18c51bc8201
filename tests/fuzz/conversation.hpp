// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "vz/session.hpp"

// What the fuzz targets of the protocols share: a session, arbitrary bytes for it, and what has to hold whatever they are.

namespace vz::fuzz {

inline void require(bool condition) {
  if (!condition) std::abort();
}

/// An input: the first byte chooses the settings, the second the size of the pieces (and bit 7 something of the target's
/// own), the rest is what the meter says.
struct Input {
  unsigned choice = 0;
  std::size_t piece = 1;
  bool special = false;
  std::span<const std::byte> bytes;
};
inline Input input_of(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return {};
  return {data[0], data[1] % 64 + 1U, (data[1] & 128U) != 0, std::as_bytes(std::span(data + 2, size - 2))};
}

/// Drives a session as the worker does, with a clock of its own.
class Conversation {
 public:
  static constexpr Instant kStart{MonoTime{std::chrono::seconds{1000}}, WallTime{std::chrono::seconds{1'700'000'000}}};

  Conversation(Session& session, std::size_t most_readings) : session_(session), most_readings_(most_readings) {
    out_.verbosity = 15;
  }

  void start() {
    next([&] { session_.opened(now_, out_); });
    next([&] { session_.begin(now_, out_); });
  }
  void receive(std::span<const std::byte> bytes) {
    for (int turns = 0; !bytes.empty(); ++turns) {
      require(turns < 100'000);
      std::size_t used = 0;
      next([&] { used = session_.received(bytes, now_, now_.mono, out_); });
      require(used <= bytes.size());
      require(used > 0 || out_.cycle_done);
      bytes = bytes.subspan(used);
      if (out_.cycle_done && session_.pulls()) next([&] { session_.begin(now_, out_); });
    }
  }
  void wait(std::chrono::milliseconds time) {
    now_.mono += time;
    now_.wall += time;
    for (int turns = 0; out_.timer && *out_.timer <= now_.mono; ++turns) {
      require(turns < 1000);
      next([&] { session_.timer(now_, out_); });
      if (out_.cycle_done && session_.pulls()) next([&] { session_.begin(now_, out_); });
    }
  }
  void finish() {
    next([&] { session_.lost(now_, out_); });
  }

 private:
  template <typename F>
  void next(F&& call) {
    out_.clear();
    call();
    for (const auto& reading : out_.readings) require(std::isfinite(reading.value));
    require(out_.readings.size() <= most_readings_);
  }

  Session& session_;
  std::size_t most_readings_;
  SessionOut out_;
  Instant now_ = kStart;
};

/// A whole life: opened, the bytes in pieces with silences between some of them, a long silence, lost.
inline void converse(Session& session, const Input& input, std::size_t most_readings) {
  Conversation conversation{session, most_readings};
  conversation.start();
  for (auto bytes = input.bytes; !bytes.empty();) {
    const auto part = bytes.first(std::min(input.piece, bytes.size()));
    conversation.receive(part);
    if (part.back() == std::byte{0xFE}) conversation.wait(std::chrono::milliseconds{700});
    if (part.back() == std::byte{0xFD}) conversation.wait(std::chrono::seconds{12});
    bytes = bytes.subspan(part.size());
  }
  conversation.wait(std::chrono::seconds{30});
  conversation.finish();
}

}  // namespace vz::fuzz
