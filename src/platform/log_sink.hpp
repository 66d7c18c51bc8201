// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <spdlog/sinks/sink.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <string>

#include "vz/error.hpp"
#include "vz/log.hpp"
#include "vz/time.hpp"

namespace vz {

/// What of the log goes to the standard descriptors.
enum class Console {
  split,   ///< level 0 to stderr, the rest to stdout: in the foreground, as the old daemon did
  errors,  ///< all to stderr: under a service manager, which keeps it
  off,     ///< nothing: after the process has gone to the background
};

/// The daemon's log: console and log file, in the old line format, through spdlog sinks of its own that cannot hang.
///
/// What is logged before open_file() or no_file() is kept (kMaxKept bytes, then dropped and counted) and written to the
/// file first. Every line is written at once. Lines that could not be written are counted and told as soon as there is
/// room again; a log file that takes nothing is also told on the console, once. No colours.
/// Thread-safe; the lock is held while a line is written. Never throws. Needs SIGPIPE to be ignored.
class DaemonLog final : public Log {
 public:
  /// `out` and `err` stay open. `clock` must outlive the log.
  DaemonLog(const Clock& clock, Console console, int out = 1, int err = 2);
  ~DaemonLog() override;

  [[nodiscard]] bool enabled(Level level) const override {
    return static_cast<int>(level) <= verbosity_.load(std::memory_order_relaxed);
  }
  /// Does nothing if the level is not shown.
  void write(Level level, std::string_view section, std::string_view text) override;

  /// 0 until set. Any number is valid; a negative one silences everything.
  void set_verbosity(int verbosity) { verbosity_.store(verbosity, std::memory_order_relaxed); }
  [[nodiscard]] int verbosity() const { return verbosity_.load(std::memory_order_relaxed); }
  /// Console::off also lets go of the terminal; what was let go does not come back.
  void set_console(Console console);

  /// Opens (or creates, mode 0644) the log file for appending and writes what was kept. On failure all stays as it was.
  Expected<void> open_file(const std::string& path);
  /// There will be no log file: drops what was kept.
  void no_file();
  /// Opens the log file anew by its path (SIGUSR1, after a rotation). If that fails, says so and goes on with the old
  /// file. Without a log file: nothing. Not for signal handlers.
  void reopen();

  static constexpr std::size_t kMaxKept = 256 * 1024;

 private:
  class LineSink;
  class StartSink;
  void deliver(const spdlog::details::log_msg& message, Level level);
  void tell_file_trouble(const spdlog::details::log_msg& message);

  const Clock& clock_;
  std::atomic<int> verbosity_ = 0;
  std::mutex mutex_;  ///< for everything below
  Console console_;
  std::unique_ptr<LineSink> out_;
  std::unique_ptr<LineSink> err_;
  std::unique_ptr<StartSink> start_;  ///< null once there is a file, or there will be none
  std::unique_ptr<LineSink> file_;
  std::string path_;      ///< absolute, so that a change of directory does not matter
  int file_trouble_ = 0;  ///< errno that was told
};

}  // namespace vz
