// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "vz/time.hpp"

namespace vz {

/// Writes the traffic of a line in the format of the old daemon's `dump_file`: blocks marked `#####` (notes), `>>>>>`
/// (received) and `<<<<<` (sent) with a time stamp, data in rows of 16 bytes, hexadecimal and text. One for each meter.
/// Pure: appends to a string.
class TrafficDump {
 public:
  void note(std::string_view text, MonoTime now, std::string& out);
  void received(std::span<const std::byte> bytes, MonoTime now, std::string& out) { data(Kind::received, bytes, now, out); }
  void sent(std::span<const std::byte> bytes, MonoTime now, std::string& out) { data(Kind::sent, bytes, now, out); }
  /// Writes the row that is not full yet.
  void flush(std::string& out);

 private:
  enum class Kind : unsigned char { none, note, received, sent };
  void data(Kind kind, std::span<const std::byte> bytes, MonoTime now, std::string& out);
  void begin(Kind kind, MonoTime now, std::string& out);

  static constexpr std::size_t kRow = 16;
  Kind kind_ = Kind::none;
  MonoTime last_{};
  std::array<std::byte, kRow> row_{};
  std::size_t fill_ = 0;
};

}  // namespace vz
