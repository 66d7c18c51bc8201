// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "vz/error.hpp"

namespace vz {

/// What the store does with files besides SQLite: the seam where a test puts a file system of its own.
class StoreFiles {
 public:
  virtual ~StoreFiles() = default;
  /// Name of the SQLite VFS that sees the same files; empty: the default one.
  [[nodiscard]] virtual std::string vfs() const { return {}; }
  /// Takes the lock file for this process, until release(). A second taker gets an Error that says who holds it.
  virtual Expected<void> lock(const std::string& path) = 0;
  virtual void release() = 0;
  [[nodiscard]] virtual bool exists(const std::string& path) const = 0;
  [[nodiscard]] virtual std::uint64_t size(const std::string& path) const = 0;
  /// Up to `size` bytes from `offset` on; fewer at the end, none if it cannot be read.
  [[nodiscard]] virtual std::string read(const std::string& path, std::uint64_t offset, std::size_t size) const = 0;
  /// Replaces `to`; durable on return. False if it fails.
  virtual bool rename(const std::string& from, const std::string& to) = 0;
  virtual bool remove(const std::string& path) = 0;
};

/// The machine's own files. Makes the folder of the lock file if it is missing.
std::unique_ptr<StoreFiles> system_files();

}  // namespace vz
