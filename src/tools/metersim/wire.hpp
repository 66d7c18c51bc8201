// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vz/line.hpp"
#include "vz/time.hpp"

namespace vz::metersim {

/// Whether characters take the time that the line needs for them.
enum class Pace { real, unlimited };

/// Something the meter says.
struct Transmission {
  std::string bytes;  ///< never empty
  MonoTime start{};   ///< the first start bit
  unsigned baud = 300;
  std::optional<std::size_t> gap_at;  ///< a pause before this byte
  MonoDuration gap{};
};

/// One character that the line brought.
struct Character {
  char byte = 0;
  MonoTime start{};
  MonoTime end{};
  unsigned baud = 0;  ///< the sender's speed; 0: not known
};

/// Puts bytes that came in one piece back on the line: each takes its character time, one after the other, from the
/// moment the first arrived. All times are absolute, so that delays of the process do not add up. Pure.
///
/// Steps alternate: begin_character() when its start bit comes (the sender's speed counts at that moment: one who
/// changes it before his last byte is out spoils the rest, as with a real UART), then end_character().
class Receiver final {
 public:
  explicit Receiver(Pace pace) : pace_(pace) {}

  void arrive(std::string_view bytes, MonoTime now);
  /// When the next step is due; empty if nothing is on the line.
  [[nodiscard]] std::optional<MonoTime> next() const;
  /// True if the next step is the end of a character.
  [[nodiscard]] bool within_character() const { return current_.has_value(); }
  void begin_character(unsigned baud);
  Character end_character();
  [[nodiscard]] std::size_t waiting() const { return queue_.size(); }
  void clear();

 private:
  struct Arrived {
    char byte;
    MonoTime at;
  };
  struct Current {
    Character character;
    std::uint64_t run_length;  ///< characters without a gap, this one included
  };
  [[nodiscard]] MonoTime next_start() const;

  Pace pace_;
  std::deque<Arrived> queue_;
  std::optional<Current> current_;
  MonoTime line_free_{};
  MonoTime run_start_{};  ///< times of gapless characters are multiples from here, without rounding
  unsigned run_baud_ = 0;
  std::uint64_t run_length_ = 0;
};

/// Lets the bytes of one transmission leave when their line time has come: byte i is out at start + (i + 1) character
/// times, exactly. Pure.
class Sender final {
 public:
  explicit Sender(Pace pace) : pace_(pace) {}

  void begin(Transmission transmission);
  [[nodiscard]] bool busy() const { return current_.has_value(); }
  [[nodiscard]] const Transmission& transmission() const { return *current_; }
  /// When byte `index` is out.
  [[nodiscard]] MonoTime end_of(std::size_t index) const;
  /// When the next byte is out; only while busy.
  [[nodiscard]] MonoTime next_due() const { return end_of(sent_); }
  /// Bytes that have to be out by `now` and are not yet.
  [[nodiscard]] std::string_view due(MonoTime now) const;
  [[nodiscard]] bool nothing_sent() const { return sent_ == 0; }
  /// `count` of the due bytes are out. The transmission ends with its last byte.
  void sent(std::size_t count);
  /// When to look again: the next byte, or up to a millisecond more so that fast lines do not wake us for every byte;
  /// the last byte is never late.
  [[nodiscard]] std::optional<MonoTime> next(MonoTime now) const;
  void clear();

 private:
  Pace pace_;
  std::optional<Transmission> current_;
  std::size_t sent_ = 0;
};

/// What a UART makes of characters that were sent at another speed: it samples the line at its own bit times. The line
/// is idle before the first and after the last character. Pure.
class Resampler final {
 public:
  /// `data_bits`: 7 (and parity, which is dropped) or 8; ten bits a character either way.
  explicit Resampler(unsigned data_bits) : data_bits_(data_bits) {}

  /// One more character follows on the line without a gap; appends to `out` what the receiver has decoded by now.
  void feed(char byte, unsigned sender_baud, unsigned receiver_baud, std::string& out);
  /// The line falls idle.
  void idle(unsigned receiver_baud, std::string& out);

 private:
  struct Piece {
    double end;  ///< seconds since the line was last idle
    bool high;
  };
  void append(bool high, double duration);
  [[nodiscard]] bool level_at(double time) const;
  [[nodiscard]] std::optional<double> edge_from(double time) const;
  void decode(double bit, std::string& out);

  unsigned data_bits_;
  std::vector<Piece> pieces_;
  double end_ = 0;
  double position_ = 0;  ///< the receiver has seen the line up to here
};

}  // namespace vz::metersim
