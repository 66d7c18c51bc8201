// SPDX-License-Identifier: GPL-3.0-or-later
// Protocol w1therm: temperature sensors on the 1-wire bus (DS18B20 and relatives), read by the kernel's driver.
#include "protocols/w1therm/session.hpp"
#include "vz/protocol.hpp"

namespace vz::protocols {
namespace {

bool interval_allowed(const Options&) { return true; }

std::unique_ptr<MeterSource> make(const Options&, ProblemSink&) {
  auto source = std::make_unique<MeterSource>();
  source->endpoint = OneWireBus{"/sys/bus/w1/devices"};
  source->session = std::make_unique<w1therm::ThermSession>();
  return source;
}

}  // namespace

extern const Protocol w1therm_protocol;
const Protocol w1therm_protocol{
    .name = "w1therm",
    .summary = "W1-therm / 1wire temperature devices",
    .identifiers = IdentifierKind::string,
    .options = {},
    .interval_allowed = interval_allowed,
    .make = make,
};

}  // namespace vz::protocols
