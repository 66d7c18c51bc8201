// SPDX-License-Identifier: GPL-3.0-or-later
// The sml session on arbitrary bytes: the first byte chooses the settings, the second the size of the pieces and
// whether the rest is a transport stream or the content of a frame, around which the start, end and CRC are put.
#include <cmath>
#include <cstdint>
#include <cstdlib>

#include "support/sml_harness.hpp"

namespace {

using namespace vz;

void require(bool condition) {
  if (!condition) std::abort();
}

test::sml::SmlSettings settings_from(unsigned choice) {
  test::sml::SmlSettings settings;
  settings.paced_line = (choice & 1U) != 0;
  settings.mapping.use_local_time = (choice & 2U) != 0;
  settings.mapping.sign_from_status = (choice & 4U) != 0;
  settings.mapping.unsigned_power = (choice & 8U) != 0 ? vz::sml::UnsignedPower::on : vz::sml::UnsignedPower::automatic;
  if ((choice & 16U) != 0) settings.pull_sequence = {std::byte{1}, std::byte{2}};
  return settings;
}

class Conversation {
 public:
  explicit Conversation(const test::sml::SmlSettings& settings) : session_(settings) { out_.verbosity = 15; }

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
    require(out_.readings.size() <= vz::sml::FrameFinder::kMaxFrame);
  }

  vz::sml::SmlSession session_;
  SessionOut out_;
  Instant now_ = test::sml::kNow;
};

/// Puts right CRCs into what looks like messages, so that the mutations get past them.
test::sml::Bytes repaired(std::span<const std::byte> content) {
  test::sml::Bytes bytes(content.begin(), content.end());
  vz::sml::Cursor cursor{bytes};
  while (cursor.left() > 0) {
    if (cursor.skip_end_mark()) continue;
    const std::byte* begin = cursor.at();
    vz::sml::Cursor::Field field;
    if (!cursor.read(field) || field.type != vz::sml::Cursor::Field::Type::list || field.count != 6 || !cursor.skip(4)) break;
    const test::sml::Bytes covered(begin, cursor.at());
    if (!cursor.read(field) || field.type == vz::sml::Cursor::Field::Type::list) break;
    if (field.data.size() == 2) {
      const unsigned value = test::sml::crc(covered, 0xFFFF, 0xFFFF);
      const auto at = static_cast<std::size_t>(field.data.data() - bytes.data());
      bytes[at] = static_cast<std::byte>(value & 0xFFU);
      bytes[at + 1] = static_cast<std::byte>(value >> 8U);
    }
  }
  return test::sml::frame(bytes);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  Conversation conversation{settings_from(data[0])};
  const std::size_t piece = data[1] % 64 + 1U;
  auto bytes = std::as_bytes(std::span(data + 2, size - 2));
  conversation.start();
  if ((data[1] & 128U) != 0) {
    const auto frame = repaired(bytes);
    conversation.receive(frame);
    bytes = {};
  }
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
