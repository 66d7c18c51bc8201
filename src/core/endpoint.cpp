// SPDX-License-Identifier: GPL-3.0-or-later
#include "vz/transport.hpp"

namespace vz {

std::string text(const Endpoint& endpoint) {
  if (const auto* port = std::get_if<SerialPort>(&endpoint)) return port->path;
  const auto* peer = std::get_if<TcpPeer>(&endpoint);
  if (peer == nullptr) return "(no device)";
  const bool bare_ipv6 = peer->host.find(':') != std::string::npos && !peer->host.starts_with('[');
  return (bare_ipv6 ? "[" + peer->host + "]" : peer->host) + ":" + peer->port;
}

}  // namespace vz
