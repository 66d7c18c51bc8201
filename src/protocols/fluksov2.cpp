// SPDX-License-Identifier: GPL-3.0-or-later
// Protocol fluksov2: what the Flukso's sensor board writes into a fifo.
#include "protocols/fluksov2/session.hpp"
#include "vz/protocol.hpp"

namespace vz::protocols {
namespace {

constexpr OptionSpec kOptions[] = {
    {.name = "fifo", .default_text = "\"/var/run/spid/delta/out\"", .help = "fifo of the Flukso's sensor daemon"},
};

/// The lines carry their own times, so there is nothing to wait for between them.
bool interval_allowed(const Options&) { return false; }

std::unique_ptr<MeterSource> make(const Options& options, ProblemSink& problems) {
  if (options.string("fifo").empty()) {
    problems.error("fifo", "Failed to parse fifo: it is empty; leave it out, or name the fifo");
    return nullptr;
  }
  FileSource fifo;
  fifo.path = options.string("fifo");
  auto source = std::make_unique<MeterSource>();
  source->endpoint = std::move(fifo);
  source->session = std::make_unique<fluksov2::FluksoSession>();
  return source;
}

}  // namespace

extern const Protocol fluksov2_protocol;
const Protocol fluksov2_protocol{
    .name = "fluksov2",
    .summary = "Read from Flukso's onboard SPI fifo",
    .identifiers = IdentifierKind::flukso,
    .options = kOptions,
    .interval_allowed = interval_allowed,
    .make = make,
};

}  // namespace vz::protocols
