// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>

#include "vz/time.hpp"
#include "vz/wake.hpp"

namespace vz::platform {

/// How a wait ended. A wake-up goes before readiness, so that a stop never waits behind a busy line.
enum class WaitEnd { ready, timeout, woken, failed };

struct Waited {
  WaitEnd end = WaitEnd::timeout;
  short revents = 0;  ///< for ready: what poll said
  int error = 0;      ///< for failed: errno
  bool also = false;  ///< for ready: the other descriptor can be read
};

/// Waits until one of `events` holds on `fd` (-1: for nothing but the wake-up), `wake` fires or `deadline` comes. A
/// deadline that has passed still looks once. Does not clear `wake`: that is for the thread that owns it. `also`: another
/// descriptor, that becomes readable (-1: none).
Waited wait_for(int fd, short events, MonoTime deadline, const Wake& wake, int also = -1);

/// errno in words, in English whatever the locale.
std::string errno_text(int code);

}  // namespace vz::platform
