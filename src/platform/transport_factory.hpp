// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "platform/libgpiod_driver.hpp"
#include "platform/resolver.hpp"
#include "vz/transport.hpp"

namespace vz {

/// Opens real devices and connections. Thread-safe; owns the name look-ups that are still under way, so it lives as
/// long as the process (or at least the meters).
class SystemTransportFactory final : public TransportFactory {
 public:
  explicit SystemTransportFactory(platform::LookupFunction lookup = platform::system_lookup)
      : resolver_(std::move(lookup)) {}

  /// For NoTransport: a line that never has bytes and takes all that is written.
  Expected<std::unique_ptr<Transport>> open(const Endpoint& endpoint, LineSettings line, MonoTime deadline,
                                            Wake& wake) override;
  /// For everything that has a path: PathWatch.
  std::unique_ptr<ReturnWatch> watch(const Endpoint& endpoint) override;

 private:
  platform::Resolver resolver_;
  platform::LibgpiodDriver gpio_;
};

}  // namespace vz
