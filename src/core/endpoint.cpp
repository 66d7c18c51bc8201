// SPDX-License-Identifier: GPL-3.0-or-later
#include "vz/transport.hpp"

#include <algorithm>
#include <string_view>

namespace vz {

namespace {

std::string first_word(std::string_view command) {
  constexpr std::string_view kBlanks = " \t\n";
  constexpr std::size_t kLongest = 80;
  const std::size_t begin = std::min(command.find_first_not_of(kBlanks), command.size());
  const std::size_t end = std::min({command.find_first_of(kBlanks, begin), command.size(), begin + kLongest});
  return std::string{command.substr(begin, end - begin)} + (end < command.size() ? " ..." : "");
}

}  // namespace

std::string text(const Endpoint& endpoint) {
  if (const auto* port = std::get_if<SerialPort>(&endpoint)) return port->path;
  if (const auto* file = std::get_if<FileSource>(&endpoint)) return file->path;
  if (const auto* bus = std::get_if<OneWireBus>(&endpoint)) return bus->root;
  if (const auto* program = std::get_if<CommandSource>(&endpoint)) return "command " + first_word(program->command);
  if (const auto* lines = std::get_if<GpioLines>(&endpoint)) {
    if (lines->pulse < 0) return lines->serial;
    return "GPIO " + std::to_string(lines->pulse) + (lines->chip.empty() ? "" : " of " + lines->chip);
  }
  const auto* peer = std::get_if<TcpPeer>(&endpoint);
  if (peer == nullptr) return "(no device)";
  const bool bare_ipv6 = peer->host.find(':') != std::string::npos && !peer->host.starts_with('[');
  return (bare_ipv6 ? "[" + peer->host + "]" : peer->host) + ":" + peer->port;
}

}  // namespace vz
