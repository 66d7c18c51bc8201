// SPDX-License-Identifier: GPL-3.0-or-later
#include "cli/probe/hearing.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

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

}  // namespace

Sense judge(std::span<const std::byte> bytes, MonoDuration since_first, bool ended) {
  constexpr std::size_t kWindow = 48;
  constexpr std::size_t kText = 20;
  constexpr std::size_t kPlenty = 64;
  constexpr std::size_t kSome = 16;
  constexpr std::size_t kFew = 4;  // fewer are a flash of light
  if (looks_like_sml(bytes)) return Sense::sml;
  EighthBitStatistics statistics;
  statistics.add(bytes.last(std::min(bytes.size(), kWindow)));
  const EighthBit bit = statistics.verdict();
  if (statistics.count() >= kText && bit != EighthBit::data && bit != EighthBit::unknown) return Sense::text;
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
