// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <optional>
#include <span>
#include <string>

#include "vz/transport.hpp"

namespace vz::platform {

/// Waits until `not_before`. Set if the read is over before that: woken, or `deadline` came first.
std::optional<ReadResult::Kind> hold_back(MonoTime not_before, MonoTime deadline, const Wake& wake);

/// Puts all of `bytes` through `put` (write(2) or like it) on a non-blocking descriptor, waiting for room until
/// `deadline`. Errors: ECANCELED after a wake-up, ETIMEDOUT, or what `put` said; `where` goes into them.
Expected<void> write_all(int fd, std::span<const std::byte> bytes, MonoTime deadline, const Wake& wake,
                         const std::string& where, ssize_t (*put)(int fd, const void* data, std::size_t size));

}  // namespace vz::platform
