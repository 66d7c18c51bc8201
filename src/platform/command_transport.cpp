// SPDX-License-Identifier: GPL-3.0-or-later
#include "platform/command_transport.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "platform/transport_io.hpp"
#include "platform/wait.hpp"

namespace vz {
namespace {

using platform::WaitEnd;

constexpr std::chrono::seconds kPolite{2};
constexpr std::chrono::milliseconds kWithoutPidfd{50};
constexpr std::size_t kPiece = 4096;

void add(int poll, int fd) {
  if (fd < 0) return;
  epoll_event event{};
  event.events = EPOLLIN;
  ::epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event);
}

std::string how_it_ended(int status) {
  if (WIFSIGNALED(status)) {
    const char* const name = ::sigabbrev_np(WTERMSIG(status));
    return fmt::format("ended by signal {} (SIG{})", WTERMSIG(status), name != nullptr ? name : "?");
  }
  const int code = WEXITSTATUS(status);
  constexpr int kNotExecutable = 126;
  constexpr int kNotFound = 127;
  if (code == kNotFound) return "exit status 127: the shell did not find the program";
  if (code == kNotExecutable) return "exit status 126: the program may not be executed";
  return code == 0 ? std::string{} : fmt::format("exit status {}", code);
}

}  // namespace

Expected<std::unique_ptr<Transport>> CommandTransport::open(const CommandSource& source, uid_t user) {
  if (user == 0)
    return tl::unexpected(Error{"protocol exec does not run programs as root", text(Endpoint{source}),
                                "run this program as a user of its own: User=vzlogger in its systemd unit, or start it with "
                                "`runuser -u vzlogger`; what the command needs, that user must be allowed to do",
                                EPERM});
  platform::Fd poll{::epoll_create1(EPOLL_CLOEXEC)};
  if (!poll) return tl::unexpected(Error{"cannot wait for programs: " + platform::errno_text(errno), text(Endpoint{source}), {}, errno});
  return std::unique_ptr<Transport>{new CommandTransport(source, std::move(poll))};
}

void CommandTransport::start() {
  requested_ = false;
  output_size_ = 0;
  errors_size_ = 0;
  ended_why_.clear();
  auto started = platform::CommandProcess::start(source_.command);
  if (!started) {
    append_record(out_.text, RecordKind::end, started.error().what);
    return;
  }
  process_ = std::move(*started);
  limit_at_ = std::chrono::steady_clock::now() + source_.limit;
  for (const int fd : {process_->output.get(), process_->errors.get(), process_->ended_fd()}) add(poll_.get(), fd);
}

void CommandTransport::end_run(std::string why) {
  ended_why_ = std::move(why);
  limit_at_ = std::chrono::steady_clock::now() + kPolite;
  process_->signal(SIGTERM);
}

void CommandTransport::take_output() {
  std::array<char, kPiece> piece;
  while (process_->output && output_size_ <= kMostOutput) {
    const ssize_t count = ::read(process_->output.get(), piece.data(), piece.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) return;
    if (count <= 0) return process_->output.reset();  // the end; closing takes it out of the epoll, too
    output_size_ += static_cast<std::size_t>(count);
    output_lines_.feed({piece.data(), static_cast<std::size_t>(count)}, RecordKind::line, out_.text);
  }
  if (output_size_ <= kMostOutput || !ended_why_.empty()) return;
  end_run(fmt::format("it printed more than {} bytes and was ended", kMostOutput));
  process_->output.reset();
}

void CommandTransport::take_errors() {
  constexpr int kMostReads = 16;  // whoever writes faster than this is read the next time
  std::array<char, kPiece> piece;
  for (int i = 0; process_->errors && i < kMostReads; ++i) {
    const ssize_t count = ::read(process_->errors.get(), piece.data(), piece.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) return;
    if (count <= 0) return process_->errors.reset();
    const std::size_t kept = std::min(static_cast<std::size_t>(count), kMostErrors - errors_size_);
    errors_size_ += kept;
    error_lines_.feed({piece.data(), kept}, RecordKind::message, out_.text);
  }
}

void CommandTransport::check_ended() {
  const auto status = process_->reap(!ended_why_.empty());
  if (!status) return;
  take_output();  // what it wrote last
  take_errors();
  const std::string how = !ended_why_.empty() ? ended_why_ : how_it_ended(*status);
  if (ended_why_.empty() && WIFEXITED(*status)) {
    if (output_lines_.pending()) output_lines_.finish(RecordKind::line, out_.text);
  } else {
    output_lines_.abandon("the last line of the output was cut off", out_.text);
  }
  if (error_lines_.pending()) error_lines_.finish(RecordKind::message, out_.text);
  append_record(out_.text, RecordKind::end, how);
  process_.reset();
}

void CommandTransport::work(MonoTime now) {
  if (!process_) {
    if (requested_) start();
    if (!process_) return;
  }
  take_output();
  take_errors();
  if (now >= limit_at_) {
    if (ended_why_.empty()) {
      end_run(fmt::format("it ran longer than {} s and was ended", source_.limit.count()));
    } else {
      process_->signal(SIGKILL);
      limit_at_ = now + kPolite;
    }
  }
  check_ended();
}

MonoTime CommandTransport::next_check() const {
  if (!process_) return MonoTime::max();
  if (process_->ended_fd() >= 0) return limit_at_;
  return std::min(limit_at_, std::chrono::steady_clock::now() + kWithoutPidfd);
}

ReadResult CommandTransport::read(std::span<std::byte> buffer, MonoTime not_before, MonoTime deadline, Wake& wake) {
  if (const auto ended = platform::hold_back(not_before, deadline, wake)) return {*ended, 0, std::nullopt};
  for (;;) {
    if (out_.empty()) work(std::chrono::steady_clock::now());
    if (!out_.empty()) return {ReadResult::Kind::bytes, out_.take(buffer), std::nullopt};
    const auto waited = platform::wait_for(process_ ? poll_.get() : -1, POLLIN, std::min(deadline, next_check()), wake);
    if (waited.end == WaitEnd::woken) return {ReadResult::Kind::woken, 0, std::nullopt};
    if (waited.end == WaitEnd::failed)
      return {ReadResult::Kind::closed, 0, Error{platform::errno_text(waited.error), text(Endpoint{source_}), "", waited.error}};
    if (waited.end == WaitEnd::timeout && std::chrono::steady_clock::now() >= deadline)
      return {ReadResult::Kind::timeout, 0, std::nullopt};
  }
}

Expected<void> CommandTransport::write(std::span<const std::byte>, MonoTime, Wake&) {
  requested_ = true;
  return {};
}

}  // namespace vz
