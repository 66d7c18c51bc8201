// SPDX-License-Identifier: GPL-3.0-or-later
#include "platform/file_transport.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <poll.h>
#include <sys/vfs.h>

#include <array>
#include <cerrno>

#include "platform/fifo_transport.hpp"
#include "platform/transport_io.hpp"
#include "platform/wait.hpp"

namespace vz {
namespace {

using platform::Fd;
using platform::WaitEnd;

constexpr std::chrono::seconds kLook{5};
constexpr std::chrono::seconds kKernelPeriod{60};
constexpr std::chrono::seconds kRest{1};
constexpr std::size_t kPiece = 4096;
constexpr std::size_t kTail = 64;
constexpr int kFlags = O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY;

bool is_of_kernel(int fd) {
  struct statfs system {};
  if (::fstatfs(fd, &system) != 0) return false;
  return system.f_type == PROC_SUPER_MAGIC || system.f_type == SYSFS_MAGIC || system.f_type == DEBUGFS_MAGIC;
}

Error open_error(const std::string& path, int code) {
  Error error{"cannot open: " + platform::errno_text(code), path, "", code};
  if (code == ENOENT) error.remedy = "check `path`; does the program that writes it run, and was its driver loaded?";
  if (code == EACCES) error.remedy = "the user that this program runs as must be allowed to read it, and to enter its folders";
  return error;
}

}  // namespace

bool FileTransport::Signature::operator==(const Signature& other) const {
  return device == other.device && inode == other.inode && size == other.size && changed.tv_sec == other.changed.tv_sec &&
         changed.tv_nsec == other.changed.tv_nsec;
}

FileTransport::Signature FileTransport::signature(const struct stat& found) {
  return {found.st_dev, found.st_ino, found.st_size, found.st_mtim};
}

Expected<std::unique_ptr<Transport>> FileTransport::open(const FileSource& source) {
  Fd fd{::open(source.path.c_str(), kFlags)};
  if (!fd) return tl::unexpected(open_error(source.path, errno));
  struct stat found {};
  if (::fstat(fd.get(), &found) != 0) return tl::unexpected(open_error(source.path, errno));
  if (S_ISDIR(found.st_mode))
    return tl::unexpected(Error{"is a folder", source.path, "`path` must name a file in it", EISDIR});
  if (S_ISFIFO(found.st_mode) || S_ISCHR(found.st_mode))
    return std::unique_ptr<Transport>{std::make_unique<FifoTransport>(std::move(fd), source, S_ISFIFO(found.st_mode))};
  const bool of_kernel = is_of_kernel(fd.get());
  return std::unique_ptr<Transport>{new FileTransport(source, std::move(fd), found, of_kernel)};
}

FileTransport::FileTransport(const FileSource& source, Fd fd, const struct stat& found, bool of_kernel)
    : source_(source),
      of_kernel_(of_kernel),
      whole_(source.rewind || of_kernel),
      watch_(source.path),
      seen_(signature(found)),
      due_(of_kernel && !source.timed) {
  if (!whole_) {
    fd_ = std::move(fd);
    offset_ = found.st_size;
    if (offset_ > 0) {
      std::array<char, kTail> last;
      const off_t from = std::max<off_t>(0, offset_ - static_cast<off_t>(last.size()));
      const ssize_t count = ::pread(fd_.get(), last.data(), static_cast<std::size_t>(offset_ - from), from);
      if (count > 0) tail_.assign(last.data(), static_cast<std::size_t>(count));
      append_record(out_.text, RecordKind::note,
                    fmt::format("{}: taking what is added from now on; the {} bytes that it holds are skipped (\"rewind\": "
                                "true reads the whole file each time)",
                                source_.path, offset_));
    }
  }
  if (of_kernel_ && !source_.timed)
    append_record(out_.text, RecordKind::note,
                  fmt::format("{}: the kernel does not tell when such a file changes, so it is read every {} seconds; "
                              "\"interval\" sets another pause",
                              source_.path, kKernelPeriod.count()));
}

void FileTransport::remember(std::string_view piece) {
  tail_.append(piece);
  if (tail_.size() > kTail) tail_.erase(0, tail_.size() - kTail);
}

void FileTransport::tell_missing(int code) {
  if (std::exchange(missing_, true)) return;
  append_record(out_.text, RecordKind::trouble,
                fmt::format("{}. Waiting for it to come back.", open_error(source_.path, code).text()));
}

void FileTransport::tell_back() {
  if (std::exchange(missing_, false)) append_record(out_.text, RecordKind::trouble, source_.path + ": is there again");
}

void FileTransport::read_whole() {
  watch_.watch_file();  // before the file is read, so that no change after it is missed
  settle_at_.reset();
  const Fd fd{::open(source_.path.c_str(), kFlags)};
  if (!fd) return tell_missing(errno);
  tell_back();
  std::array<char, kPiece> piece;
  std::size_t total = 0;
  for (;;) {
    const ssize_t count = ::read(fd.get(), piece.data(), piece.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      append_record(out_.text, RecordKind::damaged, "cannot read: " + platform::errno_text(errno));
      lines_.abandon("the file could not be read to the end of the line", out_.text);
    }
    if (count <= 0) break;
    total += static_cast<std::size_t>(count);
    if (total > kMostWhole) {
      lines_.abandon(fmt::format("only the first {} bytes of the file are read", kMostWhole), out_.text);
      break;
    }
    lines_.feed({piece.data(), static_cast<std::size_t>(count)}, RecordKind::line, out_.text);
  }
  if (lines_.pending()) lines_.finish(RecordKind::line, out_.text);
  struct stat found {};
  if (::fstat(fd.get(), &found) == 0) seen_ = signature(found);
}

// A file that is shorter than what was read of it, or has other bytes there, was written anew.
void FileTransport::check_rewritten() {
  struct stat found {};
  if (::fstat(fd_.get(), &found) != 0) return;
  bool rewritten = found.st_size < offset_;
  if (!rewritten && !tail_.empty()) {
    std::array<char, kTail> now;
    const ssize_t count = ::pread(fd_.get(), now.data(), tail_.size(), offset_ - static_cast<off_t>(tail_.size()));
    rewritten = count >= 0 && std::string_view{now.data(), static_cast<std::size_t>(count)} != tail_;
  }
  if (!rewritten) return;
  lines_.abandon("the file was written anew before the line had an end", out_.text);
  offset_ = 0;
  tail_.clear();
}

/// Reads a bounded part of what was added. True at the end of the file.
bool FileTransport::read_added() {
  constexpr int kMostReads = 16;
  std::array<char, kPiece> piece;
  for (int i = 0; i < kMostReads; ++i) {
    const ssize_t count = ::pread(fd_.get(), piece.data(), piece.size(), offset_);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) error_ = Error{"cannot read: " + platform::errno_text(errno), source_.path, "", errno};
    if (count <= 0) return true;
    const std::string_view got{piece.data(), static_cast<std::size_t>(count)};
    offset_ += count;
    remember(got);
    lines_.feed(got, RecordKind::line, out_.text);
  }
  return false;
}

