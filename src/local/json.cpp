// SPDX-License-Identifier: GPL-3.0-or-later
#include "local/json.hpp"

#include <fmt/format.h>

#include "core/number_text.hpp"

namespace vz::local {
namespace {

constexpr std::size_t kBytesPerTuple = 40;
constexpr std::size_t kBytesPerChannel = 200;

void append_tuples(std::string& out, std::span<const Tuple> tuples) {
  if (tuples.empty()) return;
  out += ", \"tuples\": [ ";
  bool first = true;
  for (const auto& tuple : tuples) {
    if (!first) out += ", ";
    first = false;
    out += "[ ";
    append_number(out, std::int64_t{tuple.stamp.time_since_epoch().count()});
    out += ", ";
    append_number(out, tuple.value);
    out += " ]";
  }
  out += " ]";
}

void append_channel(std::string& out, const ChannelView& channel) {
  out += "{ \"uuid\": ";
  append_json_string(out, channel.uuid);
  out += ", \"obis\": ";
  append_json_string(out, channel.obis);
  out += ", \"last\": ";
  append_number(out, channel.last);
  out += ", \"interval\": ";
  append_number(out, std::int64_t{channel.interval});
  out += ", \"protocol\": ";
  append_json_string(out, channel.protocol);
  append_tuples(out, channel.tuples);
  out += " }";
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  out += '"';
}

std::string channels_json(std::string_view version, std::span<const ChannelView> channels,
                          std::string_view exception) {
  std::size_t size = kBytesPerChannel;
  for (const auto& channel : channels) size += kBytesPerChannel + channel.tuples.size() * kBytesPerTuple;
  std::string out;
  out.reserve(size);
  out += "{ \"version\": ";
  append_json_string(out, version);
  out += ", \"generator\": \"vzlogger\", \"data\": [ ";
  bool first = true;
  for (const auto& channel : channels) {
    if (!first) out += ", ";
    first = false;
    append_channel(out, channel);
  }
  out += channels.empty() ? "]" : " ]";
  if (!exception.empty()) {
    out += ", \"exception\": { \"message\": ";
    append_json_string(out, exception);
    out += ", \"code\": 0 }";
  }
  out += " }";
  return out;
}

}  // namespace vz::local
