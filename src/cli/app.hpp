// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

namespace vz::cli {

/// The daemon, from the command line to the exit status (sysexits where the old daemon had them).
int run(int argc, char** argv);

}  // namespace vz::cli
