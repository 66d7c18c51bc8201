// SPDX-License-Identifier: GPL-3.0-or-later
#include "cli/sync_folder.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <filesystem>

#include "platform/fd.hpp"

namespace vz::cli {

void sync_folder(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  const platform::Fd fd{::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (fd) (void)::fsync(fd.get());
}

}  // namespace vz::cli
