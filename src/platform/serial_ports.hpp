// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vz/error.hpp"

namespace vz::platform {

/// The serial adapters that exist below `dev`, for an error text: stable names (serial/by-id/*) first, then ttyUSB*,
/// ttyACM* and ttyAMA*; "" if there are none. At most kMaxPortsNamed. Never throws.
std::string present_serial_ports(const std::filesystem::path& dev = "/dev");
inline constexpr std::size_t kMaxPortsNamed = 12;

/// The serial adapters that exist below `dev`, each once, by its most stable name: serial/by-id/*, else ttyUSB*, ttyACM*,
/// ttyAMA*. Sorted, at most kMaxPortsListed. Never throws.
std::vector<std::string> serial_ports(const std::filesystem::path& dev = "/dev");
inline constexpr std::size_t kMaxPortsListed = 64;

/// The process that holds a flock on the file `inode` of file system `device`, from the text of /proc/locks. Pure.
std::optional<pid_t> flock_holder(std::string_view locks, dev_t device, ino_t inode);

/// Why a serial device could not be opened, told apart for the user: not there, not allowed, in use, not a serial line.
Error serial_open_error(const std::string& path, int code);

/// The error for a device that another program holds; `fd` is open on it.
Error serial_in_use_error(const std::string& path, int fd);

}  // namespace vz::platform
