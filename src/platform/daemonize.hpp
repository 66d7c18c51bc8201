// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <sys/types.h>

#include "platform/service_manager.hpp"
#include "vz/error.hpp"

namespace vz {

/// False if the process is looked after where it is: under a service manager (NOTIFY_SOCKET), or a child of init (then
/// it is in the background already). Pure.
bool may_daemonize(const ServiceEnvironment& environment, pid_t parent);

/// Goes to the background: the calling process ends with status 0 and a child goes on, in a session of its own, with
/// /dev/null for standard input, output and error, in the directory /, with umask 0022, deaf to SIGTSTP, SIGTTIN and
/// SIGTTOU. All other descriptors stay as they are (the old daemon closed them behind its libraries' backs), and
/// SIGCHLD keeps its default, so that commands run by the daemon can wait for their children. Only before there are
/// threads and before libcurl is initialised. Error: the fork failed; nothing has changed.
Expected<void> daemonize();

}  // namespace vz
