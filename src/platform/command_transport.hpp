// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>

#include "core/source_records.hpp"
#include "platform/command_process.hpp"
#include "vz/transport.hpp"

namespace vz {

/// Runs a command after each write and hands over what it prints, as records: its lines as they come, what it writes
/// to stderr as RecordKind::message (the first kMostErrors bytes of a run), and RecordKind::end when it has ended, with
/// how it ended if that was not well. One run at a time. A run that takes longer than the limit, or prints more than
/// kMostOutput bytes, is ended: SIGTERM to its process group, two seconds later SIGKILL. Of a run that did not end by
/// itself the last line counts only if it has a line end. The destructor ends a running command. Used by one thread.
class CommandTransport final : public Transport {
 public:
  static constexpr std::size_t kMostOutput = 256U * 1024;
  static constexpr std::size_t kMostErrors = 4096;

  /// Refuses to run anything as root (`user` 0).
  static Expected<std::unique_ptr<Transport>> open(const CommandSource& source, uid_t user);

  ReadResult read(std::span<std::byte> buffer, MonoTime not_before, MonoTime deadline, Wake& wake) override;
  Expected<void> write(std::span<const std::byte> bytes, MonoTime deadline, Wake& wake) override;
  Expected<void> set_line(LineSettings) override { return {}; }
  void discard_input() override {}

 private:
  CommandTransport(const CommandSource& source, platform::Fd poll) : source_(source), poll_(std::move(poll)) {}
  void start();
  void work(MonoTime now);
  void take_output();
  void take_errors();
  void end_run(std::string why);
  void check_ended();
  [[nodiscard]] MonoTime next_check() const;

  CommandSource source_;
  platform::Fd poll_;                ///< an epoll of the process's descriptors
  std::unique_ptr<platform::CommandProcess> process_;
  bool requested_ = false;
  std::size_t output_size_ = 0;
  std::size_t errors_size_ = 0;
  std::string ended_why_;            ///< not empty: it is being ended
  MonoTime limit_at_{};              ///< then it is ended, or killed if that was done already
  LineSplitter output_lines_;
  LineSplitter error_lines_;
  RecordBuffer out_;
};

}  // namespace vz
