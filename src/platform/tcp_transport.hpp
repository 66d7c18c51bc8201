// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "platform/eighth_bit_filter.hpp"
#include "platform/fd.hpp"
#include "vz/transport.hpp"

namespace vz {

namespace platform {
class Resolver;
}

/// A TCP connection to a serial device server. Keep-alive finds a peer that vanished (after about two minutes); writes
/// leave at once. Speed and format are the peer's business; of the format only the parity matters, where it
/// comes as the eighth bit (EighthBitFilter). Used by one thread. Does not allocate once open.
class TcpTransport final : public Transport {
 public:
  /// Tries all addresses of the host, each for its share of the time that is left, IPv4 and IPv6 in the resolver's
  /// order. The error is that of the last address. ECANCELED after a wake-up.
  static Expected<std::unique_ptr<Transport>> open(const TcpPeer& peer, platform::Resolver& resolver, MonoTime deadline,
                                                   Wake& wake);

  ReadResult read(std::span<std::byte> buffer, MonoTime not_before, MonoTime deadline, Wake& wake) override;
  Expected<void> write(std::span<const std::byte> bytes, MonoTime deadline, Wake& wake) override;
  Expected<void> set_line(LineSettings line) override;
  void discard_input() override;

 private:
  TcpTransport(platform::Fd fd, std::string where) : fd_(std::move(fd)), where_(std::move(where)) {}
  [[nodiscard]] ReadResult closed(int code) const;

  platform::Fd fd_;
  std::string where_;
  platform::EighthBitFilter eighth_bit_;  ///< a server with eight bits for a meter with parity
  std::vector<std::byte> with_parity_;
};

}  // namespace vz
