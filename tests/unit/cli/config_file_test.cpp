// SPDX-License-Identifier: GPL-3.0-or-later
// How configurations are written: whole, and readable by those alone who have to.
#include "cli/config_file.hpp"

#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "support/pch.hpp"

namespace vz::cli {
namespace {

namespace fs = std::filesystem;

class WrittenFile : public testing::Test {
 protected:
  WrittenFile() {
    std::string name = (fs::temp_directory_path() / "vz-config-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder");
    dir_ = name;
    path_ = (dir_ / "a.conf").string();
  }
  ~WrittenFile() override { fs::remove_all(dir_); }
  static mode_t mode(const std::string& path) {
    struct stat found {};
    EXPECT_EQ(::stat(path.c_str(), &found), 0);
    return found.st_mode & 07777U;
  }
  static std::string text(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  fs::path dir_;
  std::string path_;
};

TEST_F(WrittenFile, ANewOneIsForItsOwnerAndAGroup) {
  const struct group* own = ::getgrgid(::getegid());
  ASSERT_NE(own, nullptr);
  ASSERT_TRUE(make_file(path_, "{}", own->gr_name));
  EXPECT_EQ(text(path_), "{}");
  EXPECT_EQ(mode(path_), 0640U);
}

TEST_F(WrittenFile, AServiceOfUnknownGroupCanReadIt) {
  ASSERT_TRUE(make_file(path_, "{}", "vz-no-such-group"));
  EXPECT_EQ(mode(path_), ::geteuid() == 0 ? 0644U : 0640U);
}

TEST_F(WrittenFile, ANewOneNeverTakesTheOldOnesPlace) {
  std::ofstream(path_) << "old";
  EXPECT_FALSE(make_file(path_, "new"));
  EXPECT_EQ(text(path_), "old");
}

TEST_F(WrittenFile, AReplacedOneKeepsItsModeAndItsLinks) {
  std::ofstream(path_) << "old";
  for (const mode_t wanted : {0600U, 0640U, 0644U}) {
    ASSERT_EQ(::chmod(path_.c_str(), wanted), 0);
    const std::string link = (dir_ / "link").string();
    fs::remove(link);
    fs::create_symlink(path_, link);
    ASSERT_TRUE(replace_file(link, "new"));
    EXPECT_EQ(text(path_), "new");
    EXPECT_EQ(mode(path_), wanted);
    EXPECT_TRUE(fs::is_symlink(link));
  }
}

}  // namespace
}  // namespace vz::cli
