// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/outbox_options.hpp"

namespace vz {
namespace {

constexpr OptionSpec kOutbox[] = {
    {.name = "path",
     .type = OptionType::string,
     .default_text = "\"/var/lib/vzlogger/outbox.db\"",
     .help = "file for readings that wait longer than commit_interval; empty: they wait in memory alone"},
    {.name = "commit_interval",
     .type = OptionType::integer,
     .unit = "s",
     .default_text = "5",
     .help = "what waits longer is written to the file, and a power cut loses no more than this; 0: write each reading",
     .min = 0,
     .max = 3600},
    {.name = "max_size",
     .type = OptionType::integer,
     .unit = "MB",
     .default_text = "256",
     .help = "the file never grows beyond this; 256 MB hold about 20 million readings",
     .min = 4,
     .max = 1048576},
    {.name = "on_full",
     .type = OptionType::string,
     .default_text = "\"drop-oldest\"",
     .help = "which readings are given up when the file is full",
     .choices = "drop-oldest|drop-newest"},
};

}  // namespace

std::span<const OptionSpec> outbox_options() { return kOutbox; }

}  // namespace vz
