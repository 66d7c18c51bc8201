// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>

namespace vz::cli {

/// A rename, or a new name, is only sure to outlast a power cut once the folder of `path` is on disk. There are file systems
/// that cannot be asked for it: no error. Any thread.
void sync_folder(const std::string& path);

}  // namespace vz::cli
