// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "vz/obis.hpp"

namespace vz {

/// Which kind of identifier a protocol's readings carry.
enum class IdentifierKind { nil, obis, string, flukso };

/// Flukso sensor number and quantity.
struct FluksoChannel {
  int sensor = 0;
  bool power = true;
  bool operator==(const FluksoChannel&) const = default;
};

/// What names a register: nothing, an OBIS code, a free string or a Flukso channel. Value type.
class Identifier {
 public:
  Identifier() = default;
  Identifier(const Obis& code) : value_(code) {}                        // NOLINT(google-explicit-constructor)
  explicit Identifier(std::string text) : value_(std::move(text)) {}
  explicit Identifier(FluksoChannel channel) : value_(channel) {}

  bool operator==(const Identifier&) const = default;

  [[nodiscard]] IdentifierKind kind() const { return static_cast<IdentifierKind>(value_.index()); }
  [[nodiscard]] const Obis* obis() const { return std::get_if<Obis>(&value_); }
  [[nodiscard]] const std::string* string() const { return std::get_if<std::string>(&value_); }
  [[nodiscard]] const FluksoChannel* flukso() const { return std::get_if<FluksoChannel>(&value_); }

  /// `1-0:1.8.0*255`, the string, `sensor1/power` or `NilIdentifier`: MQTT ids and the log's short form.
  [[nodiscard]] std::string text() const;
  /// The old daemon's long form: `ObisIdentifier:1-0:1.8.0*255`, `StringIdentifier:`, `ChannelIdentifier:`, `NilIdentifier`.
  [[nodiscard]] std::string long_text() const;

  /// Reads the text of a channel's `identifier` option as `kind` wants it. Empty if it cannot be read.
  static std::optional<Identifier> parse(IdentifierKind kind, std::string_view text);

 private:
  std::variant<std::monostate, Obis, std::string, FluksoChannel> value_;
};

}  // namespace vz
