// SPDX-License-Identifier: GPL-3.0-or-later
#include "cli/probe/hearing.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <bitset>

#include "cli/meter_choice.hpp"
#include "vz/line.hpp"

namespace vz::cli {
namespace {

using Json = nlohmann::ordered_json;
using namespace std::chrono_literals;

bool contains(std::span<const std::byte> bytes, std::initializer_list<unsigned> wanted) {
  const auto same = [](std::byte a, unsigned b) { return std::to_integer<unsigned>(a) == b; };
  return std::search(bytes.begin(), bytes.end(), wanted.begin(), wanted.end(), same) != bytes.end();
}

/// An escape, or a list entry with an OBIS code: there is one in any hundred bytes of a telegram.
bool looks_like_sml(std::span<const std::byte> bytes) {
  return contains(bytes, {0x1B, 0x1B, 0x1B, 0x1B}) || contains(bytes, {0x77, 0x07, 0x01, 0x00}) ||
         contains(bytes, {0x77, 0x07, 0x81, 0x81});
}

/// What d0 telegrams are made of: a quarter and more are digits, and many characters are different. Text that a wrong
/// speed makes of another text is not.
bool looks_like_text(std::span<const std::byte> bytes) {
  EighthBitStatistics statistics;
  statistics.add(bytes);
  const EighthBit bit = statistics.verdict();
  if (bit == EighthBit::data || bit == EighthBit::unknown) return false;
  std::size_t digits = 0;
  std::bitset<128> different;
  for (const std::byte byte : bytes) {
    const auto c = std::to_integer<unsigned>(byte & std::byte{0x7F});
    if (c >= '0' && c <= '9') ++digits;
    different.set(c);
  }
  return digits * 4 >= bytes.size() && different.count() >= 5;
}

}  // namespace

unsigned slower_by(std::span<const std::byte> bytes) {
  unsigned ratio = 1;
  for (unsigned candidate = 2; candidate <= 9 && !bytes.empty(); ++candidate) {
    const auto low = static_cast<std::size_t>(std::count_if(bytes.begin(), bytes.end(), [&](std::byte byte) {
      return static_cast<unsigned>(std::countr_zero(std::to_integer<std::uint8_t>(byte))) + 1 >= candidate;
    }));
    if (low * 20 >= bytes.size() * 17) ratio = candidate;
  }
  return ratio;
}

Sense judge(std::span<const std::byte> bytes, MonoDuration since_first, bool ended) {
  constexpr std::size_t kWindow = 20;  // so that what came before a change of speed is soon forgotten
  constexpr std::size_t kPlenty = 64;
  constexpr std::size_t kSome = 28;
  constexpr std::size_t kFew = 4;  // fewer are a flash of light
  if (looks_like_sml(bytes)) return Sense::sml;
  if (bytes.size() >= kWindow && looks_like_text(bytes.last(kWindow))) return Sense::text;
  const bool enough = bytes.size() >= kPlenty || (bytes.size() >= kSome && since_first >= 250ms) || (bytes.size() >= kFew && ended);
  return enough ? Sense::nonsense : Sense::nothing;
}

/// One session that listens, and how it wants the characters.
struct Hearing::Ear {
  Json section;
  CharacterFormat format = CharacterFormat::n8;
  std::unique_ptr<MeterSource> source;
  SessionOut out;
  TelegramText text;
  std::optional<MonoTime> timer;
  std::vector<std::byte> characters;
  std::vector<Fault> faults;

  void fresh() {
    out.clear();
    out.text = &text;
  }
  std::span<const std::byte> as_wanted(std::span<const std::byte> bytes) {
    if (format == CharacterFormat::n8) return bytes;
    characters.assign(bytes.begin(), bytes.end());
    for (std::byte& byte : characters) {
      const bool right = even_ones(byte) == (format == CharacterFormat::e7);
      byte = right ? byte & ~std::byte{kDamagedBit} : byte | std::byte{kDamagedBit};
    }
    return characters;
  }
};

Hearing::Hearing(const Json& line, unsigned baud, Instant now) {
  struct Kind {
    const char* protocol;
    const char* parity;
    CharacterFormat format;
  };
  for (const Kind& kind : {Kind{"sml", "8n1", CharacterFormat::n8}, Kind{"d0", "8n1", CharacterFormat::n8},
                           Kind{"d0", "7e1", CharacterFormat::e7}, Kind{"d0", "7o1", CharacterFormat::o7}}) {
    Json section{{"protocol", kind.protocol}};
    section.update(line);
    section["baudrate"] = baud;
    section["parity"] = kind.parity;
    auto meter = meter_from_section(section);
    if (!meter) continue;
    auto ear = std::make_unique<Ear>();
    ear->section = std::move(section);
    ear->format = kind.format;
    ear->source = std::move(meter->source);
    ear->fresh();
    ear->source->session->opened(now, ear->out);
    static_cast<void>(act(*ear));
    ear->fresh();
    ear->source->session->begin(now, ear->out);
    static_cast<void>(act(*ear));
    ears_.push_back(std::move(ear));
  }
}

Hearing::~Hearing() = default;

std::optional<HeardTelegram> Hearing::act(Ear& ear) {
  ear.timer = ear.out.timer;
  for (Fault& fault : ear.out.faults)
    if (fault.kind != FaultKind::silence && ear.faults.size() < 4) ear.faults.push_back(std::move(fault));
  if (ear.out.telegrams == 0) return std::nullopt;
  return HeardTelegram{ear.section, ear.out.readings, ear.text};
}

std::optional<HeardTelegram> Hearing::received(std::span<const std::byte> bytes, Instant now, MonoTime previous) {
  for (const auto& ear : ears_) {
    std::span<const std::byte> rest = ear->as_wanted(bytes);
    while (!rest.empty()) {
      ear->fresh();
      const std::size_t used = ear->source->session->received(rest, now, previous, ear->out);
      rest = rest.subspan(used);
      if (auto telegram = act(*ear)) return telegram;
      if (used == 0) break;
    }
  }
  return std::nullopt;
}

std::optional<HeardTelegram> Hearing::tick(Instant now) {
  for (const auto& ear : ears_) {
    if (!ear->timer || now.mono < *ear->timer) continue;
    ear->fresh();
    ear->source->session->timer(now, ear->out);
    if (auto telegram = act(*ear)) return telegram;
  }
  return std::nullopt;
}

std::optional<MonoTime> Hearing::timer() const {
  std::optional<MonoTime> first;
  for (const auto& ear : ears_)
    if (ear->timer && (!first || *ear->timer < *first)) first = ear->timer;
  return first;
}

std::string Hearing::trouble() const {
  for (const auto& ear : ears_)
    for (const Fault& fault : ear->faults)
      if (fault.kind == FaultKind::check_value || fault.kind == FaultKind::truncated)
        return fmt::format("{}: {}", text(fault.kind), fault.detail);
  return {};
}

}  // namespace vz::cli
