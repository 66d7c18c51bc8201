// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>

#include "platform/fd.hpp"
#include "vz/error.hpp"

namespace vz::local {

struct Listening {
  platform::Fd socket;
  int port = 0;  ///< the one that was taken, if any would do
};

/// Listens for TCP connections, never blocking. `address` empty: on all addresses, IPv6 and IPv4 on one socket, or IPv4
/// alone where there is no IPv6. Else a numeric address or a name of this machine, of which the first address that works is
/// taken, IPv4 first. Port 0: any free one. May ask a name server if given a name.
Expected<Listening> listen_on(const std::string& address, int port);

}  // namespace vz::local