void FileTransport::switch_file() {
  Fd fresh{::open(source_.path.c_str(), kFlags)};
  if (!fresh) return tell_missing(errno);
  lines_.abandon("the file was replaced before the line had an end", out_.text);
  fd_ = std::move(fresh);
  offset_ = 0;
  tail_.clear();
  watch_.watch_file();
  writer_closed_ = std::exchange(arrived_, false);
  more_ = true;
}

void FileTransport::follow() {
  watch_.watch_file();
  more_ = false;
  check_rewritten();
  if (!read_added()) {
    more_ = true;
    return;
  }
  if (std::exchange(writer_closed_, false) && lines_.pending()) lines_.finish(RecordKind::line, out_.text);
  struct stat named {};
  if (::stat(source_.path.c_str(), &named) != 0) {
    if (looked_) tell_missing(errno);  // at a rotation it is missing for a moment only
    return;
  }
  tell_back();
  struct stat held {};
  if (::fstat(fd_.get(), &held) != 0) return;
  if (held.st_dev == named.st_dev && held.st_ino == named.st_ino) return;
  // A program whose file was rotated may write to the old one for a while: as long as the new one is empty.
  if (!S_ISREG(named.st_mode)) error_ = Error{"is no longer an ordinary file", source_.path, "", 0};
  else if (named.st_size > 0) switch_file();
}

void FileTransport::note_changes(MonoTime now) {
  const auto heard = watch_.heard();
  if (heard.closed) writer_closed_ = true;
  if (heard.arrived) arrived_ = true;
  looked_ = source_.timed;
  if (source_.timed) return;
  if (heard.changed && !whole_) due_ = true;
  if (heard.closed || heard.arrived) due_ = true;
  else if (heard.changed && whole_ && !settle_at_) settle_at_ = now + kRest;
  if (settle_at_ && now >= *settle_at_) due_ = true;
  if (now < look_at_) return;
  const bool first = look_at_ == MonoTime{};
  looked_ = !first;
  look_at_ = now + (of_kernel_ ? std::chrono::seconds{kKernelPeriod} : kLook);
  if (of_kernel_ || !whole_) {
    due_ = due_ || !first;
    return;
  }
  struct stat found {};
  const bool there = ::stat(source_.path.c_str(), &found) == 0;
  if (!there) tell_missing(errno);
  else if (!(signature(found) == seen_) && !settle_at_) settle_at_ = now + kRest;
}

void FileTransport::work(MonoTime now) {
  note_changes(now);
  if (!due_ && !more_) return;
  due_ = false;
  if (whole_) read_whole();
  else follow();
  if (source_.timed && !more_) append_record(out_.text, RecordKind::end, {});
}

MonoTime FileTransport::next_look() const {
  if (source_.timed) return MonoTime::max();
  return settle_at_ ? std::min(look_at_, *settle_at_) : look_at_;
}

ReadResult FileTransport::read(std::span<std::byte> buffer, MonoTime not_before, MonoTime deadline, Wake& wake) {
  if (const auto ended = platform::hold_back(not_before, deadline, wake)) return {*ended, 0, std::nullopt};
  for (;;) {
    if (out_.empty()) work(std::chrono::steady_clock::now());
    if (!out_.empty()) return {ReadResult::Kind::bytes, out_.take(buffer), std::nullopt};
    if (error_) return {ReadResult::Kind::closed, 0, error_};
    if (more_) {  // a line without end must not keep a stop waiting
      if (platform::wait_for(-1, 0, MonoTime{}, wake).end == WaitEnd::woken)
        return {ReadResult::Kind::woken, 0, std::nullopt};
      continue;
    }
    const auto waited = platform::wait_for(source_.timed ? -1 : watch_.fd(), POLLIN, std::min(deadline, next_look()), wake);
    if (waited.end == WaitEnd::woken) return {ReadResult::Kind::woken, 0, std::nullopt};
    if (waited.end == WaitEnd::failed)
      return {ReadResult::Kind::closed, 0, Error{platform::errno_text(waited.error), source_.path, "", waited.error}};
    if (waited.end == WaitEnd::timeout && std::chrono::steady_clock::now() >= deadline)
      return {ReadResult::Kind::timeout, 0, std::nullopt};
  }
}

Expected<void> FileTransport::write(std::span<const std::byte>, MonoTime, Wake&) {
  due_ = true;
  return {};
}

}  // namespace vz
