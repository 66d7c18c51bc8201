// SPDX-License-Identifier: GPL-3.0-or-later
// GPIO on a stand-in for libgpiod: there is no chip to be had here, real or simulated.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>

#include "core/edge_records.hpp"
#include "platform/gpio_lookup.hpp"
#include "platform/gpio_transport.hpp"
#include "platform/libgpiod_driver.hpp"

namespace vz {
namespace {

namespace fs = std::filesystem;
using platform::GpioChip;
using platform::GpioEvent;
using platform::GpioLine;
using platform::SysfsGpioRange;
using std::chrono::milliseconds;
using std::chrono::seconds;

/// A line whose edges are written into a pipe, as the kernel keeps them in a queue.
struct FakePin {
  FakePin() {
    if (::pipe2(pipe, O_NONBLOCK | O_CLOEXEC) != 0) std::abort();
  }
  ~FakePin() {
    ::close(pipe[0]);
    if (pipe[1] >= 0) ::close(pipe[1]);
  }
  void edge(bool rising, MonoTime at) const {
    const GpioEvent event{rising, at};
    ASSERT_EQ(::write(pipe[1], &event, sizeof event), static_cast<ssize_t>(sizeof event));
  }
  void unplug() {
    ::close(pipe[1]);
    pipe[1] = -1;
  }
  int pipe[2] = {-1, -1};
  bool level = false;
  bool taken = false;
};

class FakeLine final : public GpioLine {
 public:
  explicit FakeLine(FakePin& pin) : pin_(pin) { pin_.taken = true; }
  ~FakeLine() override { pin_.taken = false; }
  [[nodiscard]] int fd() const override { return pin_.pipe[0]; }
  Expected<std::size_t> take(std::span<GpioEvent> events) override {
    const ssize_t size = ::read(pin_.pipe[0], events.data(), events.size_bytes());
    if (size == 0) return tl::unexpected(Error{"gone", "pin", "", ENODEV});
    return size < 0 ? 0 : static_cast<std::size_t>(size) / sizeof(GpioEvent);
  }
  Expected<bool> level() override { return pin_.level; }

 private:
  FakePin& pin_;
};

class FakeDriver final : public platform::GpioDriver {
 public:
  [[nodiscard]] std::vector<GpioChip> chips() const override { return {{"gpiochip0", "pinctrl-bcm2711", 58, 0}}; }
  Expected<std::unique_ptr<GpioLine>> request(const std::string& chip, unsigned line) override {
    if (chip != "gpiochip0") return tl::unexpected(Error{"no such chip", chip, "", ENOENT});
    return std::make_unique<FakeLine>(pins[line]);
  }
  std::map<unsigned, FakePin> pins;
};

class GpioTransportTest : public testing::Test {
 protected:
  void open(int pulse, int direction = -1) {
    auto opened = GpioTransport::open({.chip = {}, .pulse = pulse, .direction = direction, .serial = {}}, driver_, "/nonexistent");
    ASSERT_TRUE(opened) << opened.error().text();
    transport_ = std::move(*opened);
  }
  /// Reads until `count` records have come.
  std::vector<std::string> read(std::size_t count) {
    std::vector<std::string> records;
    std::array<std::byte, 61> buffer;
    const MonoTime limit = std::chrono::steady_clock::now() + seconds{20};
    while (records.size() < count) {
      const auto result = transport_->read(buffer, MonoTime{}, limit, wake_);
      if (result.kind != ReadResult::Kind::bytes) {
        records.push_back(result.kind == ReadResult::Kind::closed ? "closed: " + result.error->text() : "timeout");
        break;
      }
      reader_.feed(std::span{buffer}.first(result.count),
                   [&](const Record& record) { records.push_back(static_cast<char>(record.kind) + std::string{record.text}); });
    }
    return records;
  }

