// SPDX-License-Identifier: GPL-3.0-or-later
// Encrypted P1 telegrams: the first byte chooses how. Either arbitrary bytes come over the line, or the input is the text inside a
// frame that is sealed with the right key, so that what a decrypted telegram may hold is reached, too.
#include <cmath>
#include <cstdint>
#include <cstdlib>

#include "protocols/d0/session.hpp"
#include "support/glo_builder.hpp"

namespace {

using namespace vz;

void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const unsigned choice = data[0];
  const std::size_t piece = data[1] + 1U;
  d0::D0Settings settings;
  settings.line.format = CharacterFormat::n8;
  settings.key = test::key_of(test::kKeyText);
  if ((choice & 1U) != 0) settings.authentication_key = test::key_of(test::kAuthText);
  settings.paced_line = (choice & 2U) != 0;
  std::span<const std::byte> stream = std::as_bytes(std::span(data + 2, size - 2));
  test::Bytes frames;
  if ((choice & 4U) != 0 && size < 8000) {
    const std::string_view text(reinterpret_cast<const char*>(data + 2), size - 2);
    test::Seal seal;
    if ((choice & 8U) != 0) seal.authentication_key = test::kAuthText;
    if ((choice & 16U) != 0) seal.security = std::byte{0x20};
    frames = test::sealed((choice & 32U) != 0 ? test::p1_telegram(text) : std::string{text}, seal);
    if ((choice & 64U) != 0) frames.erase(frames.begin() + static_cast<std::ptrdiff_t>(piece % frames.size()));
    if ((choice & 128U) != 0) frames.insert(frames.end(), frames.begin(), frames.end());
    stream = frames;
  }
  d0::D0Session session{settings};
  SessionOut out;
  out.verbosity = 15;
  Instant now{MonoTime{std::chrono::seconds{1000}}, WallTime{std::chrono::seconds{1'700'000'000}}};
  const auto next = [&](auto&& call) {
    out.clear();
    call();
    require(out.readings.size() <= d0::GloReader::kMaxFrame);
    for (const auto& reading : out.readings) require(std::isfinite(reading.value));
  };
  next([&] { session.opened(now, out); });
  while (!stream.empty()) {
    std::size_t used = 0;
    const auto part = stream.first(std::min(piece, stream.size()));
    next([&] { used = session.received(part, now, now.mono, out); });
    require(used <= part.size() && (used > 0 || out.cycle_done));
    stream = stream.subspan(used);
    now.mono += std::chrono::milliseconds{part.back() == std::byte{0xFE} ? 700 : 1};
    if (out.timer && *out.timer <= now.mono) next([&] { session.timer(now, out); });
  }
  for (int i = 0; i < 3; ++i) {
    now.mono += std::chrono::seconds{12};
    next([&] { session.timer(now, out); });
  }
  next([&] { session.lost(now, out); });
  return 0;
}
