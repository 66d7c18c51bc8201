// SPDX-License-Identifier: GPL-3.0-or-later
#include "vz/identifier.hpp"

#include <fmt/format.h>

#include <charconv>

namespace vz {

std::string Identifier::text() const {
  switch (kind()) {
    case IdentifierKind::nil: return "NilIdentifier";
    case IdentifierKind::obis: return obis()->text();
    case IdentifierKind::string: return *string();
    case IdentifierKind::flukso:
      return fmt::format("sensor{}/{}", flukso()->sensor, flukso()->power ? "power" : "consumption");
  }
  return {};
}

std::string Identifier::long_text() const {
  switch (kind()) {
    case IdentifierKind::nil: return "NilIdentifier";
    case IdentifierKind::obis: return "ObisIdentifier:" + obis()->text();
    case IdentifierKind::string: return "StringIdentifier:";
    case IdentifierKind::flukso: return "ChannelIdentifier:";
  }
  return {};
}

std::optional<Identifier> Identifier::parse(IdentifierKind kind, std::string_view text) {
  switch (kind) {
    case IdentifierKind::nil: return Identifier{};
    case IdentifierKind::obis:
      if (const auto code = Obis::parse_or_alias(text)) return Identifier{*code};
      return std::nullopt;
    case IdentifierKind::string: return Identifier{std::string{text}};
    case IdentifierKind::flukso: {
      constexpr std::string_view kPrefix = "sensor";
      if (!text.starts_with(kPrefix)) return std::nullopt;
      text.remove_prefix(kPrefix.size());
      FluksoChannel channel;
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), channel.sensor);
      if (error != std::errc{} || channel.sensor < 0) return std::nullopt;
      text.remove_prefix(static_cast<std::size_t>(end - text.data()));
      if (text.size() < 2 || text[0] != '/' || text[1] == ' ') return std::nullopt;
      channel.power = text.substr(1) != "consumption";
      return Identifier{channel};
    }
  }
  return std::nullopt;
}

}  // namespace vz