  FakeDriver driver_;
  std::unique_ptr<Transport> transport_;
  RecordReader reader_;
  Wake wake_;
};

TEST_F(GpioTransportTest, ReportsLevelsAndEdgesWithTheirTimes) {
  driver_.pins[27].level = true;
  open(17, 27);
  EXPECT_TRUE(driver_.pins[17].taken);
  auto first = read(4);
  ASSERT_EQ(first.size(), 4U);
  EXPECT_TRUE(first[0].starts_with("#GPIO 27 is line 27 of gpiochip0 (pinctrl-bcm2711).")) << first[0];
  EXPECT_TRUE(first[1].starts_with("_d1 "));
  EXPECT_TRUE(first[2].starts_with("#GPIO 17"));
  EXPECT_TRUE(first[3].starts_with("_p0 "));
  driver_.pins[17].edge(true, MonoTime{milliseconds{5000}});
  driver_.pins[17].edge(false, MonoTime{milliseconds{5040}});
  EXPECT_EQ(read(2), (std::vector<std::string>{"^p1 5000000000", "^p0 5040000000"}));
  driver_.pins[27].edge(false, MonoTime{milliseconds{6000}});
  EXPECT_EQ(read(1), (std::vector<std::string>{"^d0 6000000000"}));
  transport_.reset();
  EXPECT_FALSE(driver_.pins[17].taken);
  EXPECT_FALSE(driver_.pins[27].taken);
}

TEST_F(GpioTransportTest, NothingIsLostWhileNobodyReads) {
  open(17);
  constexpr int kMany = 20'000;
  for (int i = 0; i < kMany; ++i) {
    // the pipe is the kernel's queue: the transport's own thread has to empty it while we do not read
    const GpioEvent event{i % 2 == 0, MonoTime{milliseconds{i}}};
    while (::write(driver_.pins[17].pipe[1], &event, sizeof event) < 0) std::this_thread::yield();
  }
  const auto records = read(kMany + 2);
  ASSERT_EQ(records.size(), static_cast<std::size_t>(kMany) + 2);
  for (int i = 0; i < kMany; ++i) {
    const auto edge = parse_edge(std::string_view{records[static_cast<std::size_t>(i) + 2]}.substr(1));
    ASSERT_TRUE(edge);
    ASSERT_EQ(edge->at, MonoTime{milliseconds{i}});
    ASSERT_EQ(edge->high, i % 2 == 0);
  }
}

TEST_F(GpioTransportTest, WhatIsTooMuchIsCounted) {
  open(17);
  constexpr std::size_t kMore = 100;
  for (std::size_t i = 0; i < platform::EdgeReader::kMostEdges + kMore; ++i) {
    const GpioEvent event{true, MonoTime{milliseconds{i}}};
    while (::write(driver_.pins[17].pipe[1], &event, sizeof event) < 0) std::this_thread::yield();
  }
  // when the pipe is empty the thread has dropped what does not fit; read() may still find a part of it in there
  std::size_t edges = 0;
  std::size_t dropped = 0;
  while (edges + dropped < platform::EdgeReader::kMostEdges + kMore) {
    const auto records = read(1);
    ASSERT_FALSE(records.empty());
    for (const auto& record : records) {
      if (record.starts_with("^")) ++edges;
      if (record.starts_with("?")) dropped += std::stoul(record.substr(1));
      ASSERT_NE(record, "timeout");
    }
  }
  EXPECT_EQ(edges + dropped, platform::EdgeReader::kMostEdges + kMore);
}

TEST_F(GpioTransportTest, AWakeUpEndsTheWait) {
  open(17);
  read(2);
  wake_.wake();
  std::array<std::byte, 100> buffer;
  EXPECT_EQ(transport_->read(buffer, MonoTime{}, MonoTime::max(), wake_).kind, ReadResult::Kind::woken);
}

TEST_F(GpioTransportTest, AChipThatGoesIsALostLine) {
  open(17);
  driver_.pins[17].edge(true, MonoTime{milliseconds{5000}});
  driver_.pins[17].unplug();
  const auto records = read(10);
  ASSERT_EQ(records.size(), 4U);
  EXPECT_EQ(records[2], "^p1 5000000000") << "what came before is not lost";
  EXPECT_TRUE(records[3].starts_with("closed: ")) << records[3];
}

TEST_F(GpioTransportTest, LinesThatCannotBeTaken) {
  const auto opened = GpioTransport::open({.chip = "gpiochip7", .pulse = 3, .direction = -1, .serial = {}}, driver_, "/nonexistent");
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ENOENT);
}

/// A serial port that has some bytes.
class FakeSerial final : public Transport {
 public:
  ReadResult read(std::span<std::byte>, MonoTime, MonoTime, Wake&) override {
    return {std::exchange(count_, 0) > 0 ? ReadResult::Kind::bytes : ReadResult::Kind::timeout, 2, std::nullopt};
  }
  Expected<void> write(std::span<const std::byte>, MonoTime, Wake&) override { return {}; }
  Expected<void> set_line(LineSettings) override { return {}; }
  void discard_input() override {}

