// SPDX-License-Identifier: GPL-3.0-or-later
#include "platform/onewire_transport.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>

#include "platform/fd.hpp"
#include "platform/transport_io.hpp"
#include "platform/wait.hpp"

namespace vz {
namespace {

using platform::WaitEnd;

/// DS18S20, DS1822, DS18B20, DS1825, DS28EA00.
bool is_thermometer(const std::string& name) {
  constexpr std::array<std::string_view, 5> kFamilies{"10-", "22-", "28-", "3b-", "42-"};
  return std::any_of(kFamilies.begin(), kFamilies.end(), [&](std::string_view family) { return name.starts_with(family); });
}

}  // namespace

Expected<std::unique_ptr<Transport>> OneWireTransport::open(const OneWireBus& bus) {
  const platform::Fd folder{::open(bus.root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!folder)
    return tl::unexpected(Error{"no 1-wire bus: " + platform::errno_text(errno), bus.root,
                                "load the drivers: `dtoverlay=w1-gpio` in the config.txt of a Raspberry Pi, `modprobe w1-therm`",
                                errno});
  return std::unique_ptr<Transport>{new OneWireTransport(bus.root)};
}

void OneWireTransport::list() {
  waiting_.clear();
  std::error_code failed;
  for (std::filesystem::directory_iterator at{root_, failed}, end; !failed && at != end; at.increment(failed)) {
    std::string name = at->path().filename().string();
    if (is_thermometer(name) && waiting_.size() < kMostSensors) waiting_.push_back(std::move(name));
  }
  if (failed) append_record(out_.text, RecordKind::trouble, "cannot list the sensors: " + failed.message());
  std::sort(waiting_.rbegin(), waiting_.rend());
}

void OneWireTransport::read_sensor(const std::string& name) {
  append_record(out_.text, RecordKind::sensor, name);
  const platform::Fd fd{::open((root_ + "/" + name + "/w1_slave").c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)};
  std::array<char, 512> text;
  const ssize_t count = fd ? ::read(fd.get(), text.data(), text.size()) : -1;
  if (count <= 0) {
    const std::string why = count == 0 ? "it says nothing" : platform::errno_text(errno);
    append_record(out_.text, RecordKind::trouble, fmt::format("sensor {} cannot be read: {}", name, why));
    return;
  }
  LineSplitter lines;
  lines.feed({text.data(), static_cast<std::size_t>(count)}, RecordKind::line, out_.text);
  if (lines.pending()) lines.finish(RecordKind::line, out_.text);
}

ReadResult OneWireTransport::read(std::span<std::byte> buffer, MonoTime not_before, MonoTime deadline, Wake& wake) {
  if (const auto ended = platform::hold_back(not_before, deadline, wake)) return {*ended, 0, std::nullopt};
  for (;;) {
    if (!out_.empty()) return {ReadResult::Kind::bytes, out_.take(buffer), std::nullopt};
    if (std::exchange(requested_, false)) {
      list();
      reading_ = true;
    }
    const auto waited = platform::wait_for(-1, 0, reading_ ? MonoTime{} : deadline, wake);
    if (waited.end == WaitEnd::woken) return {ReadResult::Kind::woken, 0, std::nullopt};
    if (!reading_) return {ReadResult::Kind::timeout, 0, std::nullopt};
    if (waiting_.empty()) {
      reading_ = false;
      append_record(out_.text, RecordKind::end, {});
      continue;
    }
    read_sensor(waiting_.back());
    waiting_.pop_back();
  }
}

Expected<void> OneWireTransport::write(std::span<const std::byte>, MonoTime, Wake&) {
  requested_ = true;
  return {};
}

}  // namespace vz
