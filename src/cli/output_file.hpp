// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <fstream>
#include <string>

#include "platform/fd.hpp"
#include "vz/error.hpp"

namespace vz::cli {

/// A file that a command writes its result to. What is written goes to a new file beside it, which takes its place at
/// finish(); without that everything stays as it was. A device or a pipe is written to as it is, a symbolic link stays
/// one (also one to what is not there yet), and an old file's mode is kept, its owner if root replaces it. Once finish() has
/// returned, the file outlasts a power cut. Used by one thread.
class OutputFile final {
 public:
  explicit OutputFile(std::string path) : path_(std::move(path)) {}
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  Expected<void> open();
  [[nodiscard]] std::ostream& stream() { return stream_; }
  /// An Error: not all of it could be written, and an old file is as it was.
  Expected<void> finish();

 private:
  std::string path_;
  std::string target_;  ///< path_ without links
  std::string fresh_;   ///< beside it; empty: none, or it is in place
  platform::Fd made_;    ///< of fresh_
  std::ofstream stream_;
};

}  // namespace vz::cli
