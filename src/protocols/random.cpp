// SPDX-License-Identifier: GPL-3.0-or-later
// Protocol random: a random walk, for trying out what is behind the meter.
#include <fmt/format.h>

#include "protocols/random/session.hpp"
#include "vz/protocol.hpp"

namespace vz::protocols {
namespace {

constexpr double kUsualWidth = 40.0;

constexpr OptionSpec kOptions[] = {
    {.name = "min", .type = OptionType::real, .default_text = "0.0",
     .help = "lower bound of the value; has to be a floating point number (e.g. '40.0')"},
    {.name = "max", .type = OptionType::real, .default_text = "40.0",
     .help = "upper bound of the value; has to be a floating point number (e.g. '40.0')"},
};

bool interval_allowed(const Options&) { return true; }

std::unique_ptr<MeterSource> make(const Options& options, ProblemSink& problems) {
  random::Bounds bounds{options.real("min"), options.real("max")};
  if (bounds.low > bounds.high) {
    if (options.given("min") && options.given("max")) {
      problems.warning("max", fmt::format("max ({}) is less than min ({}); they are exchanged", bounds.high, bounds.low));
      std::swap(bounds.low, bounds.high);
    } else if (options.given("min")) {
      bounds.high = bounds.low + kUsualWidth;
    } else {
      bounds.low = bounds.high - kUsualWidth;
    }
  }
  auto source = std::make_unique<MeterSource>();
  source->endpoint = NoTransport{};
  source->session = std::make_unique<random::RandomSession>(bounds);
  return source;
}

}  // namespace

extern const Protocol random_protocol;
const Protocol random_protocol{
    .name = "random",
    .summary = "Generate random values with a random walk",
    .identifiers = IdentifierKind::nil,
    .options = kOptions,
    .interval_allowed = interval_allowed,
    .make = make,
};

}  // namespace vz::protocols
