// SPDX-License-Identifier: GPL-3.0-or-later
#include "platform/transport_factory.hpp"

#include <poll.h>
#include <unistd.h>

#include "platform/command_transport.hpp"
#include "platform/file_transport.hpp"
#include "platform/gpio_transport.hpp"
#include "platform/onewire_transport.hpp"
#include "platform/path_watch.hpp"
#include "platform/serial_transport.hpp"
#include "platform/tcp_transport.hpp"
#include "platform/wait.hpp"

namespace vz {
namespace {

/// For sessions that make their own readings: only the waiting is real.
class NullTransport final : public Transport {
 public:
  ReadResult read(std::span<std::byte>, MonoTime, MonoTime deadline, Wake& wake) override {
    const platform::Waited waited = platform::wait_for(-1, 0, deadline, wake);
    const bool woken = waited.end == platform::WaitEnd::woken;
    return {woken ? ReadResult::Kind::woken : ReadResult::Kind::timeout, 0, std::nullopt};
  }
  Expected<void> write(std::span<const std::byte>, MonoTime, Wake&) override { return {}; }
  Expected<void> set_line(LineSettings) override { return {}; }
  void discard_input() override {}
};

class PathReturn final : public ReturnWatch {
 public:
  explicit PathReturn(const std::string& path) : way_(path) {}
  [[nodiscard]] bool works() const { return way_.fd() >= 0; }
  End wait(MonoTime deadline, Wake& wake) override {
    for (;;) {
      const platform::Waited waited = platform::wait_for(way_.fd(), POLLIN, deadline, wake);
      if (waited.end == platform::WaitEnd::woken) return End::woken;
      if (waited.end != platform::WaitEnd::ready) return End::timeout;
      if (way_.heard()) return End::returned;
    }
  }

 private:
  platform::PathWatch way_;
};

constexpr const char* kSysfsGpio = "/sys/class/gpio";

Expected<std::unique_ptr<Transport>> open_pulses(const GpioLines& lines, platform::GpioDriver& driver, LineSettings line) {
  if (lines.pulse >= 0) return GpioTransport::open(lines, driver, kSysfsGpio);
  auto serial = SerialTransport::open(lines.serial, line);
  if (!serial) return serial;
  return DirectedSerialTransport::open(std::move(*serial), lines, driver, kSysfsGpio);
}

}  // namespace

std::unique_ptr<ReturnWatch> SystemTransportFactory::watch(const Endpoint& endpoint) {
  std::string path;
  if (const auto* port = std::get_if<SerialPort>(&endpoint)) path = port->path;
  if (const auto* file = std::get_if<FileSource>(&endpoint)) path = file->path;
  if (const auto* bus = std::get_if<OneWireBus>(&endpoint)) path = bus->root;
  if (path.empty()) return nullptr;
  auto way = std::make_unique<PathReturn>(path);
  return way->works() ? std::move(way) : nullptr;
}

Expected<std::unique_ptr<Transport>> SystemTransportFactory::open(const Endpoint& endpoint, LineSettings line,
                                                                  MonoTime deadline, Wake& wake) {
  if (const auto* port = std::get_if<SerialPort>(&endpoint)) return SerialTransport::open(port->path, line);
  if (const auto* peer = std::get_if<TcpPeer>(&endpoint)) {
    auto connection = TcpTransport::open(*peer, resolver_, deadline, wake);
    if (connection) static_cast<void>((*connection)->set_line(line));
    return connection;
  }
  if (const auto* file = std::get_if<FileSource>(&endpoint)) return FileTransport::open(*file);
  if (const auto* program = std::get_if<CommandSource>(&endpoint)) return CommandTransport::open(*program, ::geteuid());
  if (const auto* bus = std::get_if<OneWireBus>(&endpoint)) return OneWireTransport::open(*bus);
  if (const auto* lines = std::get_if<GpioLines>(&endpoint)) return open_pulses(*lines, gpio_, line);
  return std::unique_ptr<Transport>{std::make_unique<NullTransport>()};
}

}  // namespace vz
