// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace vz::test {

/// How a program ended.
struct Exit {
  int status = -1;  ///< exit status; -1 if a signal ended it
  int signal = 0;   ///< the signal; 0 if it ended by itself
  bool operator==(const Exit&) const = default;
};

/// What a program is started with, besides its arguments.
struct ProcessOptions {
  /// Changes to the inherited environment: a value, or nothing to remove the variable.
  std::vector<std::pair<std::string, std::optional<std::string>>> environment{};
  std::string directory{};  ///< to run in; empty: the test's own
};

/// A child program for a test: standard output and error are captured while it runs, so that it never blocks on a full
/// pipe (beyond kMaxCapture a stream is thrown away), and nothing of it outlives the object. It runs in a process group
/// of its own, with /dev/null as its input. The destructor kills the whole group. What the test waits for has a
/// deadline; nothing sleeps. Thread-compatible; the thread that constructs it must outlive it. Construction throws
/// std::system_error if the program cannot be started.
class Process {
 public:
  enum class Stream { out, err };
  using Options = ProcessOptions;
  static constexpr std::chrono::seconds kDeadline{20};
  static constexpr std::size_t kMaxCapture = 64 * 1024 * 1024;

  explicit Process(std::vector<std::string> argv, Options options = {}) { start(std::move(argv), std::move(options)); }
  ~Process() {
    ::kill(-pid_, SIGKILL);  // also the children of a program that has ended
    const std::uint64_t one = 1;
    if (::write(quit_, &one, sizeof one) < 0) std::terminate();
    reader_.join();
    ::close(quit_);
    reap();
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }

  /// The next line of `stream`, after those that earlier calls returned or passed over, in which `part` stands.
  /// Empty at the deadline, or as soon as the stream has ended without such a line.
  std::optional<std::string> wait_for_line(std::string_view part, Stream stream = Stream::out,
                                           std::chrono::milliseconds deadline = kDeadline) {
    std::unique_lock lock(mutex_);
    Capture& capture = captures_[index(stream)];
    std::optional<std::string> found;
    changed_.wait_for(lock, deadline, [&] {
      found = next_line(capture, part);
      return found || capture.ended;
    });
    return found;
  }

  /// All that was written to `stream` so far; complete after wait_exit() if no grandchild still has it open.
  [[nodiscard]] std::string output(Stream stream = Stream::out) const {
    const std::lock_guard lock(mutex_);
    return captures_[index(stream)].text;
  }

  /// Sends a signal to the program itself; false if it has ended.
  bool send(int signal) {
    const std::lock_guard lock(mutex_);
    return !exit_ && ::kill(pid_, signal) == 0;
  }

