// SPDX-License-Identifier: GPL-3.0-or-later
// The 1-wire bus as a folder that looks like the kernel's.
#include "platform/onewire_transport.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace vz {
namespace {

namespace fs = std::filesystem;
using Kind = ReadResult::Kind;

class OneWireTransportTest : public testing::Test {
 protected:
  OneWireTransportTest() {
    std::string name = (fs::temp_directory_path() / "vz-onewire-XXXXXX").string();
    dir_ = ::mkdtemp(name.data());
  }
  ~OneWireTransportTest() override { fs::remove_all(dir_); }

  void sensor(const std::string& name, const std::string& text) {
    fs::create_directory(dir_ / name);
    std::ofstream{dir_ / name / "w1_slave"} << text;
  }
  std::string ask() {
    if (!transport_) transport_ = OneWireTransport::open({dir_.string()}).value();
    EXPECT_TRUE(transport_->write({}, MonoTime{}, wake_));
    std::string out;
    std::array<std::byte, 10> buffer;
    for (;;) {
      const auto result = transport_->read(buffer, MonoTime{}, MonoTime{}, wake_);
      if (result.kind != Kind::bytes) return out;
      for (std::size_t i = 0; i < result.count; ++i) out.push_back(static_cast<char>(buffer[i]));
    }
  }

  fs::path dir_;
  std::unique_ptr<Transport> transport_;
  Wake wake_;
};

TEST_F(OneWireTransportTest, ReadsThermometersOnlyAndFindsNewOnes) {
  EXPECT_EQ(ask(), ".\n");
  sensor("28-b", "x : crc=57 YES\nx t=1000\n");
  sensor("w1_bus_master1", "");
  sensor("01-0000", "a key");
  EXPECT_EQ(ask(), "@28-b\n=x : crc=57 YES\n=x t=1000\n.\n");
  sensor("10-a", "y");
  EXPECT_EQ(ask(), "@10-a\n=y\n@28-b\n=x : crc=57 YES\n=x t=1000\n.\n");
}

TEST_F(OneWireTransportTest, OneThatCannotBeReadIsSaid) {
  fs::create_directory(dir_ / "28-a");
  sensor("28-b", "");
  EXPECT_EQ(ask(),
            "@28-a\n?sensor 28-a cannot be read: No such file or directory\n"
            "@28-b\n?sensor 28-b cannot be read: it says nothing\n.\n");
}

TEST_F(OneWireTransportTest, AWakeUpCountsBetweenSensors) {
  sensor("28-a", "x\n");
  transport_ = OneWireTransport::open({dir_.string()}).value();
  EXPECT_TRUE(transport_->write({}, MonoTime{}, wake_));
  wake_.wake();
  std::array<std::byte, 100> buffer;
  EXPECT_EQ(transport_->read(buffer, MonoTime{}, MonoTime::max(), wake_).kind, Kind::woken);
}

TEST_F(OneWireTransportTest, WithoutDriverItSaysWhatToLoad) {
  const auto opened = OneWireTransport::open({(dir_ / "none").string()});
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().remedy.find("modprobe"), std::string::npos);
}

}  // namespace
}  // namespace vz
