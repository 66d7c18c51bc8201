// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <ctime>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "vz/error.hpp"
#include "vz/time.hpp"

namespace vz::metersim {

inline constexpr char kSoh = 0x01;
inline constexpr char kStx = 0x02;
inline constexpr char kEtx = 0x03;
inline constexpr char kAck = 0x06;
inline constexpr char kNak = 0x15;

/// The check value behind a data block: none, the block check character of IEC 62056-21, the CRC16 of a P1 port; or an SML
/// transport frame, whose block is the whole of it.
enum class Check { none, bcc, crc16, sml };
std::string_view text(Check check);

/// Exclusive-or of all characters, seven bits (IEC 62056-21, ISO 1155). The caller leaves STX out and ETX in.
char block_check(std::string_view characters);

/// CRC16 of DSMR P1 (polynomial 0xA001 reflected, start 0), over `/` to `!`, both included.
std::uint16_t p1_crc(std::string_view characters);

/// What a meter says, without its check value: the identification line and the data block.
struct Telegram {
  std::string identification;  ///< "/ISK5\2MT372-0002" without CR LF; empty if the file had none
  std::string lead;            ///< what stands between the identification line and STX (some meters send `?` there)
  std::string block;           ///< data lines and the closing `!` CR LF, nothing of the framing
  Check check = Check::none;   ///< how the telegram is (to be) protected
};
inline constexpr std::size_t kMaxTelegram = 1U << 20U;  // 1 MiB

/// The built-in meter: an Iskraemeco MT372 with a BCC of 0x09 over its first readout.
Telegram mt372();

/// The other built-in meter: an EMH eHZ that pushes SML, with counters that stand still.
Telegram ehz();

/// Takes a captured telegram apart: an optional `/XXXZ...` line, then STX block ETX BCC, or a block that ends with `!`
/// (and four hex digits: P1), or an SML transport frame. What follows the first telegram is left out. Pure.
/// Errors: nothing but an identification, no end of the block, more than kMaxTelegram bytes.
Expected<Telegram> parse_telegram(std::string_view raw);

/// A data message as it goes on the line.
struct DataMessage {
  std::string bytes;
  std::size_t checked_from = 0;  ///< where the protected part begins: STX, or `/` for a P1 telegram
  std::size_t block_begin = 0;   ///< the data block within `bytes`
  std::size_t block_end = 0;
  Check check = Check::none;
};

/// Frames `block`, a rendering of `telegram.block`, with the telegram's check value. A P1 message contains the
/// identification line, because its CRC covers it; other messages do not.
DataMessage frame(const Telegram& telegram, std::string_view block);

/// True if the check value of `bytes` (a message from `checked_from` on, seven or eight bits as on the line, parity
/// removed) fits. Always true without check value.
bool check_holds(std::string_view bytes, Check check);

/// A register that runs.
struct Counter {
  enum class Per { readout, hour };
  std::string address;  ///< "1.8.0" also means `1-0:1.8.0*255`
  double amount = 0;    ///< in the unit of the register, for each readout or each hour
  Per per = Per::readout;
};

/// `1-0:1.8.0*255` → `1.8.0`.
std::string_view reduced(std::string_view address);

/// One readout's block and what it says.
struct Readout {
  std::string block;
  std::vector<std::pair<std::string, std::string>> values;  ///< address and text of its first value, without unit
};

/// Which registers a block shows, and their values at a moment: counters that run, a clock that follows the time.
/// Widths never change, a counter rolls over as a real one does. Pure: the same arguments give the same block.
class Registers final {
 public:
  enum class Clock { runs, stands };

  /// Errors: a counter whose register the block does not have, or whose value is not a number of up to 18 digits.
  static Expected<Registers> make(std::string block, const std::vector<Counter>& counters, Clock clock);

  /// The block of readout `number` (counted from 1), `elapsed` after the start, at `local` time.
  [[nodiscard]] Readout render(std::uint64_t number, MonoDuration elapsed, const std::tm& local) const;

 private:
  struct Place {
    std::string address;
    std::size_t begin = 0;  ///< of the first value in the block
    std::size_t end = 0;
  };
  struct Runner {
    std::size_t begin = 0;
    std::size_t end = 0;
    std::int64_t start = 0;
    std::int64_t modulus = 1;
    double per_readout = 0;  ///< in the last digit of the register
    double per_hour = 0;
  };
  enum class ClockField { time, date, both };
  struct ClockPlace {
    ClockField field{};
    std::size_t begin = 0;
    std::size_t end = 0;
  };

  explicit Registers(std::string block) : block_(std::move(block)) {}
  void find_places();
  void find_clocks();
  Expected<void> add(const Counter& counter);
  void render_clock(const ClockPlace& place, const std::tm& local, std::string& block) const;

  std::string block_;
  std::vector<Place> places_;
  std::vector<Runner> runners_;
  std::vector<ClockPlace> clocks_;
};

}  // namespace vz::metersim
