// SPDX-License-Identifier: GPL-3.0-or-later
#include "platform/serial_ports.hpp"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>

namespace vz::platform {
namespace {

namespace fs = std::filesystem;

class SerialPorts : public testing::Test {
 protected:
  SerialPorts() {
    std::string name = fs::temp_directory_path() / "vz-ports-XXXXXX";
    dir_ = ::mkdtemp(name.data());
  }
  ~SerialPorts() override { fs::remove_all(dir_); }
  void touch(const std::string& name) const {
    fs::create_directories((dir_ / name).parent_path());
    std::ofstream{dir_ / name};
  }
  fs::path dir_;
};

TEST_F(SerialPorts, NoneAtAll) {
  EXPECT_EQ(present_serial_ports(dir_), "");
  EXPECT_EQ(present_serial_ports(dir_ / "missing"), "");
}

TEST_F(SerialPorts, EachIsListedOnceByItsStableName) {
  for (const char* name : {"ttyUSB1", "ttyUSB0", "ttyS0"}) touch(name);
  fs::create_directories(dir_ / "serial/by-id");
  fs::create_symlink("../../ttyUSB0", dir_ / "serial/by-id/usb-FTDI_A-if00");
  const std::string d = dir_.string() + "/";
  EXPECT_EQ(serial_ports(dir_), (std::vector<std::string>{d + "serial/by-id/usb-FTDI_A-if00", d + "ttyUSB1"}));
  EXPECT_TRUE(serial_ports(dir_ / "missing").empty());
}

TEST_F(SerialPorts, StableNamesComeFirst) {
  for (const char* name : {"ttyUSB1", "ttyUSB0", "ttyACM0", "ttyS0", "null", "serial/by-id/usb-FTDI_A-if00"})
    touch(name);
  const std::string d = dir_.string() + "/";
  EXPECT_EQ(present_serial_ports(dir_),
            d + "serial/by-id/usb-FTDI_A-if00, " + d + "ttyACM0, " + d + "ttyUSB0, " + d + "ttyUSB1");
}

TEST_F(SerialPorts, TheListIsBounded) {
  for (std::size_t i = 0; i < kMaxPortsNamed + 3; ++i) touch(fmt::format("ttyUSB{:03}", i));
  EXPECT_THAT(present_serial_ports(dir_), testing::EndsWith("ttyUSB011 and 3 more"));
}

TEST(FlockHolder, FindsTheProcess) {
  constexpr std::string_view kLocks =
      "1: POSIX  ADVISORY  WRITE 700 00:05:601 0 EOF\n"
      "2: FLOCK  ADVISORY  WRITE 811 00:18:5 0 EOF\n"
      "2: -> FLOCK  ADVISORY  WRITE 999 00:05:601 0 EOF\n"
      "3: FLOCK  ADVISORY  WRITE 812 00:05:601 0 EOF\n"
      "4: FLOCK  ADVISORY  WRITE 813 00:05:6011 0 EOF";
  EXPECT_EQ(flock_holder(kLocks, makedev(0, 5), 601), 812);
  EXPECT_EQ(flock_holder(kLocks, makedev(0, 0x18), 5), 811);
  EXPECT_EQ(flock_holder(kLocks, makedev(0, 5), 6011), 813);
  EXPECT_EQ(flock_holder(kLocks, makedev(0, 5), 60), std::nullopt);
  EXPECT_EQ(flock_holder("", makedev(0, 5), 60), std::nullopt);
  EXPECT_EQ(flock_holder("\n\n1: FLOCK\nxx", makedev(0, 5), 60), std::nullopt);
  EXPECT_EQ(flock_holder("1: FLOCK A W 0 00:05:60 0 EOF", makedev(0, 5), 60), std::nullopt);  // another pid name space
}

TEST(SerialOpenError, EachCauseHasItsRemedy) {
  const auto remedy = [](int code) { return serial_open_error("/dev/null", code).remedy; };
  EXPECT_THAT(remedy(EBUSY), testing::HasSubstr("fuser -v /dev/null"));
  EXPECT_THAT(remedy(ENOTTY), testing::HasSubstr("`device`"));
  EXPECT_THAT(remedy(EIO), testing::HasSubstr("no hardware"));
  for (const int code : {EACCES, ENOENT, EBUSY, ENOTTY, EIO, EMFILE}) {
    const Error error = serial_open_error("/dev/x", code);
    EXPECT_EQ(error.where, "/dev/x");
    EXPECT_EQ(error.code, code);
    EXPECT_FALSE(error.what.empty());
  }
}

TEST_F(SerialPorts, NoPermissionNamesTheGroup) {
  touch("tty");
  const std::string path = dir_ / "tty";
  ::chmod(path.c_str(), 0660);
  if (::chown(path.c_str(), 0, 20) == 0) {  // root only
    EXPECT_THAT(serial_open_error(path, EACCES).remedy, testing::HasSubstr("usermod -aG dialout USER"));
  }
  ::chmod(path.c_str(), 0600);
  EXPECT_THAT(serial_open_error(path, EACCES).remedy, testing::HasSubstr("mode 0600"));
}

}  // namespace
}  // namespace vz::platform