 private:
  int count_ = 2;
};

TEST_F(GpioTransportTest, SerialPulsesHaveADirection) {
  driver_.pins[27].level = true;
  transport_ = DirectedSerialTransport::open(std::make_unique<FakeSerial>(),
                                             {.chip = "gpiochip0", .pulse = -1, .direction = 27, .serial = "x"}, driver_, "").value();
  const auto records = read(3);
  ASSERT_EQ(records.size(), 3U);
  EXPECT_TRUE(records[0].starts_with("_d1 "));
  const auto first = parse_edge(std::string_view{records[1]}.substr(1));
  const auto second = parse_edge(std::string_view{records[2]}.substr(1));
  ASSERT_TRUE(first && second);
  EXPECT_EQ(records[1][0], '~');
  EXPECT_EQ(std::chrono::duration_cast<milliseconds>(second->at - first->at).count(), 33) << "a character at 300 baud";
  EXPECT_EQ(read(1), std::vector<std::string>{"timeout"});
}

const std::vector<GpioChip> kRaspberry4{{"gpiochip0", "pinctrl-bcm2711", 58, 0}, {"gpiochip1", "raspberrypi-exp-gpio", 8, 0}};

std::string found(const GpioLines& wanted, int number, const std::vector<GpioChip>& chips, const std::vector<SysfsGpioRange>& sysfs = {}) {
  const auto place = platform::find_gpio(wanted, number, chips, sysfs);
  return place ? fmt::format("{} {}", place->chip, place->line) : "no: " + place.error().text();
}

TEST(GpioLookup, OldNumbersAreTranslated) {
  const std::vector<SysfsGpioRange> zero{{0, 58, "pinctrl-bcm2711", ""}, {504, 8, "raspberrypi-exp-gpio", ""}};
  EXPECT_EQ(found({}, 17, kRaspberry4, zero), "gpiochip0 17");
  EXPECT_EQ(found({}, 506, kRaspberry4, zero), "gpiochip1 2");
  const std::vector<SysfsGpioRange> later{{512, 58, "pinctrl-bcm2711", "gpiochip0"}, {570, 8, "raspberrypi-exp-gpio", "gpiochip1"}};
  EXPECT_EQ(found({}, 529, kRaspberry4, later), "gpiochip0 17");
  EXPECT_EQ(found({}, 17, kRaspberry4, later), "gpiochip0 17") << "a file from before the numbers were moved";
  EXPECT_EQ(found({}, 17, kRaspberry4), "gpiochip0 17") << "a kernel without /sys/class/gpio";
  EXPECT_EQ(found({.chip = {}, .raspberry = true, .serial = {}}, 17, kRaspberry4, later), "gpiochip0 17");
  EXPECT_EQ(found({}, 17, {{"gpiochip4", "pinctrl-rp1", 54, 0}, {"gpiochip0", "gpio-brcmstb@107d508500", 32, 0}}), "gpiochip4 17")
      << "a Raspberry Pi 5";
  EXPECT_EQ(found({}, 5, {{"gpiochip0", "whatever", 32, 0}}), "gpiochip0 5") << "there is only one";
}

TEST(GpioLookup, ANamedChipCounts) {
  EXPECT_EQ(found({.chip = "gpiochip1", .serial = {}}, 3, kRaspberry4), "gpiochip1 3");
  EXPECT_EQ(found({.chip = "/dev/gpiochip1", .serial = {}}, 3, kRaspberry4), "gpiochip1 3");
  EXPECT_EQ(found({.chip = "raspberrypi-exp-gpio", .serial = {}}, 3, kRaspberry4), "gpiochip1 3");
}

TEST(GpioLookup, RefusedWithWhatToWrite) {
  const std::vector<GpioChip> orange{{"gpiochip0", "1f02c00.pinctrl", 64, 0}, {"gpiochip1", "1c20800.pinctrl", 224, 0}};
  EXPECT_EQ(found({}, 7, orange),
            "no: GPIO 7: this number belongs to no GPIO chip (write \"gpiochip\" and the line's number on it; there are gpiochip0 "
            "(1f02c00.pinctrl, lines 0 to 63), gpiochip1 (1c20800.pinctrl, lines 0 to 223))");
  EXPECT_EQ(found({}, 7, orange, {{0, 224, "1c20800.pinctrl", ""}, {352, 64, "1f02c00.pinctrl", ""}}), "gpiochip1 7");
  EXPECT_EQ(found({}, 60, kRaspberry4).substr(0, 3), "no:");
  EXPECT_NE(found({}, 7, {}).find("no GPIO chip"), std::string::npos);
  EXPECT_NE(found({}, 7, {{"gpiochip0", "", 0, EACCES}}).find("Permission denied"), std::string::npos);
  const std::vector<GpioChip> twins{{"gpiochip0", "same", 8, 0}, {"gpiochip1", "same", 8, 0}};
  EXPECT_NE(found({}, 503, twins, {{500, 8, "same", ""}}).find("and 3 as the line's number"), std::string::npos);
}

TEST(GpioLookup, ReadsTheOldFolder) {
  std::string name = (fs::temp_directory_path() / "vz-gpio-XXXXXX").string();
  const fs::path root = ::mkdtemp(name.data());
  for (const auto& [base, lines] : {std::pair{512, 58}, std::pair{0, 8}}) {
    const fs::path chip = root / fmt::format("gpiochip{}", base);
    fs::create_directories(chip);
    std::ofstream{chip / "base"} << base << '\n';
    std::ofstream{chip / "ngpio"} << lines << '\n';
    std::ofstream{chip / "label"} << "pins of " << base << '\n';
  }
  fs::create_directories(root / "gpiochip512" / "device" / "gpiochip0");
  std::ofstream{root / "export"} << "";
  const auto ranges = platform::sysfs_gpio_ranges(root);
  ASSERT_EQ(ranges.size(), 2U);
  EXPECT_EQ(ranges[0].lines, 8U);
  EXPECT_EQ(ranges[1].base, 512U);
  EXPECT_EQ(ranges[1].label, "pins of 512");
  EXPECT_EQ(ranges[1].chip, "gpiochip0");
  fs::remove_all(root);
  EXPECT_TRUE(platform::sysfs_gpio_ranges(root).empty());
}

TEST(LibgpiodDriver, KnowsBothClocks) {
  const MonoTime now{seconds{5000}};
  const std::chrono::sys_time<std::chrono::nanoseconds> wall{seconds{1'700'000'000}};
  EXPECT_EQ(platform::event_time({4999, 500'000'000}, now, wall), MonoTime{milliseconds{4'999'500}});
  EXPECT_EQ(platform::event_time({1'699'999'999, 500'000'000}, now, wall), MonoTime{milliseconds{4'999'500}});
}

TEST(LibgpiodDriver, AChipThatIsNotThereIsSaid) {
  platform::LibgpiodDriver driver;
  const auto line = driver.request("gpiochip-none", 3);
  ASSERT_FALSE(line);
  EXPECT_EQ(line.error().text(), "/dev/gpiochip-none: cannot open the GPIO chip: No such file or directory (is the name right? "
                                 "gpiodetect lists the chips)");
}

}  // namespace
}  // namespace vz
