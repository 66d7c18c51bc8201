// SPDX-License-Identifier: GPL-3.0-or-later
#include "platform/log_sink.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "platform/fd.hpp"
#include "platform/line_writer.hpp"
#include "platform/log_line.hpp"

namespace vz {
namespace {

namespace fs = std::filesystem;
using platform::Fd;

class FakeClock final : public Clock {
 public:
  [[nodiscard]] Instant now() const override { return instant; }
  Instant instant{MonoTime{}, WallTime{std::chrono::milliseconds{1795342910999}}};  // 2026-11-22 10:21:50.999 UTC
};

struct Pipe {
  Pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) std::abort();
    reader = Fd{ends[0]};
    writer = Fd{ends[1]};
    ::fcntl(reader.get(), F_SETFL, O_NONBLOCK);
  }
  /// What was written so far.
  [[nodiscard]] std::string take() const {
    std::string text;
    char buffer[4096];
    for (ssize_t count = 0; (count = ::read(reader.get(), buffer, sizeof buffer)) > 0;)
      text.append(buffer, static_cast<std::size_t>(count));
    return text;
  }
  Fd reader;
  Fd writer;
};

std::string contents(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

std::string visible(std::string_view text) {
  spdlog::memory_buf_t out;
  platform::append_visible(out, text);
  return {out.data(), out.size()};
}

std::string line(std::string_view section, std::string_view text, const std::tm& when) {
  spdlog::memory_buf_t out;
  platform::append_line(out, when, section, text);
  return {out.data(), out.size()};
}

class DaemonLogTest : public testing::Test {
 protected:
  DaemonLogTest() {
    ::setenv("TZ", "UTC", 1);
    ::tzset();
    std::signal(SIGPIPE, SIG_IGN);
    std::string name = fs::temp_directory_path() / "vz-log-XXXXXX";
    dir_ = ::mkdtemp(name.data());
    path_ = dir_ / "vzlogger.log";
  }
  ~DaemonLogTest() override { fs::remove_all(dir_); }
  std::unique_ptr<DaemonLog> make(Console console = Console::split, int verbosity = 5) {
    auto log = std::make_unique<DaemonLog>(clock_, console, out_.writer.get(), err_.writer.get());
    log->set_verbosity(verbosity);
    return log;
  }
  FakeClock clock_;
  Pipe out_;
  Pipe err_;
  fs::path dir_;
  fs::path path_;
};

// ---- the line

TEST(LogLine, AsTheOldDaemonWroteIt) {
  std::tm when{};
  when.tm_mon = 10;
  when.tm_mday = 2;
  when.tm_hour = 1;
  when.tm_min = 2;
  when.tm_sec = 3;
  EXPECT_EQ(line("main", "log level is 0", when), "[Nov 02 01:02:03][main] log level is 0\n");
  EXPECT_EQ(line("d0", "x", when), "[Nov 02 01:02:03][d0]   x\n");
  EXPECT_EQ(line("", "x", when), "[Nov 02 01:02:03]       x\n");
  EXPECT_EQ(line("chn10", "x", when), "[Nov 02 01:02:03][chn10]x\n");
  EXPECT_EQ(line("chn100", "x", when), "[Nov 02 01:02:03][chn100x\n");
  EXPECT_EQ(line("random", "x", when), "[Nov 02 01:02:03][randomx\n");
  EXPECT_EQ(line("550e8400-e29b", "x", when), "[Nov 02 01:02:03][550e84x\n");
  EXPECT_EQ(line("main", "", when), "[Nov 02 01:02:03][main] \n");
}

TEST(LogLine, EnglishMonths) {
  std::string months;
  for (int month = 0; month < 12; ++month) {
    std::tm when{};
    when.tm_mon = month;
    when.tm_mday = 1;
    months += line("", "", when).substr(1, 3);
  }
  EXPECT_EQ(months, "JanFebMarAprMayJunJulAugSepOctNovDec");
}

TEST(LogLine, ControlCharactersAreShown) {
  EXPECT_EQ(visible("\x06"
                    "050\r\n"),
            "\\x06050<CR><LF>");
  EXPECT_EQ(visible(std::string_view{"a\0b\tc\x1b[31m\x7f", 11}), "a\\x00b\\x09c\\x1b[31m\\x7f");
  EXPECT_EQ(visible("\xC2\x9B"
                    "31m"),
            "\\xc2\\x9b31m");  // the 8 bit form of ESC [
}

TEST(LogLine, Utf8PassesAndNothingElse) {
  EXPECT_EQ(visible("SyM² Grüße € 𝄞"), "SyM² Grüße € 𝄞");
  EXPECT_EQ(visible("\xFC"), "\\xfc");
  EXPECT_EQ(visible("a\xC3"), "a\\xc3");
  EXPECT_EQ(visible("\xE2\x82"), "\\xe2\\x82");
  EXPECT_EQ(visible("\xC0\xAF"), "\\xc0\\xaf");                    // overlong
  EXPECT_EQ(visible("\xE0\x80\xAF"), "\\xe0\\x80\\xaf");           // overlong
  EXPECT_EQ(visible("\xED\xA0\x80"), "\\xed\\xa0\\x80");           // surrogate
  EXPECT_EQ(visible("\xF4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");  // beyond Unicode
}

TEST(LogLine, AMessageIsBounded) {
  EXPECT_EQ(visible(std::string(platform::kMaxMessage + 7, 'x')),
            fmt::format("{}... (7 more bytes)", std::string(platform::kMaxMessage, 'x')));
}

// ---- where lines go

TEST_F(DaemonLogTest, AlertsToStderrTheRestToStdout) {
  const auto log = make();
  log->write(Level::alert, "main", "started");
  log->write(Level::error, "mtr0", "odd");
  log->write(Level::info, "", "hello");
  EXPECT_EQ(err_.take(), "[Nov 22 10:21:50][main] started\n");
  EXPECT_EQ(out_.take(), "[Nov 22 10:21:50][mtr0] odd\n[Nov 22 10:21:50]       hello\n");
}

TEST_F(DaemonLogTest, AllToStderrUnderAServiceManager) {
  const auto log = make(Console::errors);
  log->write(Level::alert, "main", "a");
  log->write(Level::info, "main", "b");
  EXPECT_EQ(err_.take(), "[Nov 22 10:21:50][main] a\n[Nov 22 10:21:50][main] b\n");
  EXPECT_EQ(out_.take(), "");
}

TEST_F(DaemonLogTest, NothingToTheConsoleInTheBackground) {
  const auto log = make();
  log->set_console(Console::off);
  log->write(Level::alert, "main", "a");
  EXPECT_EQ(err_.take() + out_.take(), "");
  ASSERT_TRUE(log->open_file(path_));
  EXPECT_EQ(contents(path_), "[Nov 22 10:21:50][main] a\n");
}

TEST_F(DaemonLogTest, ShowsLevelsUpToTheVerbosity) {
  const auto log = make(Console::errors, 3);
  EXPECT_TRUE(log->enabled(Level::warning));
  EXPECT_FALSE(log->enabled(Level::info));
  log->write(Level::info, "", "no");
  log->print(Level::debug, "", "no {}", 1);
  EXPECT_EQ(err_.take(), "");
  log->set_verbosity(15);
  log->print(Level::finest, "", "yes {}", 1);
  EXPECT_THAT(err_.take(), testing::HasSubstr("yes 1"));
  log->set_verbosity(-1);
  EXPECT_FALSE(log->enabled(Level::alert));
  log->write(Level::alert, "", "no");
  EXPECT_EQ(err_.take(), "");
}

TEST_F(DaemonLogTest, LocalTime) {
  ::setenv("TZ", "EST5", 1);
  ::tzset();
  const auto log = make(Console::errors);
  log->write(Level::alert, "main", "a");
  EXPECT_EQ(err_.take(), "[Nov 22 05:21:50][main] a\n");
}

// ---- the file

TEST_F(DaemonLogTest, TheFileBeginsWithWhatCameBeforeIt) {
  const auto log = make();
  log->write(Level::alert, "main", "early\nbird");
  log->write(Level::debug, "main", "not shown");
  ASSERT_TRUE(log->open_file(path_));
  clock_.instant.wall += std::chrono::seconds{1};
  log->write(Level::info, "main", "late");
  EXPECT_EQ(contents(path_), "[Nov 22 10:21:50][main] early<LF>bird\n[Nov 22 10:21:51][main] late\n");
}

TEST_F(DaemonLogTest, LongStartMessagesAreKeptWhole) {
  const auto log = make(Console::off);
  log->write(Level::alert, "main", std::string(2000, 'x'));
  log->write(Level::alert, "main", "next");
  ASSERT_TRUE(log->open_file(path_));
  EXPECT_THAT(contents(path_),
              testing::EndsWith(fmt::format("{}\n[Nov 22 10:21:50][main] next\n", std::string(2000, 'x'))));
}

TEST_F(DaemonLogTest, WhatIsKeptIsBoundedAndToldSo) {
  const auto log = make(Console::off);
  const std::string text(1000, 'x');
  for (std::size_t i = 0; i < DaemonLog::kMaxKept / text.size() + 10; ++i) log->write(Level::alert, "main", text);
  ASSERT_TRUE(log->open_file(path_));
  EXPECT_LE(fs::file_size(path_), DaemonLog::kMaxKept + 200);
  EXPECT_THAT(contents(path_), testing::HasSubstr("further messages came before the log file was open"));
}

TEST_F(DaemonLogTest, WithoutAFileNothingIsKept) {
  const auto log = make(Console::off);
  log->write(Level::alert, "main", "early");
  log->no_file();
  ASSERT_TRUE(log->open_file(path_));
  EXPECT_EQ(contents(path_), "");
}

TEST_F(DaemonLogTest, TheFileIsAppendedTo) {
  std::ofstream{path_} << "old\n";
  const auto log = make(Console::off);
  ASSERT_TRUE(log->open_file(path_));
  log->write(Level::alert, "main", "a");
  fs::resize_file(path_, 0);  // logrotate with copytruncate
  log->write(Level::alert, "main", "b");
  EXPECT_EQ(contents(path_), "[Nov 22 10:21:50][main] b\n");
}

TEST_F(DaemonLogTest, AFileThatCannotBeOpened) {
  const auto log = make();
  log->write(Level::info, "main", "early");
  const auto opened = log->open_file(dir_ / "missing/x.log");
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ENOENT);
  EXPECT_EQ(opened.error().what, "No such file or directory");
  EXPECT_EQ(opened.error().where, dir_ / "missing/x.log");
  ASSERT_TRUE(log->open_file(path_));
  EXPECT_THAT(contents(path_), testing::HasSubstr("early"));
}

TEST_F(DaemonLogTest, ReopenFollowsARotation) {
  const auto log = make(Console::off, 15);
  ASSERT_TRUE(log->open_file(path_));
  log->write(Level::alert, "main", "a");
  fs::rename(path_, dir_ / "old.log");
  log->write(Level::alert, "main", "b");
  log->reopen();
  log->write(Level::alert, "main", "c");
  EXPECT_EQ(contents(dir_ / "old.log"),
            "[Nov 22 10:21:50][main] a\n[Nov 22 10:21:50][main] b\n"
            "[Nov 22 10:21:50]       closing logfile for re-opening (requested with SIGUSR1)\n");
  EXPECT_EQ(contents(path_),
            "[Nov 22 10:21:50]       re-opened logfile (requested with SIGUSR1)\n[Nov 22 10:21:50][main] c\n");
}

TEST_F(DaemonLogTest, AFailedReopenKeepsTheOldFile) {
  fs::create_directory(dir_ / "sub");
  const auto log = make();
  ASSERT_TRUE(log->open_file(dir_ / "sub/x.log"));
  fs::rename(dir_ / "sub", dir_ / "moved");
  log->reopen();
  log->write(Level::info, "main", "still here");
  EXPECT_THAT(
      contents(dir_ / "moved/x.log"),
      testing::AllOf(testing::HasSubstr("x.log\" failed: No such file or directory; still writing to the old file"),
                     testing::EndsWith("still here\n")));
  EXPECT_THAT(err_.take(), testing::HasSubstr("No such file or directory"));
}

TEST_F(DaemonLogTest, ReopenWithoutAFileDoesNothing) {
  const auto log = make();
  log->reopen();
  EXPECT_EQ(out_.take() + err_.take(), "");
}

TEST_F(DaemonLogTest, ReopenIsIndependentOfTheDirectory) {
  const auto log = make(Console::off);
  const fs::path before = fs::current_path();
  fs::current_path(dir_);
  ASSERT_TRUE(log->open_file("vzlogger.log"));
  fs::current_path("/");
  fs::remove(path_);
  log->reopen();
  fs::current_path(before);
  EXPECT_TRUE(fs::exists(path_));
}

TEST_F(DaemonLogTest, AFullDiskIsToldOnTheConsoleOnce) {
  const auto log = make(Console::errors);
  ASSERT_TRUE(log->open_file("/dev/full"));
  for (int i = 0; i < 3; ++i) log->write(Level::info, "main", "x");
  const std::string told = err_.take();
  EXPECT_THAT(told, testing::HasSubstr("cannot write the log file \"/dev/full\": No space left on device"));
  EXPECT_EQ(told.find("cannot write"), told.rfind("cannot write"));
}

// ---- readers that do not read

TEST_F(DaemonLogTest, AFullPipeLosesLinesAndCountsThemButTearsNone) {
  for (const std::size_t size : {1000U, 9000U}) {  // below and above what a pipe takes in one piece
    const auto log = make(Console::errors);
    const std::string text(size, 'x');
    for (int i = 0; i < 200; ++i) log->write(Level::info, "main", text);
    std::string got = err_.take();
    log->write(Level::info, "main", "after");
    got += err_.take();
    const std::string whole = "[Nov 22 10:21:50][main] " + text + "\n";
    std::size_t lines = 0;
    for (; got.starts_with(whole); ++lines) got.erase(0, whole.size());
    EXPECT_GT(lines, 0U);
    EXPECT_EQ(got, fmt::format("[Nov 22 10:21:50][main] {} messages were lost here: nothing read them\n"
                               "[Nov 22 10:21:50][main] after\n",
                               200 - lines));
  }
}

TEST_F(DaemonLogTest, NobodyBehindThePipe) {
  const auto log = make(Console::errors);
  err_.reader.reset();
  for (int i = 0; i < 100; ++i) log->write(Level::info, "main", "x");
  ASSERT_TRUE(log->open_file(path_));
  EXPECT_THAT(contents(path_), testing::HasSubstr("[main] x\n"));
}

TEST_F(DaemonLogTest, ASocketForTheJournal) {
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  const Fd reader{ends[0]};
  Fd writer{ends[1]};
  DaemonLog log{clock_, Console::errors, writer.get(), writer.get()};
  log.write(Level::alert, "main", "a");
  char buffer[100] = {};
  EXPECT_EQ(::recv(reader.get(), buffer, sizeof buffer, 0), 26);
  EXPECT_STREQ(buffer, "[Nov 22 10:21:50][main] a\n");
  const std::string text(10'000, 'x');
  for (int i = 0; i < 200; ++i) log.write(Level::alert, "main", text);  // more than it holds
}

TEST_F(DaemonLogTest, ClosedStandardDescriptors) {
  const auto gone = [] {
    Pipe pipe;
    return pipe.writer.get();
  }();
  DaemonLog log{clock_, Console::split, gone, gone};
  log.write(Level::alert, "main", "a");
  ASSERT_TRUE(log.open_file(path_));
  EXPECT_EQ(contents(path_), "[Nov 22 10:21:50][main] a\n");
}

TEST_F(DaemonLogTest, ThreadsDoNotMixTheirLines) {
  const auto log = make(Console::off);
  ASSERT_TRUE(log->open_file(path_));
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < 250; ++i)
          log->print(Level::info, "main", "{}", std::string(40, static_cast<char>('a' + t)));
      });
    }
    for (int i = 0; i < 20; ++i) log->reopen();
  }
  std::ifstream in(path_);
  int lines = 0;
  for (std::string text; std::getline(in, text); ++lines) {
    if (text.find("SIGUSR1") != std::string::npos) continue;
    EXPECT_EQ(text.size(), 64U);
    EXPECT_EQ(text.find_first_not_of(text.back(), 24), std::string::npos);
  }
  EXPECT_EQ(lines, 1000 + 40);
}

}  // namespace
}  // namespace vz
