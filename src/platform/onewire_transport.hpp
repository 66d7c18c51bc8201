// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/source_records.hpp"
#include "vz/transport.hpp"

namespace vz {

/// The kernel's 1-wire temperature sensors. After a write it looks which ones are there (families 10, 22, 28, 3b, 42)
/// and reads one after the other: RecordKind::sensor and its lines, or RecordKind::trouble; then RecordKind::end.
/// Reading a sensor takes the kernel about 0.75 s, in which nothing can wake it; between two of them a wake-up counts.
/// Used by one thread.
class OneWireTransport final : public Transport {
 public:
  static constexpr std::size_t kMostSensors = 400;

  /// Error: the folder is missing, because no driver for a 1-wire bus is loaded.
  static Expected<std::unique_ptr<Transport>> open(const OneWireBus& bus);

  ReadResult read(std::span<std::byte> buffer, MonoTime not_before, MonoTime deadline, Wake& wake) override;
  Expected<void> write(std::span<const std::byte> bytes, MonoTime deadline, Wake& wake) override;
  Expected<void> set_line(LineSettings) override { return {}; }
  void discard_input() override {}

 private:
  explicit OneWireTransport(std::string root) : root_(std::move(root)) {}
  void list();
  void read_sensor(const std::string& name);

  std::string root_;
  bool requested_ = false;
  bool reading_ = false;
  std::vector<std::string> waiting_;  ///< sensors still to be read, the next one last
  RecordBuffer out_;
};

}  // namespace vz