  /// How the program ended; empty at the deadline. Its output is complete then (see output()).
  std::optional<Exit> wait_exit(std::chrono::milliseconds deadline = kDeadline) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, deadline, [&] { return exit_.has_value(); });
    return exit_;
  }

 private:
  struct Capture {
    std::string text;
    std::size_t read = 0;  ///< lines before this were returned or passed over
    bool ended = false;
  };

  static std::size_t index(Stream stream) { return stream == Stream::out ? 0 : 1; }

  static std::optional<std::string> next_line(Capture& capture, std::string_view part) {
    for (;;) {
      auto end = capture.text.find('\n', capture.read);
      // the last line of a stream that ended may lack its newline
      if (end == std::string::npos && capture.ended && capture.read < capture.text.size()) end = capture.text.size();
      if (end == std::string::npos) return std::nullopt;
      std::string line = capture.text.substr(capture.read, end - capture.read);
      capture.read = std::min(end + 1, capture.text.size());
      if (line.find(part) != std::string::npos) return line;
    }
  }

  static void check(bool good, const char* what) {
    if (!good) throw std::system_error(errno, std::generic_category(), what);
  }

  static std::vector<std::string> environment(const Options& options) {
    std::vector<std::string> result;
    for (char** entry = environ; *entry != nullptr; ++entry) {
      const std::string_view text = *entry;
      const auto name = text.substr(0, text.find('='));
      bool changed = false;
      for (const auto& change : options.environment) changed = changed || change.first == name;
      if (!changed) result.emplace_back(text);
    }
    for (const auto& [name, value] : options.environment)
      if (value) result.push_back(name + "=" + *value);
    return result;
  }

  static std::vector<char*> pointers(std::vector<std::string>& texts) {
    std::vector<char*> result;
    for (std::string& text : texts) result.push_back(text.data());
    result.push_back(nullptr);
    return result;
  }

  void start(std::vector<std::string> argv, Options options) {
    std::vector<std::string> env = environment(options);
    const std::vector<char*> argv_pointers = pointers(argv);
    const std::vector<char*> env_pointers = pointers(env);
    std::array<int, 2> out{};
    std::array<int, 2> err{};
    std::array<int, 2> failure{};  // closed by a successful exec; else it brings errno
    check(::pipe2(out.data(), O_CLOEXEC) == 0, "pipe");
    check(::pipe2(err.data(), O_CLOEXEC) == 0, "pipe");
    for (const int fd : {out[0], err[0]}) ::fcntl(fd, F_SETFL, O_NONBLOCK);
    check(::pipe2(failure.data(), O_CLOEXEC) == 0, "pipe");
    quit_ = ::eventfd(0, EFD_CLOEXEC);
    check(quit_ >= 0, "eventfd");

    pid_ = ::fork();
    check(pid_ >= 0, "fork");
    if (pid_ == 0) {  // only async-signal-safe calls from here on
      become(argv_pointers, env_pointers, options.directory, out[1], err[1]);
      const int error = errno;
      if (::write(failure[1], &error, sizeof error) < 0) ::_exit(126);
      ::_exit(127);
    }
    ::setpgid(pid_, pid_);  // as the child does: whoever comes first
    ::close(out[1]);
    ::close(err[1]);
    ::close(failure[1]);
    int error = 0;
    const bool failed = ::read(failure[0], &error, sizeof error) == sizeof error;
    ::close(failure[0]);
    if (!failed) {
      // not through <sys/pidfd.h>, which glibc 2.36 cannot link from C++
      pidfd_ = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0));
      if (pidfd_ < 0) error = errno;
    }
    if (pidfd_ < 0) {
      ::kill(-pid_, SIGKILL);
      ::close(out[0]);
      ::close(err[0]);
      ::close(quit_);
      reap();
      throw std::system_error(error, std::generic_category(), "cannot start " + argv.at(0));
    }
    reader_ = std::thread([this, fds = std::array{out[0], err[0]}] { pump(fds); });
  }

  static void become(const std::vector<char*>& argv, const std::vector<char*>& env, const std::string& directory,
                     int out, int err) {
    ::setpgid(0, 0);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // a test that crashes takes its children along
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::signal(SIGPIPE, SIG_DFL);
    const int null = ::open("/dev/null", O_RDWR);
    if (null < 0 || ::dup2(null, 0) < 0 || ::dup2(out, 1) < 0 || ::dup2(err, 2) < 0) return;
    if (null > 2) ::close(null);
    if (!directory.empty() && ::chdir(directory.c_str()) != 0) return;
    ::execvpe(argv[0], argv.data(), env.data());
  }

  /// Reads both pipes and waits for the end of the program, until all is over or the destructor asks.
  void pump(std::array<int, 2> fds) {
    int program = pidfd_;
    while (fds[0] >= 0 || fds[1] >= 0 || program >= 0) {
      std::array<pollfd, 4> wait{{{fds[0], POLLIN, 0}, {fds[1], POLLIN, 0}, {program, POLLIN, 0}, {quit_, POLLIN, 0}}};
      if (::poll(wait.data(), wait.size(), -1) < 0 && errno != EINTR) break;
      if (wait[3].revents != 0) break;
      for (std::size_t i = 0; i < fds.size(); ++i)
        if (wait[i].revents != 0) drain(fds[i], captures_[i]);
      if (wait[2].revents == 0) continue;
      // it ended, so what it wrote is all in the pipes
      for (std::size_t i = 0; i < fds.size(); ++i) drain(fds[i], captures_[i]);
      reap();
      program = -1;
    }
    for (const int fd : fds)
      if (fd >= 0) ::close(fd);
    ::close(pidfd_);
  }

  /// Takes what is in the pipe now; closes it at its end.
  void drain(int& fd, Capture& capture) {
    std::array<char, 4096> buffer;
    while (fd >= 0) {
      const ssize_t count = ::read(fd, buffer.data(), buffer.size());
      if (count < 0 && errno == EINTR) continue;
      if (count < 0 && errno == EAGAIN) return;
      const std::lock_guard lock(mutex_);
      if (count > 0) {
        if (capture.text.size() < kMaxCapture) capture.text.append(buffer.data(), static_cast<std::size_t>(count));
      } else {
        capture.ended = true;
        ::close(fd);
        fd = -1;
      }
      changed_.notify_all();
    }
  }

  /// Waits for the program and notes how it ended.
  void reap() {
    const std::lock_guard lock(mutex_);  // so that send() never meets a number that the system gave to another
    if (exit_) return;
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    exit_ = WIFSIGNALED(status) ? Exit{.status = -1, .signal = WTERMSIG(status)}
                                : Exit{.status = WEXITSTATUS(status), .signal = 0};
    changed_.notify_all();
  }

  pid_t pid_ = -1;
  int pidfd_ = -1;
  int quit_ = -1;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::array<Capture, 2> captures_;
  std::optional<Exit> exit_;
  std::thread reader_;
};

}  // namespace vz::test
