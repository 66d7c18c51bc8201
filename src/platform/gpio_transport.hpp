// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <memory>
#include <string>

#include "core/source_records.hpp"
#include "platform/edge_reader.hpp"
#include "platform/gpio.hpp"
#include "vz/transport.hpp"

namespace vz {

/// Edges of GPIO lines as records, with the kernel's times: first the level that each line has, then each change of it. Nothing
/// is polled. A line that was taken is given back by the destructor.
/// Used by one thread; has one of its own (EdgeReader). Does not allocate once open.
class GpioTransport final : public Transport {
 public:
  /// `sysfs` is /sys/class/gpio, for numbers of old files.
  static Expected<std::unique_ptr<Transport>> open(const GpioLines& lines, platform::GpioDriver& driver, const std::string& sysfs);

  ReadResult read(std::span<std::byte> buffer, MonoTime not_before, MonoTime deadline, Wake& wake) override;
  Expected<void> write(std::span<const std::byte>, MonoTime, Wake&) override { return {}; }
  Expected<void> set_line(LineSettings) override { return {}; }
  void discard_input() override {}

 private:
  GpioTransport(std::string where, std::string first, std::unique_ptr<platform::GpioLine> pulse,
                std::unique_ptr<platform::GpioLine> direction);
  void fetch();

  std::string where_;
  RecordBuffer out_;
  std::optional<Error> failed_;  ///< told once all that came before is read
  platform::EdgeReader edges_;
};

/// The bytes of a serial port as pulse records, each with the direction that a GPIO line has when it is read.
/// Used by one thread.
class DirectedSerialTransport final : public Transport {
 public:
  static Expected<std::unique_ptr<Transport>> open(std::unique_ptr<Transport> serial, const GpioLines& lines,
                                                   platform::GpioDriver& driver, const std::string& sysfs);

  ReadResult read(std::span<std::byte> buffer, MonoTime not_before, MonoTime deadline, Wake& wake) override;
  Expected<void> write(std::span<const std::byte>, MonoTime, Wake&) override { return {}; }
  Expected<void> set_line(LineSettings line) override { return serial_->set_line(line); }
  void discard_input() override { serial_->discard_input(); }

 private:
  DirectedSerialTransport(std::unique_ptr<Transport> serial, std::unique_ptr<platform::GpioLine> direction, std::string note);

  std::unique_ptr<Transport> serial_;
  std::unique_ptr<platform::GpioLine> direction_;
  RecordBuffer out_;
};

}  // namespace vz
