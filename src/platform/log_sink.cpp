// SPDX-License-Identifier: GPL-3.0-or-later
#include "platform/log_sink.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <spdlog/details/log_msg.h>

#include <cerrno>
#include <ctime>
#include <filesystem>

#include "platform/line_writer.hpp"
#include "platform/log_line.hpp"
#include "platform/wait.hpp"

namespace vz {
namespace {

using platform::Fd;
using platform::LineFormatter;
using platform::LineWriter;
using spdlog::details::log_msg;

spdlog::level::level_enum spdlog_level(Level level) {
  switch (level) {
    case Level::alert: return spdlog::level::critical;
    case Level::error: return spdlog::level::err;
    case Level::warning: return spdlog::level::warn;
    case Level::info: return spdlog::level::info;
    case Level::debug: return spdlog::level::debug;
    case Level::finest: return spdlog::level::trace;
  }
  return spdlog::level::info;
}

log_msg make_message(WallTime time, std::string_view section, Level level, std::string_view text) {
  return {
      time, spdlog::source_loc{}, {section.data(), section.size()}, spdlog_level(level), {text.data(), text.size()}};
}

log_msg lines_lost(const log_msg& like, std::string_view text) {
  return {like.time, spdlog::source_loc{}, "main", spdlog::level::warn, {text.data(), text.size()}};
}

/// The parts of a spdlog sink that are the same for ours: one fixed format, nothing to flush.
class FormattingSink : public spdlog::sinks::sink {
 public:
  void flush() override {}
  void set_pattern(const std::string&) override {}
  void set_formatter(std::unique_ptr<spdlog::formatter> formatter) override { formatter_ = std::move(formatter); }

 protected:
  std::string_view format(const log_msg& message) {
    buffer_.clear();
    formatter_->format(message, buffer_);
    return {buffer_.data(), buffer_.size()};
  }

 private:
  std::unique_ptr<spdlog::formatter> formatter_ = std::make_unique<LineFormatter>();
  spdlog::memory_buf_t buffer_;
};

Expected<LineWriter> open_for_append(const std::string& path) {
  // O_NONBLOCK: a fifo without a reader must not hold the daemon.
  Fd fd{::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0644)};
  if (!fd) {
    return tl::unexpected(Error{platform::errno_text(errno), path,
                                "check that the directory exists and that the user of the daemon may write there",
                                errno});
  }
  return LineWriter{std::move(fd)};
}

}  // namespace

/// Writes to a LineWriter; tells of lost lines before the first one that goes through again.
class DaemonLog::LineSink final : public FormattingSink {
 public:
  explicit LineSink(LineWriter writer) : writer_(std::move(writer)) {}

  void log(const log_msg& message) override {
    if (writer_.lost() > 0) {
      const std::string text = fmt::format("{} messages were lost here: {}", writer_.lost(), reason());
      if (!writer_.write(format(lines_lost(message, text)))) return;  // counted with the others
      writer_.forget_lost();
    }
    writer_.write(format(message));
  }
  void write(std::string_view text) { writer_.write(text); }
  [[nodiscard]] int error() const { return writer_.error(); }
  [[nodiscard]] std::string reason() const {
    return writer_.error() == EAGAIN ? "nothing read them" : platform::errno_text(writer_.error());
  }

 private:
  LineWriter writer_;
};

/// Keeps lines until it is known where they go.
class DaemonLog::StartSink final : public FormattingSink {
 public:
  void log(const log_msg& message) override {
    const std::string_view line = format(message);
    if (dropped_ > 0 || lines_.size() + line.size() > kMaxKept) {
      ++dropped_;
    } else {
      lines_ += line;
    }
  }
  /// Everything kept, line by line, to `target`.
  void replay(LineSink& target, WallTime now) {
    for (std::string_view rest = lines_; !rest.empty();) {
      const std::size_t end = rest.find('\n') + 1;  // every line has one
      target.write(rest.substr(0, end));
      rest.remove_prefix(end);
    }
    if (dropped_ == 0) return;
    const std::string text =
        fmt::format("{} further messages came before the log file was open and are not here", dropped_);
    target.log(make_message(now, "main", Level::warning, text));
  }

 private:
  std::string lines_;
  std::size_t dropped_ = 0;
};

DaemonLog::DaemonLog(const Clock& clock, Console console, int out, int err)
    : clock_(clock), console_(console), start_(std::make_unique<StartSink>()) {
  ::tzset();  // localtime_r need not do it
  if (console == Console::off) return;
  if (console == Console::split) out_ = std::make_unique<LineSink>(LineWriter::standard(out));
  err_ = std::make_unique<LineSink>(LineWriter::standard(err));
}

DaemonLog::~DaemonLog() = default;

void DaemonLog::set_console(Console console) {
  const std::lock_guard lock{mutex_};
  console_ = console;
  if (console == Console::off) {
    out_.reset();
    err_.reset();
  }
}

void DaemonLog::write(Level level, std::string_view section, std::string_view text) {
  if (!enabled(level)) return;
  try {
    const log_msg message = make_message(clock_.now().wall, section, level, text);
    const std::lock_guard lock{mutex_};
    deliver(message, level);
  } catch (...) {  // no memory for the line: the daemon's work is worth more than its log
  }
}

// Requires mutex_.
void DaemonLog::deliver(const log_msg& message, Level level) {
  if (console_ != Console::off) {
    LineSink* const sink = console_ == Console::split && level != Level::alert && out_ ? out_.get() : err_.get();
    if (sink != nullptr) sink->log(message);
  }
  if (start_) start_->log(message);
  if (file_) {
    file_->log(message);
    tell_file_trouble(message);
  }
}

// Requires mutex_. Only a change is told; what was lost stands in the file once it takes lines again.
void DaemonLog::tell_file_trouble(const log_msg& message) {
  const int error = file_->error();
  if (error == file_trouble_) return;
  file_trouble_ = error;
  if (error == 0 || !err_) return;
  const std::string text = fmt::format(
      "cannot write the log file \"{}\": {}; messages are missing from it until it can be "
      "written again",
      path_, file_->reason());
  err_->log(make_message(std::chrono::floor<std::chrono::milliseconds>(message.time), "main", Level::alert, text));
}

Expected<void> DaemonLog::open_file(const std::string& path) {
  auto writer = open_for_append(path);
  if (!writer) return tl::unexpected(writer.error());
  std::error_code error;
  const std::string absolute = std::filesystem::absolute(path, error);
  const WallTime now = clock_.now().wall;
  const std::lock_guard lock{mutex_};
  file_ = std::make_unique<LineSink>(std::move(*writer));
  path_ = error ? path : absolute;
  file_trouble_ = 0;
  if (start_) start_->replay(*file_, now);
  start_.reset();
  return {};
}

void DaemonLog::no_file() {
  const std::lock_guard lock{mutex_};
  start_.reset();
}

void DaemonLog::reopen() {
  std::string path;
  {
    const std::lock_guard lock{mutex_};
    path = path_;
  }
  if (path.empty()) return;
  print(Level::info, "", "closing logfile for re-opening (requested with SIGUSR1)");
  auto writer = open_for_append(path);
  if (!writer) {
    print(Level::alert, "", "re-opening logfile \"{}\" failed: {}; still writing to the old file", path,
          writer.error().what);
    return;
  }
  {
    const std::lock_guard lock{mutex_};
    file_ = std::make_unique<LineSink>(std::move(*writer));
    file_trouble_ = 0;
  }
  print(Level::info, "", "re-opened logfile (requested with SIGUSR1)");
}

}  // namespace vz
