// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/endpoint_options.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/ascii.hpp"


namespace vz {
namespace {

constexpr std::array<std::int64_t, 20> kSpeeds = {50,   75,   110,  134,   150,   200,   300,    600,    1200,   1800,
                                                  2400, 4800, 9600, 19200, 38400, 57600, 115200, 230400, 460800, 921600};

}  // namespace

std::optional<TcpPeer> parse_peer(std::string_view text) {
  TcpPeer peer;
  if (text.find('/') != std::string_view::npos) return std::nullopt;
  if (text.starts_with('[')) {
    const auto close = text.find(']');
    if (close == std::string_view::npos || close + 1 >= text.size() || text[close + 1] != ':') return std::nullopt;
    peer.host = text.substr(1, close - 1);
    peer.port = text.substr(close + 2);
  } else {
    const std::size_t colon = text.find(':');
    peer.host = text.substr(0, colon);
    if (colon != std::string_view::npos) peer.port = text.substr(colon + 1, text.find(':', colon + 1) - colon - 1);
  }
  if (peer.host.empty()) return std::nullopt;
  return peer;
}

std::optional<Endpoint> endpoint_option(const Options& options, ProblemSink& problems) {
  const std::string& host = options.string("host");
  const std::string& device = options.string("device");
  if (!host.empty()) {
    constexpr const char* kExpected = "expected name:port, like \"192.168.1.5:7331\" or \"[fd00::5]:7331\"";
    auto peer = parse_peer(host);
    if (!peer) {
      problems.error("host", fmt::format("host \"{}\" does not say where to connect; {}, without http://", host, kExpected));
      return std::nullopt;
    }
    // the old daemon took these and failed to connect, while its other meters ran
    const bool colons = !host.starts_with('[') && std::count(host.begin(), host.end(), ':') > 1;
    if (peer->port.empty() && !colons)
      problems.warning("host", fmt::format("host \"{}\" has no port, so that no connection is possible; {}", host, kExpected));
    if (colons)
      problems.warning("host", fmt::format("host \"{}\" has more than one colon; {}", host, kExpected));
    if (!device.empty()) problems.warning("device", "device is not used, because host is given as well");
    return Endpoint{std::move(*peer)};
  }
  if (!device.empty()) return Endpoint{SerialPort{device}};
  const bool named = options.given("host") || options.given("device");
  problems.error(options.given("device") ? "device" : "host",
                 named ? "device and host are empty; expected \"device\": \"/dev/ttyUSB0\" or \"host\": \"name:port\""
                       : "Missing device or host; expected \"device\": \"/dev/ttyUSB0\" or \"host\": \"name:port\"");
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
