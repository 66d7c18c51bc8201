// SPDX-License-Identifier: GPL-3.0-or-later
#include "tools/metersim/wire.hpp"

#include <algorithm>

#include "tools/metersim/faults.hpp"

namespace vz::metersim {
namespace {

/// Ten bits a character: 7E1 and 8N1 alike.
MonoDuration line_time(Pace pace, unsigned baud, std::uint64_t count) {
  if (pace == Pace::unlimited || baud == 0) return {};
  return LineSettings{.baud = baud, .format = CharacterFormat::e7}.duration(count);
}

constexpr std::chrono::milliseconds kCoalesce{1};

}  // namespace

void Receiver::arrive(std::string_view bytes, MonoTime now) {
  for (const char byte : bytes) queue_.push_back({byte, now});
}

MonoTime Receiver::next_start() const { return std::max(queue_.front().at, line_free_); }

std::optional<MonoTime> Receiver::next() const {
  if (current_) return current_->character.end;
  if (queue_.empty()) return std::nullopt;
  return next_start();
}

void Receiver::begin_character(unsigned baud) {
  const MonoTime start = next_start();
  if (start != line_free_ || baud != run_baud_ || run_length_ == 0) {
    run_start_ = start;
    run_baud_ = baud;
    run_length_ = 0;
  }
  ++run_length_;
  const MonoTime end = run_start_ + line_time(pace_, baud, run_length_);
  current_ = Current{{queue_.front().byte, start, end, baud}, run_length_};
  queue_.pop_front();
  line_free_ = end;
}

Character Receiver::end_character() {
  const Character character = current_->character;
  current_.reset();
  return character;
}

void Receiver::clear() {
  queue_.clear();
  current_.reset();
}

void Sender::begin(Transmission transmission) {
  current_ = std::move(transmission);
  sent_ = 0;
}

MonoTime Sender::end_of(std::size_t index) const {
  const MonoDuration gap = current_->gap_at && index >= *current_->gap_at ? current_->gap : MonoDuration{};
  return current_->start + gap + line_time(pace_, current_->baud, index + 1);
}

std::string_view Sender::due(MonoTime now) const {
  if (!current_) return {};
  const std::string_view bytes = current_->bytes;
  std::size_t count = sent_;
  if (pace_ == Pace::real && end_of(bytes.size() - 1) <= now) count = bytes.size();
  while (count < bytes.size() && end_of(count) <= now) ++count;
  return bytes.substr(sent_, count - sent_);
}

void Sender::sent(std::size_t count) {
  sent_ += count;
  if (sent_ >= current_->bytes.size()) clear();
}

std::optional<MonoTime> Sender::next(MonoTime now) const {
  if (!current_) return std::nullopt;
  if (sent_ == 0) return end_of(0);
  return std::min(end_of(current_->bytes.size() - 1), std::max(end_of(sent_), now + kCoalesce));
}

void Sender::clear() {
  current_.reset();
  sent_ = 0;
}

void Resampler::append(bool high, double duration) {
  end_ += duration;
  if (!pieces_.empty() && pieces_.back().high == high) {
    pieces_.back().end = end_;
  } else {
    pieces_.push_back({end_, high});
  }
}

bool Resampler::level_at(double time) const {
  const auto piece = std::find_if(pieces_.begin(), pieces_.end(), [&](const Piece& p) { return time < p.end; });
  return piece == pieces_.end() || piece->high;
}

std::optional<double> Resampler::edge_from(double time) const {
  double begin = 0;
  bool before = true;  // idle
  for (const Piece& piece : pieces_) {
    if (before && !piece.high && begin >= time) return begin;
    before = piece.high;
    begin = piece.end;
  }
  return std::nullopt;
}

void Resampler::decode(double bit, std::string& out) {
  constexpr double kHalf = 0.5;
  constexpr double kStopBit = 9.5;
  while (const auto edge = edge_from(position_)) {
    if (*edge + kStopBit * bit > end_) return;  // the character is not over
    if (level_at(*edge + kHalf * bit)) {        // too short for a start bit
      position_ = *edge + kHalf * bit;
      continue;
    }
    unsigned data = 0;
    for (unsigned i = 0; i < 8; ++i) data |= (level_at(*edge + (1.5 + i) * bit) ? 1U : 0U) << i;
    out += static_cast<char>(data_bits_ == 7 ? data & 0x7FU : data);
    position_ = *edge + kStopBit * bit;
  }
  position_ = std::max(position_, end_);
  // what lies behind is never looked at again
  pieces_.clear();
  position_ -= end_;
  end_ = 0;
}

void Resampler::feed(char byte, unsigned sender_baud, unsigned receiver_baud, std::string& out) {
  const double bit = 1.0 / sender_baud;
  const auto raw = static_cast<unsigned char>(data_bits_ == 7 ? with_even_parity(byte) : byte);
  append(false, bit);
  for (unsigned i = 0; i < 8; ++i) append((raw >> i & 1U) != 0, bit);
  append(true, bit);
  decode(1.0 / receiver_baud, out);
}

void Resampler::idle(unsigned receiver_baud, std::string& out) {
  const double bit = 1.0 / receiver_baud;
  append(true, 10 * bit);
  decode(bit, out);
  pieces_.clear();
  end_ = position_ = 0;
}

}  // namespace vz::metersim
