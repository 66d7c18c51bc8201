// SPDX-License-Identifier: GPL-3.0-or-later
#include "platform/append_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace vz::platform {

Expected<AppendFile> AppendFile::open(const std::string& path) {
  // O_NONBLOCK: a FIFO without a reader must not hold up the meter
  const int fd = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0644);
  if (fd < 0) return tl::unexpected(Error{.what = std::strerror(errno), .where = path, .remedy = {}, .code = errno});
  return AppendFile{fd};
}

AppendFile::AppendFile(AppendFile&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

AppendFile& AppendFile::operator=(AppendFile&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

AppendFile::~AppendFile() {
  if (fd_ >= 0) ::close(fd_);
}

void AppendFile::append(std::string_view text) noexcept {
  while (fd_ >= 0 && !text.empty()) {
    const auto written = ::write(fd_, text.data(), text.size());
    if (written <= 0) {
      if (errno != EINTR) return;
      continue;
    }
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace vz::platform
