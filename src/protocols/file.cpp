// SPDX-License-Identifier: GPL-3.0-or-later
// Protocol file: lines of a file, a fifo or a file of the kernel.
#include <fmt/format.h>

#include "protocols/file/session.hpp"
#include "vz/protocol.hpp"

namespace vz::protocols {
namespace {

constexpr OptionSpec kOptions[] = {
    {.name = "path", .help = "file, fifo or file of the kernel (/proc, /sys) to read", .required = true},
    {.name = "format",
     .help = "what a line looks like: $v value, $i identifier, $t seconds (or ms) since 1970; without it the line is a number"},
    {.name = "rewind", .type = OptionType::boolean, .default_text = "false",
     .help = "each read takes the whole file from its beginning; otherwise only lines that were added since"},
    {.name = "interval", .type = OptionType::integer, .unit = "s", .default_text = "-1",
     .help = "pause before each read but the first; 0 or less: read whenever the file changes"},
};

bool interval_allowed(const Options&) { return true; }

std::unique_ptr<MeterSource> make(const Options& options, ProblemSink& problems) {
  const std::string& path = options.string("path");
  if (path.empty()) {
    problems.error("path", "Missing path: it is empty; expected a file, like \"path\": \"/var/log/meter.log\"");
    return nullptr;
  }
  if (auto odd = file::LineFormat::oddity(options.string("format")); !odd.empty()) problems.warning("format", std::move(odd));
  FileSource file;
  file.path = path;
  file.rewind = options.boolean("rewind");
  file.timed = options.integer("interval") > 0;
  auto source = std::make_unique<MeterSource>();
  source->session = std::make_unique<file::FileSession>(file::LineFormat{options.string("format")}, file.timed);
  source->endpoint = std::move(file);
  return source;
}

}  // namespace

extern const Protocol file_protocol;
const Protocol file_protocol{
    .name = "file",
    .summary = "Read from file or fifo",
    .identifiers = IdentifierKind::string,
    .options = kOptions,
    .interval_allowed = interval_allowed,
    .make = make,
};

}  // namespace vz::protocols
