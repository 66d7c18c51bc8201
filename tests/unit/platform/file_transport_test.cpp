// SPDX-License-Identifier: GPL-3.0-or-later
// Files that grow, shrink, move and vanish; fifos whose writers come and go; files of the kernel.
#include "platform/file_transport.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <thread>

namespace vz {
namespace {

namespace fs = std::filesystem;
using std::chrono::seconds;
using Kind = ReadResult::Kind;

class FileTransportTest : public testing::Test {
 protected:
  FileTransportTest() {
    std::string name = (fs::temp_directory_path() / "vz-file-XXXXXX").string();
    dir_ = ::mkdtemp(name.data());
    path_ = (dir_ / "values").string();
  }
  ~FileTransportTest() override { fs::remove_all(dir_); }

  void write(const std::string& text, const fs::path& path) { std::ofstream{path, std::ios::trunc} << text; }
  void write(const std::string& text) { write(text, path_); }
  void append(const std::string& text) { std::ofstream{path_, std::ios::app} << text; }

  void open(bool rewind, bool timed) {
    auto opened = FileTransport::open({path_, rewind, timed});
    ASSERT_TRUE(opened) << opened.error().text();
    transport_ = std::move(*opened);
    records();
  }
  /// What is there now, as records; waits for the first bytes if `wait`.
  std::string records(bool wait = false) {
    std::string out;
    std::array<std::byte, 100> buffer;
    for (;;) {
      const MonoTime deadline = wait && out.empty() ? std::chrono::steady_clock::now() + seconds{30} : MonoTime{};
      const auto result = transport_->read(buffer, MonoTime{}, deadline, wake_);
      last_ = result.kind;
      if (result.kind != Kind::bytes) return out;
      for (std::size_t i = 0; i < result.count; ++i) out.push_back(static_cast<char>(buffer[i]));
    }
  }
  std::string ask() {
    EXPECT_TRUE(transport_->write({}, MonoTime{}, wake_));
    return records();
  }

