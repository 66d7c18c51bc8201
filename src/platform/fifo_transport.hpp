// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <memory>
#include <string>

#include "core/source_records.hpp"
#include "platform/fd.hpp"
#include "platform/path_watch.hpp"
#include "vz/transport.hpp"

namespace vz {

/// Lines from a fifo or a character device, as records. Opening does not wait for a writer; writers of a fifo may come
/// and go: when the last one has gone the fifo is opened anew before the old descriptor is closed, so that nothing in it
/// is lost, and the line that it left without an end counts as complete. One that is replaced under its name is read to
/// its end, then the new one. A device that ends is closed.
/// If `timed`, it reads only after a write (what comes in between waits in the kernel) and ends with RecordKind::end.
/// Used by one thread.
class FifoTransport final : public Transport {
 public:
  /// `fd` is open for reading, non-blocking.
  FifoTransport(platform::Fd fd, const FileSource& source, bool is_fifo)
      : fd_(std::move(fd)), path_(source.path), timed_(source.timed), is_fifo_(is_fifo), way_(source.path) {}

  ReadResult read(std::span<std::byte> buffer, MonoTime not_before, MonoTime deadline, Wake& wake) override;
  Expected<void> write(std::span<const std::byte> bytes, MonoTime deadline, Wake& wake) override;
  Expected<void> set_line(LineSettings) override { return {}; }
  void discard_input() override {}

 private:
  enum class Got { bytes, nothing, failed };
  Got read_some();
  bool reopen();
  void look_at_name();
  void drain();

  platform::Fd fd_;
  std::string path_;
  bool timed_;
  bool is_fifo_;
  platform::PathWatch way_;  ///< a fifo that was deleted never tells
  bool requested_ = false;
  LineSplitter lines_;
  RecordBuffer out_;
  std::optional<Error> error_;
};

}  // namespace vz
