// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/eighth_bit.hpp"
#include "vz/protocol.hpp"

namespace vz::cli {

/// What bytes that came by themselves, at one speed, as 8n1, look like. Pure.
enum class Sense {
  nothing,   ///< too little to say
  text,      ///< the text of a d0 meter
  sml,
  nonsense,  ///< the wrong speed, or no meter
};
/// How many times slower than we listen the sender is, from bytes that made no sense: every start bit is a low level of
/// so many of our bits. 1: not slower; 2 to 8: so many times; 9: nine times or more. Pure.
unsigned slower_by(std::span<const std::byte> bytes);
/// Judges the latest of the bytes; `since_first` is how long ago the first came, `ended` that the line is silent again.
Sense judge(std::span<const std::byte> bytes, MonoDuration since_first, bool ended);

/// A telegram that a meter sent by itself.
struct HeardTelegram {
  nlohmann::ordered_json section;  ///< protocol, baudrate, parity
  std::vector<Reading> readings;
  TelegramText text;
};

/// Listens to bytes, received as 8n1, with the sessions of all protocols and parities at once that meters which send by
/// themselves use: sml, and d0 with no, even and odd parity. No I/O: told bytes and time. Thread-compatible.
class Hearing final {
 public:
  /// `line` is the option that says where the meter is: {"device": "..."} or {"host": "..."}.
  Hearing(const nlohmann::ordered_json& line, unsigned baud, Instant now);
  ~Hearing();

  std::optional<HeardTelegram> received(std::span<const std::byte> bytes, Instant now, MonoTime previous);
  /// Time has gone by.
  std::optional<HeardTelegram> tick(Instant now);
  /// When tick() is to be called at the latest.
  [[nodiscard]] std::optional<MonoTime> timer() const;
  /// What was wrong with telegrams in the likeliest protocol; empty if nothing.
  [[nodiscard]] std::string trouble() const;

 private:
  struct Ear;
  std::optional<HeardTelegram> act(Ear& ear);
  std::vector<std::unique_ptr<Ear>> ears_;
};

}  // namespace vz::cli
