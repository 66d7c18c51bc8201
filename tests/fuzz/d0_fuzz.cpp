// SPDX-License-Identifier: GPL-3.0-or-later
// The d0 session on arbitrary bytes: the first byte chooses the settings, the second the size of the pieces.
#include <cmath>
#include <cstdint>
#include <cstdlib>

#include "protocols/d0/session.hpp"

namespace {

using namespace vz;

void require(bool condition) {
  if (!condition) std::abort();
}

d0::D0Settings settings_from(unsigned choice) {
  d0::D0Settings settings;
  settings.line.format = (choice & 1U) != 0 ? CharacterFormat::e7 : CharacterFormat::n8;
  settings.checksum = (choice & 2U) != 0 ? d0::ChecksumMode::warn : d0::ChecksumMode::automatic;
  settings.paced_line = (choice & 4U) != 0;
  if ((choice & 8U) != 0) settings.pull_sequence = {std::byte{'/'}, std::byte{'?'}, std::byte{'!'}, std::byte{'\r'}, std::byte{'\n'}};
  if ((choice & 16U) != 0) settings.acknowledge = d0::D0Settings::Acknowledge::automatic;
  return settings;
}

class Conversation {
 public:
  explicit Conversation(const d0::D0Settings& settings) : session_(settings) { out_.verbosity = 15; }

  void start() {
    session_.opened(now_, out_);
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
    }
  }
  void finish() { next([&] { session_.lost(now_, out_); }); }

 private:
  template <typename F>
  void next(F&& call) {
    out_.clear();
    call();
    for (const auto& reading : out_.readings) require(std::isfinite(reading.value));
    require(out_.readings.size() <= d0::D0Decoder::kMaxMessage);
  }

  d0::D0Session session_;
  SessionOut out_;
  Instant now_{MonoTime{std::chrono::seconds{1000}}, WallTime{std::chrono::seconds{1700000000}}};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  Conversation conversation{settings_from(data[0])};
  const std::size_t piece = data[1] % 64 + 1U;
  auto bytes = std::as_bytes(std::span(data + 2, size - 2));
  conversation.start();
  while (!bytes.empty()) {
    const auto part = bytes.first(std::min(piece, bytes.size()));
    conversation.receive(part);
    if (part.back() == std::byte{0xFE}) conversation.wait(std::chrono::milliseconds{700});  // lets silence happen
    if (part.back() == std::byte{0xFD}) conversation.wait(std::chrono::seconds{12});
    bytes = bytes.subspan(part.size());
  }
  conversation.wait(std::chrono::seconds{30});
  conversation.finish();
  return 0;
}
