// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "vz/error.hpp"
#include "vz/transport.hpp"

namespace vz::cli {

inline constexpr std::size_t kMaxCapture = 16U << 20U;  // 16 MiB

/// The bytes that a meter sent, from what users have of them: raw bytes; hexadecimal text (blanks, line ends, commas,
/// colons and `0x` between the bytes do not matter); or a `dump_file` of vzlogger, of which only what was received counts.
/// Pure.
std::vector<std::byte> capture_bytes(std::string_view content);

/// Hexadecimal text alone. Errors: another character, half a byte, no byte at all.
Expected<std::vector<std::byte>> hex_bytes(std::string_view text);

/// What the bytes look like.
struct CaptureKind {
  std::string protocol;  ///< "sml" or "d0"
  std::string parity;    ///< for d0: 7e1, 7o1 or 8n1
};
/// SML where an SML telegram begins in them, else d0. Parity bits in a d0 capture are taken away, wrong ones marked.
CaptureKind prepare_capture(std::vector<std::byte>& bytes);

/// A clock that stands still but for a replay's steps.
class ReplayClock final : public Clock {
 public:
  explicit ReplayClock(Instant start) : now_(start) {}
  [[nodiscard]] Instant now() const override { return now_; }
  void step_to(MonoTime time);

 private:
  Instant now_;
};

/// Gives the bytes of a capture as if they came just now, then nothing more; waiting takes no real time.
class ReplayTransport final : public Transport {
 public:
  /// Borrows both.
  ReplayTransport(std::span<const std::byte> bytes, ReplayClock& clock) : rest_(bytes), clock_(clock) {}
  ReadResult read(std::span<std::byte> buffer, MonoTime not_before, MonoTime deadline, Wake& wake) override;
  Expected<void> write(std::span<const std::byte>, MonoTime, Wake&) override { return {}; }
  Expected<void> set_line(LineSettings) override { return {}; }
  void discard_input() override {}
  [[nodiscard]] bool at_end() const { return rest_.empty(); }

 private:
  std::span<const std::byte> rest_;
  ReplayClock& clock_;
};

}  // namespace vz::cli
