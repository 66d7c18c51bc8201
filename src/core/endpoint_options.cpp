// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/endpoint_options.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/hex.hpp"

namespace vz {
namespace {

constexpr std::array<std::int64_t, 20> kSpeeds = {50,   75,   110,  134,   150,   200,   300,    600,    1200,   1800,
                                                  2400, 4800, 9600, 19200, 38400, 57600, 115200, 230400, 460800, 921600};

}  // namespace

std::optional<TcpPeer> parse_peer(std::string_view text) {
  TcpPeer peer;
  std::size_t colon = text.rfind(':');
  if (text.starts_with('[')) {
    const auto close = text.find(']');
    if (close == std::string_view::npos || close + 1 != colon) return std::nullopt;
    peer.host = text.substr(1, close - 1);
  } else {
    if (colon == std::string_view::npos || text.find(':') != colon) return std::nullopt;
    peer.host = text.substr(0, colon);
  }
  peer.port = text.substr(colon + 1);
  if (peer.host.empty() || peer.port.empty() || peer.port.find('/') != std::string::npos) return std::nullopt;
  return peer;
}

std::optional<Endpoint> endpoint_option(const Options& options, ProblemSink& problems) {
  const std::string& host = options.string("host");
  const std::string& device = options.string("device");
  if (!host.empty()) {
    auto peer = parse_peer(host);
    if (!peer) {
      problems.error("host", fmt::format("\"{}\" does not say where to connect; expected name:port (\"192.168.1.5:7331\", "
                                         "\"[fd00::5]:7331\"), without http://",
                                         host));
      return std::nullopt;
    }
    if (!device.empty()) problems.warning("device", "is not used, because host is given as well");
    return Endpoint{std::move(*peer)};
  }
  if (!device.empty()) return Endpoint{SerialPort{device}};
  const bool named = options.given("host") || options.given("device");
  problems.error(options.given("device") ? "device" : "host",
                 named ? "is empty; expected a serial port, like \"device\": \"/dev/ttyUSB0\", or a TCP peer, like \"host\": \"name:port\""
                       : "Missing device or host: expected \"device\": \"/dev/ttyUSB0\" or \"host\": \"name:port\"");
  return std::nullopt;
}

CharacterFormat character_format(std::string_view text) {
  if (equal_ignoring_case(text, "8n1")) return CharacterFormat::n8;
  if (equal_ignoring_case(text, "7n1")) return CharacterFormat::n7;
  if (equal_ignoring_case(text, "7o1")) return CharacterFormat::o7;
  return CharacterFormat::e7;
}

std::string check_baud(const OptionValue& value) {
  const auto baud = std::get<std::int64_t>(value);
  if (std::find(kSpeeds.begin(), kSpeeds.end(), baud) != kSpeeds.end()) return {};
  return fmt::format("{} is not a speed of a serial line; expected one of {}", baud, fmt::join(kSpeeds, ", "));
}

}  // namespace vz
