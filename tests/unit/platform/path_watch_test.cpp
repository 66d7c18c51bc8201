// SPDX-License-Identifier: GPL-3.0-or-later
// The way back of a device: folders and links that come and go, on a real file system.
#include "platform/path_watch.hpp"

#include <poll.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "platform/transport_factory.hpp"
#include "support/pch.hpp"

namespace vz::platform {
namespace {

namespace fs = std::filesystem;

class PathWatchTest : public testing::Test {
 protected:
  PathWatchTest() {
    std::string name = (fs::temp_directory_path() / "vz-way-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder");
    dir_ = name;
  }
  ~PathWatchTest() override { fs::remove_all(dir_); }
  void touch(const fs::path& path) { std::ofstream{path} << "x"; }
  fs::path dir_;
};

bool readable(const PathWatch& watch) {
  pollfd wanted{watch.fd(), POLLIN, 0};
  return ::poll(&wanted, 1, 0) == 1;
}

TEST_F(PathWatchTest, HearsOfTheNodeAlone) {
  PathWatch watch(dir_ / "tty");
  EXPECT_FALSE(readable(watch));
  touch(dir_ / "other");
  EXPECT_FALSE(watch.heard());
  touch(dir_ / "tty");
  EXPECT_TRUE(readable(watch));
  EXPECT_TRUE(watch.heard());
  EXPECT_FALSE(watch.heard());
}

TEST_F(PathWatchTest, HearsOfRights) {
  touch(dir_ / "tty");
  PathWatch watch(dir_ / "tty");
  EXPECT_FALSE(watch.heard());
  fs::permissions(dir_ / "tty", fs::perms::owner_read);
  EXPECT_TRUE(watch.heard());
}

TEST_F(PathWatchTest, FoldersMayBeMissing) {
  PathWatch watch(dir_ / "serial/by-id/head");
  fs::create_directory(dir_ / "serial");
  EXPECT_FALSE(watch.heard());
  fs::create_directory(dir_ / "serial/by-id");
  EXPECT_FALSE(watch.heard());
  touch(dir_ / "serial/by-id/head");
  EXPECT_TRUE(watch.heard());
}

TEST_F(PathWatchTest, FoldersMadeTogetherAreNotMissed) {
  PathWatch watch(dir_ / "serial/by-id/head");
  fs::create_directories(dir_ / "serial/by-id");
  touch(dir_ / "serial/by-id/head");
  EXPECT_TRUE(watch.heard());
}

TEST_F(PathWatchTest, OthersInTheFoldersAboveWakeNobody) {
  fs::create_directories(dir_ / "serial/by-id");
  touch(dir_ / "serial/by-id/head");
  PathWatch watch(dir_ / "serial/by-id/head");
  const auto others = [&] {
    touch(dir_ / "other");
    touch(dir_ / "serial/other");
    fs::remove(dir_ / "other");
    fs::remove(dir_ / "serial/other");
  };
  others();
  EXPECT_FALSE(readable(watch));
  fs::remove_all(dir_ / "serial/by-id");
  EXPECT_FALSE(watch.heard());
  fs::create_directories(dir_ / "serial/by-id");
  EXPECT_FALSE(watch.heard());
  others();
  EXPECT_FALSE(readable(watch)) << "the watch for the folder's return is over";
  touch(dir_ / "serial/by-id/head");
  EXPECT_TRUE(watch.heard());
}

TEST_F(PathWatchTest, FoldersMayGoAndComeBack) {
  fs::create_directories(dir_ / "serial/by-id");
  touch(dir_ / "serial/by-id/head");
  PathWatch watch(dir_ / "serial/by-id/head");
  for (int i = 0; i < 3; ++i) {
    fs::remove_all(dir_ / "serial");
    EXPECT_FALSE(watch.heard());
    fs::create_directories(dir_ / "serial/by-id");
    touch(dir_ / "serial/by-id/head");
    EXPECT_TRUE(watch.heard()) << i;
  }
}

TEST_F(PathWatchTest, FollowsLinks) {
  fs::create_directories(dir_ / "dev/serial");
  fs::create_symlink("../ttyUSB0", dir_ / "dev/serial/head");
  fs::create_symlink(dir_ / "dev/serial/head", dir_ / "meter");
  PathWatch watch(dir_ / "meter");
  touch(dir_ / "dev/ttyUSB0");
  EXPECT_TRUE(watch.heard());
  fs::remove(dir_ / "dev/serial/head");
  EXPECT_FALSE(watch.heard());
  touch(dir_ / "dev/ttyUSB1");
  EXPECT_FALSE(watch.heard());
  fs::create_symlink("../ttyUSB1", dir_ / "dev/serial/head");
  EXPECT_TRUE(watch.heard());
}

TEST_F(PathWatchTest, ALinkToItselfIsNoWay) {
  fs::create_symlink("loop", dir_ / "loop");
  PathWatch watch(dir_ / "loop");
  EXPECT_FALSE(watch.heard());
  fs::remove(dir_ / "loop");
  touch(dir_ / "loop");
  EXPECT_TRUE(watch.heard());
}

TEST_F(PathWatchTest, TheFactoryWatchesWhatHasAPath) {
  SystemTransportFactory factory;
  EXPECT_EQ(factory.watch(TcpPeer{"127.0.0.1", "1"}), nullptr);
  EXPECT_EQ(factory.watch(NoTransport{}), nullptr);
  const auto watch = factory.watch(SerialPort{dir_ / "tty"});
  ASSERT_NE(watch, nullptr);
  Wake wake;
  EXPECT_EQ(watch->wait(MonoTime{}, wake), ReturnWatch::End::timeout);
  touch(dir_ / "tty");
  EXPECT_EQ(watch->wait(MonoTime::max(), wake), ReturnWatch::End::returned);
  wake.wake();
  EXPECT_EQ(watch->wait(MonoTime::max(), wake), ReturnWatch::End::woken);
}

}  // namespace
}  // namespace vz::platform
