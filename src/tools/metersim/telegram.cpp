// SPDX-License-Identifier: GPL-3.0-or-later
#include "tools/metersim/telegram.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "core/ascii.hpp"
#include "core/hex.hpp"

namespace vz::metersim {
namespace {

Error bad_telegram(std::string what, std::string remedy) {
  return {.what = std::move(what), .where = "telegram", .remedy = std::move(remedy)};
}

constexpr std::string_view kSmlStart = "\x1B\x1B\x1B\x1B\x01\x01\x01\x01";
constexpr std::string_view kSmlEnd = "\x1B\x1B\x1B\x1B\x1A";

/// CRC16 of X.25, as the SML transport sends it, low byte first.
unsigned sml_crc(std::string_view characters) {
  unsigned crc = 0xFFFF;
  for (const char c : characters) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 1U) != 0 ? (crc >> 1U) ^ 0x8408U : crc >> 1U;
  }
  return crc ^ 0xFFFFU;
}

/// The end of the line that `!` at `mark` begins, check digits and line end included.
std::size_t end_of_closing_line(std::string_view raw, std::size_t mark) {
  const std::size_t line_end = raw.find('\n', mark);
  return line_end == std::string_view::npos ? raw.size() : line_end + 1;
}

/// The first `!` outside brackets: it closes the block.
std::optional<std::size_t> closing_mark(std::string_view raw) {
  int depth = 0;
  for (std::size_t i = 0; i < raw.size(); ++i) {
    if (raw[i] == '(') ++depth;
    if (raw[i] == ')' && depth > 0) --depth;
    if (raw[i] == '\n') depth = 0;
    if (raw[i] == '!' && depth == 0) return i;
  }
  return std::nullopt;
}

Expected<Telegram> parse_framed(Telegram telegram, std::string_view rest, std::size_t stx) {
  telegram.lead = rest.substr(0, stx);
  telegram.check = Check::bcc;
  rest.remove_prefix(stx + 1);
  const std::size_t etx = rest.find(kEtx);
  if (etx != std::string_view::npos) {
    telegram.block = rest.substr(0, etx);
    return telegram;
  }
  // Captures made with a terminal program often lack ETX and BCC.
  const auto mark = closing_mark(rest);
  if (!mark) return tl::unexpected(bad_telegram("neither ETX nor a closing `!` behind STX", "capture a whole readout"));
  telegram.block = rest.substr(0, end_of_closing_line(rest, *mark));
  return telegram;
}

Expected<Telegram> parse_unframed(Telegram telegram, std::string_view rest) {
  const auto mark = closing_mark(rest);
  if (!mark) {
    return tl::unexpected(bad_telegram("no closing `!` behind the data lines", "capture a whole readout"));
  }
  const std::string_view tail = rest.substr(*mark + 1);
  if (tail.size() >= 4 && std::all_of(tail.begin(), tail.begin() + 4, is_hex_digit)) {
    telegram.block = rest.substr(0, *mark + 1);
    telegram.block += "\r\n";
    telegram.check = Check::crc16;
  } else {
    telegram.block = rest.substr(0, end_of_closing_line(rest, *mark));
  }
  return telegram;
}

}  // namespace

std::string_view text(Check check) {
  switch (check) {
    case Check::none: return "none";
    case Check::bcc: return "bcc";
    case Check::crc16: return "crc16";
    case Check::sml: return "sml";
  }
  return "?";
}

char block_check(std::string_view characters) {
  unsigned sum = 0;
  for (const char c : characters) sum ^= static_cast<unsigned char>(c);
  return static_cast<char>(sum & 0x7FU);
}

std::uint16_t p1_crc(std::string_view characters) {
  unsigned crc = 0;
  for (const char c : characters) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 1U) != 0 ? (crc >> 1U) ^ 0xA001U : crc >> 1U;
  }
  return static_cast<std::uint16_t>(crc);
}

Telegram mt372() {
  return {.identification = "/ISK5\\2MT372-0002",
          .lead = {},
          .block =
              "F.97.0(00000000)\r\n"
              "0.0.0(58231541)\r\n"
              "C.1.1(00000000)\r\n"
              "C.1.0(58231541)\r\n"
              "0.9.1(175102)\r\n"
              "0.9.2(120619)\r\n"
              "1.8.0(00132.149*kWh)\r\n"
              "1.8.1(00132.149*kWh)\r\n"
              "1.8.2(00000.000*kWh)\r\n"
              "1.8.3(00000.000*kWh)\r\n"
              "1.8.4(00000.000*kWh)\r\n"
              "!\r\n",
          .check = Check::bcc};
}

Telegram ehz() {
  constexpr std::string_view kFrame =
      "1b1b1b1b0101010176050a0b0c01620062007263010176010105001122330b0a01454d48000123456701016374830076"
      "050a0b0c02620062007263070177010b0a01454d480001234567070100620affff72620165000003e875770701006032"
      "01010101010104454d480177070100600100ff010101010b0a01454d4800012345670177070100010800ff65001c0104"
      "01621e52ff690000000008d203490177070100020800ff0101621e52ff690000000000004e9c0177070100100700ff01"
      "01621b52ff550000107d01010163dd0a0076050a0b0c0362006200726302017101631ad8000000001b1b1b1b1a0354ed";
  Telegram telegram;
  for (const std::byte byte : parse_hex(kFrame)) telegram.block += static_cast<char>(byte);
  telegram.check = Check::sml;
  return telegram;
}

