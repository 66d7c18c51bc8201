// SPDX-License-Identifier: GPL-3.0-or-later
#include "cli/output_file.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <sstream>

namespace vz::cli {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class OutputFileTest : public ::testing::Test {
 protected:
  OutputFileTest() {
    std::string name = (fs::temp_directory_path() / "vz-output-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder");
    folder_ = name;
  }
  ~OutputFileTest() override { fs::remove_all(folder_); }

  std::string path(const char* name) const { return folder_ / name; }
  std::string text(const char* name) const {
    std::ostringstream out;
    out << std::ifstream(path(name)).rdbuf();
    return out.str();
  }
  void put(const char* name, const std::string& text) const { std::ofstream(path(name)) << text; }
  std::size_t files() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()));
  }

  fs::path folder_;
};

TEST_F(OutputFileTest, MakesAFile) {
  {
    OutputFile file(path("new"));
    ASSERT_TRUE(file.open());
    file.stream() << "1\n2\n";
    ASSERT_TRUE(file.finish());
  }
  EXPECT_EQ(text("new"), "1\n2\n");
  EXPECT_EQ(files(), 1U);
}

TEST_F(OutputFileTest, WithoutTheEndNothingHasHappened) {
  put("old", "precious");
  {
    OutputFile old(path("old"));
    OutputFile fresh(path("fresh"));
    ASSERT_TRUE(old.open());
    ASSERT_TRUE(fresh.open());
    old.stream() << std::string(100'000, 'x');
  }
  EXPECT_EQ(text("old"), "precious");
  EXPECT_EQ(files(), 1U);
}

TEST_F(OutputFileTest, KeepsModeAndLink) {
  put("old", "long text");
  fs::permissions(path("old"), fs::perms{0640});
  fs::create_symlink("old", path("link"));
  OutputFile file(path("link"));
  ASSERT_TRUE(file.open());
  file.stream() << "new";
  ASSERT_TRUE(file.finish());
  EXPECT_EQ(text("old"), "new");
  EXPECT_TRUE(fs::is_symlink(path("link")));
  EXPECT_EQ(fs::status(path("old")).permissions(), fs::perms{0640});
}

TEST_F(OutputFileTest, KeepsALinkToWhatIsNotThereYet) {
  fs::create_directory(path("data"));
  fs::create_symlink("data/new", path("second"));
  fs::create_symlink(path("second"), path("first"));
  OutputFile file(path("first"));
  ASSERT_TRUE(file.open());
  file.stream() << "text";
  ASSERT_TRUE(file.finish());
  EXPECT_TRUE(fs::is_symlink(path("first")));
  EXPECT_TRUE(fs::is_symlink(path("second")));
  EXPECT_EQ(text("data/new"), "text");
}

TEST_F(OutputFileTest, LinksInACircleAreLeftAlone) {
  fs::create_symlink("b", path("a"));
  fs::create_symlink("a", path("b"));
  EXPECT_FALSE(OutputFile(path("a")).open());
  EXPECT_TRUE(fs::is_symlink(path("a")));
  EXPECT_EQ(files(), 2U);
}

TEST_F(OutputFileTest, AUsersFileStaysHisWhenRootReplacesIt) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can tell";
  constexpr uid_t kUser = 12345;
  put("old", "text");
  ASSERT_EQ(::chown(path("old").c_str(), kUser, kUser), 0);
  OutputFile file(path("old"));
  ASSERT_TRUE(file.open());
  file.stream() << "new";
  ASSERT_TRUE(file.finish());
  struct stat found {};
  ASSERT_EQ(::stat(path("old").c_str(), &found), 0);
  EXPECT_EQ(found.st_uid, kUser);
  EXPECT_EQ(found.st_gid, kUser);
  EXPECT_EQ(text("old"), "new");
}

TEST_F(OutputFileTest, ADeviceIsWrittenTo) {
  OutputFile file("/dev/null");
  ASSERT_TRUE(file.open());
  file.stream() << "gone";
  EXPECT_TRUE(file.finish());
  EXPECT_TRUE(fs::is_character_file("/dev/null"));
}

TEST_F(OutputFileTest, AFullDiskIsTold) {
  OutputFile file("/dev/full");
  ASSERT_TRUE(file.open());
  file.stream() << "text";
  const auto finished = file.finish();
  ASSERT_FALSE(finished);
  EXPECT_THAT(finished.error().text(), HasSubstr("No space left"));
}

TEST_F(OutputFileTest, WhatCannotBeMadeIsTold) {
  EXPECT_THAT(OutputFile(path("none/new")).open().error().text(), HasSubstr("none/new"));
  EXPECT_THAT(OutputFile(folder_.string()).open().error().text(), HasSubstr("is a folder"));
}

}  // namespace
}  // namespace vz::cli
