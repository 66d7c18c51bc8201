// SPDX-License-Identifier: GPL-3.0-or-later
// Who says that the clock is kept right.
#include "platform/clock.hpp"

#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "support/pch.hpp"

namespace vz {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

class Timesyncd : public testing::Test {
 protected:
  Timesyncd() {
    std::string name = (fs::temp_directory_path() / "vz-timesync-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder");
    dir_ = name;
  }
  ~Timesyncd() override { fs::remove_all(dir_); }
  fs::path dir_;
};

TEST_F(Timesyncd, SaysItWithAFile) {
  EXPECT_EQ(timesyncd_synchronisation((dir_ / "timesync").string()), Synchronisation::unknown) << "it does not run";
  fs::create_directory(dir_ / "timesync");
  EXPECT_EQ(timesyncd_synchronisation((dir_ / "timesync").string()), Synchronisation::no);
  std::ofstream(dir_ / "timesync" / "synchronized").put('\n');
  EXPECT_EQ(timesyncd_synchronisation((dir_ / "timesync").string()), Synchronisation::yes);
}

TEST(Settling, WhatNobodyKnowsIsNotBelievedJustAfterBoot) {
  EXPECT_TRUE(is_settling(299s, Synchronisation::no));
  EXPECT_TRUE(is_settling(299s, Synchronisation::unknown));
  EXPECT_FALSE(is_settling(0s, Synchronisation::yes));
  EXPECT_FALSE(is_settling(300s, Synchronisation::no)) << "some machines never synchronise";
  EXPECT_FALSE(is_settling(300s, Synchronisation::unknown));
}

}  // namespace
}  // namespace vz
