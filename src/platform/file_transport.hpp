// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <sys/stat.h>

#include <memory>
#include <optional>
#include <string>

#include "core/source_records.hpp"
#include "platform/fd.hpp"
#include "platform/file_watch.hpp"
#include "vz/transport.hpp"

namespace vz {

/// Lines of a file, as records. Two ways:
/// - following (no `rewind`): begins at the file's end and takes what is added. A file that was replaced (renamed,
///   deleted and made anew) is read to its end first, then the new one from its beginning, once it holds something; one
///   that was cut short or overwritten is read from its beginning. A line counts when its line end has come, or
///   when its writer has closed the file: half a number is never taken for a whole one.
/// - whole (`rewind`, and all files of the kernel in /proc and /sys, which do not grow): the file from its beginning to
///   its end, at most kMostWhole bytes, whenever it was closed by a writer, renamed into place, or has changed and
///   then rested for a second.
/// If `timed`, both read after a write to the transport only, and end with RecordKind::end. Else inotify tells; without
/// inotify, and on file systems where it does not tell (networks), a look every few seconds has to do. The kernel's files
/// never tell: they are read once a minute.
/// A file that disappears is waited for. Used by one thread.
class FileTransport final : public Transport {
 public:
  static constexpr std::size_t kMostWhole = 1U << 20U;

  /// Opens fifos and character devices, too (FifoTransport). Never blocks on a fifo. Errors: missing, a folder, no right.
  static Expected<std::unique_ptr<Transport>> open(const FileSource& source);

  ReadResult read(std::span<std::byte> buffer, MonoTime not_before, MonoTime deadline, Wake& wake) override;
  Expected<void> write(std::span<const std::byte> bytes, MonoTime deadline, Wake& wake) override;
  Expected<void> set_line(LineSettings) override { return {}; }
  void discard_input() override {}

 private:
  FileTransport(const FileSource& source, platform::Fd fd, const struct stat& found, bool of_kernel);

  struct Signature {
    dev_t device{};
    ino_t inode{};
    off_t size{};
    timespec changed{};
    [[nodiscard]] bool operator==(const Signature& other) const;
  };
  static Signature signature(const struct stat& found);

  void work(MonoTime now);
  void note_changes(MonoTime now);
  void read_whole();
  void follow();
  bool read_added();
  void check_rewritten();
  void remember(std::string_view piece);
  void switch_file();
  void tell_missing(int code);
  void tell_back();
  [[nodiscard]] MonoTime next_look() const;

  FileSource source_;
  bool of_kernel_;
  bool whole_;
  platform::FileWatch watch_;
  platform::Fd fd_;            ///< the file that is followed; none for whole reads
  Signature seen_;             ///< whole: of the last read
  off_t offset_ = 0;           ///< following: read up to here
  std::string tail_;           ///< following: the last bytes before offset_
  bool writer_closed_ = false; ///< following: since the last read
  bool arrived_ = false;       ///< following: a finished file was renamed to the name
  bool looked_ = false;        ///< this work() was not caused by an event
  bool more_ = false;          ///< following: there is more to read at once
  bool due_ = false;           ///< read now
  bool missing_ = false;       ///< told
  std::optional<MonoTime> settle_at_;  ///< whole: the file has changed; read then
  MonoTime look_at_{};         ///< the next look without being told
  LineSplitter lines_;
  RecordBuffer out_;
  std::optional<Error> error_;
};

}  // namespace vz