Expected<Telegram> parse_telegram(std::string_view raw) {
  if (raw.size() > kMaxTelegram) {
    return tl::unexpected(bad_telegram("more than 1 MiB", "give a capture of one readout"));
  }
  if (const std::size_t begin = raw.find(kSmlStart); begin != std::string_view::npos) {
    const std::size_t end = raw.find(kSmlEnd, begin);
    if (end == std::string_view::npos || end + kSmlEnd.size() + 3 > raw.size())
      return tl::unexpected(bad_telegram("the SML telegram has no end", "capture a whole one"));
    Telegram telegram;
    telegram.block = raw.substr(begin, end + kSmlEnd.size() + 3 - begin);
    telegram.check = Check::sml;
    return telegram;
  }
  while (!raw.empty() && (raw.front() == '\0' || raw.front() == '\r' || raw.front() == '\n')) raw.remove_prefix(1);
  Telegram telegram;
  if (raw.starts_with('/')) {
    const std::size_t line_end = raw.find('\n');
    std::string_view line = raw.substr(0, line_end);
    raw = line_end == std::string_view::npos ? std::string_view{} : raw.substr(line_end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    telegram.identification = line;
  }
  if (raw.empty()) return tl::unexpected(bad_telegram("no data block", "capture a whole readout"));
  const std::size_t stx = raw.find(kStx);
  // An STX inside the first data set is line damage, not the beginning of the block.
  if (stx != std::string_view::npos && raw.substr(0, stx).find('(') == std::string_view::npos) {
    return parse_framed(std::move(telegram), raw, stx);
  }
  return parse_unframed(std::move(telegram), raw);
}

DataMessage frame(const Telegram& telegram, std::string_view block) {
  DataMessage message;
  message.check = telegram.check;
  switch (telegram.check) {
    case Check::none:
      message.bytes = telegram.lead;
      message.checked_from = message.block_begin = message.bytes.size();
      message.bytes += block;
      message.block_end = message.bytes.size();
      break;
    case Check::bcc:
      message.bytes = telegram.lead;
      message.checked_from = message.bytes.size();
      message.bytes += kStx;
      message.block_begin = message.bytes.size();
      message.bytes += block;
      message.block_end = message.bytes.size();
      message.bytes += kEtx;
      message.bytes += block_check(std::string_view{message.bytes}.substr(message.checked_from + 1));
      break;
    case Check::sml:
      message.bytes = block;
      message.block_end = message.bytes.size();
      break;
    case Check::crc16: {
      message.bytes = telegram.identification + "\r\n" + telegram.lead;
      message.block_begin = message.bytes.size();
      message.bytes += block.substr(0, block.rfind('!'));
      message.block_end = message.bytes.size();
      message.bytes += '!';
      message.bytes += fmt::format("{:04X}\r\n", p1_crc(message.bytes));
      break;
    }
  }
  return message;
}

bool check_holds(std::string_view bytes, Check check) {
  switch (check) {
    case Check::none: return true;
    case Check::bcc:
      return bytes.size() >= 3 && bytes.front() == kStx && bytes[bytes.size() - 2] == kEtx &&
             block_check(bytes.substr(1, bytes.size() - 2)) == bytes.back();
    case Check::sml: {
      if (bytes.size() < 16) return false;
      const unsigned crc = sml_crc(bytes.substr(0, bytes.size() - 2));
      return bytes[bytes.size() - 2] == static_cast<char>(crc & 0xFFU) && bytes.back() == static_cast<char>(crc >> 8U);
    }
    case Check::crc16: {
      const std::size_t mark = bytes.rfind('!');
      return mark != std::string_view::npos &&
             bytes.substr(mark + 1) == fmt::format("{:04X}\r\n", p1_crc(bytes.substr(0, mark + 1)));
    }
  }
  return false;
}

std::string_view reduced(std::string_view address) {
  if (const auto colon = address.find(':'); colon != std::string_view::npos) address.remove_prefix(colon + 1);
  return address.substr(0, address.find_first_of("*&"));
}

Expected<Registers> Registers::make(std::string block, const std::vector<Counter>& counters, Clock clock) {
  Registers registers(std::move(block));
  registers.find_places();
  if (clock == Clock::runs) registers.find_clocks();
  for (const Counter& counter : counters) {
    if (auto added = registers.add(counter); !added) return tl::unexpected(added.error());
  }
  return registers;
}

void Registers::find_places() {
  std::string address;
  int depth = 0;
  for (std::size_t i = 0; i < block_.size(); ++i) {
    const char c = block_[i];
    if (c == '(' && depth++ == 0 && !address.empty()) {
      const std::size_t end = block_.find_first_of("*)", i);
      if (end == std::string::npos) return;
      places_.push_back({std::exchange(address, {}), i + 1, end});
    } else if (c == ')' && depth > 0) {
      --depth;
    } else if (c == '\r' || c == '\n') {
      depth = 0;
      address.clear();
    } else if (depth == 0 && c != '(') {
      address += c;
    }
  }
}

void Registers::find_clocks() {
  for (const Place& place : places_) {
    const std::string_view name = reduced(place.address);
    const auto value = std::string_view{block_}.substr(place.begin, place.end - place.begin);
    const auto digits = std::count_if(value.begin(), value.end(), is_digit);
    if (name == "0.9.1" && digits >= 6) clocks_.push_back({ClockField::time, place.begin, place.end});
    if (name == "0.9.2" && digits >= 6) clocks_.push_back({ClockField::date, place.begin, place.end});
    if (name == "1.0.0" && digits == 12) clocks_.push_back({ClockField::both, place.begin, place.end});
  }
}

Expected<void> Registers::add(const Counter& counter) {
  const auto fail = [&](std::string what, std::string remedy) {
    return tl::unexpected(
        Error{.what = std::move(what), .where = "counter " + counter.address, .remedy = std::move(remedy)});
  };
  const auto named = [&](const Place& place) { return place.address == counter.address; };
  const auto alike = [&](const Place& place) { return reduced(place.address) == reduced(counter.address); };
  auto place = std::find_if(places_.begin(), places_.end(), named);
  if (place == places_.end()) place = std::find_if(places_.begin(), places_.end(), alike);
  if (place == places_.end()) {
    std::string known;
    for (std::size_t i = 0; i < places_.size() && i < 40; ++i) known += (i == 0 ? "" : " ") + places_[i].address;
    return fail("the telegram has no such register", "it has " + (known.empty() ? "none" : known));
  }

  Runner runner{.begin = place->begin, .end = place->end};
  double scale = 1;
  int digits = 0;
  bool fraction = false;
  for (std::size_t i = place->begin; i < place->end; ++i) {
    const char c = block_[i];
    if (is_digit(c) && ++digits <= 18) {
      runner.start = runner.start * 10 + (c - '0');
      runner.modulus *= 10;
      if (fraction) scale *= 10;
    } else if ((c == '.' || c == ',') && !fraction) {
      fraction = true;
    } else {
      return fail(fmt::format("its value `{}` cannot run", block_.substr(place->begin, place->end - place->begin)),
                  "choose a register with an unsigned number of up to 18 digits");
    }
  }
  if (digits == 0) return fail("its value is empty", "choose a register with a number");
  (counter.per == Counter::Per::hour ? runner.per_hour : runner.per_readout) = counter.amount * scale;
  runners_.push_back(runner);
  return {};
}

Readout Registers::render(std::uint64_t number, MonoDuration elapsed, const std::tm& local) const {
  Readout readout{.block = block_, .values = {}};
  const double hours = std::chrono::duration<double, std::ratio<3600>>(elapsed).count();
  for (const Runner& runner : runners_) {
    // What ran by time is cut off, as in a meter; a step must not lose its last digit to binary fractions.
    const double run =
        std::floor(runner.per_hour * hours) + std::round(runner.per_readout * static_cast<double>(number - 1));
    std::int64_t value =
        (runner.start + static_cast<std::int64_t>(std::fmod(run, static_cast<double>(runner.modulus)))) %
        runner.modulus;
    if (value < 0) value += runner.modulus;
    for (std::size_t i = runner.end; i-- > runner.begin;) {
      if (!is_digit(readout.block[i])) continue;
      readout.block[i] = static_cast<char>('0' + value % 10);
      value /= 10;
    }
  }
  for (const ClockPlace& place : clocks_) render_clock(place, local, readout.block);
  readout.values.reserve(places_.size());
  for (const Place& place : places_) {
    readout.values.emplace_back(place.address, readout.block.substr(place.begin, place.end - place.begin));
  }
  return readout;
}

void Registers::render_clock(const ClockPlace& place, const std::tm& local, std::string& block) const {
  const auto in_place = std::string_view{block}.substr(place.begin, place.end - place.begin);
  const auto room = std::count_if(in_place.begin(), in_place.end(), is_digit);
  const std::string time = fmt::format("{:02}{:02}{:02}", local.tm_hour, local.tm_min, local.tm_sec);
  const int year = local.tm_year + 1900;
  std::string date = fmt::format("{:04}{:02}{:02}", year, local.tm_mon + 1, local.tm_mday);
  if (room != 8 || place.field != ClockField::date) date.erase(0, 2);

  std::string digits;
  switch (place.field) {
    case ClockField::time: digits = time; break;
    case ClockField::date: digits = date; break;
    case ClockField::both: digits = date + time; break;
  }
  // From the right: some meters put a season or zone digit in front.
  std::size_t next = digits.size();
  for (std::size_t i = place.end; i-- > place.begin && next > 0;) {
    if (is_digit(block[i])) block[i] = digits[--next];
  }
  char& last = block[place.end - 1];
  if (place.field == ClockField::both && (last == 'S' || last == 'W')) last = local.tm_isdst > 0 ? 'S' : 'W';
}

}  // namespace vz::metersim