  fs::path dir_;
  std::string path_;
  std::unique_ptr<Transport> transport_;
  Wake wake_;
  Kind last_{};
};

// ---- following

TEST_F(FileTransportTest, FollowsGrowthFromTheEnd) {
  write("1\n2\n");
  open(false, false);
  EXPECT_EQ(records(), "");
  append("3\n4\n");
  EXPECT_EQ(records(), "=3\n=4\n");
  EXPECT_EQ(last_, Kind::timeout);
  append("5\n");
  EXPECT_EQ(records(), "=5\n");
}

TEST_F(FileTransportTest, SaysWhatItSkips) {
  write("1\n2\n");
  auto opened = FileTransport::open({path_, false, false});
  ASSERT_TRUE(opened);
  transport_ = std::move(*opened);
  EXPECT_NE(records().find("the 4 bytes that it holds are skipped"), std::string::npos);
}

TEST_F(FileTransportTest, HalfALineWaitsForItsEnd) {
  write("");
  open(false, false);
  std::ofstream writer{path_, std::ios::app};
  writer << "12" << std::flush;
  EXPECT_EQ(records(), "");
  writer << ".5\n6" << std::flush;
  EXPECT_EQ(records(), "=12.5\n");
  writer.close();
  EXPECT_EQ(records(), "=6\n") << "its writer has closed the file";
}

TEST_F(FileTransportTest, ATruncatedFileIsReadFromItsBeginning) {
  write("1\n2\n3\n");
  open(false, false);
  write("7\n");
  EXPECT_EQ(records(), "=7\n");
}

TEST_F(FileTransportTest, AnOverwrittenFileIsReadFromItsBeginning) {
  write("21.5\n");
  open(false, false);
  write("22.0\n");
  EXPECT_EQ(records(), "=22.0\n") << "the size is the same";
  write("22.1\n22.2\n");
  EXPECT_EQ(records(), "=22.1\n=22.2\n") << "it has only grown";
}

TEST_F(FileTransportTest, ARotatedFileIsReadToItsEndFirst) {
  write("1\n");
  open(false, false);
  append("2\n");
  std::ofstream old{path_, std::ios::app};
  fs::rename(path_, dir_ / "values.1");
  write("");
  old << "3\n" << std::flush;  // the program does not know yet
  EXPECT_EQ(records(), "=2\n=3\n");
  old << "4\n" << std::flush;
  append("5\n");
  EXPECT_EQ(records(), "=4\n=5\n");
  append("6\n");
  EXPECT_EQ(records(), "=6\n");
}

TEST_F(FileTransportTest, ARenamedFileTakesItsPlace) {
  write("1\n");
  open(false, false);
  for (int i = 2; i < 6; ++i) {
    write(std::to_string(i), dir_ / "new");
    fs::rename(dir_ / "new", path_);
    EXPECT_EQ(records(), fmt::format("={}\n", i)) << "even without a line end";
  }
}

TEST_F(FileTransportTest, AHalfLineOfAReplacedFileIsNoLine) {
  write("");
  open(false, false);
  std::ofstream old{path_, std::ios::app};
  old << "12" << std::flush;
  EXPECT_EQ(records(), "");
  write("7\n", dir_ / "new");
  fs::rename(dir_ / "new", path_);
  const std::string got = records();
  EXPECT_TRUE(got.starts_with("-")) << got;
  EXPECT_TRUE(got.ends_with("\n=7\n")) << got;
}

TEST_F(FileTransportTest, ADeletedFileIsWaitedFor) {
  write("1\n");
  open(false, false);
  fs::remove(path_);
  EXPECT_EQ(records(), "");
  write("2\n");
  EXPECT_EQ(records(), "=2\n");
}

TEST_F(FileTransportTest, MuchAtOnceComesInPieces) {
  write("");
  open(false, false);
  std::string text;
  std::string expected;
  for (int i = 0; i < 50'000; ++i) {
    text += fmt::format("{}\n", i);
    expected += fmt::format("={}\n", i);
  }
  append(text);
  EXPECT_EQ(records(), expected);
}

TEST_F(FileTransportTest, WakesUpWhenTheFileGrows) {
  write("");
  open(false, false);
  std::jthread other{[&] { append("1\n"); }};
  EXPECT_EQ(records(true), "=1\n");
}

TEST_F(FileTransportTest, AWakeUpEndsTheWait) {
  write("");
  open(false, false);
  std::jthread other{[&] { wake_.wake(); }};
  std::array<std::byte, 10> buffer;
  EXPECT_EQ(transport_->read(buffer, MonoTime{}, MonoTime::max(), wake_).kind, Kind::woken);
}

// ---- timed

TEST_F(FileTransportTest, TimedReadsOnlyWhenAsked) {
  write("1\n");
  open(false, true);
  append("2\n");
  EXPECT_EQ(records(), "");
  EXPECT_EQ(ask(), "=2\n.\n");
  EXPECT_EQ(ask(), ".\n");
}

TEST_F(FileTransportTest, TimedWithRewindReadsAllEachTime) {
  write("1\n2");
  open(true, true);
  EXPECT_EQ(ask(), "=1\n=2\n.\n");
  EXPECT_EQ(ask(), "=1\n=2\n.\n");
  fs::remove(path_);
  const std::string missing = ask();
  EXPECT_TRUE(missing.starts_with("?")) << missing;
  EXPECT_EQ(ask(), ".\n") << "told once";
  write("3\n");
  EXPECT_TRUE(ask().ends_with("=3\n.\n"));
}

TEST_F(FileTransportTest, FilesOfTheKernelAreReadWhole) {
  path_ = "/proc/self/stat";
  open(false, true);
  for (int i = 0; i < 2; ++i) {
    const std::string got = ask();
    EXPECT_TRUE(got.starts_with(fmt::format("={} (", ::getpid()))) << got;
    EXPECT_TRUE(got.ends_with("\n.\n"));
  }
}

// ---- rewind, on change

TEST_F(FileTransportTest, RewindReadsTheWholeFileWhenItIsClosed) {
  write("1\n");
  open(true, false);
  EXPECT_EQ(records(), "") << "what was there before is of unknown age";
  write("2\n3\n");
  EXPECT_EQ(records(), "=2\n=3\n");
  EXPECT_EQ(records(), "");
  write("2\n3\n");
  EXPECT_EQ(records(), "=2\n=3\n") << "the same again is a reading, too";
}

TEST_F(FileTransportTest, RewindTakesARenamedFile) {
  write("1\n");
  open(true, false);
  for (int i = 2; i < 6; ++i) {
    write(std::to_string(i), dir_ / "new");
    fs::rename(dir_ / "new", path_);
    EXPECT_EQ(records(), fmt::format("={}\n", i));
  }
}

TEST_F(FileTransportTest, RewindReadsAFileThatStaysOpenWhenItRests) {
  write("");
  open(true, false);
  std::ofstream writer{path_, std::ios::app};
  writer << "1\n" << std::flush;
  EXPECT_EQ(records(), "") << "more may come";
  EXPECT_EQ(records(true), "=1\n");
}

// ---- fifos

TEST_F(FileTransportTest, WritersOfAFifoComeAndGo) {
  ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
  open(false, false);  // does not wait for a writer
  EXPECT_EQ(records(), "");
  for (int i = 0; i < 3; ++i) {
    append(fmt::format("{}\n{}", i, i + 10));
    EXPECT_EQ(records(), fmt::format("={}\n={}\n", i, i + 10));
    EXPECT_EQ(last_, Kind::timeout);
  }
  std::ofstream one{path_};
  one << "a" << std::flush;
  EXPECT_EQ(records(), "");
  one << "b\n" << std::flush;
  EXPECT_EQ(records(), "=ab\n");
}

TEST_F(FileTransportTest, ATimedFifoKeepsWhatComesInBetween) {
  ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
  open(false, true);
  append("1\n");
  append("2\n");
  EXPECT_EQ(records(), "");
  EXPECT_EQ(ask(), "=1\n=2\n.\n");
}

TEST_F(FileTransportTest, AFifoThatIsReplacedIsReadOn) {
  ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
  open(false, false);
  append("1\n");
  EXPECT_EQ(records(), "=1\n");
  fs::remove(path_);
  ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
  EXPECT_EQ(records(), "");  // opens the new one: a writer finds a reader
  append("2\n");
  EXPECT_EQ(records(true), "=2\n");
}

TEST_F(FileTransportTest, AWriterOfAReplacedFifoIsReadToItsEnd) {
  ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
  open(false, false);
  {
    std::ofstream old{path_};
    old << "1\n" << std::flush;
    fs::remove(path_);
    ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
    EXPECT_EQ(records(), "=1\n");
    old << "2\n" << std::flush;
    EXPECT_EQ(records(true), "=2\n");
  }
  EXPECT_EQ(records(), "");
  append("3\n");
  EXPECT_EQ(records(true), "=3\n");
}

TEST_F(FileTransportTest, TheFolderMayGoAndComeBack) {
  for (const bool rewind : {false, true}) {
    path_ = dir_ / "sub/dir/file";
    fs::create_directories(dir_ / "sub/dir");
    write("1\n");
    open(rewind, false);
    for (int i = 0; i < 2; ++i) {
      fs::remove_all(dir_ / "sub");
      records();
      fs::create_directories(dir_ / "sub/dir");
      records();
      write("2\n3\n");
      std::string got = records(true);
      while (got.find("3\n") == std::string::npos && last_ == Kind::timeout) got += records(true);
      EXPECT_NE(got.find("=2\n=3\n"), std::string::npos) << got;
    }
    fs::remove_all(dir_ / "sub");
  }
}

// ---- errors

TEST_F(FileTransportTest, ErrorsSayWhatToDo) {
  const auto missing = FileTransport::open({path_, false, false});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ENOENT);
  EXPECT_FALSE(missing.error().remedy.empty());
  const auto folder = FileTransport::open({dir_.string(), false, false});
  ASSERT_FALSE(folder);
  EXPECT_EQ(folder.error().code, EISDIR);
}

}  // namespace
}  // namespace vz
